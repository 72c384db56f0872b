//! A group with a disk, driven by steps: what the server's owner task does, one thing at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::{Retention, StreamConfig};
use natterjack_store::{
    EntryBody, Group as Log, GroupId, LogIndex, OsDisk, Seq, Store, StoreOptions, StreamOptions, SyncMode,
};
use natterjack_subject::FilterSet;
use tempfile::TempDir;

use super::ears::{Ears, Out, text};
use super::schedule::{SUBJECTS, Schedule};
use super::seen::{Live, Model};
use crate::clock::Now;
use crate::consumer::{Limits, Names, Surroundings, config};
use crate::stream::Incoming;
use crate::{Command, Group};

pub(super) const MS: u64 = 1_000_000;

pub(super) struct Rig {
    pub(super) group: Group,
    pub(super) fx: Ears,
    pub(super) now: Now,
    pub(super) config: StreamConfig,
    pub(super) log: Log,
    pub(super) store: Store,
    pub(super) folder: TempDir,
    pub(super) held: Option<VecDeque<(LogIndex, EntryBody)>>,
    pub(super) models: Vec<Option<Model>>,
    pub(super) live: Live,
    /// The first thing that was not as it must be.
    pub(super) wrong: Option<String>,
}

pub(super) fn open(folder: &TempDir) -> Store {
    let options = StoreOptions {
        sync: SyncMode::Interval(Duration::from_secs(60)),
        journal_file_bytes: 1024 * 1024,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(OsDisk), folder.path(), &options).unwrap()
}

/// A folder in memory where there is such a place: nothing here asks what a disk keeps when the power goes.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

pub(super) fn names() -> Names {
    Names {
        stream: "S".into(),
        ..Names::default()
    }
}

impl Rig {
    pub(super) fn new(plan: &Schedule) -> Self {
        let folder = folder();
        let store = open(&folder);
        let (log, messages) = store
            .create_stream(GroupId(5), &StreamOptions::default())
            .unwrap();
        let now = Now::at(1_000_000 * MS);
        let wanted = plan.stream.clone();
        let config = super::super::stream(|c| {
            c.retention = wanted.retention;
            c.max_msgs = wanted.max_msgs;
            c.max_msgs_per_subject = wanted.max_msgs_per_subject;
            c.allow_rollup_hdrs = true;
        });
        let mut rig = Self {
            group: Group::new(config.clone(), GoTime(now.wall_ns), messages, names()),
            fx: Ears::default(),
            now,
            config,
            log,
            store,
            folder,
            held: None,
            models: Vec::new(),
            live: Live::new(),
            wrong: None,
        };
        for n in 0..plan.before {
            rig.publish(SUBJECTS[n % SUBJECTS.len()], "");
        }
        rig.look();
        let work = rig.config.retention == Retention::WorkQueue;
        for mut config in plan.consumers.clone().into_iter().take(if work { 1 } else { 3 }) {
            if work {
                config.ack_policy = AckPolicy::Explicit;
                config.deliver_policy = DeliverPolicy::All;
                config.opt_start_seq = 0;
            }
            rig.consumer(config);
        }
        rig
    }

    pub(super) fn consumer(&mut self, mut config: ConsumerConfig) {
        let at = self.models.len();
        config.durable_name = format!("c{at}");
        config.name.clone_from(&config.durable_name);
        if !config.deliver_subject.is_empty() {
            config.deliver_subject = format!("push.{at}");
        }
        let limits = Limits::default();
        let around = Surroundings {
            stream: self.group.stream().config(),
            limits: &limits,
            pedantic: false,
            durable: true,
        };
        config::check(&mut config, &around).unwrap();
        let command = self
            .group
            .prepare_consumer(config.name.clone(), config.clone(), self.now);
        self.group.propose(command, None);
        self.settle();
        let id = self.group.consumers().lookup(&config.name).unwrap();
        let push = !config.deliver_subject.is_empty();
        let model = self.starting(id, config);
        self.models.push(Some(model));
        if push {
            self.group.consumers().on_interest(id, self.now, true);
        }
        self.settle();
    }

    /// Where a new consumer has to start, from what is in the stream.
    fn starting(&self, id: u32, config: ConsumerConfig) -> Model {
        let filters = crate::consumer::filter_set(&config);
        let matching = |(s, subject): (&u64, &String)| filters.matches(subject.as_bytes()).then_some(*s);
        let behind = self.group.stream().store.state().last_seq.0 + 1;
        let mut listed = BTreeSet::new();
        let next = match config.deliver_policy {
            DeliverPolicy::All => 1,
            DeliverPolicy::New => behind,
            DeliverPolicy::Last => self.live.iter().filter_map(matching).next_back().unwrap_or(1),
            DeliverPolicy::LastPerSubject if self.config.max_msgs_per_subject == 1 => 1,
            DeliverPolicy::LastPerSubject => {
                let mut last: BTreeMap<&str, u64> = BTreeMap::new();
                for (s, subject) in self.live.iter().filter(|(s, t)| matching((*s, *t)).is_some()) {
                    last.insert(subject, *s);
                }
                listed = last.into_values().collect();
                behind
            }
            _ => config.opt_start_seq,
        };
        Model::new(id, config, next, listed)
    }

    /// Takes what is proposed, writes it, and says it is durable unless held back.
    pub(super) fn settle(&mut self) {
        loop {
            while self.group.run(self.now, &mut self.fx, 1000) {}
            self.hear();
            let Some(proposal) = self.group.take_proposal(self.now) else {
                break;
            };
            let (sender, receiver) = mpsc::channel();
            let done = Box::new(move |outcome| sender.send(outcome).unwrap());
            let body = proposal.body.clone();
            let index = self.log.append(body.clone(), proposal.relaxed, done).unwrap();
            self.group.proposed(index, proposal);
            receiver.recv().unwrap().unwrap();
            match &mut self.held {
                Some(held) => held.push_back((index, body)),
                None => self.commit(index, &body),
            }
        }
    }

    fn commit(&mut self, index: LogIndex, body: &EntryBody) {
        self.group.committed(index, self.now, &mut self.fx);
        let before = self.live.clone();
        self.look();
        self.hear();
        let EntryBody::Command(bytes) = body else { return };
        let Some(Command::Consumers { .. }) = Command::decode(bytes) else {
            return;
        };
        for (sseq, subject) in before.iter().filter(|(s, _)| !self.live.contains_key(s)) {
            let needed = |(_, m): &(usize, &Model)| m.needs(*sseq, subject);
            let models = self
                .models
                .iter()
                .enumerate()
                .filter_map(|(at, m)| Some((at, m.as_ref()?)));
            if let Some((at, _)) = models.into_iter().find(needed) {
                self.wrong
                    .get_or_insert_with(|| format!("{sseq} left and consumer {at} needs it"));
            }
        }
    }

    pub(super) fn release(&mut self) {
        for (index, body) in self.held.take().into_iter().flatten() {
            self.commit(index, &body);
        }
        self.settle();
    }

    /// What is in the stream now.
    pub(super) fn look(&mut self) {
        self.live.clear();
        let (all, mut from) = (FilterSet::all(), Seq(1));
        while let Some(message) = self.group.stream().store.next(&all, from) {
            self.live.insert(message.seq().0, text(message.subject()));
            from = message.seq().next();
        }
    }

    /// Tells the models what came out.
    fn hear(&mut self) {
        while let Some(out) = self.fx.out.pop_front() {
            let heard = match out {
                Out::Delivered(at, seen) => {
                    let Some(model) = self.models.get_mut(at).and_then(Option::as_mut) else {
                        continue;
                    };
                    let paused = model.config.pause_until.is_some_and(|t| t.0 > self.now.wall_ns);
                    let heard = model.delivered(seen, &self.live);
                    if paused {
                        Err(format!("consumer {at} delivers while paused"))
                    } else {
                        heard
                    }
                }
                Out::Exceeded(name, sseq) => {
                    let named = |m: &&mut Model| m.config.name == name;
                    let Some(model) = self.models.iter_mut().flatten().find(named) else {
                        continue;
                    };
                    model.gave_up(sseq)
                }
                Out::Answered(at, sseq) => {
                    if let Some(model) = self.models.get_mut(at).and_then(Option::as_mut) {
                        model.told(sseq);
                    }
                    Ok(())
                }
            };
            if let Err(why) = heard {
                self.wrong.get_or_insert(why);
            }
        }
    }

    /// Lets time enough pass that everything is written down.
    pub(super) fn rest(&mut self) {
        self.release();
        for _ in 0..9 {
            self.pass(10);
            if !self.group.consumers().has_changes() {
                return;
            }
        }
        self.wrong.get_or_insert_with(|| "it never comes to rest".into());
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms * MS);
        self.group.on_tick(self.now, &mut self.fx);
        self.settle();
    }

    pub(super) fn publish(&mut self, subject: &str, rollup: &str) {
        let headers = if rollup.is_empty() {
            String::new()
        } else {
            format!("NATS/1.0\r\nNats-Rollup: {rollup}\r\n\r\n")
        };
        let message = Incoming {
            subject: subject.as_bytes(),
            reply: Some(b"pub"),
            headers: headers.as_bytes(),
            payload: b"x",
        };
        self.group.publish(self.now, &message, &mut self.fx);
        self.settle();
    }
}
