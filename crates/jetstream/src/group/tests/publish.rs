//! Publishing: sequences, refusals, duplicates, limits.

use std::sync::Arc;

use natterjack_jsapi::stream::{Discard, PersistMode, Republish, Retention};
use natterjack_jsapi::{Nanos, errors};
use natterjack_store::Seq;

use super::{SECOND, World};
use crate::Command;
use crate::group::Outcome;
use crate::stream::Incoming;
use crate::usage::{Charge, Usage};

#[test]
fn an_ack_names_stream_and_sequence() {
    let mut world = World::new(|_| {});
    assert_eq!(world.publish("s.a", "1"), r#"{"stream":"S","seq":1}"#);
    assert_eq!(world.publish("s.a", "2"), r#"{"stream":"S","seq":2}"#);
    let state = world.group.info(world.now).state;
    assert_eq!((state.messages, state.first_seq, state.last_seq), (2, 1, 2));
}

#[test]
fn publishers_hear_before_the_message_is_in_its_place_unless_room_is_short() {
    let mut world = World::new(|_| {});
    for (most, flushes) in [(u64::MAX, 1), (1000, 2), (110, 2)] {
        let usage = Usage::new(Some(most), errors::ACCOUNT_RESOURCES_EXCEEDED);
        world.group.set_charge(Charge::new(vec![Arc::new(usage)]));
        let told = world.publish("s.a", "1");
        assert!(told.contains(r#""seq":"#), "{told}");
        assert_eq!(world.fx.flushes, flushes, "of {most} bytes");
    }
}

#[test]
fn what_is_republished_comes_before_the_word_that_it_is_stored() {
    let mut world = World::new(|c| {
        c.republish = Some(Republish {
            src: "s.>".into(),
            dest: "again.>".into(),
            ..Republish::default()
        });
    });
    world.publish("s.a", "1");
    assert_eq!((world.fx.sent[0].0.as_str(), world.fx.flushes), ("again.a", 0));
}

#[test]
fn a_second_message_of_one_id_is_a_duplicate_until_the_window_ends() {
    let mut world = World::new(|_| {});
    let id = [("Nats-Msg-Id", "x")];
    assert_eq!(world.publish_with("s.a", "1", &id), r#"{"stream":"S","seq":1}"#);
    let again = r#"{"stream":"S","seq":1,"duplicate": true}"#;
    assert_eq!(world.publish_with("s.a", "1", &id), again);
    world.pass(121 * SECOND);
    assert_eq!(world.publish_with("s.a", "1", &id), r#"{"stream":"S","seq":2}"#);
}

#[test]
fn expectations_are_held_against_what_is_there() {
    let mut world = World::new(|_| {});
    world.publish_with("s.a", "1", &[("Nats-Msg-Id", "one")]);
    world.publish("s.b", "2");
    for (key, wrong, right, code) in [
        ("Nats-Expected-Stream", "T", "S", 10060),
        ("Nats-Expected-Last-Sequence", "1", "2", 10071),
        ("Nats-Expected-Last-Subject-Sequence", "2", "1", 10071),
    ] {
        let answer = world.publish_with("s.a", "x", &[(key, wrong)]);
        assert!(
            answer.contains(&format!(r#""err_code":{code}"#)),
            "{key}: {answer}"
        );
        let mut world = World::new(|_| {});
        world.publish("s.a", "1");
        world.publish("s.b", "2");
        let answer = world.publish_with("s.a", "x", &[(key, right)]);
        assert_eq!(answer, r#"{"stream":"S","seq":3}"#, "{key}");
    }
    assert_eq!(world.group.info(world.now).state.messages, 2);
}

#[test]
fn limits_evict_the_oldest_or_refuse_the_newest() {
    let mut world = World::new(|c| c.max_msgs = 2);
    for n in 0..3 {
        world.publish("s.a", &n.to_string());
    }
    let state = world.group.info(world.now).state;
    assert_eq!((state.messages, state.first_seq), (2, 2));

    let mut world = World::new(|c| {
        c.max_msgs = 2;
        c.discard = Discard::New;
    });
    world.publish("s.a", "1");
    world.publish("s.a", "2");
    let refused = world.publish("s.a", "3");
    assert!(refused.contains("maximum messages exceeded"), "{refused}");
}

#[test]
fn old_messages_leave_by_age() {
    let mut world = World::new(|c| c.max_age = Nanos::from_secs(10));
    world.publish("s.a", "1");
    world.pass(5 * SECOND);
    world.publish("s.a", "2");
    world.pass(6 * SECOND);
    let state = world.group.info(world.now).state;
    assert_eq!((state.messages, state.first_seq), (1, 2));
}

#[test]
fn a_purge_keeps_what_it_is_told() {
    let mut world = World::new(|_| {});
    for n in 0..5 {
        world.publish(&format!("s.{}", n % 2), "x");
    }
    let purge = Command::Purge {
        filter: "s.0".into(),
        up_to: 0,
        keep: 1,
    };
    assert_eq!(world.command(purge), Outcome::Purged(2));
    assert_eq!(world.group.info(world.now).state.messages, 3);
}

#[test]
fn without_interest_a_message_leaves_no_trace_but_its_number() {
    let mut world = World::new(|c| c.retention = Retention::Interest);
    assert_eq!(world.publish("s.a", "1"), r#"{"stream":"S","seq":1}"#);
    assert_eq!(world.group.info(world.now).state.messages, 0);
    let id = world.consumer("c", |_| {});
    world.publish("s.a", "2");
    assert_eq!(world.group.info(world.now).state.messages, 1);
    world.pull(id, "");
    world.ack(id, "$JS.ACK.S.c.1.2.1.0.0", "+ACK");
    assert_eq!(world.group.info(world.now).state.messages, 0);
}

#[test]
fn readers_wait_for_what_nobody_is_told_of_and_for_nothing_else() {
    let mut world = World::new(|_| {});
    let publish = |world: &mut World, reply: Option<&[u8]>| {
        let message = Incoming {
            subject: b"s.a",
            reply,
            headers: b"",
            payload: b"x",
        };
        world.group.publish(world.now, &message, &mut world.fx);
    };
    publish(&mut world, Some(b"pub"));
    assert_eq!(world.group.awaited(), None, "its publisher is told");
    publish(&mut world, None);
    let awaited = world.group.awaited();
    assert_eq!(awaited, Some(Seq(2)));
    world.settle_one();
    assert!(awaited.is_some_and(|seq| world.group.is_there(seq)));
    publish(&mut world, Some(b"pub"));
    assert_eq!(world.group.awaited(), None);
}

#[test]
fn messages_of_a_stream_that_persists_later_wait_for_no_disk() {
    for (mode, relaxed) in [(PersistMode::Default, false), (PersistMode::Async, true)] {
        let mut world = World::new(|config| config.persist_mode = mode);
        let message = Incoming {
            subject: b"s.a",
            reply: Some(b"pub"),
            headers: b"",
            payload: b"x",
        };
        world.group.publish(world.now, &message, &mut world.fx);
        let proposal = world.group.take_proposal(world.now).unwrap();
        assert_eq!(proposal.relaxed, relaxed, "{mode:?}");
        world.write(proposal);
        assert_eq!(world.fx.sent.len(), 1, "acknowledged once it is written");
        world
            .group
            .propose(Command::Delete { seq: 1, erase: false }, None);
        let proposal = world.group.take_proposal(world.now).unwrap();
        assert!(!proposal.relaxed, "commands are waited for");
        world.write(proposal);
    }
}
