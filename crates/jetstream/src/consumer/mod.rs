//! All consumers of a stream. What happens to one costs nothing for the others: a stored message finds those it concerns by
//! a trie of filters, time finds those with something due by an ordered set.

mod ack;
mod admin;
mod advise;
mod checkpoint;
pub mod config;
mod deliver;
mod delta;
mod events;
mod machine;
mod pending;
mod priority;
mod pull;
mod push;
mod rounds;
mod shown;
mod start;
mod state;
mod stored;
mod tick;

pub use ack::AckOutcome;
pub(crate) use checkpoint::{put, put_bytes, take, take_bytes};
pub use config::{Limits, Surroundings, check_group_name};
pub(crate) use machine::filter_set;
pub use machine::{Consumer, Names};
pub(crate) use start::starting_point;
pub use state::{Pair, State};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::{ConsumerConfig, ConsumerInfo};
use natterjack_jsapi::stream::StreamConfig;
use natterjack_store::MsgStore;
use natterjack_subject::FilterTrie;

use crate::clock::Now;
use crate::effect::Effects;
use checkpoint::{decode_list, encode_list};
use deliver::Scratch;
use machine::Parts;

/// All consumers of one stream.
#[derive(Debug, Default)]
pub struct Consumers {
    names: Arc<Names>,
    slots: Vec<Option<Box<Consumer>>>,
    by_name: BTreeMap<String, u32>,
    /// How many of them are not shown.
    hidden: usize,
    /// Consumers with filters.
    filtered: FilterTrie<u32>,
    /// Consumers without.
    unfiltered: Vec<u32>,
    /// Consumers that may wait for acknowledgements of messages their filters no longer let through.
    strayed: BTreeSet<u32>,
    deadlines: BTreeSet<(u64, u32)>,
    runnable: VecDeque<u32>,
    dirty: Vec<u32>,
    scratch: Scratch,
    /// Consumers that came, changed or went since the driver last asked.
    changed: Vec<Changed>,
    next_id: u32,
    /// Times a consumer was looked at because of a message, for tests that hold the work against what it should be.
    #[cfg(test)]
    pub(crate) looks: u64,
}

/// A consumer that came, changed or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What happened.
    pub how: How,
}

/// What happened to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It is gone.
    Deleted,
}

/// What a new consumer is made of, as the log keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// Its id within the stream.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Configuration.
    pub config: ConsumerConfig,
    /// When it was made.
    pub created: GoTime,
    /// State it starts with, encoded.
    pub state: Vec<u8>,
}

impl Consumers {
    /// No consumers yet.
    #[must_use]
    pub fn new(names: Names) -> Self {
        Self {
            names: Arc::new(names),
            next_id: 1,
            ..Self::default()
        }
    }

    /// Number of consumers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Number of consumers that limits count: those of other streams' mirrors and sources are not.
    #[must_use]
    pub fn counted(&self) -> usize {
        let all = self.slots.iter().flatten();
        all.filter(|c| !c.config.direct && !c.config.sourcing).count()
    }

    /// Number of consumers that are shown: those that come and go with who copies from the stream are not.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.by_name.len() - self.hidden
    }

    /// Names and ids of those that are shown, in the order of their names.
    pub fn list(&self) -> impl Iterator<Item = (&str, u32)> {
        let shown = |id: u32| self.config(id).is_some_and(|config| !config.direct);
        let all = self.by_name.iter().map(|(name, id)| (name.as_str(), *id));
        all.filter(move |(_, id)| shown(*id))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The consumer called `name`.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Ids in the order of their names.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.by_name.values().copied()
    }

    /// A consumer.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Consumer> {
        self.slots.get(usize::try_from(id).ok()?)?.as_deref()
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Consumer> {
        self.slots.get_mut(usize::try_from(id).ok()?)?.as_deref_mut()
    }

    /// Configuration of a consumer.
    #[must_use]
    pub fn config(&self, id: u32) -> Option<&ConsumerConfig> {
        self.get(id).map(|c| &c.config)
    }

    /// Whether somebody listens to a push consumer.
    #[must_use]
    pub fn is_active(&self, id: u32) -> bool {
        self.get(id).is_some_and(|c| c.active)
    }

    /// All about a consumer.
    #[must_use]
    pub fn info(&self, id: u32, now: Now) -> Option<ConsumerInfo> {
        self.get(id).map(|c| c.info(&self.names, now))
    }

    /// Lays out a new consumer: its id, name, and where it starts. The configuration was checked.
    pub fn prepare(
        &mut self,
        name: String,
        config: ConsumerConfig,
        stream: &StreamConfig,
        store: &mut dyn MsgStore,
        now: Now,
    ) -> Created {
        let (state, list) = starting_point(&config, stream, store);
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        encode_list(&list, store.state().last_seq.0, &mut bytes);
        let id = self.next_id;
        self.next_id += 1;
        Created {
            id,
            name,
            config,
            created: GoTime(now.wall_ns),
            state: bytes,
        }
    }

    /// Adds a consumer.
    pub fn apply_create(&mut self, created: &Created, store: &mut dyn MsgStore, now: Now) {
        let mut bytes = created.state.as_slice();
        let state = State::decode(&mut bytes).unwrap_or_else(|| State::starting_at(1));
        let (last_list, replay_end) = decode_list(&mut bytes).unwrap_or_default();
        let parts = Parts {
            id: created.id,
            name: created.name.clone(),
            config: created.config.clone(),
            created: created.created,
            state,
            last_list,
            replay_end,
        };
        self.next_id = self.next_id.max(created.id + 1);
        self.note(created.id, &created.name, How::Created);
        let consumer = Consumer::new(parts, &self.names, store, now);
        self.add(consumer, now);
    }

    fn note(&mut self, id: u32, name: &str, how: How) {
        let name = name.to_owned();
        self.changed.push(Changed { id, name, how });
    }

    /// What came, changed or went since the last call.
    pub fn take_changed(&mut self) -> Vec<Changed> {
        std::mem::take(&mut self.changed)
    }

    fn add(&mut self, consumer: Consumer, now: Now) {
        let id = consumer.id;
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        self.by_name.insert(consumer.name.clone(), id);
        self.hidden += usize::from(consumer.config.direct);
        self.index(&consumer);
        self.slots[at] = Some(Box::new(consumer));
        self.touch(id, now);
    }

    fn index(&mut self, consumer: &Consumer) {
        if consumer.filters.is_all() {
            self.unfiltered.push(consumer.id);
        }
        for filter in consumer.filters.filters() {
            self.filtered.insert(filter, consumer.id);
        }
    }

    fn unindex(&mut self, id: u32) {
        let Some(at) = usize::try_from(id).ok() else {
            return;
        };
        let Some(consumer) = self.slots.get(at).and_then(Option::as_deref) else {
            return;
        };
        for filter in consumer.filters.filters() {
            self.filtered.remove(filter, id);
        }
        self.unfiltered.retain(|u| *u != id);
    }

    /// Gives a consumer another configuration. Returns whether it has other filters now.
    pub fn apply_update(
        &mut self,
        id: u32,
        config: ConsumerConfig,
        store: &mut dyn MsgStore,
        now: Now,
        fx: &mut dyn Effects,
    ) -> bool {
        self.unindex(id);
        let Some(consumer) = self.get_mut(id) else {
            return false;
        };
        let refiltered = filter_set(&config) != consumer.filters;
        consumer.filters = filter_set(&config);
        consumer.sample = config::sample_percent(&config.sample_freq).unwrap_or(0);
        consumer.paused_until = config.pause_until.filter(|t| t.0 > now.wall_ns);
        consumer.rewait(config);
        consumer.runnable = true;
        if refiltered {
            consumer.refiltered(store);
            self.strayed.insert(id);
        }
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        if let Some(consumer) = self.slots[at].take() {
            self.index(&consumer);
            self.note(id, &consumer.name, How::Updated);
            self.slots[at] = Some(consumer);
        }
        self.advise_paused(id, now, fx);
        self.touch(id, now);
        refiltered
    }

    /// Takes a consumer away; those who wait for its messages are told why.
    pub fn apply_delete(&mut self, id: u32, line: &str, fx: &mut dyn Effects) -> Option<String> {
        self.unindex(id);
        self.strayed.remove(&id);
        let at = usize::try_from(id).ok()?;
        let mut consumer = self.slots.get_mut(at)?.take()?;
        consumer.end_all(line, false, fx);
        self.by_name.remove(&consumer.name);
        self.hidden -= usize::from(consumer.config.direct);
        if let Some(deadline) = consumer.registered {
            self.deadlines.remove(&(deadline, id));
        }
        self.runnable.retain(|r| *r != id);
        self.dirty.retain(|d| *d != id);
        self.note(id, &consumer.name, How::Deleted);
        Some(consumer.name)
    }

    /// Ends all waiting requests, as at shutdown.
    pub fn end_requests(&mut self, line: &str, fx: &mut dyn Effects) {
        for consumer in self.slots.iter_mut().flatten() {
            consumer.end_all(line, true, fx);
        }
    }
}
