//! What of a consumer must survive: where it is, what waits for acknowledgement, how often messages were delivered. Every
//! change goes through [`State::apply`], on the leader as well as when a log is read back.

use std::collections::BTreeMap;

use natterjack_jsapi::consumer::AckPolicy;

use super::delta::Change;
use super::pending::{Pending, PendingMap};

/// A pair of consumer and stream sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pair {
    /// Of the consumer.
    pub consumer: u64,
    /// Of the stream.
    pub stream: u64,
}

/// Durable state of a consumer.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Consumer sequence of the next delivery.
    pub(crate) next_cseq: u64,
    /// Stream sequence of the next message to look at.
    pub(crate) next_sseq: u64,
    /// Up to here all is acknowledged.
    pub(crate) floor: Pair,
    pub(crate) pending: PendingMap,
    /// How often messages were delivered that were delivered more than once.
    pub(crate) redelivered: BTreeMap<u64, u64>,
}

impl State {
    /// A consumer that starts at stream sequence `next`.
    #[must_use]
    pub fn starting_at(next: u64) -> Self {
        let floor = Pair {
            consumer: 0,
            stream: next.saturating_sub(1),
        };
        Self {
            next_cseq: 1,
            next_sseq: next,
            floor,
            ..Self::default()
        }
    }

    /// What was delivered last.
    #[must_use]
    pub const fn delivered(&self) -> Pair {
        Pair {
            consumer: self.next_cseq.saturating_sub(1),
            stream: self.next_sseq.saturating_sub(1),
        }
    }

    /// How often message `sseq` was delivered.
    pub(crate) fn count(&self, sseq: u64) -> u64 {
        self.redelivered
            .get(&sseq)
            .copied()
            .unwrap_or_else(|| u64::from(self.pending.contains(sseq)))
    }

    /// Applies a change.
    pub(crate) fn apply(&mut self, policy: AckPolicy, change: Change) {
        match change {
            Change::Deliver { sseq, cseq, count } => self.deliver(policy, sseq, cseq, count),
            Change::Next { sseq } => self.next_sseq = self.next_sseq.max(sseq),
            Change::Ack { sseq } => self.ack(sseq),
            Change::AckAll { sseq, cseq } => self.ack_all(sseq, cseq),
            Change::Exceeded { sseq, count } => {
                self.pending.remove(sseq);
                self.redelivered.insert(sseq, count);
            }
            Change::Gone { sseq } => self.ack(sseq),
            Change::Purged { first } => self.purged(first),
            Change::Reset { next } => {
                *self = Self {
                    next_cseq: 1,
                    ..Self::starting_at(next)
                }
            }
        }
    }

    fn deliver(&mut self, policy: AckPolicy, sseq: u64, cseq: u64, count: u64) {
        self.next_cseq = self.next_cseq.max(cseq + 1);
        if sseq >= self.next_sseq {
            self.next_sseq = sseq + 1;
        }
        if count > 1 {
            self.redelivered.insert(sseq, count);
        }
        if policy == AckPolicy::None {
            self.floor = Pair {
                consumer: cseq,
                stream: sseq,
            };
        } else if !self.pending.contains(sseq) {
            self.pending.insert(Pending::new(sseq, cseq, 0));
        }
    }

    fn ack(&mut self, sseq: u64) {
        self.redelivered.remove(&sseq);
        // What was given up does not move the floor.
        if let Some(gone) = self.pending.remove(sseq) {
            self.move_floor((gone.cseq, gone.sseq));
        }
    }

    /// The floor is right before the oldest message that waits; it moves when the message right above it is acknowledged.
    fn move_floor(&mut self, (cseq, sseq): (u64, u64)) {
        if self.pending.is_empty() {
            self.floor = self.delivered();
            return;
        }
        if cseq != self.floor.consumer + 1 {
            return;
        }
        let first = self.pending.first().copied();
        // Where all before are acknowledged at once, one that left may have older ones waiting before it.
        if first.is_some_and(|first| first.sseq < sseq) {
            return;
        }
        self.floor = Pair {
            consumer: cseq,
            stream: sseq,
        };
        if let Some(first) = first {
            self.floor = Pair {
                consumer: first.cseq.saturating_sub(1),
                stream: first.sseq - 1,
            };
        }
    }

    fn ack_all(&mut self, sseq: u64, cseq: u64) {
        while let Some(first) = self.pending.first().filter(|p| p.sseq <= sseq) {
            let first = first.sseq;
            self.pending.remove(first);
        }
        self.redelivered = self.redelivered.split_off(&(sseq + 1));
        self.floor = Pair {
            consumer: cseq.max(self.floor.consumer),
            stream: sseq.max(self.floor.stream),
        };
    }

    fn purged(&mut self, first: u64) {
        self.next_sseq = self.next_sseq.max(first);
        if self.floor.stream < first {
            self.floor.stream = first.saturating_sub(1);
            while let Some(gone) = self.pending.first().copied().filter(|p| p.sseq < first) {
                self.pending.remove(gone.sseq);
                self.floor.consumer = self.floor.consumer.max(gone.cseq);
            }
        }
        // What was delivered too often and is still there can still be acknowledged.
        self.redelivered = self.redelivered.split_off(&first);
        if self.pending.is_empty() {
            self.floor = self.delivered();
        }
    }

    /// Appends the state for a checkpoint.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |n: u64| out.extend_from_slice(&n.to_le_bytes());
        for n in [
            self.next_cseq,
            self.next_sseq,
            self.floor.consumer,
            self.floor.stream,
        ] {
            put(n);
        }
        put(self.pending.len() as u64);
        for p in self.pending.iter() {
            put(p.sseq);
            put(p.cseq);
        }
        put(self.redelivered.len() as u64);
        for (sseq, count) in &self.redelivered {
            put(*sseq);
            put(*count);
        }
    }

    /// Reads what [`Self::encode`] wrote.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut take = || -> Option<u64> {
            let (head, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Some(u64::from_le_bytes(*head))
        };
        let mut state = Self {
            next_cseq: take()?,
            next_sseq: take()?,
            ..Self::default()
        };
        state.floor = Pair {
            consumer: take()?,
            stream: take()?,
        };
        for _ in 0..take()? {
            let (sseq, cseq) = (take()?, take()?);
            state.pending.insert(Pending::new(sseq, cseq, 0));
        }
        for _ in 0..take()? {
            let (sseq, count) = (take()?, take()?);
            state.redelivered.insert(sseq, count);
        }
        Some(state)
    }
}
