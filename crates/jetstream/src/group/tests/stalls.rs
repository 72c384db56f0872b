//! Ways in which consumers of other servers came to a stand, counted wrong, or held messages for ever; each by name.

use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::Retention;

use super::{SECOND, World};
use crate::Command;

fn filled(count: usize) -> World {
    let mut world = World::new(|c| c.allow_rollup_hdrs = true);
    for n in 1..=count {
        world.publish(&format!("s.{}", n % 3), &n.to_string());
    }
    world
}

/// `num_pending`, `num_ack_pending`, `num_redelivered`, ack floor in the stream.
fn counts(world: &World, id: u32) -> (u64, i64, i64, u64) {
    let info = world.group.consumer_info(id, world.now).unwrap();
    (
        info.num_pending,
        info.num_ack_pending,
        info.num_redelivered,
        info.ack_floor.stream_seq,
    )
}

fn update(world: &mut World, id: u32, change: impl FnOnce(&mut ConsumerConfig)) {
    let mut config = world.group.consumers().config(id).unwrap().clone();
    change(&mut config);
    let config = Box::new(config);
    world.command(Command::ConsumerUpdate { id, config });
}

#[test]
fn a_filter_edit_counts_anew_and_delivers_what_is_left() {
    let mut world = filled(6);
    let id = world.consumer("c", |c| c.filter_subject = "s.0".into());
    assert_eq!(world.pull(id, "1"), ["3"]);
    assert_eq!(counts(&world, id).0, 1);
    update(&mut world, id, |c| c.filter_subject = "s.1".into());
    assert_eq!(counts(&world, id).0, 1, "4 is to come, 1 was passed over");
    assert_eq!(world.pull(id, "5"), ["4"]);
    assert_eq!(counts(&world, id).0, 0);
    world.publish("s.1", "7");
    assert_eq!(world.take_deliveries(), ["7"]);
}

#[test]
fn a_message_that_leaves_after_a_filter_edit_is_not_waited_for() {
    let mut world = filled(3);
    let id = world.consumer("c", |c| {
        c.filter_subject = "s.1".into();
        c.max_ack_pending = 1;
    });
    assert_eq!(world.pull(id, "1"), ["1"]);
    update(&mut world, id, |c| c.filter_subject = "s.2".into());
    world.command(Command::Delete { seq: 1, erase: false });
    assert_eq!(counts(&world, id).1, 0);
    assert_eq!(world.pull(id, "1"), ["2"], "the place is free");
}

#[test]
fn a_purge_of_some_subjects_passes_over_only_what_is_gone() {
    let mut world = filled(6);
    let own = world.consumer("own", |c| c.filter_subject = "s.1".into());
    let both = world.consumer("both", |c| c.filter_subjects = vec!["s.1".into(), "s.2".into()]);
    let other = world.consumer("other", |c| c.filter_subject = "s.0".into());
    let purge = Command::Purge {
        filter: "s.1".into(),
        up_to: 0,
        keep: 0,
    };
    world.command(purge);
    assert_eq!(counts(&world, own), (0, 0, 0, 6));
    assert_eq!(
        counts(&world, both),
        (2, 0, 0, 1),
        "it begins where the stream does"
    );
    assert_eq!(
        counts(&world, other),
        (2, 0, 0, 0),
        "it has nothing to do with it"
    );
    assert_eq!(world.pull(both, "2"), ["2", "5"]);
    assert_eq!(world.pull(other, "2"), ["3", "6"]);
    world.publish("s.1", "7");
    assert_eq!(world.pull(own, "9"), ["7"]);
}

#[test]
fn a_process_that_stood_still_delivers_again_and_loses_nothing() {
    let mut world = filled(4);
    let id = world.consumer("c", |c| c.ack_wait = Nanos::from_secs(2));
    assert_eq!(world.pull(id, "2"), ["1", "2"]);
    world.pass(13 * SECOND);
    assert_eq!(counts(&world, id), (2, 2, 0, 0));
    assert_eq!(world.pull(id, "9"), ["1", "2", "3", "4"]);
    assert_eq!(counts(&world, id), (0, 4, 2, 0));
}

#[test]
fn a_rollup_under_several_filters_is_counted_once() {
    let mut world = filled(6);
    let id = world.consumer("c", |c| c.filter_subjects = vec!["s.0".into(), "s.1".into()]);
    assert_eq!(counts(&world, id).0, 4);
    world.publish_with("s.1", "r", &[("Nats-Rollup", "sub")]);
    assert_eq!(counts(&world, id).0, 3);
    assert_eq!(world.pull(id, "9"), ["3", "6", "r"]);
    world.publish_with("s.2", "all", &[("Nats-Rollup", "all")]);
    assert_eq!(counts(&world, id), (0, 0, 0, 7));
    world.publish("s.0", "8");
    assert_eq!(world.take_deliveries(), ["8"]);
}

#[test]
fn a_listed_message_that_leaves_is_not_to_come() {
    let mut world = filled(3);
    let id = world.consumer("c", |c| {
        c.deliver_policy = DeliverPolicy::LastPerSubject;
        c.filter_subject = "s.*".into();
    });
    assert_eq!(counts(&world, id).0, 3);
    world.command(Command::Delete { seq: 2, erase: false });
    assert_eq!(counts(&world, id).0, 2);
    assert_eq!(world.pull(id, "9"), ["1", "3"]);
}

#[test]
fn a_consumer_that_starts_in_the_future_counts_only_what_it_will_get() {
    let mut world = filled(1);
    let id = world.consumer("c", |c| {
        c.deliver_policy = DeliverPolicy::ByStartSequence;
        c.opt_start_seq = 4;
    });
    for n in 2..=3 {
        world.publish("s.0", &n.to_string());
        assert_eq!(counts(&world, id).0, 0);
    }
    world.publish("s.0", "4");
    assert_eq!(counts(&world, id).0, 1);
    assert_eq!(world.pull(id, "9"), ["4"]);
}

#[test]
fn a_rollup_leaves_what_waits_from_before_a_filter_edit() {
    let mut world = filled(2);
    let id = world.consumer("c", |c| {
        c.filter_subject = "s.1".into();
        c.ack_wait = Nanos::from_secs(1);
    });
    assert_eq!(world.pull(id, "1"), ["1"]);
    update(&mut world, id, |c| c.filter_subject = "s.2".into());
    world.publish_with("s.2", "r", &[("Nats-Rollup", "sub")]);
    assert_eq!(counts(&world, id), (1, 1, 0, 0));
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.pull(id, "2"), ["1", "r"]);
}

#[test]
fn a_purge_frees_the_places_of_what_it_takes() {
    let mut world = filled(4);
    let id = world.consumer("c", |c| c.max_ack_pending = 2);
    assert_eq!(world.pull(id, "9"), ["1", "2"]);
    let purge = Command::Purge {
        filter: String::new(),
        up_to: 3,
        keep: 0,
    };
    world.command(purge);
    assert_eq!(world.take_deliveries(), ["3", "4"]);
    assert_eq!(counts(&world, id), (0, 2, 0, 2));
}

#[test]
fn the_floor_never_passes_what_waits_when_acks_take_all_before() {
    let mut world = filled(2);
    let id = world.consumer("c", |c| c.ack_policy = AckPolicy::All);
    assert_eq!(world.pull(id, "2"), ["1", "2"]);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "-NAK");
    assert_eq!(world.pull(id, "1"), ["1"]);
    world.ack(id, "$JS.ACK.S.c.2.1.3.0.0", "+ACK");
    world.publish("s.9", "3");
    assert_eq!(world.pull(id, "1"), ["3"]);
    world.command(Command::Delete { seq: 3, erase: false });
    assert_eq!(counts(&world, id), (0, 1, 0, 1), "2 waits above the floor");
    world.pass(31 * SECOND);
    assert_eq!(world.pull(id, "1"), ["2"]);
    world.ack(id, "$JS.ACK.S.c.2.2.5.0.0", "+ACK");
    assert_eq!(counts(&world, id).1, 0);
}

#[test]
fn a_message_given_up_can_still_be_acknowledged() {
    let mut world = World::new(|c| c.retention = Retention::WorkQueue);
    world.publish("s.a", "1");
    let id = world.consumer("c", |c| {
        c.ack_wait = Nanos::from_secs(1);
        c.max_deliver = 1;
    });
    assert_eq!(world.pull(id, "1"), ["1"]);
    world.pass(SECOND + SECOND / 10);
    assert!(world.pull(id, "1").is_empty());
    assert_eq!(counts(&world, id).1, 0);
    assert_eq!(
        world.group.info(world.now).state.messages,
        1,
        "giving up removes nothing"
    );
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    assert_eq!(world.group.info(world.now).state.messages, 0);
}

#[test]
fn what_only_an_old_filter_held_leaves() {
    let mut world = World::new(|c| c.retention = Retention::Interest);
    let held = world.consumer("a", |_| {});
    let done = world.consumer("b", |_| {});
    world.publish("s.x", "1");
    assert_eq!(world.pull(done, "1"), ["1"]);
    world.ack(done, "$JS.ACK.S.b.1.1.1.0.0", "+ACK");
    assert_eq!(world.group.info(world.now).state.messages, 1);
    update(&mut world, held, |c| c.filter_subject = "s.y".into());
    assert_eq!(world.group.info(world.now).state.messages, 0);
}

#[test]
fn what_left_unheard_before_a_restart_is_not_waited_for() {
    let mut world = filled(3);
    let id = world.consumer("c", |_| {});
    assert_eq!(world.pull(id, "3"), ["1", "2", "3"]);
    world.pass(SECOND);
    // The removal is on disk; that the consumer heard of it is not.
    world
        .group
        .propose(Command::Delete { seq: 2, erase: false }, None);
    world.settle_one();
    let mut world = world.restart(|c| c.allow_rollup_hdrs = true);
    let id = world.group.consumers().lookup("c").unwrap();
    assert_eq!(counts(&world, id).1, 2);
}

#[test]
fn the_cursor_is_not_past_the_stream_after_lost_deliveries() {
    let mut world = filled(3);
    let id = world.consumer("c", |_| {});
    world.group.on_pull(id, world.now, b"in", b"2", &mut world.fx);
    // Delivered, and the power goes before anything is written.
    while world.group.run(world.now, &mut world.fx, 10) {}
    assert_eq!(world.take_deliveries(), ["1", "2"]);
    let mut world = world.restart(|c| c.allow_rollup_hdrs = true);
    let id = world.group.consumers().lookup("c").unwrap();
    assert_eq!(counts(&world, id), (3, 0, 0, 0));
    assert_eq!(world.pull(id, "9"), ["1", "2", "3"]);
}

#[test]
fn a_reset_forgets_the_list_of_last_messages_after_a_restart_too() {
    let mut world = filled(4);
    let id = world.consumer("c", |c| {
        c.deliver_policy = DeliverPolicy::LastPerSubject;
        c.filter_subject = "s.*".into();
    });
    let next = world.group.check_reset(id, 0).unwrap();
    world.group.reset_consumer(id, next, world.now);
    world.settle();
    let before = counts(&world, id);
    let mut world = world.restart(|c| c.allow_rollup_hdrs = true);
    let id = world.group.consumers().lookup("c").unwrap();
    assert_eq!(counts(&world, id), before);
}

#[test]
fn acking_all_before_lets_go_of_what_was_given_up() {
    let mut world = World::new(|c| c.retention = Retention::Interest);
    let id = world.consumer("c", |c| {
        c.ack_policy = AckPolicy::All;
        c.ack_wait = Nanos::from_secs(1);
        c.max_deliver = 1;
    });
    for n in 1..=3 {
        world.publish("s.a", &n.to_string());
    }
    assert_eq!(world.pull(id, "2"), ["1", "2"]);
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.pull(id, "1"), ["3"]);
    world.command(Command::Delete { seq: 1, erase: false });
    world.ack(id, "$JS.ACK.S.c.1.3.3.0.0", "+ACK");
    assert_eq!(world.group.info(world.now).state.messages, 0);
}

#[test]
fn what_a_deleted_consumer_held_leaves_after_a_crash_too() {
    let mut world = World::new(|c| c.retention = Retention::Interest);
    let gone = world.consumer("a", |_| {});
    let done = world.consumer("b", |_| {});
    world.publish("s.x", "1");
    assert_eq!(world.pull(done, "1"), ["1"]);
    world.ack(done, "$JS.ACK.S.b.1.1.1.0.0", "+ACK");
    // The deletion is on disk, what follows from it is not.
    world.group.propose(Command::ConsumerDelete { id: gone }, None);
    world.settle_one();
    let mut world = world.restart(|c| c.retention = Retention::Interest);
    world.settle();
    assert_eq!(world.group.info(world.now).state.messages, 0);
}

#[test]
fn what_was_acknowledged_before_a_crash_has_left_a_work_queue() {
    let mut world = World::new(|c| c.retention = Retention::WorkQueue);
    world.publish("s.x", "1");
    world.publish("s.x", "2");
    let id = world.consumer("a", |_| {});
    assert_eq!(world.pull(id, "2"), ["1", "2"]);
    world.ack(id, "$JS.ACK.S.a.1.2.2.0.0", "+ACK");
    let mut world = world.restart(|c| c.retention = Retention::WorkQueue);
    let id = world.group.consumers().lookup("a").unwrap();
    assert_eq!(counts(&world, id).1, 1, "1 waits, 2 is gone");
    assert_eq!(world.group.info(world.now).state.messages, 1);
    world.pass(31 * SECOND);
    assert_eq!(world.pull(id, "5"), ["1"]);
}

#[test]
fn a_rollup_beside_a_held_message_skips_nothing() {
    let mut world = World::new(|c| c.allow_rollup_hdrs = true);
    let id = world.consumer("c", |c| {
        c.filter_subjects = vec!["s.host".into(), "s.periodic".into()];
        c.max_ack_pending = 1;
    });
    world.publish("s.host", "1");
    assert_eq!(world.pull(id, "9"), ["1"]);
    world.publish("s.host", "2");
    world.publish_with("s.periodic", "3", &[("Nats-Rollup", "sub")]);
    world.publish_with("s.periodic", "4", &[("Nats-Rollup", "sub")]);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    assert_eq!(world.take_deliveries(), ["2"]);
    world.ack(id, "$JS.ACK.S.c.1.2.2.0.0", "+ACK");
    assert_eq!(world.take_deliveries(), ["4"]);
}

#[test]
fn a_raised_limit_lets_the_rest_of_a_work_queue_through() {
    let mut world = World::new(|c| c.retention = Retention::WorkQueue);
    for n in 1..=4 {
        world.publish("s.a", &n.to_string());
    }
    let id = world.consumer("c", |c| c.max_ack_pending = 2);
    assert_eq!(world.pull(id, "9"), ["1", "2"]);
    update(&mut world, id, |c| c.max_ack_pending = 3);
    assert_eq!(world.take_deliveries(), ["3"]);
    let mut world = world.restart(|c| c.retention = Retention::WorkQueue);
    let id = world.group.consumers().lookup("c").unwrap();
    assert_eq!(world.pull(id, "9"), ["1", "2", "3"]);
    update(&mut world, id, |c| c.max_ack_pending = 4);
    assert_eq!(world.take_deliveries(), ["4"]);
}

#[test]
fn a_short_wait_does_not_wait_for_a_long_one() {
    let mut world = filled(1);
    let id = world.consumer("c", |c| {
        c.backoff = vec![Nanos::from_secs(1), Nanos::from_secs(60)]
    });
    assert_eq!(world.pull(id, "9"), ["1"]);
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.take_deliveries(), ["1"]);
    world.publish("s.a", "2");
    assert_eq!(world.take_deliveries(), ["2"]);
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.take_deliveries(), ["2"], "1 waits for a minute");
}

/// The table in the README names these tests and no others.
#[test]
fn the_table_is_whole() {
    let readme = include_str!("../../../README.md");
    let listed: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    let source = include_str!("stalls.rs");
    let tests: Vec<&str> = source
        .split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .filter(|name| *name != "the_table_is_whole")
        .collect();
    assert!(tests.len() > 10);
    for name in &tests {
        assert!(listed.contains(name), "{name} is not in the table");
    }
    for name in listed {
        assert!(tests.contains(&name), "there is no test {name}");
    }
}
