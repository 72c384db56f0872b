//! What becomes of a published message: refused, a duplicate, or stored with a sequence. Decided once, by the leader,
//! against what is applied and what is on its way; checks come in the peer's order for a single server.

use natterjack_jsapi::stream::{Discard, Storage as ApiStorage};
use natterjack_jsapi::{ApiError, Nanos, errors, headers};
use natterjack_store::{BatchBuilder, NewRecord, Seq, Storage, TTL_NEVER, accounted, flags};
use natterjack_subject::{Filter, FilterSet, is_valid_literal};

use super::Stream;
use crate::clock::Now;
use crate::limits::HEADER_BYTES_MAX;

/// A message as it arrives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incoming<'a> {
    /// Subject it was published on.
    pub subject: &'a [u8],
    /// Where the publisher waits for an answer.
    pub reply: Option<&'a [u8]>,
    /// Header block, may be empty.
    pub headers: &'a [u8],
    /// Payload.
    pub payload: &'a [u8],
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the batch, under this sequence.
    Stored(Seq),
    /// Its id was seen: this is the sequence it got then.
    Duplicate(Seq),
    /// Nobody is interested: it takes this sequence and is not stored.
    Skipped(Seq),
    /// Refused.
    Refused(ApiError),
}

/// Reads header fields the way the server does: byte by byte, first match.
pub(crate) fn header<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let needle = name.as_bytes();
    let mut from = 0;
    while let Some(found) = find(&block[from..], needle) {
        let at = from + found;
        let end = at + needle.len();
        if at >= 2 && &block[at - 2..at] == b"\r\n" && block.get(end) == Some(&b':') {
            let rest = &block[end + 1..];
            let stop = find(rest, b"\r\n")?;
            return Some(rest[..stop].trim_ascii());
        }
        from = end;
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What the headers ask for.
#[derive(Debug, Default)]
struct Asked<'a> {
    id: Option<&'a [u8]>,
    flags: u16,
    ttl_s: u32,
}

impl Stream {
    /// Decides on `message` and, if it is to be stored, appends its record to `batch`. `interest`: whether any consumer
    /// wants the message (for interest retention).
    pub(crate) fn decide(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        batch: &mut BatchBuilder,
        interest: bool,
    ) -> Verdict {
        let transformed = self
            .transform
            .as_ref()
            .and_then(|t| t.apply(message.subject, &mut || now.mono_ns));
        let message = Incoming {
            subject: transformed.as_deref().unwrap_or(message.subject),
            ..*message
        };
        let asked = if message.headers.is_empty() {
            if self.config.sealed {
                return Verdict::Refused(errors::STREAM_SEALED);
            }
            Asked::default()
        } else {
            match self.check_headers(now, &message) {
                Ok(asked) => asked,
                Err(verdict) => return verdict,
            }
        };
        if let Err(error) = self.check_size(&message) {
            return Verdict::Refused(error);
        }
        let seq = self.overlay.last_seq.next();
        // Time stamps never go back, whatever the clock does.
        let ts_ns = now.wall_ns.max(self.overlay.last_ts_ns);
        if interest && let Err(error) = self.check_discard_new(&message) {
            return Verdict::Refused(error);
        }
        let record = NewRecord {
            seq,
            ts_ns,
            subject: message.subject,
            headers: message.headers,
            payload: message.payload,
            flags: asked.flags | if interest { 0 } else { flags::SKIP },
            ttl_s: asked.ttl_s,
        };
        let record = if interest {
            record
        } else {
            NewRecord {
                headers: &[],
                payload: &[],
                ..record
            }
        };
        if !batch.push(&record) {
            return Verdict::Refused(errors::STREAM_MESSAGE_EXCEEDS_MAXIMUM);
        }
        self.overlay.last_seq = seq;
        self.overlay.last_ts_ns = ts_ns;
        if !interest {
            return Verdict::Skipped(seq);
        }
        self.note_in_flight(&message, seq);
        if let Some(id) = asked.id {
            self.dedup.insert(id, seq, ts_ns);
        }
        Verdict::Stored(seq)
    }

    fn storage(&self) -> Storage {
        match self.config.storage {
            ApiStorage::File => Storage::File,
            ApiStorage::Memory => Storage::Memory,
        }
    }

    fn note_in_flight(&mut self, message: &Incoming<'_>, seq: Seq) {
        let size = accounted(
            self.storage(),
            message.subject.len(),
            message.headers.len(),
            message.payload.len(),
        );
        self.overlay.msgs += 1;
        self.overlay.bytes += size;
        match self.overlay.subjects.get_mut(message.subject) {
            Some(entry) => *entry = (seq, entry.1 + 1),
            None => {
                self.overlay.subjects.insert(message.subject.into(), (seq, 1));
            }
        }
    }

    /// What is applied is no longer on its way.
    pub(crate) fn settle(&mut self, subject: &[u8], seq: Seq, size: u64) {
        self.overlay.msgs = self.overlay.msgs.saturating_sub(1);
        self.overlay.bytes = self.overlay.bytes.saturating_sub(size);
        if self
            .overlay
            .subjects
            .get(subject)
            .is_some_and(|(last, _)| *last <= seq)
        {
            self.overlay.subjects.remove(subject);
        } else if let Some(entry) = self.overlay.subjects.get_mut(subject) {
            entry.1 = entry.1.saturating_sub(1);
        }
    }

    /// Checks that need headers, in the peer's order.
    fn check_headers<'a>(&mut self, now: Now, message: &Incoming<'a>) -> Result<Asked<'a>, Verdict> {
        let block = message.headers;
        let refuse = |error: ApiError| Err(Verdict::Refused(error));
        let mut asked = Asked::default();
        if self.config.sealed {
            return refuse(errors::STREAM_SEALED);
        }
        if let Some(expected) = header(block, headers::EXPECTED_STREAM)
            && expected != self.config.name.as_bytes()
        {
            return refuse(errors::STREAM_NOT_MATCH);
        }
        let ttl = header(block, headers::TTL);
        if ttl.is_some() && !self.config.allow_msg_ttl {
            return refuse(errors::MESSAGE_TTL_DISABLED);
        }
        self.check_expected_subject(message).map_err(Verdict::Refused)?;
        if let Some(expected) = header(block, headers::EXPECTED_LAST_SEQ)
            && number(expected) != Some(self.overlay.last_seq.0)
        {
            return refuse(errors::stream_wrong_last_sequence(self.overlay.last_seq.0));
        }
        if header(block, headers::STREAM_SOURCE).is_some() {
            return refuse(errors::MESSAGE_SOURCE_HDR_NOT_ALLOWED);
        }
        if let Some(id) = header(block, headers::MSG_ID).filter(|id| !id.is_empty()) {
            self.dedup.expire(now.wall_ns);
            if let Some(seq) = self.dedup.get(id) {
                return Err(Verdict::Duplicate(seq));
            }
            asked.id = Some(id);
            asked.flags |= flags::MSG_ID;
        }
        if let Some(expected) = header(block, headers::EXPECTED_LAST_MSG_ID) {
            let last = self.dedup.last_id(self.overlay.last_seq).unwrap_or_default();
            if expected != last {
                return refuse(errors::stream_wrong_last_msg_id(String::from_utf8_lossy(last)));
            }
        }
        asked.flags |= self.check_rollup(block).map_err(Verdict::Refused)?;
        if let Some(ttl) = ttl {
            asked.ttl_s = parse_ttl(ttl).ok_or(Verdict::Refused(errors::MESSAGE_TTL_INVALID))?;
        }
        Ok(asked)
    }

    fn check_expected_subject(&mut self, message: &Incoming<'_>) -> Result<(), ApiError> {
        let block = message.headers;
        let expected = header(block, headers::EXPECTED_LAST_SUBJECT_SEQ).and_then(number);
        let other = header(block, headers::EXPECTED_LAST_SUBJECT_SEQ_SUBJECT);
        let Some(expected) = expected else {
            if other.is_some() {
                return Err(errors::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID);
            }
            return Ok(());
        };
        let subject = other.unwrap_or(message.subject);
        let last = self.last_of(subject);
        if last.0 == expected {
            Ok(())
        } else {
            Err(errors::stream_wrong_last_sequence(last.0))
        }
    }

    /// The last sequence of a subject or filter, counting what is on its way; zero if it has none.
    pub(crate) fn last_of(&mut self, subject: &[u8]) -> Seq {
        if is_valid_literal(subject) {
            if let Some((seq, _)) = self.overlay.subjects.get(subject) {
                return *seq;
            }
            return self.store.last_for(subject).unwrap_or(Seq::ZERO);
        }
        let Ok(filter) = Filter::parse(subject) else {
            return Seq::ZERO;
        };
        let matching = self
            .overlay
            .subjects
            .iter()
            .filter(|(s, _)| filter.matches(s))
            .map(|(_, (seq, _))| *seq);
        let in_flight = matching.max();
        in_flight
            .or_else(|| {
                self.store
                    .last_matching(&FilterSet::new(vec![filter.clone()]), self.store.state().last_seq)
            })
            .unwrap_or(Seq::ZERO)
    }

    fn check_rollup(&self, block: &[u8]) -> Result<u16, ApiError> {
        let Some(rollup) = header(block, headers::ROLLUP).filter(|r| !r.is_empty()) else {
            return Ok(0);
        };
        if !self.config.allow_rollup_hdrs || self.config.deny_purge {
            return Err(errors::stream_rollup_failed("rollup not permitted"));
        }
        if rollup.eq_ignore_ascii_case(b"sub") {
            Ok(flags::ROLLUP_SUBJECT)
        } else if rollup.eq_ignore_ascii_case(b"all") {
            Ok(flags::ROLLUP_ALL)
        } else {
            let shown = String::from_utf8_lossy(rollup).to_lowercase();
            Err(errors::stream_rollup_failed(format!(
                "rollup value invalid: {shown:?}"
            )))
        }
    }

    fn check_size(&self, message: &Incoming<'_>) -> Result<(), ApiError> {
        let size = message.headers.len() + message.payload.len();
        if let Ok(max) = usize::try_from(self.config.max_msg_size)
            && size > max
        {
            return Err(errors::STREAM_MESSAGE_EXCEEDS_MAXIMUM);
        }
        if message.headers.len() > HEADER_BYTES_MAX {
            return Err(errors::STREAM_HEADER_EXCEEDS_MAXIMUM);
        }
        Ok(())
    }

    /// With discard new, whether there is room, counting what is on its way.
    fn check_discard_new(&self, message: &Incoming<'_>) -> Result<(), ApiError> {
        if self.config.discard != Discard::New {
            return Ok(());
        }
        let state = self.store.state();
        let fail = |text: &str| Err(errors::stream_store_failed(text));
        let (in_flight, stored) = (
            self.overlay.subjects.get(message.subject).map_or(0, |(_, n)| *n),
            self.store.subject_state(message.subject).map_or(0, |s| s.count),
        );
        let per_subject = u64::try_from(self.config.max_msgs_per_subject)
            .ok()
            .filter(|n| *n > 0);
        let at_limit = per_subject.is_some_and(|max| stored + in_flight >= max);
        if at_limit && self.config.discard_new_per_subject {
            return fail("maximum messages per subject exceeded");
        }
        // A subject at its own limit replaces its oldest message, so the stream does not grow.
        let replaces = at_limit;
        if let Ok(max) = u64::try_from(self.config.max_msgs)
            && state.msgs + self.overlay.msgs >= max
            && !replaces
        {
            return fail("maximum messages exceeded");
        }
        if let Ok(max) = u64::try_from(self.config.max_bytes) {
            let size = accounted(
                self.storage(),
                message.subject.len(),
                message.headers.len(),
                message.payload.len(),
            );
            let freed = if replaces {
                self.oldest_size(message.subject)
            } else {
                0
            };
            if state.bytes + self.overlay.bytes + size > max + freed {
                return fail("maximum bytes exceeded");
            }
        }
        Ok(())
    }

    fn oldest_size(&self, subject: &[u8]) -> u64 {
        let Some(message) = self
            .store
            .first_for(subject)
            .and_then(|seq| self.store.load(seq).ok())
        else {
            return 0;
        };
        accounted(
            self.storage(),
            message.subject().len(),
            message.headers().len(),
            message.payload().len(),
        )
    }
}

/// A time to live: whole seconds, a Go duration of at least one second, or `never`.
pub(crate) fn parse_ttl(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if text.eq_ignore_ascii_case("never") {
        return Some(TTL_NEVER);
    }
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => Nanos::parse(text).ok()?.0 / 1_000_000_000,
    };
    u32::try_from(seconds).ok().filter(|s| *s > 0 && *s < TTL_NEVER)
}
