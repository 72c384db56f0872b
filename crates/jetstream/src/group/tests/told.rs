//! What consumers tell beside messages: advisories, flow control requests, subjects of the second form.

use natterjack_jsapi::Nanos;
use natterjack_jsapi::ack::AckSubject;
use natterjack_jsapi::consumer::{AckPolicy, PriorityPolicy};

use super::{SECOND, World};
use crate::Command;
use crate::consumer::Names;

fn told(world: &mut World) -> Vec<String> {
    let all = world.fx.advisories.drain(..);
    all.map(|s| s.trim_start_matches("$JS.EVENT.").to_owned())
        .collect()
}

fn one_delivered() -> (World, u32) {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    world.publish("s.a", "2");
    let id = world.consumer("c", |c| {
        c.sample_freq = "100".into();
        c.ack_wait = Nanos::from_secs(1);
        c.max_deliver = 2;
    });
    assert_eq!(world.pull(id, "1"), ["1"]);
    (world, id)
}

#[test]
fn naks_and_samples_of_acks_are_told() {
    let (mut world, id) = one_delivered();
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "-NAK");
    assert_eq!(told(&mut world), ["ADVISORY.CONSUMER.MSG_NAKED.S.c"]);
    assert_eq!(world.pull(id, "1"), ["1"]);
    world.ack(id, "$JS.ACK.S.c.2.1.2.0.0", "+ACK");
    assert_eq!(told(&mut world), ["METRIC.CONSUMER.ACK.S.c"]);
}

#[test]
fn a_message_deleted_while_it_waits_is_told_as_terminated() {
    let (mut world, id) = one_delivered();
    world.command(Command::Delete { seq: 1, erase: false });
    assert_eq!(told(&mut world), ["ADVISORY.CONSUMER.MSG_TERMINATED.S.c"]);
    assert_eq!(world.pull(id, "1"), ["2"]);
    world.ack(id, "$JS.ACK.S.c.1.2.2.0.0", "+TERM");
    assert_eq!(told(&mut world), ["ADVISORY.CONSUMER.MSG_TERMINATED.S.c"]);
}

#[test]
fn a_deleted_message_is_told_with_how_often_it_came_again() {
    for (naks, told) in [(0, 1), (1, 1), (2, 2)] {
        let mut world = World::new(|_| {});
        world.publish("s.a", "1");
        let id = world.consumer("c", |_| {});
        assert_eq!(world.pull(id, "1"), ["1"]);
        for n in 1..=naks {
            world.ack(id, &format!("$JS.ACK.S.c.{n}.1.{n}.0.0"), "-NAK");
            assert_eq!(world.pull(id, "1"), ["1"]);
        }
        world.command(Command::Delete { seq: 1, erase: false });
        let last = world.fx.advised.last().unwrap();
        assert!(
            last.contains(&format!("\"deliveries\":{told},\"reason\"")),
            "{last}"
        );
    }
}

#[test]
fn every_termination_is_told_and_those_of_nothing_are_not_answered() {
    let (mut world, id) = one_delivered();
    for (delivery, answers) in [("1.1.1", 1), ("1.1.1", 1), ("1.2.2", 0)] {
        world.fx.sent.clear();
        world.ack(id, &format!("$JS.ACK.S.c.{delivery}.0.0"), "+TERM");
        assert_eq!(told(&mut world), ["ADVISORY.CONSUMER.MSG_TERMINATED.S.c"]);
        let answered = world.fx.sent.iter().filter(|(to, _)| to == "acked").count();
        assert_eq!(answered, answers, "{delivery}");
    }
}

#[test]
fn what_is_rolled_up_goes_without_a_word() {
    let mut world = World::new(|c| c.allow_rollup_hdrs = true);
    for subject in ["s.a", "s.b", "s.a"] {
        world.publish(subject, "x");
    }
    let all = world.consumer("all", |_| {});
    let one = world.consumer("one", |c| c.filter_subject = "s.a".into());
    world.pull(all, "2");
    world.pull(one, "1");
    world.publish_with("s.a", "r", &[("Nats-Rollup", "sub")]);
    let floor = |world: &World, id| {
        let info = world.group.consumer_info(id, world.now).unwrap();
        (
            info.ack_floor.stream_seq,
            info.delivered.stream_seq,
            info.num_ack_pending,
        )
    };
    assert_eq!(floor(&world, all), (1, 2, 1), "2 is still waited for");
    assert_eq!(
        floor(&world, one),
        (3, 3, 0),
        "nothing of its own is left before 4"
    );
    world.publish_with("s.b", "r", &[("Nats-Rollup", "all")]);
    assert_eq!((floor(&world, all), floor(&world, one)), ((4, 4, 0), (4, 4, 0)));
    assert!(told(&mut world).is_empty());
    world.publish("s.a", "6");
    assert_eq!(world.pull(one, "5"), ["6"]);
    assert_eq!(world.pull(all, "5"), ["r", "6"]);
}

#[test]
fn what_is_given_up_is_told_once() {
    let (mut world, id) = one_delivered();
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.pull(id, "1"), ["1"]);
    world.pass(SECOND + SECOND / 10);
    assert_eq!(world.pull(id, "1"), ["2"]);
    world.pass(5 * SECOND);
    let once = told(&mut world);
    let given_up = once.iter().filter(|s| s.contains("MAX_DELIVERIES")).count();
    assert_eq!(given_up, 1, "{once:?}");
}

#[test]
fn pins_that_come_and_go_are_told() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "1");
    let id = world.consumer("c", |c| {
        c.priority_policy = PriorityPolicy::PinnedClient;
        c.priority_groups = vec!["g".into()];
        c.priority_timeout = Nanos::from_secs(1);
    });
    assert_eq!(world.pull(id, r#"{"group":"g"}"#), ["1"]);
    assert_eq!(told(&mut world), ["ADVISORY.CONSUMER.PINNED.S.c"]);
    // Requests of others do not put off the end of the pin.
    world.pass(SECOND / 2);
    world.pull(id, r#"{"group":"g","expires":9000000000}"#);
    assert!(told(&mut world).is_empty());
    world.pass(SECOND / 2 + SECOND / 100);
    assert_eq!(told(&mut world), ["ADVISORY.CONSUMER.UNPINNED.S.c"]);
}

/// Fills the window of a push consumer with flow control; returns the subject that must be answered.
fn asked(world: &mut World) -> String {
    let payload = "x".repeat(600_000);
    for _ in 0..2 {
        world.publish("s.a", &payload);
    }
    let line = "NATS/1.0 100 FlowControl Request";
    assert!(
        world
            .fx
            .sent
            .iter()
            .any(|(to, text)| to == "push" && text.starts_with(line))
    );
    world.pass(2 * SECOND);
    let beat = world
        .fx
        .sent
        .iter()
        .rev()
        .find(|(_, text)| text.contains("Idle Heartbeat"))
        .unwrap();
    let stalled = beat
        .1
        .lines()
        .find_map(|l| l.strip_prefix("Nats-Consumer-Stalled: "))
        .unwrap();
    stalled.to_owned()
}

fn pushing(world: &mut World) -> u32 {
    let id = world.consumer("c", |c| {
        c.deliver_subject = "push".into();
        c.ack_policy = AckPolicy::None;
        c.flow_control = true;
        c.idle_heartbeat = Nanos::from_secs(1);
    });
    world.group.consumers().on_interest(id, world.now, true);
    world.settle();
    id
}

#[test]
fn an_unanswered_flow_control_request_stalls_and_an_answer_goes_on() {
    let mut world = World::new(|_| {});
    let id = pushing(&mut world);
    let subject = asked(&mut world);
    assert!(subject.starts_with("$JS.FC.S.c."), "{subject}");
    let payload = "x".repeat(600_000);
    for _ in 0..6 {
        world.publish("s.a", &payload);
    }
    let before = world.take_deliveries().len();
    assert!(before < 8, "the window is full: {before}");
    world
        .group
        .consumers()
        .on_flow_reply(id, b"$JS.FC.S.c.none", world.now);
    world.settle();
    assert!(world.take_deliveries().is_empty(), "that was no answer");
    world
        .group
        .consumers()
        .on_flow_reply(id, subject.as_bytes(), world.now);
    world.settle();
    assert_eq!(world.take_deliveries().len(), 8 - before);
}

#[test]
fn subjects_of_the_second_form_name_domain_and_account() {
    let names = Names {
        stream: "S".into(),
        long_form: Some("_.szMpdrwD".into()),
        ..Names::default()
    };
    let mut world = World::with_names(|_| {}, names);
    pushing(&mut world);
    let subject = asked(&mut world);
    assert!(subject.starts_with("$JS.FC._.szMpdrwD.S.c."), "{subject}");
    let reply = world.fx.deliveries[0].2.clone();
    assert!(reply.starts_with("$JS.ACK._.szMpdrwD.S.c.1.1.1."), "{reply}");
    let ack = AckSubject::parse(reply.as_bytes()).unwrap();
    assert_eq!(
        (ack.stream, ack.consumer, ack.stream_seq),
        (&b"S"[..], &b"c"[..], 1)
    );
}
