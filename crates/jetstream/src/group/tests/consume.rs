//! Consumers: pull and push, acknowledgements of every kind, redelivery, replay, where they start.

use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy};
use natterjack_jsapi::stream::Retention;

use super::{SECOND, World};
use crate::Command;

fn filled(count: usize) -> World {
    let mut world = World::new(|_| {});
    for n in 1..=count {
        world.publish(&format!("s.{}", n % 2), &n.to_string());
    }
    world
}

fn acks(world: &World) -> Vec<String> {
    world.fx.deliveries.iter().map(|d| d.2.clone()).collect()
}

#[test]
fn a_pull_gets_what_it_asked_for_with_subjects_kept() {
    let mut world = filled(3);
    let id = world.consumer("c", |_| {});
    world
        .group
        .on_pull(id, world.now, b"in", br#"{"batch":2}"#, &mut world.fx);
    world.settle();
    let first = world.fx.deliveries[0].clone();
    assert_eq!(
        (first.0.as_str(), first.1.as_str(), first.3.as_str()),
        ("in", "s.1", "1")
    );
    assert!(first.2.starts_with("$JS.ACK.S.c.1.1.1."), "{}", first.2);
    assert!(first.2.ends_with(".2"), "two more to come: {}", first.2);
    assert_eq!(world.take_deliveries(), ["1", "2"]);
    let info = world.group.consumer_info(id, world.now).unwrap();
    assert_eq!((info.num_pending, info.num_ack_pending), (1, 2));
}

#[test]
fn requests_end_with_a_status() {
    let mut world = filled(0);
    let id = world.consumer("c", |_| {});
    assert!(world.pull(id, r#"{"batch":1,"no_wait":true}"#).is_empty());
    assert_eq!(world.status("in").as_deref(), Some("NATS/1.0 404 No Messages"));
    assert!(world.pull(id, r#"{"batch":1,"expires":1000000000}"#).is_empty());
    assert_eq!(world.status("in"), None);
    world.pass(SECOND);
    assert_eq!(
        world.status("in").as_deref(),
        Some("NATS/1.0 408 Request Timeout")
    );
    world.pull(id, r#"{"batch":1}"#);
    world.command(Command::ConsumerDelete { id });
    assert_eq!(
        world.status("in").as_deref(),
        Some("NATS/1.0 409 Consumer Deleted")
    );
}

#[test]
fn what_is_not_acknowledged_comes_again() {
    let mut world = filled(2);
    let id = world.consumer("c", |c| {
        c.ack_wait = Nanos::from_secs(1);
        c.max_deliver = 2;
    });
    assert_eq!(world.pull(id, r#"{"batch":2}"#), ["1", "2"]);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    assert_eq!(world.pull(id, r#"{"batch":5}"#), [""; 0]);
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.take_deliveries(), ["2"]);
    world.pass(SECOND + SECOND / 10);
    assert!(world.take_deliveries().is_empty(), "delivered twice is enough");
    assert_eq!(
        world.fx.advisories,
        ["$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c"]
    );
}

#[test]
fn nak_delay_progress_and_term() {
    let mut world = filled(3);
    let id = world.consumer("c", |c| c.ack_wait = Nanos::from_secs(10));
    world.pull(id, r#"{"batch":3}"#);
    world.pull(id, r#"{"batch":9}"#);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "-NAK");
    assert_eq!(world.take_deliveries(), ["1"]);
    world.ack(id, "$JS.ACK.S.c.1.2.2.0.0", r#"-NAK {"delay":3000000000}"#);
    assert!(world.take_deliveries().is_empty());
    world.pass(3 * SECOND + SECOND / 10);
    assert_eq!(world.take_deliveries(), ["2"]);
    world.pass(5 * SECOND);
    world.ack(id, "$JS.ACK.S.c.1.3.3.0.0", "+WPI");
    world.ack(id, "$JS.ACK.S.c.2.1.4.0.0", "+TERM bad");
    world.pass(4 * SECOND);
    assert!(
        world.take_deliveries().is_empty(),
        "3 is in progress, 1 is given up"
    );
    world.pass(7 * SECOND);
    assert_eq!(world.take_deliveries(), ["2", "3"]);
}

#[test]
fn ack_all_takes_everything_before() {
    let mut world = filled(3);
    let id = world.consumer("c", |c| c.ack_policy = AckPolicy::All);
    world.pull(id, r#"{"batch":3}"#);
    world.ack(id, "$JS.ACK.S.c.1.2.2.0.0", "+ACK");
    let info = world.group.consumer_info(id, world.now).unwrap();
    assert_eq!((info.num_ack_pending, info.ack_floor.stream_seq), (1, 2));
}

#[test]
fn where_consumers_start() {
    let mut world = filled(5);
    world.pass(60 * SECOND);
    world.publish("s.0", "6");
    let start = world.now.wall_ns;
    let cases: [(&str, DeliverPolicy, &[&str]); 5] = [
        ("all", DeliverPolicy::All, &["1", "2", "3", "4", "5", "6"]),
        ("last", DeliverPolicy::Last, &["6"]),
        ("per-subject", DeliverPolicy::LastPerSubject, &["5", "6"]),
        ("seq", DeliverPolicy::ByStartSequence, &["4", "5", "6"]),
        ("time", DeliverPolicy::ByStartTime, &["6"]),
    ];
    for (name, policy, expected) in cases {
        let id = world.consumer(name, |c| {
            c.deliver_policy = policy;
            match policy {
                DeliverPolicy::ByStartSequence => c.opt_start_seq = 4,
                DeliverPolicy::ByStartTime => c.opt_start_time = Some(natterjack_jsapi::GoTime(start)),
                DeliverPolicy::LastPerSubject => c.filter_subject = "s.>".into(),
                _ => {}
            }
        });
        assert_eq!(world.pull(id, r#"{"batch":10}"#), expected, "{name}");
    }
    let id = world.consumer("new", |c| c.deliver_policy = DeliverPolicy::New);
    assert!(world.pull(id, r#"{"batch":10}"#).is_empty());
    world.publish("s.1", "7");
    assert!(world.take_deliveries().contains(&"7".to_owned()));
}

#[test]
fn filters_choose() {
    let mut world = filled(4);
    let id = world.consumer("c", |c| c.filter_subject = "s.0".into());
    assert_eq!(world.group.consumer_info(id, world.now).unwrap().num_pending, 2);
    assert_eq!(world.pull(id, r#"{"batch":10}"#), ["2", "4"]);
}

#[test]
fn a_push_consumer_sends_while_somebody_listens() {
    let mut world = filled(2);
    let id = world.consumer("c", |c| c.deliver_subject = "to".into());
    world.settle();
    assert!(world.take_deliveries().is_empty());
    world.group.consumers().on_interest(id, world.now, true);
    world.settle();
    assert_eq!(acks(&world).len(), 2);
    assert_eq!(world.take_deliveries(), ["1", "2"]);
    world.publish("s.0", "3");
    assert_eq!(world.take_deliveries(), ["3"]);
}

#[test]
fn replay_at_the_original_pace() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    world.pass(2 * SECOND);
    world.publish("s.a", "2");
    let id = world.consumer("c", |c| {
        c.deliver_subject = "to".into();
        c.replay_policy = ReplayPolicy::Original;
        c.ack_policy = AckPolicy::None;
    });
    world.group.consumers().on_interest(id, world.now, true);
    world.settle();
    assert_eq!(world.take_deliveries(), ["1"]);
    world.pass(SECOND);
    assert!(world.take_deliveries().is_empty());
    world.pass(SECOND + SECOND / 100);
    assert_eq!(world.take_deliveries(), ["2"]);
}

#[test]
fn a_work_queue_forgets_what_is_done() {
    let mut world = World::new(|c| c.retention = Retention::WorkQueue);
    world.publish("s.a", "1");
    world.publish("s.a", "2");
    let id = world.consumer("c", |_| {});
    world.pull(id, r#"{"batch":2}"#);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    let state = world.group.info(world.now).state;
    assert_eq!((state.messages, state.first_seq), (1, 2));
}

#[test]
fn at_most_so_many_unacknowledged() {
    let mut world = filled(3);
    let id = world.consumer("c", |c| c.max_ack_pending = 1);
    assert_eq!(world.pull(id, r#"{"batch":3}"#), ["1"]);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    assert_eq!(world.take_deliveries(), ["2"]);
}

#[test]
fn nobody_listens_on_the_inbox() {
    let mut world = filled(1);
    let id = world.consumer("c", |_| {});
    world.fx.deaf.insert("in".into());
    assert!(world.pull(id, r#"{"batch":1}"#).is_empty());
    world.fx.deaf.clear();
    assert_eq!(world.pull(id, r#"{"batch":1}"#), ["1"]);
}

#[test]
fn an_ephemeral_without_client_goes() {
    let mut world = filled(1);
    world.consumer("c", |c| {
        c.durable_name.clear();
        c.inactive_threshold = Nanos::from_secs(2);
    });
    world.pass(SECOND);
    assert_eq!(world.group.consumers().len(), 1);
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.group.consumers().len(), 0);
}
