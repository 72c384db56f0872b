//! The index of a sealed segment: offsets by slot, and the slots of each subject. Written once, checked as a whole when
//! opened, then read from its mapping. Never trusted over the records.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::gathered::SubjectTable;
use super::heads::{self, Head, Heads};
use super::pool::Pool;
use super::postings::{self, Postings};
use crate::codec::{self, In};
use crate::ids::Seq;
use crate::seal::{self, Vault};

/// Encrypted indexes that are open at a time.
const OPEN_MAX: usize = 16;
/// First bytes of an index file.
const MAGIC: [u8; 8] = *b"NJSIDX03";
/// Those of index files as earlier builds wrote them. Two bits at least tell them from today's.
const OLD_MAGICS: [[u8; 8]; 2] = [*b"NJSIDX01", *b"NJSIDX02"];

/// What the file says.
#[derive(Debug)]
struct Content {
    offsets: Bytes,
    heads: Heads,
    postings: Arc<Postings>,
}

/// Where that is.
#[derive(Debug)]
enum Place {
    /// In the file's mapping, or in memory for good.
    Open(Content),
    /// Behind a key: decrypted when somebody asks, and let go of when others are asked or room is short.
    Sealed {
        file: Bytes,
        pool: Arc<Pool>,
        path: PathBuf,
        open: Arc<Slot>,
    },
}

/// What is open of one index.
type Slot = Mutex<Option<Arc<Content>>>;

/// Encrypted indexes that are open, of all streams, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<VecDeque<Weak<Slot>>>);

impl Opened {
    /// Notes that `slot` was opened; the one that is open for longest is closed for it.
    fn note(&self, slot: &Arc<Slot>) {
        let oldest = {
            let mut opened = self.0.lock();
            opened.push_back(Arc::downgrade(slot));
            (opened.len() > OPEN_MAX).then(|| opened.pop_front()).flatten()
        };
        if let Some(oldest) = oldest.and_then(|slot| slot.upgrade()) {
            *oldest.lock() = None;
        }
    }
}

#[derive(Debug)]
pub(crate) struct SegmentIndex {
    base: Seq,
    pub(crate) slots: usize,
    /// Bytes of the segment it is of.
    pub(crate) data_len: u64,
    place: Place,
}

/// The index file at `path` for a segment whose records lie at `offsets`.
pub(crate) fn encode(
    (vault, path): (Option<&Vault>, &Path),
    (base, data_len): (Seq, u64),
    offsets: &[u32],
    subjects: &SubjectTable,
) -> std::io::Result<Vec<u8>> {
    let heads = subjects.heads();
    let heads_len = heads::encoded_len(&heads, offsets.len());
    let len = 20 + offsets.len() * 4 + heads_len + postings::encoded_len(subjects);
    let mut out = codec::to_be_sealed(len);
    out.u64(base.0);
    out.u64(data_len);
    out.len(offsets.len());
    for offset in offsets {
        out.u32(*offset);
    }
    heads::encode(&heads, offsets.len(), &mut out);
    postings::encode(subjects, &mut out);
    match vault {
        None => Ok(codec::seal_in_place(MAGIC, out)),
        Some(_) => seal::seal_file(vault, MAGIC, path, &out.0[codec::SEAL_BYTES..]),
    }
}

/// Whether `file`, at `path`, is an intact index as an earlier build wrote it: to be made anew, and no damage.
pub(crate) fn is_outdated(vault: Option<&Vault>, path: &Path, file: &Bytes) -> bool {
    OLD_MAGICS
        .into_iter()
        .any(|magic| seal::unseal_file(vault, magic, path, file).is_some())
}

impl Content {
    fn offset(&self, slot: usize) -> Option<u32> {
        let bytes = self.offsets.get(slot * 4..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }
}

/// Number of slots, bytes of the segment, and the rest.
fn parse(content: &Bytes, base: Seq) -> Option<(usize, u64, Content)> {
    let mut fields = In(content);
    let (found_base, data_len) = (fields.u64()?, fields.u64()?);
    let slots = fields.count()?;
    let offsets_at = content.len() - fields.0.len();
    let heads_at = offsets_at.checked_add(slots.checked_mul(4)?)?;
    if found_base != base.0 || heads_at > content.len() {
        return None;
    }
    let (heads, postings) = Heads::parse(&content.slice(heads_at..))?;
    let parsed = Content {
        offsets: content.slice(offsets_at..heads_at),
        heads,
        postings: Arc::new(Postings::parse(&postings)?),
    };
    Some((slots, data_len, parsed))
}

impl SegmentIndex {
    /// Opens the index file at `path` of the segment that starts at `base`, if it is whole and intact.
    pub(crate) fn open((pool, path): (Option<&Arc<Pool>>, &Path), file: &Bytes, base: Seq) -> Option<Self> {
        let vault = pool.and_then(|pool| pool.vault.as_deref());
        let content = seal::unseal_file(vault, MAGIC, path, file)?;
        let (slots, data_len, content) = parse(&content, base)?;
        let place = match pool.filter(|_| seal::is_sealed(file)) {
            None => Place::Open(content),
            Some(pool) => Place::Sealed {
                file: file.clone(),
                pool: Arc::clone(pool),
                path: path.to_owned(),
                open: Arc::default(),
            },
        };
        Some(Self {
            base,
            slots,
            data_len,
            place,
        })
    }

    /// Goes over to another mapping of the same file, of which no page has been read: checking the file made all of it
    /// resident.
    pub(crate) fn mapped_anew(mut self, anew: &Bytes) -> Self {
        match &mut self.place {
            Place::Sealed { file, .. } => *file = anew.clone(),
            Place::Open(content) => {
                let there = anew.get(codec::SEAL_BYTES..).map(|c| anew.slice_ref(c));
                if let Some((_, _, parsed)) = there.and_then(|c| parse(&c, self.base)) {
                    *content = parsed;
                }
            }
        }
        self
    }

    /// What the file says where it is encrypted; `None` when it does not verify any more.
    fn unsealed(&self) -> Option<Arc<Content>> {
        let Place::Sealed {
            file,
            pool,
            path,
            open,
        } = &self.place
        else {
            return None;
        };
        let mut slot = open.lock();
        if let Some(content) = slot.as_ref() {
            return Some(Arc::clone(content));
        }
        let content = seal::unseal_file(pool.vault.as_deref(), MAGIC, path, file)?;
        let content = Arc::new(parse(&content, self.base)?.2);
        *slot = Some(Arc::clone(&content));
        drop(slot);
        pool.opened.note(open);
        Some(content)
    }

    /// Lets go of what can be had again.
    pub(crate) fn let_go(&self) {
        if let Place::Sealed { open, .. } = &self.place {
            *open.lock() = None;
        }
    }

    /// Bytes of memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.place {
                Place::Open(content) => content.postings.memory_bytes(),
                Place::Sealed { open, .. } => open.lock().as_ref().map_or(0, |content| {
                    let postings = &content.postings;
                    content.offsets.len() + content.heads.bytes() + postings.bytes() + postings.memory_bytes()
                }),
            }
    }

    /// The slots of each subject.
    pub(crate) fn postings(&self) -> Option<Arc<Postings>> {
        match &self.place {
            Place::Open(content) => Some(Arc::clone(&content.postings)),
            Place::Sealed { .. } => Some(Arc::clone(&self.unsealed()?.postings)),
        }
    }

    /// What is known of the record in `slot`, and the subjects that name its own.
    pub(crate) fn head(&self, slot: usize) -> Option<(Head, Arc<Postings>)> {
        let of = |content: &Content| Some((content.heads.get(slot)?, Arc::clone(&content.postings)));
        match &self.place {
            Place::Open(content) => of(content),
            Place::Sealed { .. } => of(&*self.unsealed()?),
        }
    }

    pub(crate) fn offset(&self, slot: usize) -> Option<u32> {
        match &self.place {
            Place::Open(content) => content.offset(slot),
            Place::Sealed { .. } => self.unsealed()?.offset(slot),
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::seal::Cipher;

    #[test]
    fn what_is_written_is_found() {
        let mut subjects = super::super::gathered::Subjects::default();
        for (slot, subject) in ["a", "a.b", "c", "a.b"].iter().enumerate() {
            subjects.note(subject.as_bytes(), u32::try_from(slot).unwrap());
        }
        let path = Path::new("/i");
        let offsets = [32, 80, super::super::HOLE, 200];
        let file =
            Bytes::from(encode((None, path), (Seq(10), 999), &offsets, &subjects.into_table()).unwrap());
        let index = SegmentIndex::open((None, path), &file, Seq(10)).unwrap();
        let postings = index.postings().unwrap();
        assert_eq!((index.slots, postings.subjects()), (4, 3));
        assert_eq!((index.offset(1), index.offset(4)), (Some(80), None));
        assert_eq!(postings.text(1), b"a.b");
        assert!(SegmentIndex::open((None, path), &file, Seq(11)).is_none());
        for bit in 0..file.len() * 8 {
            let mut damaged = file.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                SegmentIndex::open((None, path), &Bytes::from(damaged), Seq(10)).is_none(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn what_an_earlier_build_wrote_is_told_from_damage() {
        let vault = Vault::new(Zeroizing::new([7; 32]), Cipher::default());
        let path = Path::new("/s/seg.idx");
        for vault in [None, Some(&vault)] {
            let file = |magic| Bytes::from(seal::seal_file(vault, magic, path, b"anything").unwrap());
            let (old, now) = (file(OLD_MAGICS[0]), file(MAGIC));
            assert!(is_outdated(vault, path, &old) && !is_outdated(vault, path, &now));
            for bit in 0..old.len() * 8 {
                for file in [&old, &now] {
                    let mut damaged = file.to_vec();
                    damaged[bit / 8] ^= 1 << (bit % 8);
                    assert!(!is_outdated(vault, path, &Bytes::from(damaged)), "bit {bit}");
                }
            }
        }
    }

    #[test]
    fn what_is_encrypted_takes_memory_while_it_is_asked() {
        let mut subjects = super::super::gathered::Subjects::default();
        for slot in 0..1000 {
            subjects.note(b"a", slot);
        }
        let table = subjects.into_table();
        let vault = Arc::new(Vault::new(Zeroizing::new([7; 32]), Cipher::default()));
        let pool = Arc::new(Pool::new(Some(Arc::clone(&vault)), Arc::default()));
        let offsets: Vec<u32> = (0..1000).collect();
        let make = |n: usize| {
            let path = format!("/s/seg-{n}.idx");
            let path = Path::new(&path);
            let file = encode((Some(&vault), path), (Seq(1), 9), &offsets, &table).unwrap();
            SegmentIndex::open((Some(&pool), path), &Bytes::from(file), Seq(1)).unwrap()
        };
        let indexes: Vec<SegmentIndex> = (0..3 * OPEN_MAX).map(make).collect();
        let is_open = |index: &&SegmentIndex| index.memory_bytes() > 8000;
        assert_eq!(indexes.iter().filter(is_open).count(), 0);
        for _ in 0..2 {
            for index in &indexes {
                assert_eq!((index.offset(999), index.offset(1000)), (Some(999), None));
                assert_eq!(index.postings().unwrap().text(0), b"a");
            }
            assert_eq!(indexes.iter().filter(is_open).count(), OPEN_MAX);
        }
        indexes.iter().for_each(SegmentIndex::let_go);
        assert_eq!(indexes.iter().filter(is_open).count(), 0);
    }
}
