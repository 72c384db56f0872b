//! Streams that copy from others: what is asked, what is taken, and where it goes on after a restart.

use natterjack_jsapi::stream::{Retention, StreamConfig, StreamSource};
use natterjack_store::Seq;

use super::{SECOND, World};
use crate::Command;
use crate::source::{Copier, Durable, Next};

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
}

#[test]
fn a_work_queue_is_copied_by_a_durable_consumer() {
    let mut origin = origin(|c| c.retention = Retention::WorkQueue);
    let world = World::new(sourcing);
    let key = world.group.upstream_keys().next().unwrap().to_owned();
    let Next::Read(ask) = world.group.ask_upstream(&key, world.now) else {
        panic!("nothing to ask");
    };
    let copier = Copier {
        stream: "S",
        account: "$G",
        domain: "",
    };
    let durable = Durable::new(&ask, origin.group.stream().config(), copier, &mut || 7).unwrap();
    assert!(durable.name.starts_with("JS_SRC_") && durable.made_as.is_some());
    assert_eq!(origin.group.lend(&durable, origin.now), Ok(None));
    // One that waits for each message by itself is none to copy by.
    origin.consumer(&durable.name, |_| {});
    let refused = origin.group.lend(&durable, origin.now).unwrap_err();
    assert_eq!(refused.err_code, 10217);
    assert_eq!(origin.group.page_of(&[2, 9], 1, 0).messages.len(), 1);
    // An origin that keeps everything is just read.
    let keeps = StreamConfig::default();
    assert!(Durable::new(&ask, &keeps, copier, &mut || 7).is_none());
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
