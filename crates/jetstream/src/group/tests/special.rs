//! Messages with rules of their own: counters, atomic batches, replacements, times to live and the markers they leave.

use natterjack_store::Seq;

use super::{SECOND, World};

fn batched(world: &mut World, subject: &str, id: &str, seq: u32, more: &[(&str, &str)]) -> String {
    let seq = seq.to_string();
    let mut fields = vec![("Nats-Batch-Id", id), ("Nats-Batch-Sequence", &seq)];
    fields.extend_from_slice(more);
    world.publish_with(subject, "x", &fields)
}

fn messages(world: &World) -> (u64, u64) {
    let state = world.group.info(world.now).state;
    (state.messages, state.last_seq)
}

#[test]
fn counters_go_on_after_a_restart() {
    let mut world = World::new(|c| c.allow_msg_counter = true);
    assert_eq!(
        world.publish_with("s.a", "", &[("Nats-Incr", "5")]),
        r#"{"stream":"S","seq":1,"val":"5"}"#
    );
    world.checkpoint();
    world.publish_with("s.a", "", &[("Nats-Incr", "6")]);
    let mut world = world.restart(|c| c.allow_msg_counter = true);
    assert_eq!(
        world.publish_with("s.a", "", &[("Nats-Incr", "-12")]),
        r#"{"stream":"S","seq":3,"val":"-1"}"#
    );
}

#[test]
fn a_batch_is_whole_or_not_there() {
    let mut world = World::new(|c| c.allow_atomic = true);
    assert_eq!(batched(&mut world, "s.a", "b", 1, &[]), "");
    assert_eq!(messages(&world), (0, 0));
    let mut world = world.restart(|c| c.allow_atomic = true);
    let gone = batched(&mut world, "s.a", "b", 2, &[("Nats-Batch-Commit", "1")]);
    assert!(gone.contains("10176"), "{gone}");
    batched(&mut world, "s.a", "b", 1, &[("Nats-Msg-Id", "1")]);
    let done = batched(&mut world, "s.b", "b", 2, &[("Nats-Batch-Commit", "1")]);
    assert_eq!(done, r#"{"stream":"S","seq":2,"batch":"b","count":2}"#);
    let mut world = world.restart(|c| c.allow_atomic = true);
    assert_eq!(messages(&world), (2, 2));
    let again = world.publish_with("s.a", "x", &[("Nats-Msg-Id", "1")]);
    assert!(again.contains("duplicate"), "{again}");
}

#[test]
fn a_refused_batch_leaves_nothing_behind() {
    let mut world = World::new(|c| c.allow_atomic = true);
    world.publish_with("s.a", "x", &[("Nats-Msg-Id", "0")]);
    batched(&mut world, "s.a", "b", 1, &[("Nats-Msg-Id", "1")]);
    let refused = batched(
        &mut world,
        "s.a",
        "b",
        2,
        &[("Nats-Expected-Stream", "OTHER"), ("Nats-Batch-Commit", "1")],
    );
    assert!(refused.contains("10060"), "{refused}");
    assert_eq!(messages(&world), (1, 1));
    let next = world.publish_with(
        "s.a",
        "x",
        &[
            ("Nats-Msg-Id", "1"),
            ("Nats-Expected-Last-Msg-Id", "0"),
            ("Nats-Expected-Last-Subject-Sequence", "1"),
        ],
    );
    assert_eq!(next, r#"{"stream":"S","seq":2}"#);
}

#[test]
fn a_batch_that_stands_still_is_dropped() {
    let mut world = World::new(|c| c.allow_atomic = true);
    batched(&mut world, "s.a", "b", 1, &[]);
    let due = world.group.next_deadline_ns(world.now).unwrap();
    assert_eq!(due, world.now.mono_ns + 10 * SECOND);
    world.pass(10 * SECOND);
    let mut told = world.fx.sent.iter().map(|(to, _)| to.as_str());
    assert_eq!(
        told.next_back(),
        Some("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S")
    );
    let late = batched(&mut world, "s.a", "b", 2, &[("Nats-Batch-Commit", "1")]);
    assert!(late.contains("10176"), "{late}");
}

#[test]
fn the_last_of_a_subject_leaves_a_marker() {
    let marked = |c: &mut natterjack_jsapi::stream::StreamConfig| {
        c.subject_delete_marker_ttl.0 = 60_000_000_000;
        c.max_msgs_per_subject = 1;
    };
    let mut world = World::new(marked);
    world.publish_with("s.a", "x", &[("Nats-TTL", "2")]);
    world.publish_with("s.b", "x", &[("Nats-TTL", "2")]);
    world.publish("s.b", "y");
    world.pass(SECOND);
    assert_eq!(messages(&world), (2, 3));
    let mut world = world.restart(marked);
    world.pass(SECOND);
    assert_eq!(messages(&world), (2, 4));
    let marker = world.group.store().load(Seq(4)).unwrap();
    assert_eq!(marker.subject(), b"s.a");
    assert!(marker.headers().windows(6).any(|w| w == b"MaxAge"));
    let mut world = world.restart(marked);
    assert_eq!(messages(&world), (2, 4));
    world.pass(60 * SECOND);
    assert_eq!(messages(&world), (1, 4), "a marker ends without another");
}

#[test]
fn a_replacement_is_the_same_after_a_restart() {
    let mut world = World::new(|c| c.allow_rollup_hdrs = true);
    for subject in ["s.a", "s.b", "s.a"] {
        world.publish(subject, "x");
    }
    world.publish_with("s.a", "x", &[("Nats-Rollup", "sub")]);
    assert_eq!(messages(&world), (2, 4));
    let mut world = world.restart(|c| c.allow_rollup_hdrs = true);
    assert_eq!(messages(&world), (2, 4));
    world.publish_with("s.c", "x", &[("Nats-Rollup", "all")]);
    world.checkpoint();
    let world = world.restart(|c| c.allow_rollup_hdrs = true);
    assert_eq!(messages(&world), (1, 5));
}

#[test]
fn a_purge_may_move_on_beyond_the_last_sequence() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "x");
    let command = crate::Command::Purge {
        filter: String::new(),
        up_to: 1 << 40,
        keep: 0,
    };
    world.command(command);
    let next = world.publish("s.a", "y");
    assert_eq!(next, format!(r#"{{"stream":"S","seq":{}}}"#, 1u64 << 40));
    assert_eq!(messages(&world), (1, 1 << 40));
    let world = world.restart(|_| {});
    assert_eq!(messages(&world), (1, 1 << 40));
}

#[test]
fn schedules_go_on_after_a_restart() {
    let scheduling = |c: &mut natterjack_jsapi::stream::StreamConfig| {
        c.allow_msg_schedules = true;
    };
    let mut world = World::new(scheduling);
    let every = [("Nats-Schedule", "@every 10s"), ("Nats-Schedule-Target", "s.out")];
    world.publish_with("s.tick", "tick", &every);
    let once = [
        ("Nats-Schedule", "@at 1970-01-01T00:16:45Z"),
        ("Nats-Schedule-Target", "s.once"),
    ];
    world.publish_with("s.later", "once", &once);
    world.pass(SECOND);
    assert_eq!(messages(&world), (2, 2));
    let mut world = world.restart(scheduling);
    world.pass(4 * SECOND);
    assert_eq!(messages(&world), (2, 3), "what was due once takes its place");
    world.checkpoint();
    let mut world = world.restart(scheduling);
    world.pass(5 * SECOND);
    assert_eq!(messages(&world), (3, 4));
    let mut world = world.restart(scheduling);
    world.pass(SECOND);
    assert_eq!(messages(&world), (3, 4));
    world.pass(9 * SECOND);
    assert_eq!(messages(&world), (4, 5));
    world.command(crate::Command::Purge {
        filter: "s.tick".into(),
        up_to: 0,
        keep: 0,
    });
    world.pass(60 * SECOND);
    assert_eq!(messages(&world), (3, 5), "without its schedule nothing comes");
}

#[test]
fn a_fast_batch_is_acknowledged_when_it_is_durable() {
    let mut world = World::new(|c| c.allow_batched = true);
    let mut publish = |reply: &str| {
        let message = crate::Incoming {
            subject: b"s.a",
            reply: Some(reply.as_bytes()),
            ..crate::Incoming::default()
        };
        world.group.publish(world.now, &message, &mut world.fx);
        let before: Vec<String> = world.fx.sent.drain(..).map(|(_, text)| text).collect();
        world.settle();
        let after: Vec<String> = world.fx.sent.drain(..).map(|(_, text)| text).collect();
        (before, after)
    };
    let text = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        publish("r.b.2.ok.1.0.$FI"),
        (text(&[r#"{"type":"ack","seq":0,"msgs":2}"#]), vec![])
    );
    assert_eq!(
        publish("r.b.2.ok.2.1.$FI"),
        (vec![], text(&[r#"{"type":"ack","seq":2,"msgs":2}"#]))
    );
    assert_eq!(
        publish("r.b.2.ok.3.2.$FI"),
        (vec![], text(&[r#"{"stream":"S","seq":3,"batch":"b","count":3}"#]))
    );
}
