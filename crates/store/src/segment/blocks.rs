//! The file of a compressed or encrypted segment: a header, then blocks of records. Everybody else sees the segment as if
//! its records lay one behind the other in plain bytes: places of records are places there.
//!
//! The worker appends, the stream's owner reads; what they share is which blocks there are.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use parking_lot::Mutex;

use super::block::{self, HEAD_BYTES, Head};
use super::pool::{Pool, Seal};
use super::table::{Entry, Place, State, find, is_whole};
use super::write::header;
use super::{RECORDS_AT, SEALED_MAGIC};
use crate::disk::{Disk, DiskFile};
use crate::ids::Seq;
use crate::seal::FILE_KEY_BYTES;

/// A block is closed before it gets longer than this, bytes; a longer record has one of its own.
const BLOCK_BYTES: usize = 64 * 1024;
/// A segment of blocks that are on average shorter than this is worth writing again, bytes.
const SMALL_BYTES: u64 = BLOCK_BYTES as u64 / 4;
/// If there are at least so many.
const SMALL_MIN: usize = 8;
/// What overwritten bytes look like.
pub(super) const ERASED: u8 = 0xa5;

/// A segment file of blocks.
#[derive(Debug)]
pub(crate) struct Blocks {
    pool: Arc<Pool>,
    path: PathBuf,
    id: u64,
    header: [u8; 32],
    compress: bool,
    state: Mutex<State>,
}

impl Blocks {
    /// A file to be made when the first records are appended.
    pub(crate) fn create(
        pool: &Arc<Pool>,
        path: PathBuf,
        (base, generation): (Seq, u32),
        compress: bool,
    ) -> Self {
        Self {
            pool: Arc::clone(pool),
            path,
            id: pool.next.fetch_add(1, Ordering::Relaxed),
            header: header(SEALED_MAGIC, base, generation),
            compress,
            state: Mutex::new(State {
                seal: None,
                file: None,
                map: Bytes::new(),
                end: RECORDS_AT,
                table: Vec::new(),
                old: Vec::new(),
                told: std::collections::BTreeSet::new(),
            }),
        }
    }

    /// Bytes of memory that it takes to know where blocks are.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.state.lock().table.capacity() * size_of::<Entry>()
    }

    /// Whether a file with this content has blocks.
    pub(crate) fn are_in(content: &[u8]) -> bool {
        let start = usize::try_from(RECORDS_AT).unwrap_or(usize::MAX);
        let first = content.get(start..).and_then(Head::read);
        content.starts_with(&SEALED_MAGIC) || first.is_some()
    }

    /// The file that has this content.
    ///
    /// # Errors
    /// When it is encrypted with another store's key, or with one and there is none.
    pub(crate) fn open(pool: &Arc<Pool>, path: &Path, id: (Seq, u32), content: Bytes) -> io::Result<Self> {
        let mut found = find(&content);
        // A block from elsewhere has another salt.
        let key = found.first().map_or([0; FILE_KEY_BYTES], |(_, head)| head.key);
        found.retain(|(_, head)| head.key == key);
        let seal = Seal::open(pool, path, key)?;
        let blocks = Self::create(pool, path.to_owned(), id, false);
        let mut state = blocks.state.lock();
        state.seal = Some(seal);
        state.end = found
            .last()
            .map_or(RECORDS_AT, |(at, head)| at + head.stride() as u64);
        state.map = content;
        for (at, head) in found {
            // What was written again may have been cut short; the old one is overwritten only behind it.
            if state.is_whole(head.start) && !is_whole(&state.map, at, &head) {
                continue;
            }
            state.insert(at, head);
        }
        drop(state);
        Ok(blocks)
    }

    /// Writes `records`, which lie at `at`, behind what is there. A failed write leaves nothing behind that counts.
    pub(crate) fn append(&self, disk: &dyn Disk, at: u64, records: &[Bytes]) -> io::Result<()> {
        let (file, end, seal) = {
            let state = self.state.lock();
            (state.file.clone(), state.end, state.seal.clone())
        };
        let seal = match seal {
            Some(seal) => seal,
            None => Seal::begin(&self.pool, &self.path)?,
        };
        let file = match file {
            Some(file) => file,
            None => {
                let file = disk.open(&self.path)?;
                file.write_at(&mut [IoSlice::new(&self.header)], 0)?;
                file
            }
        };
        let mut out = Vec::new();
        let mut heads = Vec::new();
        let mut start = at;
        for raw in chunks(records) {
            let place = out.len();
            block::encode(
                (start, &raw),
                self.compress,
                (&seal.key, seal.sealer.as_deref()),
                &mut out,
            )?;
            heads.push((end + place as u64, Head::read(&out[place..])));
            start += raw.len() as u64;
        }
        let new_end = end + out.len() as u64;
        // Space is set aside first: a full disk is an error here and not later.
        file.reserve(new_end)?;
        if !out.is_empty() {
            file.write_at(&mut [IoSlice::new(&out)], end)?;
        }
        let map = file.map(usize::try_from(new_end).map_err(io::Error::other)?)?;
        let mut state = self.state.lock();
        state.seal = Some(seal);
        state.forget_memory(at, start);
        for (at, head) in heads {
            if let Some(head) = head {
                state.insert(at, head);
            }
        }
        (state.file, state.map, state.end) = (Some(file), map, new_end);
        Ok(())
    }

    /// Makes records readable that are still to be written.
    pub(crate) fn hold(&self, at: u64, records: &[Bytes]) {
        let raw = Bytes::from(records.concat());
        let mut state = self.state.lock();
        let place = state.table.partition_point(|e| e.start < at);
        if !raw.is_empty() && state.table.get(place).is_none_or(|e| e.start != at) {
            let entry = Entry {
                start: at,
                len: raw.len() as u64,
                place: Place::Memory(raw),
            };
            state.table.insert(place, entry);
        }
    }

    /// Forgets what lies at `len` and behind.
    pub(crate) fn truncate(&self, len: u64) {
        self.state.lock().table.retain(|e| e.start < len);
    }

    /// Goes over to another mapping of the file, of which no page has been read.
    pub(crate) fn map_anew(&self, file: &dyn DiskFile) {
        let mut state = self.state.lock();
        if let Ok(anew) = file.map(state.map.len()) {
            state.map = anew;
        }
    }

    /// Nothing more is appended: the file need not stay open.
    pub(crate) fn close(&self) {
        self.state.lock().file = None;
    }

    /// What lies at `at`, up to the end of its block.
    pub(crate) fn get(&self, at: u64) -> Option<Bytes> {
        let entry = self.state.lock().covering(at)?.clone();
        let skip = usize::try_from(at - entry.start).ok()?;
        let raw = self.read(&entry)?;
        (skip < raw.len()).then(|| raw.slice(skip..))
    }

    /// The records of a block. Where it was, another may be overwriting it by now, after it was written anew elsewhere.
    fn read(&self, entry: &Entry) -> Option<Bytes> {
        self.read_there(entry).or_else(|| {
            let now = self.state.lock().covering(entry.start).cloned()?;
            if now.at() == entry.at() {
                return None;
            }
            self.read(&now)
        })
    }

    fn read_there(&self, entry: &Entry) -> Option<Bytes> {
        let (at, head) = match &entry.place {
            Place::Memory(raw) => return Some(raw.clone()),
            Place::Disk { at, head } => (*at, head),
        };
        let key = (self.id, entry.start);
        if let Some(raw) = self.pool.cache.get(key) {
            return Some(raw);
        }
        let (map, seal) = {
            let state = self.state.lock();
            (state.map.clone(), state.seal.clone())
        };
        let from = usize::try_from(at).ok()? + HEAD_BYTES;
        let stored = map.get(from..from.checked_add(head.stored)?)?;
        let (raw, mended) = block::decode(head, stored, seal?.sealer.as_deref())?;
        if mended || Head::read(&map[from - HEAD_BYTES..]).is_none() {
            self.tell(at);
        }
        let state = self.state.lock();
        // What was overwritten meanwhile must not be remembered as it was.
        if state
            .covering(entry.start)
            .is_some_and(|now| now.at() == entry.at())
        {
            self.pool.cache.put(key, &raw);
        }
        drop(state);
        Some(raw)
    }

    fn tell(&self, at: u64) {
        if self.state.lock().told.insert(at) {
            let path = self.path.display();
            let text = format!("{path}: the block at {at} had a flipped bit, which was put right");
            self.pool.damage.note(text);
        }
    }

    /// Runs of records in order, with their places; what cannot be read is left out.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, Bytes)> {
        let table = self.state.lock().table.clone();
        table
            .into_iter()
            .filter_map(|entry| Some((entry.start, self.read(&entry)?)))
    }

    /// The place behind the last record.
    pub(crate) fn end(&self) -> u64 {
        let state = self.state.lock();
        state.table.last().map_or(RECORDS_AT, |e| e.start + e.len)
    }

    /// Whether the file is encrypted.
    pub(crate) fn is_sealed(&self) -> bool {
        match &self.state.lock().seal {
            Some(seal) => seal.sealer.is_some(),
            None => self.pool.vault.is_some(),
        }
    }

    /// Whether the file has many small blocks: one for each trickle of messages, of which none compresses well.
    pub(crate) fn is_scattered(&self) -> bool {
        let state = self.state.lock();
        let bytes: u64 = state.table.iter().map(|e| e.len).sum();
        state.table.len() >= SMALL_MIN && bytes / (state.table.len() as u64) < SMALL_BYTES
    }

    /// Overwrites `len` bytes at `at`: their block is written again without them, then the old one is overwritten. What was
    /// overwritten before stays so.
    pub(crate) fn erase(&self, disk: &dyn Disk, at: u64, len: u64) -> io::Result<()> {
        let file = disk.open_existing(&self.path)?;
        let entry = self.state.lock().covering(at).cloned();
        if let Some(entry) = entry
            && let Some(raw) = self.read(&entry)
        {
            let from = usize::try_from(at - entry.start).unwrap_or(usize::MAX);
            let until = from
                .saturating_add(usize::try_from(len).unwrap_or(usize::MAX))
                .min(raw.len());
            let mut raw = Vec::from(raw);
            if let Some(bytes) = raw
                .get_mut(from..until)
                .filter(|b| b.iter().any(|b| *b != ERASED))
            {
                bytes.fill(ERASED);
                self.replace(&file, &entry, &raw)?;
            }
        }
        let old = self.state.lock().old.clone();
        for (at, stored) in old {
            let erased = vec![ERASED; stored];
            file.write_at(&mut [IoSlice::new(&erased)], at + HEAD_BYTES as u64)?;
        }
        file.sync_data()
    }

    /// Writes the block of `entry` anew behind all others, and forces it to disk.
    fn replace(&self, file: &Arc<dyn DiskFile>, entry: &Entry, raw: &[u8]) -> io::Result<()> {
        let compress = matches!(&entry.place, Place::Disk { head, .. } if head.codec == block::Codec::S2);
        let (end, seal) = {
            let state = self.state.lock();
            (state.end, state.seal.clone())
        };
        let Some(Seal { key, sealer }) = seal else {
            return Ok(());
        };
        let mut out = Vec::new();
        block::encode((entry.start, raw), compress, (&key, sealer.as_deref()), &mut out)?;
        file.reserve(end + out.len() as u64)?;
        file.write_at(&mut [IoSlice::new(&out)], end)?;
        file.sync_data()?;
        let len = usize::try_from(end).map_err(io::Error::other)? + out.len();
        let map = file.map(len)?;
        let mut state = self.state.lock();
        if let Some(head) = Head::read(&out) {
            state.insert(end, head);
        }
        (state.map, state.end) = (map, len as u64);
        drop(state);
        self.pool.cache.forget((self.id, entry.start));
        Ok(())
    }
}

/// Records put together to blocks.
fn chunks(records: &[Bytes]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = records.iter().peekable();
    std::iter::from_fn(move || {
        let mut raw = rest.next()?.to_vec();
        while let Some(next) = rest.next_if(|r| raw.len() + r.len() <= BLOCK_BYTES) {
            raw.extend_from_slice(next);
        }
        Some(raw)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;
    use crate::record::{self, NewRecord};
    use crate::seal::{Cipher, Vault};
    use zeroize::Zeroizing;

    const PATH: &str = "/00000001/seg-0000000000000001-0000.dat";

    fn records(count: u64, size: usize) -> Vec<Bytes> {
        let one = |seq| {
            let payload = vec![u8::try_from(seq % 251).unwrap(); size];
            let new = NewRecord {
                seq: Seq(seq),
                subject: b"secret.subject",
                payload: &payload,
                ..NewRecord::default()
            };
            let mut out = Vec::new();
            record::encode(&new, &mut out).unwrap();
            Bytes::from(out)
        };
        (1..=count).map(one).collect()
    }

    fn pool(sealed: bool) -> Arc<Pool> {
        let vault = sealed.then(|| Arc::new(Vault::new(Zeroizing::new([3; 32]), Cipher::default())));
        Arc::new(Pool::new(vault, Arc::default()))
    }

    fn make(pool: &Arc<Pool>, compress: bool) -> (SimDisk, Blocks, Vec<Bytes>) {
        let disk = SimDisk::default();
        disk.create_dir_all(Path::new("/00000001")).unwrap();
        let blocks = Blocks::create(pool, PATH.into(), (Seq(1), 0), compress);
        let records = records(200, 1000);
        let at = RECORDS_AT + records[..100].iter().map(|r| r.len() as u64).sum::<u64>();
        blocks.append(&disk, RECORDS_AT, &records[..100]).unwrap();
        blocks.append(&disk, at, &records[100..]).unwrap();
        (disk, blocks, records)
    }

    fn reopen(pool: &Arc<Pool>, disk: &SimDisk) -> Blocks {
        let content = Bytes::from(disk.content(Path::new(PATH)).unwrap());
        assert!(Blocks::are_in(&content));
        Blocks::open(pool, Path::new(PATH), (Seq(1), 0), content).unwrap()
    }

    fn check(blocks: &Blocks, records: &[Bytes]) {
        let mut at = RECORDS_AT;
        for record in records {
            let found = blocks.get(at).unwrap();
            assert!(found.starts_with(record), "at {at}");
            at += record.len() as u64;
        }
        assert_eq!((blocks.get(at), blocks.end()), (None, at));
    }

    #[test]
    fn records_are_found_where_they_would_lie() {
        for (sealed, compress) in [(true, false), (false, true), (true, true)] {
            let pool = pool(sealed);
            let (disk, blocks, records) = make(&pool, compress);
            check(&blocks, &records);
            let again = reopen(&pool, &disk);
            check(&again, &records);
            assert_eq!((again.is_sealed(), again.is_scattered()), (sealed, false));
            let content = disk.content(Path::new(PATH)).unwrap();
            let shown = content.windows(6).any(|w| w == b"secret");
            assert!(!shown || !sealed, "sealed {sealed}");
            assert!(!compress || content.len() < 60_000, "{}", content.len());
        }
    }

    #[test]
    fn what_is_held_is_read_until_it_is_written() {
        let pool = pool(true);
        let disk = SimDisk::default();
        disk.create_dir_all(Path::new("/00000001")).unwrap();
        let blocks = Blocks::create(&pool, PATH.into(), (Seq(1), 0), false);
        let records = records(100, 1000);
        blocks.hold(RECORDS_AT, &records);
        check(&blocks, &records);
        blocks.append(&disk, RECORDS_AT, &records).unwrap();
        check(&blocks, &records);
        check(&reopen(&pool, &disk), &records);
    }

    #[test]
    fn erased_bytes_are_gone_from_the_file() {
        for compress in [false, true] {
            let pool = pool(false);
            let (disk, blocks, mut records) = make(&pool, compress);
            let at = RECORDS_AT + records[..7].iter().map(|r| r.len() as u64).sum::<u64>();
            let len = records[7].len() as u64;
            blocks.erase(&disk, at + 8, len - 8).unwrap();
            let mut erased = records[7][..8].to_vec();
            erased.resize(records[7].len(), ERASED);
            records[7] = erased.into();
            check(&blocks, &records);
            let again = reopen(&pool, &disk);
            check(&again, &records);
            let content = disk.content(Path::new(PATH)).unwrap();
            assert!(compress || !content.windows(20).any(|w| w == [8; 20]));
            again.erase(&disk, at + 8, len - 8).unwrap();
            assert_eq!(
                disk.content(Path::new(PATH)).unwrap(),
                content,
                "nothing was left to do"
            );
        }
    }

    #[test]
    fn who_reads_a_block_while_it_moves_finds_it() {
        let pool = pool(true);
        let (disk, _, records) = make(&pool, false);
        let blocks = reopen(&pool, &disk);
        let before = blocks.state.lock().covering(RECORDS_AT).cloned().unwrap();
        let len = records[0].len();
        // Twice, so that the mapping is of a time after the first place was overwritten.
        for at in [RECORDS_AT, RECORDS_AT + len as u64] {
            blocks.erase(&disk, at + 8, len as u64 - 8).unwrap();
        }
        assert!(blocks.read_there(&before).is_none(), "it was overwritten");
        let found = blocks.read(&before).unwrap();
        assert!(found[2 * len..].starts_with(&records[2]));
        let is_erased = |n: usize| found[n * len + 8..(n + 1) * len].iter().all(|b| *b == ERASED);
        assert!(is_erased(0) && is_erased(1));
    }

    #[test]
    fn another_stores_file_is_refused() {
        let (disk, _, _) = make(&pool(true), false);
        let content = Bytes::from(disk.content(Path::new(PATH)).unwrap());
        let refused = Blocks::open(&pool(false), Path::new(PATH), (Seq(1), 0), content);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
