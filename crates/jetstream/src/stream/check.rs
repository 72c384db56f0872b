//! May this message be stored? The rules of a single publish, in the peer's order for a single server.

use natterjack_jsapi::stream::Discard;
use natterjack_jsapi::{ApiError, errors, headers};
use natterjack_store::{Seq, accounted, flags};
use natterjack_subject::{Filter, FilterSet, is_valid_literal};

use super::counter;
use super::publish::{Asked, Incoming, Verdict};
use super::text::{number, parse_ttl, value};
use super::{Overlay, Stream, fast};
use crate::clock::Now;
use crate::limits::HEADER_BYTES_MAX;

const SUBJECT_FULL: &str = "maximum messages per subject exceeded";

/// What only a stream says that copies from another.
pub(super) fn check_source(block: &[u8]) -> Result<(), ApiError> {
    if value(block, headers::STREAM_SOURCE).is_some() {
        return Err(errors::MESSAGE_SOURCE_HDR_NOT_ALLOWED);
    }
    Ok(())
}

impl Stream {
    /// Checks that need headers, in the peer's order.
    pub(super) fn check_headers<'a>(
        &mut self,
        now: Now,
        message: &Incoming<'a>,
    ) -> Result<Asked<'a>, Verdict> {
        let block = message.headers;
        let refuse = |error: ApiError| Err(Verdict::Refused(error));
        let mut asked = Asked::default();
        let increment = counter::increment(block).map_err(Verdict::Refused)?;
        if increment.is_some() {
            counter::check_increment(block, message.payload, self.config.allow_msg_counter)
                .map_err(Verdict::Refused)?;
        }
        self.check_expected_stream(block).map_err(Verdict::Refused)?;
        // One that cannot be read is refused for that, but outside of batches after everything else, and only where the
        // message is stored.
        let ttl = value(block, headers::TTL).map(parse_ttl);
        if matches!(ttl, Some(Some(_))) && !self.config.allow_msg_ttl {
            return refuse(errors::MESSAGE_TTL_DISABLED);
        }
        // The peer has another order for fast batches.
        let is_fast = fast::is_of_batch(message);
        if is_fast {
            if ttl == Some(None) {
                return refuse(errors::MESSAGE_TTL_INVALID);
            }
            self.check_seen(now, block, &mut asked)?;
            check_source(block).map_err(Verdict::Refused)?;
        }
        self.check_expected_subject(message).map_err(Verdict::Refused)?;
        self.check_expected_last(block).map_err(Verdict::Refused)?;
        self.check_schedule(now, message, &mut asked)
            .map_err(Verdict::Refused)?;
        if is_fast {
            asked.flags |= self.check_rollup(block).map_err(Verdict::Refused)?;
            self.check_last_id(block).map_err(Verdict::Refused)?;
        } else {
            check_source(block).map_err(Verdict::Refused)?;
            self.check_seen(now, block, &mut asked)?;
            self.check_last_id(block).map_err(Verdict::Refused)?;
            asked.flags |= self.check_rollup(block).map_err(Verdict::Refused)?;
        }
        if self.config.allow_msg_counter && increment.is_none() {
            return refuse(errors::MESSAGE_INCR_MISSING);
        }
        asked.bad_ttl = ttl == Some(None);
        asked.ttl_s = ttl.flatten().unwrap_or(0);
        if let Some(increment) = increment.filter(|_| self.config.allow_msg_counter) {
            let mut counted = self.counter_of(message.subject).map_err(Verdict::Refused)?;
            asked.headers = Self::add(&mut counted, message, &increment, None).map_err(Verdict::Refused)?;
            asked.counted = Some(counted);
            asked.flags |= flags::COUNTER;
        }
        Ok(asked)
    }

    /// Whether the message's id was seen before; notes it in `asked`.
    fn check_seen<'a>(&mut self, now: Now, block: &'a [u8], asked: &mut Asked<'a>) -> Result<(), Verdict> {
        let Some(id) = value(block, headers::MSG_ID) else {
            return Ok(());
        };
        self.dedup.expire(now.wall_ns);
        if let Some(seq) = self.dedup.get(id) {
            return Err(Verdict::Duplicate(seq));
        }
        asked.id = Some(id);
        asked.flags |= flags::MSG_ID;
        Ok(())
    }

    /// The id of the last message that the publisher expects.
    fn check_last_id(&self, block: &[u8]) -> Result<(), ApiError> {
        let last = self.dedup.last_id(self.overlay.last_seq).unwrap_or_default();
        match value(block, headers::EXPECTED_LAST_MSG_ID) {
            Some(expected) if expected != last => {
                Err(errors::stream_wrong_last_msg_id(String::from_utf8_lossy(last)))
            }
            _ => Ok(()),
        }
    }

    /// The name the publisher expects the stream to have.
    pub(super) fn check_expected_stream(&self, block: &[u8]) -> Result<(), ApiError> {
        match value(block, headers::EXPECTED_STREAM) {
            Some(expected) if expected != self.config.name.as_bytes() => Err(errors::STREAM_NOT_MATCH),
            _ => Ok(()),
        }
    }

    /// The last sequence the publisher expects the stream to have.
    pub(super) fn check_expected_last(&self, block: &[u8]) -> Result<(), ApiError> {
        let last = self.overlay.last_seq.0;
        match value(block, headers::EXPECTED_LAST_SEQ) {
            Some(expected) if number(expected) != Some(last) => Err(errors::stream_wrong_last_sequence(last)),
            _ => Ok(()),
        }
    }

    fn check_expected_subject(&mut self, message: &Incoming<'_>) -> Result<(), ApiError> {
        match expected_of_subject(message)? {
            Some(expected) => expected.check(self.last_of(expected.subject)),
            None => Ok(()),
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
        with_wildcards(subject).map_or(Seq::ZERO, |filter| self.last_passing(&filter, Seq(u64::MAX)))
    }

    /// The last sequence up to `up_to` that passes `filter`, of what is on its way and what is stored.
    pub(super) fn last_passing(&self, filter: &Filter, up_to: Seq) -> Seq {
        let on_its_way = self.overlay.subjects.iter();
        let matching = on_its_way
            .filter(|(s, _)| filter.matches(s))
            .map(|(_, (seq, _))| *seq);
        let last = matching.filter(|seq| *seq <= up_to).max();
        last.or_else(|| {
            let filter = FilterSet::new(vec![filter.clone()]);
            self.store.last_matching(&filter, self.store.state().last_seq)
        })
        .unwrap_or(Seq::ZERO)
    }

    /// What a message replaces, as a flag of its record.
    pub(super) fn check_rollup(&self, block: &[u8]) -> Result<u16, ApiError> {
        let Some(rollup) = value(block, headers::ROLLUP) else {
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

    /// The limits on the size of a message.
    pub(crate) fn check_size(&self, message: &Incoming<'_>) -> Result<(), ApiError> {
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

    /// Whether account and server have room for `message`.
    pub(super) fn check_usage(&self, message: &Incoming<'_>) -> Result<(), ApiError> {
        self.charge.check(accounted(
            self.storage(),
            message.subject.len(),
            message.headers.len(),
            message.payload.len(),
        ))
    }

    /// With discard new, whether there is room, counting what is on its way.
    pub(super) fn check_room(&self, message: &Incoming<'_>, asked: u16) -> Result<(), ApiError> {
        if self.config.discard != Discard::New {
            return Ok(());
        }
        self.check_discard_new(message, asked, &self.overlay)
    }

    /// The same against another view of what is on its way.
    pub(super) fn check_discard_new(
        &self,
        message: &Incoming<'_>,
        asked: u16,
        overlay: &Overlay,
    ) -> Result<(), ApiError> {
        let max_msgs = u64::try_from(self.config.max_msgs).ok();
        let max_bytes = u64::try_from(self.config.max_bytes).ok();
        // Nothing can be exceeded: what the store knows of the subject does not matter.
        if max_msgs.is_none() && max_bytes.is_none() && !self.config.discard_new_per_subject {
            return Ok(());
        }
        let state = self.store.state();
        let fail = |text: &str| Err(errors::stream_store_failed(text));
        let (in_flight, stored) = (
            overlay.subjects.get(message.subject).map_or(0, |(_, n)| *n),
            self.store.subject_state(message.subject).map_or(0, |s| s.count),
        );
        let per_subject = u64::try_from(self.config.max_msgs_per_subject)
            .ok()
            .filter(|n| *n > 0);
        let at_limit = per_subject.is_some_and(|max| stored + in_flight >= max);
        // What replaces all of its subject never exceeds the limit of that subject.
        let rolls_up = asked & (flags::ROLLUP_SUBJECT | flags::ROLLUP_ALL) != 0;
        let full = at_limit && self.config.discard_new_per_subject && !rolls_up;
        let batched = asked & flags::BATCH != 0;
        if full && !batched {
            return fail(SUBJECT_FULL);
        }
        // A subject at its own limit replaces its oldest message, so the stream does not grow; a batch has to fit beside it.
        let replaces = at_limit && !batched;
        if let Some(max) = max_msgs
            && state.msgs + overlay.msgs >= max
            && !replaces
        {
            return fail("maximum messages exceeded");
        }
        if let Some(max) = max_bytes {
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
            if state.bytes + overlay.bytes + size > max + freed {
                return fail("maximum bytes exceeded");
            }
        }
        if full { fail(SUBJECT_FULL) } else { Ok(()) }
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

/// The last sequence a publisher expects a subject to have.
pub(super) struct Expected<'a> {
    /// `None` for what is no number: no subject could have that.
    seq: Option<u64>,
    /// The subject or filter.
    pub(super) subject: &'a [u8],
}

impl Expected<'_> {
    /// Whether `last` is what was expected.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check(&self, last: Seq) -> Result<(), ApiError> {
        if self.seq == Some(last.0) {
            Ok(())
        } else {
            Err(errors::stream_wrong_last_sequence(last.0))
        }
    }
}

/// What is asked of several subjects at once; nothing for a single one and for what is no subject.
pub(super) fn with_wildcards(subject: &[u8]) -> Option<Filter> {
    Filter::parse(subject).ok().filter(|_| !is_valid_literal(subject))
}

/// What the publisher expects the last sequence of a subject to be, if anything.
pub(super) fn expected_of_subject<'a>(message: &Incoming<'a>) -> Result<Option<Expected<'a>>, ApiError> {
    let block = message.headers;
    let seq = value(block, headers::EXPECTED_LAST_SUBJECT_SEQ).map(number);
    let other = value(block, headers::EXPECTED_LAST_SUBJECT_SEQ_SUBJECT);
    match (seq, other) {
        (None, Some(_)) => Err(errors::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID),
        (None, None) => Ok(None),
        (Some(seq), other) => Ok(Some(Expected {
            seq,
            subject: other.unwrap_or(message.subject),
        })),
    }
}
