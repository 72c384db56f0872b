//! What a restart keeps: messages, ids, consumers with what they delivered and what was acknowledged.

use super::{SECOND, World};

fn consumed() -> World {
    let mut world = World::new(|_| {});
    for n in 1..=4 {
        world.publish_with("s.a", &n.to_string(), &[("Nats-Msg-Id", &n.to_string())]);
    }
    let id = world.consumer("c", |_| {});
    world.pull(id, r#"{"batch":3}"#);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    world.ack(id, "$JS.ACK.S.c.1.3.3.0.0", "+ACK");
    world
}

fn check(mut world: World) {
    let state = world.group.info(world.now).state;
    assert_eq!((state.messages, state.last_seq, state.consumer_count), (4, 4, 1));
    let again = world.publish_with("s.a", "x", &[("Nats-Msg-Id", "2")]);
    assert_eq!(again, r#"{"stream":"S","seq":2,"duplicate": true}"#);
    let id = world.group.consumers().lookup("c").unwrap();
    let info = world.group.consumer_info(id, world.now).unwrap();
    assert_eq!((info.num_ack_pending, info.num_pending), (1, 1));
    assert_eq!(info.delivered.stream_seq, 3);
    assert_eq!(world.pull(id, r#"{"batch":9}"#), ["4"]);
    world.pass(31 * SECOND);
    assert_eq!(world.take_deliveries(), ["2", "4"], "1 and 3 were acknowledged");
}

#[test]
fn from_the_log() {
    check(consumed().restart(|_| {}));
}

#[test]
fn from_a_checkpoint() {
    let mut world = consumed();
    world.checkpoint();
    check(world.restart(|_| {}));
}

#[test]
fn from_a_checkpoint_and_what_came_after() {
    let mut world = World::new(|_| {});
    world.publish_with("s.a", "1", &[("Nats-Msg-Id", "1")]);
    world.publish_with("s.a", "2", &[("Nats-Msg-Id", "2")]);
    world.checkpoint();
    world.publish_with("s.a", "3", &[]);
    let id = world.consumer("c", |_| {});
    world.pull(id, r#"{"batch":3}"#);
    world.ack(id, "$JS.ACK.S.c.1.1.1.0.0", "+ACK");
    world.ack(id, "$JS.ACK.S.c.1.3.3.0.0", "+ACK");
    world.publish_with("s.a", "4", &[]);
    check(world.restart(|_| {}));
}

#[test]
fn what_an_update_made_room_for_outlives_a_restart() {
    let tight = |c: &mut natterjack_jsapi::stream::StreamConfig| c.max_msgs = 2;
    let mut world = World::new(tight);
    let wide = natterjack_jsapi::stream::StreamConfig {
        max_msgs: -1,
        ..world.group.stream.config().clone()
    };
    world.command(crate::Command::Config(Box::new(wide)));
    for n in ["1", "2", "3"] {
        world.publish("s.1", n);
    }
    world.checkpoint();
    let world = world.restart(tight);
    assert_eq!(world.group.state().messages, 3);
}
