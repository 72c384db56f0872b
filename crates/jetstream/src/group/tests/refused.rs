//! What the log refuses: publishers are told, and the next message gets the sequence that was refused.

use natterjack_jsapi::ack::AckSubject;
use natterjack_jsapi::stream::Retention;
use natterjack_store::LogIndex;

use super::World;
use crate::stream::Incoming;
use crate::{Command, Outcome, Ticket};

const WHY: &str = "no space left on device";

impl World {
    /// Publishes without waiting for anything.
    fn send(&mut self, payload: &str, headers: &str) {
        let headers = if headers.is_empty() {
            String::new()
        } else {
            format!("NATS/1.0\r\n{headers}\r\n\r\n")
        };
        let message = Incoming {
            subject: b"s.a",
            reply: Some(b"pub"),
            headers: headers.as_bytes(),
            payload: payload.as_bytes(),
        };
        self.group.publish(self.now, &message, &mut self.fx);
    }

    /// Proposes what is next to a log that will refuse it.
    fn fly(&mut self, index: u64) {
        let proposal = self.group.take_proposal(self.now).unwrap();
        self.group.proposed(LogIndex(index), proposal);
    }

    fn refuse(&mut self, index: u64) {
        self.group.failed(LogIndex(index), WHY, &mut self.fx);
    }

    fn told(&mut self) -> Vec<String> {
        let sent = self.fx.sent.drain(..);
        sent.map(|(_, text)| text).collect()
    }
}

#[test]
fn the_next_message_gets_the_sequence_of_the_first_refused() {
    let mut world = World::new(|_| {});
    assert!(world.publish("s.a", "one").contains(r#""seq":1"#));
    for (index, payload) in [(101, "two"), (102, "three")] {
        world.send(payload, "Nats-Msg-Id: same");
        world.send(payload, "");
        world.fly(index);
    }
    // Decided, and not with the log yet.
    world.send("four", "");
    world.refuse(101);
    assert!(
        world.group.take_proposal(world.now).is_none(),
        "others are on their way"
    );
    world.send("five", "");
    world.refuse(102);
    let told = world.told();
    assert_eq!(told.len(), 6, "{told:?}");
    let error = r#"{"error":{"code":503,"err_code":10077,"description":"no space left on device"},"stream":"S","seq":0}"#;
    for text in told {
        assert_eq!(text, error);
    }
    let ack = world.publish_with("s.a", "six", &[("Nats-Msg-Id", "same")]);
    assert!(ack.contains(r#""seq":2"#) && !ack.contains("duplicate"), "{ack}");
    let state = world.group.state();
    assert_eq!((state.messages, state.last_seq, state.num_deleted), (2, 2, 0));
}

#[test]
fn what_the_last_id_was_is_known_after_a_refusal() {
    let mut world = World::new(|_| {});
    world.publish_with("s.a", "one", &[("Nats-Msg-Id", "kept")]);
    world.send("two", "Nats-Msg-Id: gone");
    world.fly(101);
    world.refuse(101);
    world.told();
    let wrong = world.publish_with("s.a", "x", &[("Nats-Expected-Last-Msg-Id", "gone")]);
    assert!(wrong.contains("10070"), "{wrong}");
    let right = world.publish_with("s.a", "x", &[("Nats-Expected-Last-Msg-Id", "kept")]);
    assert!(right.contains(r#""seq":2"#), "{right}");
}

#[test]
fn a_command_behind_refused_messages_still_means_the_same() {
    let mut world = World::new(|_| {});
    world.publish("s.a", "one");
    world.send("two", "");
    world.fly(101);
    let purge = Command::Purge {
        filter: String::new(),
        up_to: 50,
        keep: 0,
    };
    world.group.propose(purge, None);
    world.send("three", "");
    world.refuse(101);
    assert_eq!(world.told().len(), 2);
    world.settle();
    let ack = world.publish("s.a", "four");
    assert!(ack.contains(r#""seq":50"#), "{ack}");
}

#[test]
fn what_was_acknowledged_goes_when_there_is_space_again() {
    let mut world = World::new(|config| config.retention = Retention::WorkQueue);
    let id = world.consumer("C", |_| {});
    world.publish("s.a", "one");
    world.group.on_pull(id, world.now, b"in", b"", &mut world.fx);
    world.settle();
    let reply = world.fx.deliveries.drain(..).next().unwrap().2;
    let ack = AckSubject::parse(reply.as_bytes()).unwrap();
    world
        .group
        .on_ack(id, world.now, &ack, (b"+ACK", None), &mut world.fx);
    for index in [101, 102] {
        world.fly(index);
        world.refuse(index);
        assert!(world.group.take_proposal(world.now).is_none(), "not at once");
        let due = world.group.next_deadline_ns(world.now).unwrap();
        assert_eq!(due, world.now.mono_ns + 1_000_000_000);
        assert_eq!(world.group.state().messages, 1);
        world.now = world.now.plus(1_000_000_000);
    }
    world.settle();
    assert_eq!(world.group.state().messages, 0);
}

#[test]
fn who_deletes_a_consumer_hears_of_it_when_what_it_held_is_gone() {
    for is_refused in [false, true] {
        let mut world = World::new(|c| c.retention = Retention::Interest);
        let id = world.consumer("a", |_| {});
        world.publish("s.x", "1");
        let ticket = Ticket(100);
        world.group.propose(Command::ConsumerDelete { id }, Some(ticket));
        assert_eq!(world.settle_one(), None, "the message is still there");
        assert_eq!(world.group.info(world.now).state.messages, 1);
        assert_eq!(world.group.take_ripe(), []);
        if is_refused {
            world.fly(101);
            world.refuse(101);
        } else {
            world.settle_one();
            assert_eq!(world.group.info(world.now).state.messages, 0);
        }
        assert_eq!(
            world.group.take_ripe(),
            [(ticket, Outcome::ConsumerGone("a".into()))]
        );
    }
}
