//! Atomic batches that gather until a message commits them. What gathers is in memory only: nothing of it was promised to
//! anybody.

use std::collections::BTreeMap;

use natterjack_jsapi::{ApiError, errors, headers};

use super::publish::Incoming;
use super::text::{has_api_level, header, number, set_header, without_api_level};
use crate::batching::{BatchLimits, Place};
use crate::clock::Now;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ID_BYTES_MAX};

/// A message that waits for its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    subject: Vec<u8>,
    headers: Vec<u8>,
    payload: Vec<u8>,
}

impl Held {
    /// A copy of `message` as the stream names its subject.
    pub(crate) fn new(subject: &[u8], headers: &[u8], payload: &[u8]) -> Self {
        Self {
            subject: subject.to_vec(),
            headers: headers.to_vec(),
            payload: payload.to_vec(),
        }
    }

    fn bytes(&self) -> usize {
        self.subject.len() + self.headers.len() + self.payload.len() + 96
    }

    pub(crate) fn as_incoming(&self) -> Incoming<'_> {
        Incoming {
            subject: &self.subject,
            reply: None,
            headers: &self.headers,
            payload: &self.payload,
        }
    }
}

/// A batch that gathers.
#[derive(Debug)]
struct Open {
    _place: Place,
    messages: Vec<Held>,
    bytes: usize,
    touched_ns: u64,
}

/// Why a batch came to nothing without its publisher being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abandoned {
    Timeout,
    Large,
    Incomplete,
    Unsupported,
}

impl Abandoned {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Large => "large",
            Self::Incomplete => "incomplete",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Whether a message ends its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commit {
    No,
    /// It does, as its last message.
    With,
    /// It does, and is not part of it.
    Without,
}

/// What `message` says of the end of its batch, if it says something known.
fn commit(message: &Held) -> Option<Commit> {
    match header(&message.headers, headers::BATCH_COMMIT) {
        None => Some(Commit::No),
        Some(b"1") => Some(Commit::With),
        Some(b"eob") => Some(Commit::Without),
        Some(_) => None,
    }
}

/// What became of a message of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// It waits.
    Waits,
    /// It was the last: these are to be stored.
    Commit(Vec<Held>),
    /// It is refused, and its batch gone if it had one.
    Refused(ApiError, Option<Abandoned>),
}

/// All batches of a stream that gather.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    open: BTreeMap<Vec<u8>, Open>,
    bytes: usize,
}

impl Batches {
    fn drop_batch(&mut self, id: &[u8]) -> Option<Open> {
        let open = self.open.remove(id)?;
        self.bytes = self.bytes.saturating_sub(open.bytes);
        Some(open)
    }

    /// Drops all of them.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.bytes = 0;
    }

    /// When the next one has stood still for too long, monotonic.
    pub(crate) fn next_deadline_ns(&self, limits: &BatchLimits) -> Option<u64> {
        let oldest = self.open.values().map(|open| open.touched_ns).min()?;
        Some(oldest.saturating_add(limits.timeout_ns))
    }

    /// Drops those that have stood still for too long.
    pub(crate) fn expire(&mut self, now: Now, limits: &BatchLimits) -> Vec<Vec<u8>> {
        let late = |open: &Open| open.touched_ns.saturating_add(limits.timeout_ns) <= now.mono_ns;
        let ids: Vec<Vec<u8>> = self
            .open
            .iter()
            .filter(|(_, open)| late(open))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &ids {
            self.drop_batch(id);
        }
        ids
    }

    /// Takes a message of batch `id`.
    pub(crate) fn gather(&mut self, now: Now, id: &[u8], message: Held, limits: &BatchLimits) -> Gathered {
        let refused = |error| Gathered::Refused(error, None);
        if id.len() > BATCH_ID_BYTES_MAX {
            return refused(errors::ATOMIC_PUBLISH_INVALID_BATCH_ID);
        }
        let Some(seq) = header(&message.headers, headers::BATCH_SEQ).and_then(number) else {
            return refused(errors::ATOMIC_PUBLISH_MISSING_SEQ);
        };
        if seq > limits.messages_max {
            let abandoned = self.drop_batch(id).map(|_| Abandoned::Large);
            return Gathered::Refused(
                errors::atomic_publish_too_large_batch(limits.messages_max),
                abandoned,
            );
        }
        let is_open = self.open.contains_key(id);
        if !is_open && seq != 1 {
            return refused(errors::ATOMIC_PUBLISH_INCOMPLETE_BATCH);
        }
        if commit(&message).is_none() {
            self.drop_batch(id);
            return refused(errors::ATOMIC_PUBLISH_INVALID_BATCH_COMMIT);
        }
        if !is_open {
            let has_room = self.open.len() < limits.atomic.per_stream;
            let Some(place) = limits.atomic.total.take().filter(|_| has_room) else {
                return refused(errors::ATOMIC_PUBLISH_TOO_MANY_INFLIGHT);
            };
            let open = Open {
                _place: place,
                messages: Vec::new(),
                bytes: 0,
                touched_ns: now.mono_ns,
            };
            self.open.insert(id.to_vec(), open);
        }
        let done = self.add(now, id, seq, message);
        if matches!(done, Gathered::Refused(..)) {
            self.drop_batch(id);
        }
        done
    }

    fn add(&mut self, now: Now, id: &[u8], seq: u64, mut message: Held) -> Gathered {
        let room = BATCH_BYTES_MAX.saturating_sub(self.bytes);
        let Some(open) = self.open.get_mut(id) else {
            return Gathered::Refused(errors::ATOMIC_PUBLISH_INCOMPLETE_BATCH, None);
        };
        if seq != open.messages.len() as u64 + 1 {
            return Gathered::Refused(
                errors::ATOMIC_PUBLISH_INCOMPLETE_BATCH,
                Some(Abandoned::Incomplete),
            );
        }
        if !has_api_level(&message.headers) {
            return Gathered::Refused(errors::REQUIRED_API_LEVEL, Some(Abandoned::Unsupported));
        }
        if let Some(block) = without_api_level(&message.headers) {
            message.headers = block;
        }
        let commit = commit(&message);
        if commit == Some(Commit::Without) {
            let Some(open) = self.drop_batch(id).filter(|open| !open.messages.is_empty()) else {
                return Gathered::Refused(
                    errors::ATOMIC_PUBLISH_INCOMPLETE_BATCH,
                    Some(Abandoned::Incomplete),
                );
            };
            return Gathered::Commit(ended(open.messages));
        }
        let bytes = message.bytes();
        if bytes > room {
            return Gathered::Refused(errors::ATOMIC_PUBLISH_TOO_MANY_INFLIGHT, Some(Abandoned::Large));
        }
        open.bytes += bytes;
        open.touched_ns = now.mono_ns;
        open.messages.push(message);
        self.bytes += bytes;
        if commit != Some(Commit::With) {
            return Gathered::Waits;
        }
        let messages = self.drop_batch(id).map(|open| open.messages);
        Gathered::Commit(messages.unwrap_or_default())
    }
}

/// The messages of a batch that was ended by an empty one: the last says so instead.
fn ended(mut messages: Vec<Held>) -> Vec<Held> {
    if let Some(last) = messages.last_mut() {
        last.headers = set_header(&last.headers, headers::BATCH_COMMIT, b"1");
    }
    messages
}
