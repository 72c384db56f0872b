//! What is known of each record of a segment without reading it: when it was stored, how long it is, and its subject. Large
//! messages that leave are not read again for that. Of small ones it would be a good part of what they are.

use bytes::Bytes;

use super::postings::Postings;
use crate::codec::{In, Out};
use crate::log::{Storage, accounted};
use crate::record::RecordView;

/// Bytes of one.
const HEAD_BYTES: usize = 20;

/// What is known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) ts_ns: i64,
    /// Its bytes with padding.
    pub(crate) stride: u32,
    /// Bytes it counts for.
    pub(crate) accounted: u32,
    /// Which subject of the segment it has.
    pub(super) subject: u32,
}

impl Head {
    /// Of a place without record.
    const NONE: Self = Self {
        ts_ns: 0,
        stride: 0,
        accounted: 0,
        subject: u32::MAX,
    };

    /// Of a record of a segment in a file.
    pub(super) fn of(record: RecordView<'_>, subject: u32) -> Option<Self> {
        let parts = (record.subject(), record.headers(), record.payload());
        let accounted = accounted(Storage::File, parts.0.len(), parts.1.len(), parts.2.len());
        Some(Self {
            ts_ns: record.ts_ns(),
            stride: u32::try_from(record.stride()).ok()?,
            accounted: u32::try_from(accounted).ok()?,
            subject,
        })
    }

    /// Its subject, one of those of its segment.
    pub(crate) fn subject(self, subjects: &Postings) -> &[u8] {
        subjects.text(self.subject as usize)
    }

    fn encode(&self, out: &mut Out) {
        out.i64(self.ts_ns);
        out.u32(self.stride);
        out.u32(self.accounted);
        out.u32(self.subject);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = In(bytes);
        Some(Self {
            ts_ns: fields.i64()?,
            stride: fields.u32()?,
            accounted: fields.u32()?,
            subject: fields.u32()?,
        })
    }
}

/// How many places are written for `heads` of `slots` places.
const fn places(heads: &[(u32, Head)], slots: usize) -> usize {
    if heads.is_empty() { 0 } else { slots }
}

/// Bytes that [`encode`] writes.
pub(super) const fn encoded_len(heads: &[(u32, Head)], slots: usize) -> usize {
    4 + places(heads, slots) * HEAD_BYTES
}

/// Writes those of `slots` places, the heads of which come in order; none at all unless all records have one.
pub(super) fn encode(heads: &[(u32, Head)], slots: usize, out: &mut Out) {
    let places = places(heads, slots);
    out.len(places);
    let mut at = 0;
    for (slot, head) in heads {
        while at < *slot {
            Head::NONE.encode(out);
            at += 1;
        }
        head.encode(out);
        at += 1;
    }
    (at as usize..places).for_each(|_| Head::NONE.encode(out));
}

/// The heads of a segment's records, as its index has them.
#[derive(Debug)]
pub(super) struct Heads(Bytes);

impl Heads {
    /// Takes them from the front of `content`; what is behind them.
    pub(super) fn parse(content: &Bytes) -> Option<(Self, Bytes)> {
        let mut fields = In(content);
        let count = fields.count()?;
        let end = 4 + count.checked_mul(HEAD_BYTES)?;
        (end <= content.len()).then(|| (Self(content.slice(4..end)), content.slice(end..)))
    }

    /// Of the record in `slot`, if it is known.
    pub(super) fn get(&self, slot: usize) -> Option<Head> {
        let bytes = self.0.get(slot.checked_mul(HEAD_BYTES)?..)?;
        Head::decode(bytes).filter(|head| head.subject != u32::MAX)
    }

    /// Bytes they take in the file.
    pub(super) const fn bytes(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_without_record_have_none() {
        let head = |subject| Head {
            ts_ns: -5,
            stride: 4096,
            accounted: 4000,
            subject,
        };
        for (heads, slots) in [
            (vec![], 3),
            (vec![(0, head(1)), (1, head(0))], 2),
            (vec![(1, head(0)), (3, head(7))], 6),
        ] {
            let mut out = Out::default();
            encode(&heads, slots, &mut out);
            let all = if heads.is_empty() { 0 } else { slots };
            assert_eq!(out.0.len(), 4 + all * HEAD_BYTES);
            assert_eq!(out.0.len(), encoded_len(&heads, slots));
            out.0.extend_from_slice(b"behind");
            let content = Bytes::from(out.0);
            let (found, behind) = Heads::parse(&content).unwrap();
            assert_eq!(&behind[..], b"behind");
            for slot in 0..slots + 2 {
                let expected = heads.iter().find(|h| h.0 as usize == slot).map(|h| h.1);
                assert_eq!(found.get(slot), expected, "slot {slot}");
            }
            assert!(Heads::parse(&content.slice(..3)).is_none());
            assert!(heads.is_empty() || Heads::parse(&content.slice(..content.len() - 7)).is_none());
        }
    }
}
