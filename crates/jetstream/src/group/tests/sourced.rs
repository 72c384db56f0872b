//! Streams that copy from others: what is asked, what is taken, and where it goes on after a restart.

use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_jsapi::stream::{Retention, StreamConfig, StreamSource};
use natterjack_store::Seq;

use super::{SECOND, World};
use crate::Command;
use crate::source::Next;

fn origin(change: impl FnOnce(&mut StreamConfig)) -> World {
    let mut world = World::new(change);
    for n in 1..=4 {
        world.publish_with("s.a", &n.to_string(), &[("Nats-Msg-Id", &n.to_string())]);
    }
    world
}

fn from_origin() -> StreamSource {
    StreamSource {
        name: "ORIGIN".into(),
        ..StreamSource::default()
    }
}

fn mirror(config: &mut StreamConfig) {
    config.subjects.clear();
    config.mirror = Some(from_origin());
}

fn sourcing(config: &mut StreamConfig) {
    config.subjects = vec!["own".into()];
    config.sources = vec![from_origin()];
}

/// Asks and takes until there is nothing more.
fn follow(world: &mut World, origin: &mut World) {
    let key = world.group.upstream_keys().next().unwrap().to_owned();
    for _ in 0..100 {
        let Next::Read(ask) = world.group.ask_upstream(&key, world.now) else {
            panic!("nothing to ask");
        };
        let page = origin.group.read_page(&ask);
        let done = page.messages.is_empty() && ask.identity == page.identity;
        world.group.take_page(&key, world.now, &page);
        world.settle();
        origin.settle();
        if done {
            return;
        }
    }
    panic!("it never ends");
}

fn payloads(world: &mut World) -> Vec<(u64, String)> {
    let last = world.group.store().state().last_seq.0;
    let load = |seq| {
        let message = world.group.store().load(Seq(seq)).ok()?;
        Some((seq, String::from_utf8_lossy(message.payload()).into_owned()))
    };
    (1..=last).filter_map(load).collect()
}

fn shown(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter().map(|(n, t)| (*n, (*t).to_owned())).collect()
}

#[test]
fn a_mirror_is_the_same_with_all_gaps() {
    let mut origin = origin(|_| {});
    origin.command(Command::Delete { seq: 2, erase: false });
    origin.command(Command::Skip {
        last: 1_000,
        ts_ns: 0,
    });
    origin.publish("s.b", "far");
    let mut world = World::new(mirror);
    follow(&mut world, &mut origin);
    let all = shown(&[(1, "1"), (3, "3"), (4, "4"), (1_001, "far")]);
    assert_eq!(payloads(&mut world), all);
    let mut world = world.restart(mirror);
    assert_eq!(payloads(&mut world), all);
    origin.publish("s.b", "more");
    follow(&mut world, &mut origin);
    assert_eq!(payloads(&mut world).last(), Some(&(1_002, "more".to_owned())));
    let (own, theirs) = (world.group.info(world.now), origin.group.info(origin.now));
    assert_eq!(own.state.messages, theirs.state.messages);
    assert_eq!(own.state.first_ts, theirs.state.first_ts);
    assert_eq!(own.mirror.map(|m| m.lag), Some(0));
}

#[test]
fn sources_go_on_where_they_were() {
    let mut origin = origin(|_| {});
    let mut world = World::new(sourcing);
    world.publish("own", "mine");
    follow(&mut world, &mut origin);
    let first = shown(&[(1, "mine"), (2, "1"), (3, "2"), (4, "3"), (5, "4")]);
    assert_eq!(payloads(&mut world), first);
    for checkpoint in [false, true] {
        if checkpoint {
            world.checkpoint();
        }
        // Nothing of the origin may be needed to know how far it was followed.
        world.command(Command::Purge {
            filter: "s.a".into(),
            up_to: 0,
            keep: 0,
        });
        world = world.restart(sourcing);
        follow(&mut world, &mut origin);
        assert_eq!(payloads(&mut world), shown(&[(1, "mine")]));
    }
    origin.publish("s.c", "5");
    follow(&mut world, &mut origin);
    assert_eq!(payloads(&mut world), shown(&[(1, "mine"), (6, "5")]));
    assert_eq!(world.group.info(world.now).sources[0].seq, 5);
}

#[test]
fn an_origin_made_again_is_read_from_its_beginning() {
    let mut first = origin(|_| {});
    let mut world = World::new(sourcing);
    follow(&mut world, &mut first);
    let mut second = World::later(SECOND);
    second.publish("s.a", "again");
    follow(&mut world, &mut second);
    assert_eq!(payloads(&mut world).last(), Some(&(5, "again".to_owned())));
}

#[test]
fn what_was_sent_twice_is_stored_once() {
    let mut origin = origin(|_| {});
    let mut world = World::new(|c| {
        sourcing(c);
        c.duplicate_window.0 = 120_000_000_000;
    });
    world.publish_with("own", "3 was here", &[("Nats-Msg-Id", "3")]);
    follow(&mut world, &mut origin);
    assert_eq!(
        payloads(&mut world),
        shown(&[(1, "3 was here"), (2, "1"), (3, "2"), (4, "4")])
    );
    // What was passed over is dealt with as well, and the origin may let it go.
    let key = world.group.upstream_keys().next().unwrap().to_owned();
    assert_eq!(world.group.followed(&key), Some((4, 4)));
    origin.publish_with("s.a", "4 again", &[("Nats-Msg-Id", "5")]);
    world.publish_with("own", "5 was here", &[("Nats-Msg-Id", "5")]);
    follow(&mut world, &mut origin);
    assert_eq!(world.group.followed(&key), Some((5, 5)));
}

#[test]
fn a_work_queue_is_copied_by_a_durable_consumer() {
    let mut origin = origin(|c| c.retention = Retention::WorkQueue);
    let asked = ConsumerConfig {
        name: "JS_SRC_x".into(),
        deliver_subject: "here".into(),
        max_deliver: 1,
        direct: true,
        sourcing: true,
        flow_control: true,
        idle_heartbeat: Nanos::from_secs(1),
        ack_policy: AckPolicy::None,
        ..ConsumerConfig::default()
    };
    let mut config = asked.clone();
    assert_eq!(origin.group.fit_copier(&mut config, "rest"), Some(0));
    assert_eq!(
        (config.durable_name.as_str(), config.ack_policy, config.direct),
        ("JS_SRC_x", AckPolicy::FlowControl, false)
    );
    let id = origin.consumer("JS_SRC_x", |c| *c = config);
    origin.group.lend(id, 0, origin.now);
    origin.group.consumers().on_interest(id, origin.now, true);
    origin.settle();
    assert_eq!(origin.take_deliveries().len(), 4);
    // Nothing comes again by itself; after a while of silence it asks what is safe, and the answer lets messages go.
    origin.pass(SECOND);
    assert!(origin.take_deliveries().is_empty());
    let (_, told) = origin.fx.sent.last().cloned().unwrap();
    assert!(told.contains("FlowControl Request"), "{told}");
    let block = b"NATS/1.0\r\nNats-Last-Consumer: 3\r\nNats-Last-Stream: 3\r\n\r\n";
    let (now, subject) = (origin.now, b"$JS.FC.S.JS_SRC_x.none");
    origin
        .group
        .on_flow_reply(id, now, subject, block, &mut origin.fx);
    origin.settle();
    assert_eq!(payloads(&mut origin), shown(&[(4, "4")]));
    // Who comes back is delivered to where it is, by the same consumer, and what it wants by then.
    let mut config = ConsumerConfig {
        deliver_subject: "there".into(),
        filter_subject: "s.a".into(),
        ..asked.clone()
    };
    assert_eq!(origin.group.fit_copier(&mut config, "rest"), Some(0));
    assert_eq!(
        (
            config.deliver_subject.as_str(),
            config.filter_subject.as_str(),
            config.ack_policy
        ),
        ("there", "s.a", AckPolicy::FlowControl)
    );
    // An origin that keeps everything has one for each time it is asked.
    let mut keeps = World::new(|_| {});
    let mut config = asked;
    assert_eq!(keeps.group.fit_copier(&mut config, "rest"), None);
    assert_eq!((config.name.as_str(), config.direct), ("JS_SRC_x-rest", true));
    keeps.consumer("JS_SRC_x-rest", |c| *c = config);
    let consumers = keeps.group.consumers();
    assert_eq!(
        (consumers.len(), consumers.shown(), consumers.list().count()),
        (1, 0, 0)
    );
}

#[test]
fn another_stream_than_is_meant_says_so() {
    let origin = World::new(|_| {});
    let own = origin.group.identity();
    assert_eq!(origin.group.check_identity(&own), Ok(()));
    assert_eq!(origin.group.check_identity(""), Ok(()));
    let refused = origin.group.check_identity("other").unwrap_err();
    assert_eq!(
        (refused.err_code, &*refused.description),
        (
            10225,
            format!("consumer's stream identity does not match: {own}").as_str()
        )
    );
}

#[test]
fn a_mirror_that_is_none_any_more_follows_nobody() {
    let mut origin = origin(|_| {});
    let mut world = World::new(mirror);
    follow(&mut world, &mut origin);
    let mut config = world.group.stream().config().clone();
    config.mirror = None;
    config.subjects = vec!["s.>".into()];
    world.command(Command::Config(Box::new(config)));
    let next = world.group.ask_upstream("ORIGIN > >", world.now);
    assert!(matches!(next, Next::Gone));
    assert_eq!(world.publish("s.a", "x"), r#"{"stream":"S","seq":5}"#);
}

#[test]
fn what_does_not_fit_is_in_the_way_until_it_does() {
    for follower in [mirror, sourcing] {
        let mut origin = World::new(|_| {});
        origin.publish("s.a", "1");
        origin.publish("s.a", &"x".repeat(200));
        origin.publish("s.a", "3");
        let small = |config: &mut StreamConfig| {
            follower(config);
            config.max_msg_size = 150;
        };
        let mut world = World::new(small);
        let key = world.group.upstream_keys().next().unwrap().to_owned();
        let Next::Read(ask) = world.group.ask_upstream(&key, world.now) else {
            panic!("nothing to ask");
        };
        let page = origin.group.read_page(&ask);
        world.group.take_page(&key, world.now, &page);
        world.settle();
        assert_eq!(payloads(&mut world), shown(&[(1, "1")]));
        assert!(matches!(world.group.ask_upstream(&key, world.now), Next::Wait(_)));
        let mut config = world.group.stream().config().clone();
        config.max_msg_size = -1;
        world.command(Command::Config(Box::new(config)));
        world.pass(SECOND);
        follow(&mut world, &mut origin);
        assert_eq!(payloads(&mut world).len(), 3);
    }
}
