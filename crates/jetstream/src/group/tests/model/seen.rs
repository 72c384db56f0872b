//! What was seen of one consumer, and what must follow from it.

use std::collections::{BTreeMap, BTreeSet};

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_subject::FilterSet;

/// Messages that are in the stream: sequence and subject.
pub(super) type Live = BTreeMap<u64, String>;

/// A delivery as its receiver sees it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) subject: String,
    pub(super) sseq: u64,
    pub(super) cseq: u64,
    pub(super) count: u64,
    pub(super) pending: u64,
    pub(super) reply: String,
}

/// The model of a consumer.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) id: u32,
    pub(super) config: ConsumerConfig,
    pub(super) filters: FilterSet,
    /// Everything behind this was looked at.
    pub(super) next: u64,
    /// `last_per_subject`: what is to come before `next`.
    pub(super) listed: BTreeSet<u64>,
    pub(super) last_cseq: u64,
    pub(super) counts: BTreeMap<u64, u64>,
    pub(super) pending: BTreeSet<u64>,
    /// Acknowledged or given up; with what was passed over, never to come again.
    pub(super) done: BTreeSet<u64>,
    /// Of those, what the sender was told is durable.
    pub(super) answered: BTreeSet<u64>,
    /// Delivered as often as allowed.
    pub(super) exceeded: BTreeSet<u64>,
    pub(super) deliveries: Vec<Seen>,
}

impl Model {
    pub(super) fn new(id: u32, config: ConsumerConfig, next: u64, listed: BTreeSet<u64>) -> Self {
        Self {
            id,
            filters: crate::consumer::filter_set(&config),
            config,
            next,
            listed,
            last_cseq: 0,
            counts: BTreeMap::new(),
            pending: BTreeSet::new(),
            done: BTreeSet::new(),
            answered: BTreeSet::new(),
            exceeded: BTreeSet::new(),
            deliveries: Vec::new(),
        }
    }

    pub(super) fn wants(&self, subject: &str) -> bool {
        self.filters.matches(subject.as_bytes())
    }

    /// Whether a message that leaves would be missed.
    pub(super) fn needs(&self, sseq: u64, subject: &str) -> bool {
        let coming = sseq >= self.next || self.listed.contains(&sseq);
        let held = self.pending.contains(&sseq) || self.exceeded.contains(&sseq);
        self.wants(subject) && (coming || held)
    }

    /// Messages it has still to be given for the first time.
    pub(super) fn to_come(&self, live: &Live) -> usize {
        let ahead = live.range(self.next..).filter(|(_, s)| self.wants(s)).count();
        ahead
            + self
                .listed
                .iter()
                .filter(|s| **s < self.next && live.contains_key(s))
                .count()
    }

    /// A message came.
    pub(super) fn delivered(&mut self, seen: Seen, live: &Live) -> Result<(), String> {
        let Seen {
            sseq, cseq, count, ..
        } = seen;
        let fail = |what: &str| Err(format!("{what}: {seen:?}"));
        if !live.contains_key(&sseq) {
            return fail("delivered what is gone");
        }
        if self.done.contains(&sseq) || self.exceeded.contains(&sseq) {
            return fail("delivered what was done with");
        }
        if cseq != self.last_cseq + 1 {
            return fail("consumer sequence does not follow");
        }
        if self.config.max_deliver > 0 && count > self.config.max_deliver.cast_unsigned() {
            return fail("delivered too often");
        }
        if count != self.counts.get(&sseq).copied().unwrap_or(0) + 1 {
            return fail("deliveries are counted wrong");
        }
        if count == 1 {
            self.first_delivery(&seen, live)?;
        } else if !self.pending.contains(&sseq) {
            return fail("delivered again what does not wait");
        }
        if seen.pending != self.to_come(live) as u64 {
            return Err(format!("{} to come: {seen:?}", self.to_come(live)));
        }
        self.counts.insert(sseq, count);
        self.last_cseq = cseq;
        if self.config.ack_policy == AckPolicy::None {
            self.done.insert(sseq);
        } else {
            self.pending.insert(sseq);
        }
        self.deliveries.push(seen);
        Ok(())
    }

    fn first_delivery(&mut self, seen: &Seen, live: &Live) -> Result<(), String> {
        let sseq = seen.sseq;
        if !self.wants(&seen.subject) {
            return Err(format!("a filter would keep it back: {seen:?}"));
        }
        let limit = usize::try_from(self.config.max_ack_pending).unwrap_or(0);
        let waiting = self.pending.iter().filter(|s| live.contains_key(s)).count();
        if limit > 0 && waiting >= limit {
            return Err(format!("more than may wait: {seen:?}"));
        }
        if self.listed.remove(&sseq) {
            return Ok(());
        }
        let skipped = live.range(self.next..sseq).find(|(_, s)| self.wants(s));
        if let Some((skipped, _)) = skipped {
            return Err(format!("{skipped} was skipped: {seen:?}"));
        }
        if sseq < self.next {
            return Err(format!("again, as if for the first time: {seen:?}"));
        }
        self.next = sseq + 1;
        Ok(())
    }

    /// An acknowledgement is on its way: of which messages.
    pub(super) fn acked(&mut self, sseq: u64) -> Vec<u64> {
        let released: Vec<u64> = match self.config.ack_policy {
            AckPolicy::None => Vec::new(),
            AckPolicy::All => self
                .pending
                .range(..=sseq)
                .chain(self.exceeded.range(..=sseq))
                .copied()
                .collect(),
            _ if self.pending.contains(&sseq) || self.exceeded.contains(&sseq) => vec![sseq],
            _ => Vec::new(),
        };
        for sseq in &released {
            self.pending.remove(sseq);
            self.exceeded.remove(sseq);
            self.done.insert(*sseq);
        }
        released
    }

    /// It was given up: delivered as often as allowed.
    pub(super) fn gave_up(&mut self, sseq: u64) -> Result<(), String> {
        let count = self.counts.get(&sseq).copied().unwrap_or(0);
        if !self.pending.remove(&sseq) || count.cast_signed() != self.config.max_deliver {
            return Err(format!("{sseq} given up after {count} deliveries"));
        }
        self.exceeded.insert(sseq);
        Ok(())
    }

    /// The sender of an acknowledgement was told that it is durable.
    pub(super) fn told(&mut self, sseq: u64) {
        if self.config.ack_policy == AckPolicy::All {
            self.answered.extend(self.done.range(..=sseq));
        } else if self.done.contains(&sseq) {
            self.answered.insert(sseq);
        }
    }

    /// It starts over.
    pub(super) fn reset(&mut self, next: u64) {
        self.next = next;
        self.last_cseq = 0;
        self.listed.clear();
        self.counts.clear();
        self.pending.clear();
        self.exceeded.clear();
        self.deliveries.clear();
        self.done = self.done.range(..next).copied().collect();
        self.answered = self.answered.range(..next).copied().collect();
    }

    /// Other filters: what was passed over stays so.
    pub(super) fn refilter(&mut self, config: ConsumerConfig, live: &Live) {
        let passed = live.range(..self.next).map(|(s, _)| *s);
        let over: Vec<u64> = passed
            .filter(|s| !self.pending.contains(s) && !self.listed.contains(s) && !self.exceeded.contains(s))
            .collect();
        self.done.extend(over);
        self.filters = crate::consumer::filter_set(&config);
        let filters = &self.filters;
        self.listed
            .retain(|s| live.get(s).is_some_and(|t| filters.matches(t.as_bytes())));
        self.config = config;
    }
}
