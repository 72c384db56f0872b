//! Storing the messages of a batch: all of them or none, each held against what those before it will have done.

use std::collections::HashSet;

use natterjack_jsapi::{ApiError, errors, headers};
use natterjack_store::{BatchBuilder, Seq, flags};

use super::check::{check_source, expected_of_subject, with_wildcards};
use super::counter;
use super::dedup::LastId;
use super::gather::Held;
use super::publish::{Asked, Incoming, Verdict};
use super::text::{parse_ttl, value};
use super::{Counted, Stream};
use crate::clock::Now;
use crate::limits::{HEADER_BYTES_MAX, SUBJECT_BYTES_MAX};

/// What to put back when a batch is refused half-way.
#[derive(Debug, Default)]
struct Undo {
    last_seq: Seq,
    last_ts_ns: i64,
    msgs: u64,
    bytes: u64,
    last_id: LastId,
    subjects: Vec<Before>,
    ids: Vec<(Vec<u8>, Seq)>,
}

/// What was on its way for a subject.
#[derive(Debug)]
struct Before {
    subject: Vec<u8>,
    last: Option<(Seq, u64)>,
    counted: Option<Counted>,
}

/// How far a commit has come.
#[derive(Debug, Default)]
struct Progress {
    written: HashSet<Vec<u8>>,
    undo: Undo,
}

impl Stream {
    /// Stores the messages of a batch, all or none. Returns the last sequence.
    ///
    /// # Errors
    /// The first refusal of any of them.
    pub(crate) fn commit_batch(
        &mut self,
        now: Now,
        messages: &[Held],
        batch: &mut BatchBuilder,
        interest: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Seq, ApiError> {
        self.dedup.expire(now.wall_ns);
        let mut progress = Progress {
            undo: self.remember(),
            ..Progress::default()
        };
        // Decided on a builder of its own, so that nothing is left behind when one of them is refused.
        let mut whole = BatchBuilder::default();
        for message in messages {
            let message = message.as_incoming();
            if let Err(error) = self.commit_one(now, &message, &mut progress, &mut whole, interest) {
                self.put_back(progress.undo);
                return Err(error);
            }
        }
        batch.append(&mut whole);
        Ok(self.overlay.last_seq)
    }

    fn commit_one(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        progress: &mut Progress,
        whole: &mut BatchBuilder,
        interest: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), ApiError> {
        let mut asked = self.check_batched(now, message, progress)?;
        asked.flags |= flags::BATCH;
        let wanted = interest(message.subject);
        if wanted {
            self.check_usage(message)?;
            self.check_room(message, asked.flags)?;
        }
        self.raise_ttl(message.headers, &mut asked);
        progress.undo.subjects.push(Before {
            subject: message.subject.to_vec(),
            last: self.overlay.subjects.get(message.subject).copied(),
            counted: self.overlay.counters.get(message.subject).cloned(),
        });
        let verdict = self.store(now, message, &asked, whole, wanted);
        if let Verdict::Refused(error) = verdict {
            return Err(error);
        }
        if let Some(id) = asked.id {
            progress.undo.ids.push((id.to_vec(), self.overlay.last_seq));
        }
        progress.written.insert(message.subject.to_vec());
        Ok(())
    }

    fn remember(&self) -> Undo {
        Undo {
            last_seq: self.overlay.last_seq,
            last_ts_ns: self.overlay.last_ts_ns,
            msgs: self.overlay.msgs,
            bytes: self.overlay.bytes,
            last_id: self.dedup.last().clone(),
            ..Undo::default()
        }
    }

    fn put_back(&mut self, undo: Undo) {
        self.overlay.last_seq = undo.last_seq;
        self.overlay.last_ts_ns = undo.last_ts_ns;
        self.overlay.msgs = undo.msgs;
        self.overlay.bytes = undo.bytes;
        for before in undo.subjects.into_iter().rev() {
            let key: Box<[u8]> = before.subject.into();
            match before.counted {
                Some(counted) => self.overlay.counters.insert(key.clone(), counted),
                None => self.overlay.counters.remove(&key),
            };
            match before.last {
                Some(last) => self.overlay.subjects.insert(key, last),
                None => self.overlay.subjects.remove(&key),
            };
        }
        for (id, seq) in undo.ids {
            self.dedup.remove(&id, seq);
        }
        self.dedup.set_last(undo.last_id);
        self.recharge();
    }

    /// The rules of one message of a batch, in the order of a replicated publish.
    fn check_batched<'a>(
        &mut self,
        now: Now,
        message: &Incoming<'a>,
        progress: &Progress,
    ) -> Result<Asked<'a>, ApiError> {
        let block = message.headers;
        let mut asked = Asked::default();
        if block.len() > HEADER_BYTES_MAX {
            return Err(errors::STREAM_HEADER_EXCEEDS_MAXIMUM);
        }
        if message.subject.len() > SUBJECT_BYTES_MAX {
            return Err(errors::STREAM_MESSAGE_EXCEEDS_MAXIMUM);
        }
        if value(block, headers::EXPECTED_LAST_MSG_ID).is_some() {
            return Err(errors::atomic_publish_unsupported_header_batch(
                headers::EXPECTED_LAST_MSG_ID,
            ));
        }
        let increment = counter::increment(block)?;
        if increment.is_some() {
            counter::check_increment(block, message.payload, self.config.allow_msg_counter)?;
        }
        self.check_expected_stream(block)?;
        if let Some(ttl) = value(block, headers::TTL) {
            if !self.config.allow_msg_ttl {
                return Err(errors::MESSAGE_TTL_DISABLED);
            }
            asked.ttl_s = parse_ttl(ttl).ok_or(errors::MESSAGE_TTL_INVALID)?;
        }
        if let Some(id) = value(block, headers::MSG_ID) {
            self.dedup.expire(now.wall_ns);
            if self.dedup.get(id).is_some() {
                return Err(errors::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE);
            }
            asked.id = Some(id);
            asked.flags |= flags::MSG_ID;
        }
        check_source(block)?;
        if self.config.allow_msg_counter {
            let increment = increment.ok_or(errors::MESSAGE_INCR_MISSING)?;
            let mut counted = self.counter_of(message.subject)?;
            asked.headers = Self::add(&mut counted, message, &increment, None)?;
            asked.counted = Some(counted);
            asked.flags |= flags::COUNTER;
        }
        self.check_expectations(message, progress)?;
        self.check_schedule(now, message, &mut asked)?;
        asked.flags |= self.check_batched_rollup(message, asked.flags, progress)?;
        Ok(asked)
    }

    fn check_expectations(&mut self, message: &Incoming<'_>, progress: &Progress) -> Result<(), ApiError> {
        let first = progress.written.is_empty();
        if value(message.headers, headers::EXPECTED_LAST_SEQ).is_some() {
            self.check_expected_last(message.headers)?;
            if !first {
                return Err(errors::STREAM_WRONG_LAST_SEQUENCE_CONSTANT);
            }
        }
        let Some(expected) = expected_of_subject(message)? else {
            return Ok(());
        };
        if progress.written.contains(expected.subject) {
            return Err(errors::STREAM_WRONG_LAST_SEQUENCE_CONSTANT);
        }
        let last = self.last_before(expected.subject, &progress.undo);
        expected.check(last)
    }

    /// The last sequence that passes `subject`. With wildcards the messages of the batch itself do not count, as on the peer.
    fn last_before(&mut self, subject: &[u8], undo: &Undo) -> Seq {
        let Some(filter) = with_wildcards(subject) else {
            return self.last_of(subject);
        };
        let before = |seq: &Seq| *seq <= undo.last_seq;
        let replaced = undo.subjects.iter().filter(|b| filter.matches(&b.subject));
        let replaced = replaced.filter_map(|b| b.last).map(|(seq, _)| seq);
        let others = self.last_passing(&filter, undo.last_seq);
        replaced.filter(before).fold(others, Seq::max)
    }

    /// What a message replaces, which must not be one of its batch. A schedule has asked for its subject already.
    fn check_batched_rollup(
        &self,
        message: &Incoming<'_>,
        asked: u16,
        progress: &Progress,
    ) -> Result<u16, ApiError> {
        let rollup = self.check_rollup(message.headers)? | asked & flags::ROLLUP_SUBJECT;
        if rollup == flags::ROLLUP_SUBJECT && progress.written.contains(message.subject) {
            return Err(errors::stream_rollup_failed("batch rollup sub invalid"));
        }
        if rollup == flags::ROLLUP_ALL && !progress.written.is_empty() {
            return Err(errors::stream_rollup_failed("batch rollup all invalid"));
        }
        Ok(rollup)
    }
}
