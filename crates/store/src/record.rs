//! One message as bytes: the same bytes go to the journal, to memory and to a segment. Layout in `FORMAT.md`.
//!
//! ```text
//! u32 len | u32 crc | u64 seq | i64 ts_ns | u32 headers_len | u16 subject_len | u16 flags | [u32 ttl_s] | subject | headers | payload | pad to 8
//! ```
//! The checksum covers the length and everything behind the checksum.

use bytes::Bytes;

use crate::ids::Seq;

/// Bytes before the subject of a record without time to live.
pub const FIXED_BYTES: usize = 32;
/// Records start at multiples of this.
pub const ALIGN: usize = 8;
/// The longest record, bytes: what a `u32` length and a 64 MiB message with its headers ask for.
pub const RECORD_BYTES_MAX: usize = 1 << 30;

/// What a record says of itself, beside its fields.
pub mod flags {
    /// The record has a time to live.
    pub const TTL: u16 = 1;
    /// The headers carry a message id that deduplicates.
    pub const MSG_ID: u16 = 1 << 1;
    /// Replaces what its subject had before.
    pub const ROLLUP_SUBJECT: u16 = 1 << 2;
    /// Replaces what the stream had before.
    pub const ROLLUP_ALL: u16 = 1 << 3;
    /// Left behind for a subject that expired.
    pub const MARKER: u16 = 1 << 4;
    /// A counter.
    pub const COUNTER: u16 = 1 << 5;
    /// A schedule.
    pub const SCHEDULE: u16 = 1 << 6;
    /// Comes from another stream.
    pub const SOURCED: u16 = 1 << 7;
    /// Part of an atomic batch.
    pub const BATCH: u16 = 1 << 8;
    /// Takes a sequence and stores nothing (no consumer was interested).
    pub const SKIP: u16 = 1 << 9;
    /// Stands for a message that is damaged beyond recovery.
    pub const LOST: u16 = 1 << 10;
    /// The bytes were overwritten; only the fixed part counts.
    pub const ERASED: u16 = 1 << 15;
}

/// A time to live that never ends, exempt from the stream's age limit.
pub const TTL_NEVER: u32 = u32::MAX;

/// A message to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// Sequence.
    pub seq: Seq,
    /// Wall clock, nanoseconds since the epoch.
    pub ts_ns: i64,
    /// Subject.
    pub subject: &'a [u8],
    /// Header block, may be empty.
    pub headers: &'a [u8],
    /// Payload, may be empty.
    pub payload: &'a [u8],
    /// [`flags`].
    pub flags: u16,
    /// Time to live, seconds; 0 none, [`TTL_NEVER`] for ever.
    pub ttl_s: u32,
}

const fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

fn checksum(len: [u8; 4], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len);
    hasher.update(rest);
    hasher.finalize()
}

/// Appends the record to `out`; returns its length with padding, or `None` when a part is too long to be written.
pub fn encode(record: &NewRecord<'_>, out: &mut Vec<u8>) -> Option<usize> {
    let subject_len = u16::try_from(record.subject.len()).ok()?;
    let headers_len = u32::try_from(record.headers.len()).ok()?;
    let ttl = record.ttl_s > 0;
    let len = FIXED_BYTES
        + if ttl { 4 } else { 0 }
        + record.subject.len()
        + record.headers.len()
        + record.payload.len();
    if len > RECORD_BYTES_MAX {
        return None;
    }
    let len_bytes = u32::try_from(len).ok()?.to_le_bytes();
    let start = out.len();
    out.reserve(padded(len));
    out.extend_from_slice(&len_bytes);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&record.seq.0.to_le_bytes());
    out.extend_from_slice(&record.ts_ns.to_le_bytes());
    out.extend_from_slice(&headers_len.to_le_bytes());
    out.extend_from_slice(&subject_len.to_le_bytes());
    let flags = if ttl {
        record.flags | flags::TTL
    } else {
        record.flags & !flags::TTL
    };
    out.extend_from_slice(&flags.to_le_bytes());
    if ttl {
        out.extend_from_slice(&record.ttl_s.to_le_bytes());
    }
    out.extend_from_slice(record.subject);
    out.extend_from_slice(record.headers);
    out.extend_from_slice(record.payload);
    let crc = checksum(len_bytes, &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + padded(len), 0);
    Some(padded(len))
}

/// A record read back: a view of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'a> {
    bytes: &'a [u8],
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..at + N)
        .and_then(|b| b.try_into().ok())
        .unwrap_or([0; N])
}

impl<'a> RecordView<'a> {
    /// The record at the start of `bytes`, if a whole and undamaged one is there.
    #[must_use]
    pub fn check(bytes: &'a [u8]) -> Option<Self> {
        let view = Self::frame(bytes)?;
        let crc = u32::from_le_bytes(field(bytes, 4));
        let intact = checksum(field(bytes, 0), &view.bytes[8..]) == crc;
        (intact && view.is_consistent()).then_some(view)
    }

    /// The record at the start of `bytes` by its length alone, unchecked beyond bounds.
    pub(crate) fn frame(bytes: &'a [u8]) -> Option<Self> {
        let len = usize::try_from(u32::from_le_bytes(field(bytes, 0))).ok()?;
        if !(FIXED_BYTES..=RECORD_BYTES_MAX).contains(&len) {
            return None;
        }
        bytes.get(..len).map(|bytes| Self { bytes })
    }

    /// The record at the start of `bytes`, which was checked before.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Self {
        Self::frame(bytes).unwrap_or(RecordView { bytes })
    }

    fn is_consistent(self) -> bool {
        self.body_at() + self.subject_len() + self.headers_len() <= self.bytes.len()
    }

    /// Its length with padding.
    #[must_use]
    pub const fn stride(self) -> usize {
        padded(self.bytes.len())
    }

    /// Sequence.
    #[must_use]
    pub fn seq(self) -> Seq {
        Seq(u64::from_le_bytes(field(self.bytes, 8)))
    }

    /// When it was stored, nanoseconds since the epoch.
    #[must_use]
    pub fn ts_ns(self) -> i64 {
        i64::from_le_bytes(field(self.bytes, 16))
    }

    /// [`flags`].
    #[must_use]
    pub fn flags(self) -> u16 {
        u16::from_le_bytes(field(self.bytes, 30))
    }

    /// Time to live, seconds.
    #[must_use]
    pub fn ttl_s(self) -> u32 {
        if self.flags() & flags::TTL == 0 {
            0
        } else {
            u32::from_le_bytes(field(self.bytes, FIXED_BYTES))
        }
    }

    fn headers_len(self) -> usize {
        usize::try_from(u32::from_le_bytes(field(self.bytes, 24))).unwrap_or(usize::MAX / 4)
    }

    fn subject_len(self) -> usize {
        usize::from(u16::from_le_bytes(field(self.bytes, 28)))
    }

    fn body_at(self) -> usize {
        if self.flags() & flags::TTL == 0 {
            FIXED_BYTES
        } else {
            FIXED_BYTES + 4
        }
    }

    /// Subject.
    #[must_use]
    pub fn subject(self) -> &'a [u8] {
        let at = self.body_at();
        self.bytes.get(at..at + self.subject_len()).unwrap_or_default()
    }

    /// Header block.
    #[must_use]
    pub fn headers(self) -> &'a [u8] {
        let at = self.body_at() + self.subject_len();
        self.bytes.get(at..at + self.headers_len()).unwrap_or_default()
    }

    /// Payload.
    #[must_use]
    pub fn payload(self) -> &'a [u8] {
        let at = self.body_at() + self.subject_len() + self.headers_len();
        self.bytes.get(at..).unwrap_or_default()
    }
}

/// A stored message: its record, pinned. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    record: Bytes,
}

impl Message {
    /// The message whose record is at the start of `record`, if it is whole and undamaged.
    #[must_use]
    pub fn check(record: Bytes) -> Option<Self> {
        RecordView::check(&record)?;
        Some(Self { record })
    }

    /// The message whose checked record is at the start of `record`.
    pub(crate) const fn trusted(record: Bytes) -> Self {
        Self { record }
    }

    pub(crate) fn view(&self) -> RecordView<'_> {
        RecordView::trusted(&self.record)
    }

    /// Sequence.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.view().seq()
    }

    /// When it was stored, nanoseconds since the epoch.
    #[must_use]
    pub fn ts_ns(&self) -> i64 {
        self.view().ts_ns()
    }

    /// Subject.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        self.view().subject()
    }

    /// Header block, may be empty.
    #[must_use]
    pub fn headers(&self) -> &[u8] {
        self.view().headers()
    }

    /// Payload, may be empty.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.view().payload()
    }

    /// Headers and payload, one behind the other as they lie.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let view = self.view();
        self.record
            .get(view.body_at() + view.subject_len()..view.bytes.len())
            .unwrap_or_default()
    }

    /// The same, sharing the record's memory.
    #[must_use]
    pub fn body_shared(&self) -> Bytes {
        self.record.slice_ref(self.body())
    }

    /// [`flags`].
    #[must_use]
    pub fn flags(&self) -> u16 {
        self.view().flags()
    }

    /// Time to live, seconds; 0 none, [`TTL_NEVER`] for ever.
    #[must_use]
    pub fn ttl_s(&self) -> u32 {
        self.view().ttl_s()
    }
}

/// The records in `body`, one behind the other, until one is not whole or not intact.
pub fn iterate(body: &[u8]) -> impl Iterator<Item = (usize, RecordView<'_>)> {
    iterate_by(body, RecordView::check)
}

/// The records in `body` as `view` sees them, one behind the other.
pub(crate) fn iterate_by<'a>(
    body: &'a [u8],
    view: fn(&'a [u8]) -> Option<RecordView<'a>>,
) -> impl Iterator<Item = (usize, RecordView<'a>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let view = view(body.get(at..)?)?;
        let found = (at, view);
        at += view.stride();
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            seq in any::<u64>(), ts in any::<i64>(), subject in proptest::collection::vec(any::<u8>(), 0..40),
            headers in proptest::collection::vec(any::<u8>(), 0..40), payload in proptest::collection::vec(any::<u8>(), 0..80),
            ttl_s in prop_oneof![Just(0u32), any::<u32>()], extra in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let new = NewRecord { seq: Seq(seq), ts_ns: ts, subject: &subject, headers: &headers, payload: &payload, flags: flags::MSG_ID, ttl_s };
            let mut out = Vec::new();
            let stride = encode(&new, &mut out).unwrap();
            prop_assert_eq!(stride, out.len());
            prop_assert_eq!(stride % ALIGN, 0);
            out.extend_from_slice(&extra);
            let message = Message::check(Bytes::from(out)).unwrap();
            prop_assert_eq!((message.seq(), message.ts_ns(), message.ttl_s()), (Seq(seq), ts, ttl_s));
            prop_assert_eq!(message.subject(), &subject[..]);
            prop_assert_eq!(message.headers(), &headers[..]);
            prop_assert_eq!(message.payload(), &payload[..]);
            prop_assert_eq!(message.body(), [&headers[..], &payload[..]].concat());
        }

        #[test]
        fn one_flipped_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 0..60), bit in any::<prop::sample::Index>()) {
            let new = NewRecord { seq: Seq(7), subject: b"a.b", payload: &payload, ..NewRecord::default() };
            let mut out = Vec::new();
            encode(&new, &mut out).unwrap();
            let unpadded = FIXED_BYTES + 3 + payload.len();
            let bit = bit.index(unpadded * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(RecordView::check(&out).is_none());
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Some(view) = RecordView::check(&bytes) {
                prop_assert!(view.subject().len() + view.headers().len() + view.payload().len() <= bytes.len());
            }
        }
    }
}
