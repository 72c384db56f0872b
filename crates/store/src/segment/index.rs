//! The index of a sealed segment: offsets by slot, subjects in order with their first and last slot and their number.
//! Written once, checked as a whole when opened, then read from its mapping. Never trusted over the records.

use bytes::Bytes;

use std::path::Path;

use super::gathered::SubjectTable;
use crate::codec::{self, In};
use crate::ids::Seq;
use crate::seal::{self, Vault};

/// First bytes of an index file.
const MAGIC: [u8; 8] = *b"NJSIDX01";
/// Bytes of one entry of the subject table.
const ENTRY_BYTES: usize = 20;

/// What a segment knows of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubjectSlots {
    pub(crate) count: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

#[derive(Debug)]
pub(crate) struct SegmentIndex {
    offsets: Bytes,
    entries: Bytes,
    texts: Bytes,
    pub(crate) slots: usize,
    /// Bytes of the segment it is of.
    pub(crate) data_len: u64,
    /// It is in memory, not mapped.
    held: bool,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// The index file at `path` for a segment whose records lie at `offsets`.
pub(crate) fn encode(
    (vault, path): (Option<&Vault>, &Path),
    (base, data_len): (Seq, u64),
    offsets: &[u32],
    subjects: &SubjectTable,
) -> std::io::Result<Vec<u8>> {
    let len = 24 + offsets.len() * 4 + subjects.len() * ENTRY_BYTES + subjects.text_bytes();
    let mut out = codec::to_be_sealed(len);
    out.u64(base.0);
    out.u64(data_len);
    out.len(offsets.len());
    out.len(subjects.len());
    for offset in offsets {
        out.u32(*offset);
    }
    let mut at = 0usize;
    for (text, slots) in subjects.iter() {
        out.len(at);
        out.len(text.len());
        out.u32(slots.count);
        out.u32(slots.first);
        out.u32(slots.last);
        at += text.len();
    }
    for (text, _) in subjects.iter() {
        out.0.extend_from_slice(text);
    }
    match vault {
        None => Ok(codec::seal_in_place(MAGIC, out)),
        Some(_) => seal::seal_file(vault, MAGIC, path, &out.0[codec::SEAL_BYTES..]),
    }
}

impl SegmentIndex {
    /// Opens the index file at `path` of the segment that starts at `base`, if it is whole and intact. One that is encrypted
    /// is then in memory.
    pub(crate) fn open((vault, path): (Option<&Vault>, &Path), file: &Bytes, base: Seq) -> Option<Self> {
        let index = Self::parse(seal::unseal_file(vault, MAGIC, path, file)?, base)?;
        Some(Self {
            held: seal::is_sealed(file),
            ..index
        })
    }

    /// Goes over to another mapping of the same file, of which no page has been read: checking the file made all of it
    /// resident. One that is encrypted stays where it is.
    pub(crate) fn mapped_anew(self, file: &Bytes, base: Seq) -> Self {
        if seal::is_sealed(file) {
            return self;
        }
        let content = file
            .get(codec::SEAL_BYTES..)
            .map(|content| file.slice_ref(content));
        content.and_then(|c| Self::parse(c, base)).unwrap_or(self)
    }

    fn parse(content: Bytes, base: Seq) -> Option<Self> {
        let mut fields = In(&content);
        let (found_base, data_len) = (fields.u64()?, fields.u64()?);
        let (slots, subjects) = (fields.count()?, fields.count()?);
        let offsets_at = content.len() - fields.0.len();
        let entries_at = offsets_at.checked_add(slots.checked_mul(4)?)?;
        let texts_at = entries_at.checked_add(subjects.checked_mul(ENTRY_BYTES)?)?;
        if found_base != base.0 || texts_at > content.len() {
            return None;
        }
        Some(Self {
            offsets: content.slice(offsets_at..entries_at),
            entries: content.slice(entries_at..texts_at),
            texts: content.slice(texts_at..),
            slots,
            data_len,
            held: false,
        })
    }

    /// Bytes of memory it takes.
    pub(crate) const fn memory_bytes(&self) -> usize {
        let held = self.offsets.len() + self.entries.len() + self.texts.len();
        size_of::<Self>() + if self.held { held } else { 0 }
    }

    pub(crate) fn offset(&self, slot: usize) -> Option<u32> {
        (slot < self.slots).then(|| word(&self.offsets, slot * 4))
    }

    pub(crate) fn subjects(&self) -> usize {
        self.entries.len() / ENTRY_BYTES
    }

    /// The n-th subject in order.
    pub(crate) fn subject(&self, n: usize) -> (&[u8], SubjectSlots) {
        let at = n * ENTRY_BYTES;
        let field = |k: usize| word(&self.entries, at + k * 4);
        let start = usize::try_from(field(0)).unwrap_or(usize::MAX / 2);
        let len = usize::try_from(field(1)).unwrap_or(0);
        let text = self.texts.get(start..start + len).unwrap_or_default();
        (
            text,
            SubjectSlots {
                count: field(2),
                first: field(3),
                last: field(4),
            },
        )
    }

    /// Place of the first subject not before `text`.
    pub(crate) fn lower_bound(&self, text: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.subjects());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.subject(middle).0 < text {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let slots = |count, first, last| SubjectSlots { count, first, last };
        let mut subjects = super::super::gathered::Subjects::default();
        for (slot, subject) in ["a", "a.b", "c", "a.b"].iter().enumerate() {
            subjects.note(subject.as_bytes(), u32::try_from(slot).unwrap());
        }
        let place = (None, Path::new("/i"));
        let offsets = [32, 80, super::super::HOLE, 200];
        let file = Bytes::from(encode(place, (Seq(10), 999), &offsets, &subjects.into_table()).unwrap());
        let index = SegmentIndex::open(place, &file, Seq(10)).unwrap();
        assert_eq!((index.slots, index.subjects()), (4, 3));
        assert_eq!((index.offset(1), index.offset(4)), (Some(80), None));
        assert_eq!(index.subject(1), (&b"a.b"[..], slots(2, 1, 3)));
        assert_eq!(
            (
                index.lower_bound(b"a.a"),
                index.lower_bound(b"a.b"),
                index.lower_bound(b"d")
            ),
            (1, 1, 3)
        );
        assert!(SegmentIndex::open(place, &file, Seq(11)).is_none());
        for bit in 0..file.len() * 8 {
            let mut damaged = file.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                SegmentIndex::open(place, &Bytes::from(damaged), Seq(10)).is_none(),
                "bit {bit}"
            );
        }
    }
}
