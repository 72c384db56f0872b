//! What a consumer waits for: acknowledgements, the end of a pause, its rate, the times at which messages were recorded.

use natterjack_jsapi::consumer::{ConsumerConfig, PriorityPolicy, ReplayPolicy};
use natterjack_jsapi::{GoTime, Nanos};

use super::{SECOND, World};
use crate::Command;

fn push(config: &mut ConsumerConfig) {
    config.deliver_subject = "to".into();
}

fn listen(world: &mut World, id: u32) -> Vec<String> {
    world.group.consumers().on_interest(id, world.now, true);
    world.pass(0);
    world.take_deliveries()
}

#[test]
fn nothing_comes_again_by_itself_without_a_wait() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    let id = world.consumer("c", |c| {
        push(c);
        c.backoff = vec![Nanos(0)];
    });
    assert_eq!(listen(&mut world, id), ["1"]);
    for _ in 0..10 {
        world.pass(SECOND);
    }
    assert!(world.take_deliveries().is_empty());
}

#[test]
fn a_longer_wait_holds_for_what_is_out() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    let id = world.consumer("c", |c| {
        push(c);
        c.ack_wait = Nanos::from_secs(2);
    });
    assert_eq!(listen(&mut world, id), ["1"]);
    let mut config = world.group.consumers().config(id).unwrap().clone();
    config.ack_wait = Nanos::from_secs(30);
    let config = Box::new(config);
    world.command(Command::ConsumerUpdate { id, config });
    world.pass(5 * SECOND);
    assert!(world.take_deliveries().is_empty());
    world.pass(26 * SECOND);
    assert_eq!(world.take_deliveries(), ["1"]);
}

#[test]
fn a_burst_passes_and_then_the_rate_holds() {
    let mut world = World::new(|_| {});
    let half = "x".repeat(600 * 1024);
    for _ in 0..3 {
        world.publish("s.a", &half);
    }
    // 100 KiB a second: the second message is 176 KiB beyond the burst, the third 600 KiB more.
    let id = world.consumer("c", |c| {
        push(c);
        c.rate_limit_bps = 100 * 1024 * 8;
    });
    assert_eq!(listen(&mut world, id).len(), 1);
    world.pass(SECOND);
    assert!(world.take_deliveries().is_empty());
    world.pass(SECOND);
    assert_eq!(world.take_deliveries().len(), 1);
    world.pass(5 * SECOND);
    assert!(world.take_deliveries().is_empty());
    world.pass(SECOND);
    assert_eq!(world.take_deliveries().len(), 1);
}

#[test]
fn replay_keeps_the_recorded_order_and_spacing() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    world.pass(SECOND);
    world.publish("s.a", "2");
    world.publish("s.a", "3");
    world.pass(3 * SECOND);
    world.publish("s.a", "4");
    let id = world.consumer("c", |c| {
        push(c);
        c.replay_policy = ReplayPolicy::Original;
    });
    assert_eq!(listen(&mut world, id), ["1"]);
    world.pass(SECOND / 2);
    assert!(world.take_deliveries().is_empty());
    world.pass(SECOND / 2);
    assert_eq!(world.take_deliveries(), ["2", "3"]);
    world.pass(2 * SECOND);
    assert!(world.take_deliveries().is_empty());
    world.pass(SECOND);
    assert_eq!(world.take_deliveries(), ["4"]);
}

#[test]
fn a_pause_in_the_past_is_told_once_and_holds_nothing() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    let id = world.consumer("c", |_| {});
    let told = |world: &mut World| {
        world
            .fx
            .advisories
            .drain(..)
            .filter(|s| s.contains(".PAUSE."))
            .count()
    };
    let until = Some(GoTime(1));
    world.command(Command::ConsumerPause { id, until });
    assert_eq!(told(&mut world), 1);
    world.pass(SECOND);
    world.command(Command::ConsumerPause { id, until });
    assert_eq!(told(&mut world), 0);
    assert_eq!(world.pull(id, "1"), ["1"]);
}

#[test]
fn a_request_that_does_not_wait_is_answered_while_paused() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    let id = world.consumer("c", |_| {});
    let until = Some(GoTime(world.now.plus(60 * SECOND).wall_ns));
    world.command(Command::ConsumerPause { id, until });
    assert!(world.pull(id, r#"{"batch":3,"no_wait":true}"#).is_empty());
    assert_eq!(world.status("in").as_deref(), Some("NATS/1.0 404 No Messages"));
}

#[test]
fn a_request_that_does_not_wait_does_not_wait_to_be_eligible() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    world.publish("s.a", "2");
    let id = world.consumer("c", |c| {
        c.priority_policy = PriorityPolicy::Overflow;
        c.priority_groups = vec!["g".into()];
    });
    let none = Some("NATS/1.0 404 No Messages");
    assert!(
        world
            .pull(id, r#"{"group":"g","min_pending":3,"no_wait":true}"#)
            .is_empty()
    );
    assert_eq!(world.status("in").as_deref(), none);
    // With time to wait it ends once it was served.
    let timed = r#"{"group":"g","min_pending":2,"no_wait":true,"batch":2,"expires":5000000000}"#;
    assert_eq!(world.pull(id, timed), ["1"]);
    assert_eq!(world.status("in").as_deref(), none);
    assert!(world.pull(id, timed).is_empty());
    assert_eq!(world.status("in"), None);
}

#[test]
fn a_request_that_is_a_number_comes_behind_all_priorities() {
    let mut world = World::new(|_| {});
    let id = world.consumer("c", |c| {
        c.priority_policy = PriorityPolicy::Prioritized;
        c.priority_groups = vec!["g".into()];
    });
    for (reply, body) in [
        ("number", "1"),
        ("low", r#"{"group":"g","priority":9}"#),
        ("other", "1"),
        ("high", r#"{"group":"g","priority":2}"#),
    ] {
        world
            .group
            .on_pull(id, world.now, reply.as_bytes(), body.as_bytes(), &mut world.fx);
    }
    for n in 1..=4 {
        world.publish("s.a", &n.to_string());
    }
    let served: Vec<String> = world.fx.deliveries.drain(..).map(|d| d.0).collect();
    assert_eq!(served, ["high", "low", "number", "other"]);
}

#[test]
fn what_the_rate_holds_back_counts_what_was_behind_it() {
    let mut world = World::new(|_| {});
    let half = "x".repeat(600 * 1024);
    for _ in 0..2 {
        world.publish("s.a", &half);
    }
    let id = world.consumer("c", |c| {
        push(c);
        c.rate_limit_bps = 100 * 1024 * 8;
    });
    assert_eq!(listen(&mut world, id).len(), 1);
    world.publish("s.a", "late");
    world.pass(2 * SECOND);
    let pending: Vec<String> = world
        .fx
        .deliveries
        .drain(..)
        .filter_map(|d| d.2.rsplit('.').next().map(str::to_owned))
        .collect();
    assert_eq!(pending.first().map(String::as_str), Some("0"));
}
