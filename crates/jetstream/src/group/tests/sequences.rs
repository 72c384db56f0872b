//! Random commands against a simple model of a stream, with restarts in between: whatever comes, both hold the same.

use std::collections::BTreeMap;

use natterjack_store::Seq;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{SECOND, World};
use crate::Command;

/// What may happen to a stream.
#[derive(Debug, Clone)]
enum Step {
    Publish {
        subject: u8,
        id: Option<u8>,
    },
    Expect {
        subject: u8,
        last: u8,
    },
    Rollup {
        subject: u8,
        all: bool,
    },
    Mortal {
        subject: u8,
    },
    Purge {
        subject: Option<u8>,
        up_to: u8,
        keep: u8,
    },
    Delete {
        seq: u8,
    },
    Limits {
        msgs: u8,
        per_subject: u8,
    },
    Pass {
        seconds: u8,
    },
    Restart {
        checkpoint: bool,
        crash: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let subject = 0u8..4;
    let step = prop_oneof![
        6 => (subject.clone(), proptest::option::of(0u8..8)).prop_map(|(subject, id)| Step::Publish { subject, id }),
        2 => (subject.clone(), 0u8..20).prop_map(|(subject, last)| Step::Expect { subject, last }),
        1 => (subject.clone(), any::<bool>()).prop_map(|(subject, all)| Step::Rollup { subject, all }),
        2 => subject.clone().prop_map(|subject| Step::Mortal { subject }),
        1 => (proptest::option::of(subject), 0u8..30, 0u8..3)
            .prop_map(|(subject, up_to, keep)| Step::Purge { subject, up_to, keep }),
        2 => (0u8..30).prop_map(|seq| Step::Delete { seq }),
        1 => (0u8..12, 0u8..4).prop_map(|(msgs, per_subject)| Step::Limits { msgs, per_subject }),
        2 => (1u8..40).prop_map(|seconds| Step::Pass { seconds }),
        1 => any::<(bool, bool)>().prop_map(|(checkpoint, crash)| Step::Restart { checkpoint, crash }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// A message of the model: its subject, and when it ends by itself.
type Kept = (u8, Option<u64>);

#[derive(Debug, Default)]
struct Model {
    messages: BTreeMap<u64, Kept>,
    last: u64,
    ids: BTreeMap<u8, (u64, u64)>,
    msgs: u64,
    per_subject: u64,
}

impl Model {
    fn of(&self, subject: u8) -> Vec<u64> {
        let same = self.messages.iter().filter(|(_, kept)| kept.0 == subject);
        same.map(|(seq, _)| *seq).collect()
    }

    fn store(&mut self, subject: u8, ends: Option<u64>) {
        self.last += 1;
        self.messages.insert(self.last, (subject, ends));
        self.enforce();
    }

    fn enforce(&mut self) {
        for subject in 0..4 {
            let own = self.of(subject);
            let most = usize::try_from(self.per_subject).unwrap();
            if most > 0 && own.len() > most {
                for seq in &own[..own.len() - most] {
                    self.messages.remove(seq);
                }
            }
        }
        while self.msgs > 0 && self.messages.len() as u64 > self.msgs {
            self.messages.pop_first();
        }
    }

    fn purge(&mut self, subject: Option<u8>, up_to: u64, keep: u64) {
        let matching: Vec<u64> = match subject {
            Some(subject) => self.of(subject),
            None => self.messages.keys().copied().collect(),
        };
        let most = matching.len() - matching.len().min(usize::try_from(keep).unwrap());
        for seq in &matching[..most] {
            if up_to == 0 || *seq < up_to {
                self.messages.remove(seq);
            }
        }
        if subject.is_none() && up_to > self.last + 1 {
            self.last = up_to - 1;
        }
    }
}

fn name(subject: u8) -> String {
    format!("s.{subject}")
}

fn sequence(answer: &str) -> Option<u64> {
    let (_, rest) = answer.split_once(r#""seq":"#)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|_| !answer.contains("error"))
}

fn allow(config: &mut natterjack_jsapi::stream::StreamConfig) {
    config.allow_rollup_hdrs = true;
    config.allow_msg_ttl = true;
}

/// Does `step` to both.
fn run(world: &mut World, model: &mut Model, step: &Step) {
    let now = world.now.mono_ns;
    match *step {
        Step::Publish { subject, id } => {
            let text = id.map(|id| id.to_string());
            let fields: Vec<(&str, &str)> = text.iter().map(|t| ("Nats-Msg-Id", t.as_str())).collect();
            let got = sequence(&world.publish_with(&name(subject), "x", &fields));
            let seen = id.and_then(|id| model.ids.get(&id).copied());
            if let Some((seq, _)) = seen.filter(|(_, at)| now - at <= 120 * SECOND) {
                assert_eq!(got, Some(seq), "a duplicate");
                return;
            }
            model.store(subject, None);
            if let Some(id) = id {
                model.ids.insert(id, (model.last, now));
            }
            assert_eq!(got, Some(model.last));
        }
        Step::Expect { subject, last } => {
            let fits = model.of(subject).last().copied().unwrap_or(0) == u64::from(last);
            let last = last.to_string();
            let fields = [("Nats-Expected-Last-Subject-Sequence", last.as_str())];
            let got = sequence(&world.publish_with(&name(subject), "x", &fields));
            if fits {
                model.store(subject, None);
            }
            assert_eq!(got, fits.then_some(model.last));
        }
        Step::Rollup { subject, all } => {
            let kind = if all { "all" } else { "sub" };
            world.publish_with(&name(subject), "x", &[("Nats-Rollup", kind)]);
            model.messages.retain(|_, kept| !all && kept.0 != subject);
            model.store(subject, None);
        }
        Step::Mortal { subject } => {
            world.publish_with(&name(subject), "x", &[("Nats-TTL", "30s")]);
            model.store(subject, Some(now + 30 * SECOND));
        }
        Step::Purge { subject, up_to, keep } => {
            // One or the other, as the API has it.
            let (up_to, keep) = if up_to > 0 { (up_to, 0) } else { (0, keep) };
            let (up_to, keep) = (u64::from(up_to), u64::from(keep));
            let filter = subject.map(name).unwrap_or_default();
            world.command(Command::Purge { filter, up_to, keep });
            model.purge(subject, up_to, keep);
        }
        Step::Delete { seq } => {
            world.command(Command::Delete {
                seq: u64::from(seq),
                erase: seq % 2 == 0,
            });
            model.messages.remove(&u64::from(seq));
        }
        Step::Limits { msgs, per_subject } => {
            let mut config = world.group.stream().config().clone();
            let limit = |n: u8| if n == 0 { -1 } else { i64::from(n) };
            config.max_msgs = limit(msgs);
            config.max_msgs_per_subject = limit(per_subject);
            world.command(Command::Config(Box::new(config)));
            (model.msgs, model.per_subject) = (u64::from(msgs), u64::from(per_subject));
            model.enforce();
        }
        Step::Pass { seconds } => {
            world.pass(u64::from(seconds) * SECOND);
            let now = world.now.mono_ns;
            model
                .messages
                .retain(|_, kept| kept.1.is_none_or(|ends| ends > now));
        }
        Step::Restart { checkpoint: true, .. } => world.checkpoint(),
        Step::Restart { .. } => {}
    }
}

fn compare(world: &mut World, model: &Model) {
    let state = world.group.info(world.now).state;
    assert_eq!(state.messages, model.messages.len() as u64);
    assert_eq!(state.last_seq, model.last);
    for seq in 1..=model.last {
        let message = world.group.store().load(Seq(seq)).ok();
        let subject = message.map(|m| String::from_utf8_lossy(m.subject()).into_owned());
        assert_eq!(
            subject,
            model.messages.get(&seq).map(|kept| name(kept.0)),
            "{seq}"
        );
    }
    for subject in 0..4 {
        let own = model.of(subject);
        let text = name(subject);
        let last = world.group.store().last_for(text.as_bytes()).map(|s| s.0);
        assert_eq!(last, own.last().copied(), "last of {text}");
        let count = world.group.store().subject_state(text.as_bytes());
        assert_eq!(count.map_or(0, |s| s.count), own.len() as u64, "count of {text}");
    }
    if let Some((first, _)) = model.messages.first_key_value() {
        assert_eq!(state.first_seq, *first);
    }
}

/// Plays `cases` sequences of steps, comparing after each step.
fn play(cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let done = TestRunner::new(config).run(&steps(), |steps| {
        let mut world = World::new(allow);
        let mut model = Model::default();
        for step in &steps {
            run(&mut world, &mut model, step);
            match step {
                Step::Restart { crash: true, .. } => world = world.crash(allow),
                Step::Restart { .. } => world = world.restart(allow),
                _ => {}
            }
            compare(&mut world, &model);
        }
        Ok(())
    });
    if let Err(failure) = done {
        panic!("{failure}");
    }
}

#[test]
fn a_stream_is_what_the_model_says() {
    play(1_000);
}

#[test]
#[ignore = "the long mode: ten times the sequences"]
fn ten_thousand_streams_are_what_the_model_says() {
    play(10_000);
}
