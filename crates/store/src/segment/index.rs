//! The index of a sealed segment: offsets by slot, and the slots of each subject. Written once, checked as a whole when
//! opened, then read from its mapping. Never trusted over the records.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::gathered::SubjectTable;
use super::postings::{self, Postings};
use crate::codec::{self, In};
use crate::ids::Seq;
use crate::seal::{self, Vault};

/// First bytes of an index file.
const MAGIC: [u8; 8] = *b"NJSIDX02";

#[derive(Debug)]
pub(crate) struct SegmentIndex {
    offsets: Bytes,
    pub(crate) postings: Arc<Postings>,
    pub(crate) slots: usize,
    /// Bytes of the segment it is of.
    pub(crate) data_len: u64,
    /// It is in memory, not mapped.
    held: bool,
}

/// The index file at `path` for a segment whose records lie at `offsets`.
pub(crate) fn encode(
    (vault, path): (Option<&Vault>, &Path),
    (base, data_len): (Seq, u64),
    offsets: &[u32],
    subjects: &SubjectTable,
) -> std::io::Result<Vec<u8>> {
    let len = 20 + offsets.len() * 4 + postings::encoded_len(subjects);
    let mut out = codec::to_be_sealed(len);
    out.u64(base.0);
    out.u64(data_len);
    out.len(offsets.len());
    for offset in offsets {
        out.u32(*offset);
    }
    postings::encode(subjects, &mut out);
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
        let slots = fields.count()?;
        let offsets_at = content.len() - fields.0.len();
        let postings_at = offsets_at.checked_add(slots.checked_mul(4)?)?;
        if found_base != base.0 || postings_at > content.len() {
            return None;
        }
        Some(Self {
            offsets: content.slice(offsets_at..postings_at),
            postings: Arc::new(Postings::parse(&content.slice(postings_at..))?),
            slots,
            data_len,
            held: false,
        })
    }

    /// Bytes of memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let held = self.offsets.len() + self.postings.bytes();
        size_of::<Self>() + self.postings.memory_bytes() + if self.held { held } else { 0 }
    }

    pub(crate) fn offset(&self, slot: usize) -> Option<u32> {
        let bytes = self.offsets.get(slot * 4..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let mut subjects = super::super::gathered::Subjects::default();
        for (slot, subject) in ["a", "a.b", "c", "a.b"].iter().enumerate() {
            subjects.note(subject.as_bytes(), u32::try_from(slot).unwrap());
        }
        let place = (None, Path::new("/i"));
        let offsets = [32, 80, super::super::HOLE, 200];
        let file = Bytes::from(encode(place, (Seq(10), 999), &offsets, &subjects.into_table()).unwrap());
        let index = SegmentIndex::open(place, &file, Seq(10)).unwrap();
        assert_eq!((index.slots, index.postings.subjects()), (4, 3));
        assert_eq!((index.offset(1), index.offset(4)), (Some(80), None));
        assert_eq!(index.postings.text(1), b"a.b");
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
