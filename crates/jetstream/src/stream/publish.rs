//! What becomes of a published message: refused, a duplicate, or stored with a sequence. Decided once, by the leader,
//! against what is applied and what is on its way.

use natterjack_jsapi::stream::Storage as ApiStorage;
use natterjack_jsapi::{ApiError, errors, headers};
use natterjack_store::{BatchBuilder, NewRecord, Seq, Storage, TTL_NEVER, accounted, flags};

use super::counter::{self, Decimal};
use super::text::{replace_header, set_header};
use super::{Counted, Stream};
use crate::clock::Now;

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
    /// The same for a counter, with its new value.
    Counted(Seq, String),
    /// Its id was seen: this is the sequence it got then.
    Duplicate(Seq),
    /// Nobody is interested: it takes this sequence and is not stored.
    Skipped(Seq),
    /// Refused.
    Refused(ApiError),
}

/// What the headers ask for, and how the message is stored because of it.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) id: Option<&'a [u8]>,
    pub(crate) flags: u16,
    pub(crate) ttl_s: u32,
    /// There is a time to live that cannot be read.
    pub(crate) bad_ttl: bool,
    /// The header block where it is not stored as it came.
    pub(crate) headers: Option<Vec<u8>>,
    /// The new value of a counter.
    pub(crate) counted: Option<Counted>,
}

impl Asked<'_> {
    /// The block as it is stored.
    pub(crate) fn block<'b>(&'b self, came: &'b [u8]) -> &'b [u8] {
        self.headers.as_deref().unwrap_or(came)
    }
}

impl Stream {
    /// `subject` as the stream stores it.
    pub(crate) fn stored_subject(&self, now: Now, subject: &[u8]) -> Option<Vec<u8>> {
        self.transform
            .as_ref()
            .and_then(|t| t.apply(subject, &mut || now.mono_ns))
    }

    /// Decides on `message` and, if it is to be stored, appends its record to `batch`. `interest` says whether anybody wants
    /// what is stored under a subject.
    pub(crate) fn decide(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        batch: &mut BatchBuilder,
        interest: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Verdict {
        let transformed = self.stored_subject(now, message.subject);
        let message = Incoming {
            subject: transformed.as_deref().unwrap_or(message.subject),
            ..*message
        };
        if self.config.sealed {
            return Verdict::Refused(errors::STREAM_SEALED);
        }
        if let Err(error) = self.check_size(&message) {
            return Verdict::Refused(error);
        }
        let mut asked = if message.headers.is_empty() {
            if self.config.allow_msg_counter {
                return Verdict::Refused(errors::MESSAGE_INCR_MISSING);
            }
            Asked::default()
        } else {
            match self.check_headers(now, &message) {
                Ok(asked) => asked,
                Err(verdict) => return verdict,
            }
        };
        let is_wanted = interest(message.subject);
        // What nobody wants does not live at all.
        if asked.bad_ttl && is_wanted {
            return Verdict::Refused(errors::MESSAGE_TTL_INVALID);
        }
        if is_wanted && let Err(error) = self.check_usage(&message) {
            return Verdict::Refused(error);
        }
        if is_wanted && let Err(error) = self.check_room(&message, asked.flags) {
            return Verdict::Refused(error);
        }
        self.raise_ttl(message.headers, &mut asked);
        self.store(now, &message, &asked, batch, is_wanted)
    }

    /// Appends the record of a message that passed all checks.
    pub(crate) fn store(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        asked: &Asked<'_>,
        batch: &mut BatchBuilder,
        interest: bool,
    ) -> Verdict {
        let seq = self.overlay.last_seq.next();
        // Time stamps never go back, whatever the clock does.
        let ts_ns = now.wall_ns.max(self.overlay.last_ts_ns);
        let value = asked.counted.as_ref().map(|c| counter::payload(&c.total));
        let payload = value.as_deref().unwrap_or(message.payload);
        let block = asked.block(message.headers);
        let record = NewRecord {
            seq,
            ts_ns,
            subject: message.subject,
            headers: if interest { block } else { &[] },
            payload: if interest { payload } else { &[] },
            flags: asked.flags | if interest { 0 } else { flags::SKIP },
            ttl_s: asked.ttl_s,
        };
        if !batch.push(&record) {
            return Verdict::Refused(errors::STREAM_MESSAGE_EXCEEDS_MAXIMUM);
        }
        self.took(seq, ts_ns);
        // What nobody wanted is known too when it comes again.
        if let Some(id) = asked.id {
            self.dedup.insert(id, seq, ts_ns);
        }
        if !interest {
            return Verdict::Skipped(seq);
        }
        self.note_in_flight(message.subject, block.len(), payload.len(), seq);
        match &asked.counted {
            None => Verdict::Stored(seq),
            Some(counted) => {
                let value = counted.total.to_string();
                self.overlay
                    .counters
                    .insert(message.subject.into(), counted.clone());
                Verdict::Counted(seq, value)
            }
        }
    }

    /// Where subjects leave markers, a message lives at least as long as its marker would.
    pub(crate) fn raise_ttl(&self, came: &[u8], asked: &mut Asked<'_>) {
        let marker = u32::try_from(self.config.subject_delete_marker_ttl.0 / 1_000_000_000).unwrap_or(0);
        let mortal = asked.ttl_s > 0 && asked.ttl_s != TTL_NEVER;
        if mortal && asked.ttl_s < marker && self.config.max_msgs_per_subject != 1 {
            asked.ttl_s = marker;
            let text = marker.to_string();
            asked.headers = Some(set_header(asked.block(came), headers::TTL, text.as_bytes()));
        }
    }

    /// What `subject` counts so far, on its way or stored.
    pub(crate) fn counter_of(&mut self, subject: &[u8]) -> Result<Counted, ApiError> {
        if let Some(counted) = self.overlay.counters.get(subject) {
            return Ok(counted.clone());
        }
        let Some(message) = self.store.last_for(subject).and_then(|s| self.store.load(s).ok()) else {
            return Ok(Counted::default());
        };
        Ok(Counted {
            total: counter::stored(message.payload())?,
            sources: counter::sources(message.headers())?,
        })
    }

    /// Adds what a message says to `counted`. One that came from another stream brings that stream's sum: only the
    /// difference to what came from there before is added.
    pub(crate) fn add(
        counted: &mut Counted,
        message: &Incoming<'_>,
        increment: &Decimal,
        origin: Option<(&str, &str)>,
    ) -> Result<Option<Vec<u8>>, ApiError> {
        let mut block = None;
        let mut increment = increment.clone();
        if let Some((stream, subject)) = origin {
            let sum = counter::stored(message.payload)?;
            let of_stream = counted.sources.entry(stream.to_owned()).or_default();
            let before = of_stream.insert(subject.to_owned(), sum.to_string());
            let before = before
                .and_then(|b| Decimal::parse(b.as_bytes()))
                .unwrap_or_default();
            increment = sum.minus(&before);
            let text = increment.to_string();
            block = Some(replace_header(
                message.headers,
                headers::INCREMENT,
                text.as_bytes(),
            ));
        }
        counted.total = counted.total.plus(&increment);
        if !counted.sources.is_empty() {
            let json = counter::encode_sources(&counted.sources);
            let came = block.as_deref().unwrap_or(message.headers);
            block = Some(set_header(came, headers::COUNTER_SOURCES, &json));
        }
        Ok(block)
    }

    pub(crate) fn storage(&self) -> Storage {
        match self.config.storage {
            ApiStorage::File => Storage::File,
            ApiStorage::Memory => Storage::Memory,
        }
    }

    pub(crate) fn note_in_flight(&mut self, subject: &[u8], headers: usize, payload: usize, seq: Seq) {
        let size = accounted(self.storage(), subject.len(), headers, payload);
        self.overlay.msgs += 1;
        self.overlay.bytes += size;
        self.charge.add(size);
        match self.overlay.subjects.get_mut(subject) {
            Some(entry) => *entry = (seq, entry.1 + 1),
            None => {
                self.overlay.subjects.insert(subject.into(), (seq, 1));
            }
        }
    }

    /// What is applied is no longer on its way.
    pub(crate) fn settle(&mut self, subject: &[u8], seq: Seq, size: u64) {
        self.overlay.msgs = self.overlay.msgs.saturating_sub(1);
        self.overlay.bytes = self.overlay.bytes.saturating_sub(size);
        let Some(entry) = self.overlay.subjects.get_mut(subject) else {
            return;
        };
        if entry.0 <= seq {
            self.overlay.subjects.remove(subject);
            self.overlay.counters.remove(subject);
        } else {
            entry.1 = entry.1.saturating_sub(1);
        }
    }
}
