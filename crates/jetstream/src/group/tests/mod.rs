//! A group over a real store, driven by hand: what is published, delivered, acknowledged, and what a restart keeps.

mod consume;
mod model;
mod publish;
mod refused;
mod restart;
mod sequences;
mod sourced;
mod special;
mod stalls;
mod told;
mod waits;
mod work;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, mpsc};

use natterjack_jsapi::GoTime;
use natterjack_jsapi::ack::AckSubject;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_jsapi::stream::StreamConfig;
use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{Disk as _, Group as Log, GroupId, Store, StoreOptions, StreamOptions};

use super::{Group, Outcome, Proposal, Ticket};
use crate::clock::Now;
use crate::consumer::{Limits, Names, Surroundings, config};
use crate::effect::{Delivery, Effects, Handed};
use crate::stream::{Alone, Context, Create, Incoming, check_create};
use crate::{Command, Environment};

pub(super) const SECOND: u64 = 1_000_000_000;
const FOLDER: &str = "/store";

/// Writes down what the group asks for.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// `subject stored-subject reply payload` of each delivery.
    pub(super) deliveries: Vec<(String, String, String, String)>,
    pub(super) sent: Vec<(String, String)>,
    /// Times that something had to leave at once.
    pub(super) flushes: usize,
    pub(super) advisories: Vec<String>,
    /// What each advisory says.
    pub(super) advised: Vec<String>,
    pub(super) deaf: BTreeSet<String>,
    seed: u64,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Effects for Recorder {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Handed {
        let to = text(delivery.to);
        if self.deaf.contains(&to) {
            return Handed::NoInterest;
        }
        self.deliveries.push((
            to,
            text(delivery.message.subject()),
            text(delivery.reply),
            text(delivery.message.payload()),
        ));
        Handed::Taken {
            bytes: delivery.message.body().len(),
        }
    }

    fn send(&mut self, to: &[u8], _reply: Option<&[u8]>, headers: &[u8], payload: &[u8]) -> Handed {
        self.sent.push((text(to), text(headers) + &text(payload)));
        Handed::Taken { bytes: 0 }
    }

    fn flush(&mut self) {
        self.flushes += 1;
    }

    fn has_interest(&self, subject: &[u8], _group: Option<&[u8]>) -> bool {
        !self.deaf.contains(&text(subject))
    }

    fn wants_advisory(&self, _subject: &[u8]) -> bool {
        true
    }

    fn advisory(&mut self, subject: &[u8], json: &[u8]) {
        self.advisories.push(text(subject));
        self.advised.push(text(json));
    }

    fn random(&mut self) -> u64 {
        self.seed += 1;
        self.seed
    }
}

/// One stream with a disk, a clock and a recorder.
pub(super) struct World {
    pub(super) group: Group,
    pub(super) fx: Recorder,
    pub(super) now: Now,
    log: Log,
    store: Store,
    disk: SimDisk,
    next_ticket: u64,
}

/// A disk without anything that waits for a real one: thousands of worlds come and go in a test.
fn disk() -> SimDisk {
    let disk = SimDisk::default();
    disk.create_dir_all(Path::new(FOLDER)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn open(disk: &SimDisk) -> Store {
    Store::open(
        Arc::new(disk.clone()),
        Path::new(FOLDER),
        &StoreOptions::default(),
    )
    .unwrap()
}

fn names() -> Names {
    Names {
        stream: "S".into(),
        ..Names::default()
    }
}

pub(super) fn stream(change: impl FnOnce(&mut StreamConfig)) -> StreamConfig {
    let mut config = StreamConfig {
        name: "S".into(),
        subjects: vec!["s.>".into()],
        ..StreamConfig::default()
    };
    change(&mut config);
    let environment = Environment::new("$G");
    let context = Context {
        environment: &environment,
        streams: &Alone,
        pedantic: false,
    };
    let request = natterjack_jsapi::stream::StreamRequest {
        config,
        pedantic: false,
    };
    match check_create("S", &request, &context).unwrap() {
        Create::New(config) => config,
        Create::Existing => unreachable!("there is no other"),
    }
}

impl World {
    pub(super) fn new(change: impl FnOnce(&mut StreamConfig)) -> Self {
        Self::with_names(change, names())
    }

    pub(super) fn with_names(change: impl FnOnce(&mut StreamConfig), names: Names) -> Self {
        let disk = disk();
        let store = open(&disk);
        let (log, messages) = store
            .create_stream(GroupId(5), &StreamOptions::default())
            .unwrap();
        let now = Now::at(1_000 * SECOND);
        Self {
            group: Group::new(stream(change), GoTime(now.wall_ns), messages, names),
            fx: Recorder::default(),
            now,
            log,
            store,
            disk,
            next_ticket: 0,
        }
    }

    /// A stream of the same name that was made some time later.
    pub(super) fn later(ns: u64) -> Self {
        let mut world = Self::new(|_| {});
        let created = GoTime(world.now.plus(ns).wall_ns);
        let (log, messages) = world
            .store
            .create_stream(GroupId(6), &StreamOptions::default())
            .unwrap();
        world.group = Group::new(stream(|_| {}), created, messages, names());
        world.log = log;
        world
    }

    /// The process dies and comes back: only what the disk has is left.
    pub(super) fn restart(self, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let Self { disk, now, store, .. } = self;
        store.shutdown();
        Self::found(disk, now, change)
    }

    /// The machine dies: what was not forced to the disk is lost.
    pub(super) fn crash(self, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let disk = self.disk.crash(self.disk.operations(), Crash::Lose);
        self.store.shutdown();
        Self::found(disk, self.now, change)
    }

    fn found(disk: SimDisk, now: Now, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let store = open(&disk);
        let (mut log, messages) = store.open_stream(GroupId(5), &StreamOptions::default()).unwrap();
        let kept = log.checkpoint().cloned();
        let checkpoint = kept.as_ref().map(|(at, state)| (*at, state.as_ref()));
        let mut fx = Recorder::default();
        let config = stream(change);
        let mut group = Group::restore(config, GoTime(0), messages, names(), checkpoint, now);
        for entry in log.replay() {
            group.replay(&entry, now, &mut fx);
        }
        group.restored(now);
        assert!(fx.deliveries.is_empty() && fx.sent.is_empty());
        Self {
            group,
            fx,
            now,
            log,
            store,
            disk,
            next_ticket: 0,
        }
    }

    /// Makes all that was applied durable as a checkpoint.
    pub(super) fn checkpoint(&mut self) {
        let (state, applied) = (self.group.checkpoint(), self.group.applied());
        self.group.store().checkpoint(applied, state.into());
        self.store.flush();
    }

    /// Writes one proposal, and applies it when it is durable.
    pub(super) fn settle_one(&mut self) -> Option<(Ticket, Outcome)> {
        let proposal = self.group.take_proposal(self.now)?;
        self.write(proposal)
    }

    fn write(&mut self, proposal: Proposal) -> Option<(Ticket, Outcome)> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |outcome| sender.send(outcome).unwrap());
        let index = self
            .log
            .append(proposal.body.clone(), proposal.relaxed, done)
            .unwrap();
        self.group.proposed(index, proposal);
        receiver.recv().unwrap().unwrap();
        self.group.committed(index, self.now, &mut self.fx)
    }

    /// Writes what is proposed, waits until it is durable, and lets consumers run.
    pub(super) fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        let mut outcomes = Vec::new();
        loop {
            while self.group.run(self.now, &mut self.fx, 1000) {}
            let Some(proposal) = self.group.take_proposal(self.now) else {
                break;
            };
            outcomes.extend(self.write(proposal));
            outcomes.extend(self.group.take_ripe());
        }
        outcomes
    }

    pub(super) fn pass(&mut self, ns: u64) {
        self.now = self.now.plus(ns);
        self.group.on_tick(self.now, &mut self.fx);
        self.settle();
    }

    pub(super) fn publish_with(&mut self, subject: &str, payload: &str, fields: &[(&str, &str)]) -> String {
        let mut headers = Vec::new();
        if !fields.is_empty() {
            headers.extend_from_slice(b"NATS/1.0\r\n");
            for (key, value) in fields {
                headers.extend_from_slice(format!("{key}: {value}\r\n").as_bytes());
            }
            headers.extend_from_slice(b"\r\n");
        }
        let message = Incoming {
            subject: subject.as_bytes(),
            reply: Some(b"pub"),
            headers: &headers,
            payload: payload.as_bytes(),
        };
        self.group.publish(self.now, &message, &mut self.fx);
        self.settle();
        let at = self.fx.sent.iter().position(|(to, _)| to == "pub").unwrap();
        self.fx.sent.remove(at).1
    }

    pub(super) fn publish(&mut self, subject: &str, payload: &str) -> String {
        self.publish_with(subject, payload, &[])
    }

    pub(super) fn command(&mut self, command: Command) -> Outcome {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.group.propose(command, Some(ticket));
        let outcomes = self.settle();
        let (_, outcome) = outcomes.into_iter().find(|(t, _)| *t == ticket).unwrap();
        outcome
    }

    pub(super) fn consumer(&mut self, name: &str, change: impl FnOnce(&mut ConsumerConfig)) -> u32 {
        let mut config = ConsumerConfig {
            name: name.into(),
            durable_name: name.into(),
            ack_policy: AckPolicy::Explicit,
            ..ConsumerConfig::default()
        };
        change(&mut config);
        let around = Surroundings {
            stream: self.group.stream().config(),
            limits: &Limits::default(),
            pedantic: false,
            durable: !config.durable_name.is_empty(),
        };
        config::check(&mut config, &around).unwrap();
        let command = self.group.prepare_consumer(name.into(), config, self.now);
        match self.command(command) {
            Outcome::Consumer(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn pull(&mut self, id: u32, body: &str) -> Vec<String> {
        self.group
            .on_pull(id, self.now, b"in", body.as_bytes(), &mut self.fx);
        self.settle();
        self.take_deliveries()
    }

    /// Payloads delivered since the last call.
    pub(super) fn take_deliveries(&mut self) -> Vec<String> {
        self.fx.deliveries.drain(..).map(|d| d.3).collect()
    }

    /// Answers the delivery with ack subject `reply`.
    pub(super) fn ack(&mut self, id: u32, reply: &str, body: &str) {
        let ack = AckSubject::parse(reply.as_bytes()).unwrap();
        let (now, body) = (self.now, body.as_bytes());
        self.group
            .on_ack(id, now, &ack, (body, Some(b"acked")), &mut self.fx);
        self.settle();
    }

    /// First status line sent to `to`, taken away.
    pub(super) fn status(&mut self, to: &str) -> Option<String> {
        let at = self.fx.sent.iter().position(|(t, _)| t == to)?;
        let block = self.fx.sent.remove(at).1;
        Some(block.lines().next().unwrap_or_default().to_owned())
    }
}
