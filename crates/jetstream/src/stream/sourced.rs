//! Messages that come from other streams: a mirror keeps them as they are, a stream with sources takes them in under
//! sequences of its own and notes where each came from.

use std::borrow::Cow;

use natterjack_jsapi::{ApiError, errors, headers};
use natterjack_store::{BatchBuilder, Message, NewRecord, Seq, flags};

use super::Stream;
use super::counter;
use super::publish::{Asked, Incoming, Verdict};
use super::text::{has_field, open_headers, parse_ttl, push_header, remove_where, value};
use crate::clock::Now;
use crate::source::{Position, Upstream, parse_source_header};

/// Gaps up to this length are written as records that hold nothing, longer ones as one command.
const GAP_RECORDS_MAX: u64 = 16;

/// What came of a message of an origin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sourced {
    /// It is on its way to the log, or there was no need.
    Done,
    /// Nobody wants it.
    Unwanted,
    /// Sequences up to this one have to be given up first.
    Gap(Seq),
    /// There is no room now.
    Full(ApiError),
}

impl Stream {
    /// Brings what is followed in line with the configuration; what stays goes on where it was.
    pub(super) fn derive_upstreams(&mut self) {
        let mut before = std::mem::take(&mut self.upstreams);
        let mirror = self.config.mirror.iter().map(|origin| (origin, true));
        let sources = self.config.sources.iter().map(|origin| (origin, false));
        let mut all = Vec::new();
        for (origin, is_mirror) in mirror.chain(sources) {
            let same = |u: &Upstream| u.config == *origin && u.is_mirror == is_mirror;
            let upstream = match before.iter().position(same) {
                Some(at) => before.swap_remove(at),
                None => Upstream::new(origin.clone(), is_mirror, Position::default()),
            };
            all.push(upstream);
        }
        self.upstreams = all;
        self.resume_upstreams();
    }

    /// Sets what is followed to where the stored messages end.
    pub(crate) fn resume_upstreams(&mut self) {
        for upstream in &mut self.upstreams {
            if upstream.is_mirror {
                upstream.at.seq = self.overlay.last_seq.0.max(self.store.state().last_seq.0);
            } else if upstream.at.seq == 0
                && let Some(at) = self.origins.get(&upstream.key)
            {
                upstream.resume(at.clone());
            }
        }
    }

    /// Notes how far an origin was followed, from a stored message.
    pub(crate) fn note_sourced(&mut self, block: &[u8]) {
        let origin = value(block, headers::STREAM_SOURCE).and_then(parse_source_header);
        if let Some((key, at)) = origin {
            self.origins.insert(key, at);
        }
    }

    /// Position of an upstream whose messages are durable here.
    pub(crate) fn safe_up_to(&self, upstream: &Upstream) -> u64 {
        if upstream.is_mirror {
            return self.store.state().last_seq.0;
        }
        let at = self.origins.get(&upstream.key);
        at.filter(|at| at.identity == upstream.at.identity)
            .map_or(0, |at| at.seq)
    }

    /// How a message out of an archive is stored: what it replaced is gone already.
    pub(crate) fn restored_flags(&self, block: &[u8]) -> (u16, u32) {
        let marks = [
            (headers::MSG_ID, flags::MSG_ID, true),
            (headers::STREAM_SOURCE, flags::SOURCED, true),
            (headers::INCREMENT, flags::COUNTER, self.config.allow_msg_counter),
            (
                headers::SCHEDULE,
                flags::SCHEDULE,
                self.config.allow_msg_schedules,
            ),
        ];
        let asked = marks
            .iter()
            .filter(|(name, _, counts)| *counts && value(block, name).is_some())
            .fold(0, |all, (_, flag, _)| all | flag);
        (asked, self.origin_flags(block).1)
    }

    fn origin_flags(&self, block: &[u8]) -> (u16, u32) {
        let rollup = self.check_rollup(block).unwrap_or(0);
        let ttl = value(block, headers::TTL)
            .filter(|_| self.config.allow_msg_ttl)
            .and_then(parse_ttl);
        (rollup, ttl.unwrap_or(0))
    }

    /// A mirror takes `message` over as it is, but for what was only meant for the stream it was published to. `interest`
    /// says whether a subject is wanted.
    pub(crate) fn mirror(
        &mut self,
        now: Now,
        message: &Message,
        renamed: Option<&[u8]>,
        interest: &mut dyn FnMut(&[u8]) -> bool,
        batch: &mut BatchBuilder,
    ) -> Sourced {
        let seq = message.seq();
        let last = self.overlay.last_seq;
        if seq <= last {
            return Sourced::Done;
        }
        let gap = seq.0 - last.0 - 1;
        if gap > GAP_RECORDS_MAX || (gap > 0 && last == Seq::ZERO) {
            return Sourced::Gap(seq.previous());
        }
        let subject = renamed.unwrap_or_else(|| message.subject());
        let stored = self.stored_subject(now, subject);
        let block = mirrored_block(message.headers());
        let incoming = Incoming {
            subject: stored.as_deref().unwrap_or(subject),
            reply: None,
            headers: &block,
            payload: message.payload(),
        };
        let (rollup, ttl_s) = self.origin_flags(incoming.headers);
        let is_wanted = interest(incoming.subject);
        let fits = self
            .check_size(&incoming)
            .and_then(|()| self.check_usage(&incoming))
            .and_then(|()| self.check_room(&incoming, rollup));
        if let Some(error) = fits.err().filter(|_| is_wanted) {
            return Sourced::Full(error);
        }
        let hole = |seq| NewRecord {
            seq,
            ts_ns: message.ts_ns(),
            flags: flags::SKIP,
            ..NewRecord::default()
        };
        for n in 1..=gap {
            batch.push(&hole(Seq(last.0 + n)));
        }
        if !is_wanted {
            batch.push(&hole(seq));
            self.took(seq, message.ts_ns());
            return Sourced::Unwanted;
        }
        let record = NewRecord {
            seq,
            ts_ns: message.ts_ns(),
            subject: incoming.subject,
            headers: incoming.headers,
            payload: incoming.payload,
            flags: rollup,
            ttl_s,
        };
        if !batch.push(&record) {
            return Sourced::Full(errors::STREAM_MESSAGE_EXCEEDS_MAXIMUM);
        }
        self.took(seq, message.ts_ns());
        self.note_in_flight(
            incoming.subject,
            incoming.headers.len(),
            incoming.payload.len(),
            seq,
        );
        Sourced::Done
    }

    /// Takes in `message` of the source `upstream`; a duplicate is passed over. What may not be stored here is in the way of
    /// all that follows, as on the peer: once the configuration lets it in, nothing is missing. `interest` says whether a
    /// subject is wanted; `renamed` is what the origin's transforms call it.
    pub(crate) fn take_in(
        &mut self,
        now: Now,
        upstream: &Upstream,
        (message, renamed): (&Message, Option<&[u8]>),
        interest: &mut dyn FnMut(&[u8]) -> bool,
        batch: &mut BatchBuilder,
    ) -> Sourced {
        let block = source_block(upstream, message);
        let subject = renamed.unwrap_or_else(|| message.subject());
        let stored = self.stored_subject(now, subject);
        let incoming = Incoming {
            subject: stored.as_deref().unwrap_or(subject),
            reply: None,
            headers: &block,
            payload: message.payload(),
        };
        match self.check_sourced(now, upstream, message, &incoming) {
            Ok(Some(asked)) => {
                let is_wanted = interest(incoming.subject);
                let room = self.check_usage(&incoming);
                let room = room.and_then(|()| self.check_room(&incoming, asked.flags));
                if let Some(error) = room.err().filter(|_| is_wanted) {
                    return Sourced::Full(error);
                }
                match self.store(now, &incoming, &asked, batch, is_wanted) {
                    Verdict::Refused(error) => Sourced::Full(error),
                    Verdict::Skipped(_) => Sourced::Unwanted,
                    _ => Sourced::Done,
                }
            }
            Ok(None) => Sourced::Done,
            Err(error) => Sourced::Full(error),
        }
    }

    fn check_sourced<'a>(
        &mut self,
        now: Now,
        upstream: &Upstream,
        message: &Message,
        incoming: &Incoming<'a>,
    ) -> Result<Option<Asked<'a>>, ApiError> {
        self.check_size(incoming)?;
        let (rollup, ttl_s) = self.origin_flags(incoming.headers);
        let mut asked = Asked {
            flags: rollup | flags::SOURCED,
            ttl_s,
            ..Asked::default()
        };
        if let Some(id) = value(incoming.headers, headers::MSG_ID) {
            self.dedup.expire(now.wall_ns);
            if self.dedup.get(id).is_some() {
                return Ok(None);
            }
            asked.id = Some(id);
            asked.flags |= flags::MSG_ID;
        }
        if self.config.allow_msg_counter {
            let increment = counter::increment(incoming.headers)?.ok_or(errors::MESSAGE_INCR_MISSING)?;
            let mut counted = self.counter_of(incoming.subject)?;
            let name = upstream.key.split(' ').next().unwrap_or_default();
            let subject = String::from_utf8_lossy(message.subject());
            let origin = Some((name, &*subject));
            asked.headers = Self::add(&mut counted, incoming, &increment, origin)?;
            asked.counted = Some(counted);
            asked.flags |= flags::COUNTER;
        }
        Ok(Some(asked))
    }
}

/// Whether the header `name` was only meant for the stream that the message was published to.
fn is_of_the_publish(name: &[u8]) -> bool {
    name.starts_with(headers::EXPECTED_PREFIX.as_bytes())
        || name.starts_with(headers::BATCH_PREFIX.as_bytes())
}

/// The header block under which a mirror stores a message.
fn mirrored_block(block: &[u8]) -> Cow<'_, [u8]> {
    if has_field(block, is_of_the_publish) {
        Cow::Owned(remove_where(block, is_of_the_publish))
    } else {
        Cow::Borrowed(block)
    }
}

/// The header block under which a message of a source is stored.
fn source_block(upstream: &Upstream, message: &Message) -> Vec<u8> {
    let kept = remove_where(message.headers(), |name| {
        name == headers::STREAM_SOURCE.as_bytes() || is_of_the_publish(name)
    });
    let origin = upstream.source_header(message.seq().0, message.subject());
    let mut block = Vec::with_capacity(kept.len() + origin.len() + 32);
    open_headers(&mut block, &kept);
    push_header(&mut block, headers::STREAM_SOURCE, origin.as_bytes());
    block.extend_from_slice(b"\r\n");
    block
}
