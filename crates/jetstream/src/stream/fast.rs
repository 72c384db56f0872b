//! Fast batches: messages whose reply subjects say where they stand, stored as they come and acknowledged now and then.

use std::collections::HashMap;

use natterjack_jsapi::{ApiError, errors};
use natterjack_store::Seq;

use super::Incoming;
use super::text::number;
use crate::batching::{self, BatchLimits};
use crate::clock::Now;
use crate::limits::{BATCH_ID_BYTES_MAX, FAST_FLOW, FAST_FLOW_MAX};

/// Ends the reply subject of every message of a fast batch.
pub(crate) const SUFFIX: &[u8] = b".$FI";

/// What a message does in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Start,
    Append,
    Commit,
    /// Ends the batch and is not stored.
    End,
    /// Asks how far the batch has come.
    Ping,
}

/// What a reply subject says: `<prefix>.<id>.<flow>.<gap>.<seq>.<op>.$FI`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) id: &'a [u8],
    flow: u64,
    /// Whether the batch ends when a message is missing.
    gap_fails: bool,
    pub(crate) seq: u64,
    pub(crate) op: Op,
}

/// Whether `message` says that it is one of a fast batch.
pub(crate) fn is_of_batch(message: &Incoming<'_>) -> bool {
    message.reply.is_some_and(|reply| reply.ends_with(SUFFIX))
}

impl<'a> Place<'a> {
    /// Reads a reply subject.
    pub(crate) fn parse(reply: &'a [u8]) -> Option<Self> {
        let mut tokens = reply.rsplit(|b| *b == b'.').skip(1);
        let op = match number(tokens.next()?)? {
            0 => Op::Start,
            1 => Op::Append,
            2 => Op::Commit,
            3 => Op::End,
            4 => Op::Ping,
            _ => return None,
        };
        let seq = number(tokens.next()?).filter(|n| *n > 0)?;
        match op {
            Op::Start if seq > 1 => return None,
            Op::Append | Op::End if seq == 1 => return None,
            _ => {}
        }
        let gap_fails = match tokens.next()? {
            b"fail" => true,
            b"ok" => false,
            _ => return None,
        };
        let flow = number(tokens.next()?);
        let id = tokens.next().filter(|id| !id.is_empty())?;
        tokens.next()?;
        Some(Self {
            id,
            flow: flow.filter(|n| *n > 0).unwrap_or(FAST_FLOW).min(FAST_FLOW_MAX),
            gap_fails,
            seq,
            op,
        })
    }
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Flowing {
    /// Its last message that was taken.
    pub(crate) last: u64,
    /// The last sequence of the stream one of its messages got.
    pub(crate) stored: Seq,
    /// The last message that was acknowledged.
    pub(crate) acked: u64,
    /// Acknowledged at this message next.
    ack_at: u64,
    /// Messages between acknowledgements.
    pub(crate) every: u64,
    most: u64,
    /// Whether it ends when a message is missing, which its first message says.
    pub(crate) gap_fails: bool,
    touched_ns: u64,
    _place: batching::Place,
}

impl Flowing {
    /// Whether the message just taken is to be acknowledged; the distance to the next then grows.
    pub(crate) fn ack_due(&mut self) -> bool {
        if self.last < self.ack_at {
            return false;
        }
        // In whole steps, also where messages are missing or were refused.
        self.acked = self.last - (self.last - self.ack_at) % self.every;
        self.every = self.every.saturating_mul(2).min(self.most);
        self.ack_at = self.acked + self.every;
        true
    }
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take it as the first of its batch.
    First,
    /// Take it.
    Next,
    /// Messages are missing before it: this one was expected. Ends the batch if it says so.
    Gap {
        expected: u64,
        got: u64,
        ends: bool,
    },
    /// It was only asked how far the batch has come.
    Here,
    Refused(ApiError),
}

/// All fast batches of a stream.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    open: HashMap<Vec<u8>, Flowing>,
}

impl Flows {
    pub(crate) fn get(&mut self, id: &[u8]) -> Option<&mut Flowing> {
        self.open.get_mut(id)
    }

    pub(crate) fn end(&mut self, id: &[u8]) -> Option<Flowing> {
        self.open.remove(id)
    }

    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    /// When the next one has stood still for too long, monotonic.
    pub(crate) fn next_deadline_ns(&self, limits: &BatchLimits) -> Option<u64> {
        let oldest = self.open.values().map(|flow| flow.touched_ns).min()?;
        Some(oldest.saturating_add(limits.timeout_ns))
    }

    /// Forgets those that have stood still for too long; what they stored stays.
    pub(crate) fn expire(&mut self, now: Now, limits: &BatchLimits) {
        self.open
            .retain(|_, flow| flow.touched_ns.saturating_add(limits.timeout_ns) > now.mono_ns);
    }

    /// Decides on a message by its place.
    pub(crate) fn step(&mut self, now: Now, place: &Place<'_>, limits: &BatchLimits) -> Step {
        if place.id.len() > BATCH_ID_BYTES_MAX {
            return Step::Refused(errors::BATCH_PUBLISH_INVALID_BATCH_ID);
        }
        let others = self.open.len();
        let Some(flow) = self.open.get_mut(place.id) else {
            return self.begin(now, place, others, limits);
        };
        flow.touched_ns = now.mono_ns;
        let (expected, got) = match place.op {
            // What came behind what is asked about does not matter.
            Op::Ping if place.seq <= flow.last => return Step::Here,
            Op::Ping => (flow.last, place.seq),
            _ => (flow.last + 1, place.seq),
        };
        if expected == got {
            return Step::Next;
        }
        // What comes again has no place any more; what is missing may be missed.
        let ends = flow.gap_fails || got < expected;
        let shift = u64::from(place.op == Op::Ping);
        if !ends {
            flow.last = got - 1 + shift;
        }
        Step::Gap {
            expected: expected + shift,
            got: got + shift,
            ends,
        }
    }

    fn begin(&mut self, now: Now, place: &Place<'_>, others: usize, limits: &BatchLimits) -> Step {
        let first = matches!(place.op, Op::Start | Op::Commit) && place.seq == 1;
        if !first {
            return Step::Refused(errors::BATCH_PUBLISH_UNKNOWN_BATCH_ID);
        }
        let has_room = others < limits.fast.per_stream;
        let Some(taken) = limits.fast.total.take().filter(|_| has_room) else {
            return Step::Refused(errors::BATCH_PUBLISH_TOO_MANY_INFLIGHT);
        };
        // Alone it may run at once as it wants to; beside others it begins slowly.
        let every = if others == 0 { place.flow } else { 1 };
        let flow = Flowing {
            last: 0,
            stored: Seq::ZERO,
            acked: 0,
            ack_at: every,
            every,
            most: place.flow,
            gap_fails: place.gap_fails,
            touched_ns: now.mono_ns,
            _place: taken,
        };
        self.open.insert(place.id.to_vec(), flow);
        Step::First
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_read() {
        let place = Place::parse(b"_INBOX.a.id.+3.ok.7.1.$FI").unwrap();
        assert_eq!((place.id, place.flow, place.seq), (&b"id"[..], FAST_FLOW, 7));
        assert!(!place.gap_fails);
        for reply in [
            "id.1.ok.1.0.$FI",
            "r.id.1.ok.0.0.$FI",
            "r.id.1.ok.x.0.$FI",
            "r.id.1.no.1.0.$FI",
            "r.id.1.ok.1.5.$FI",
            "r..1.ok.1.0.$FI",
            "r.id.1.ok.+1.0.$FI",
            "r.id.1.ok.2.0.$FI",
            "r.id.1.ok.1.1.$FI",
            "r.id.1.ok.1.3.$FI",
            "$FI",
        ] {
            assert_eq!(Place::parse(reply.as_bytes()), None, "{reply}");
        }
    }

    proptest! {
        #[test]
        fn any_reply_is_read(reply in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _place = Place::parse(&reply);
        }
    }
}
