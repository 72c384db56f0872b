//! An immutable run of subjects in a file: blocks of entries in order. What it takes to find a block (its first text, its
//! place, the sum of what is before it) and a filter of the subjects stay in memory, about two bytes a subject. A run lives
//! as long as the process: it is made from memory, nothing forces it to disk, and nothing reads it after a restart.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::block::{self, BlockWriter, Known};
use super::bloom::Bloom;
use super::cache::BlockCache;
use super::{Damaged, Hasher};
use crate::disk::{Disk, DiskFile};
use crate::seal::{Sealer, Vault};
use std::hash::BuildHasher;

/// A block is full at this size.
pub(super) const BLOCK_BYTES: usize = 4 * 1024;
/// Blocks are written in pieces of this size.
const WRITE_BYTES: usize = 256 * 1024;
/// Larger than any block: a subject has 64 KiB at most.
const BLOCK_BYTES_MAX: u64 = 128 * 1024;

/// Where runs are kept, and the cache in front of them.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) cache: Arc<BlockCache>,
    /// The store's key, if it is encrypted: then runs are as well.
    pub(crate) vault: Option<Arc<Vault>>,
}

/// Name of a run's file.
fn file_name(number: u64) -> String {
    format!("subj-{number:016x}.run")
}

/// Whether a file of this name is a run.
pub(crate) fn is_run(name: &str) -> bool {
    name.starts_with("subj-") && name.ends_with(".run")
}

/// Where a block begins.
#[derive(Debug, Clone, Copy)]
struct Fence {
    text_at: usize,
    at: u64,
    /// Sum of [`Known::gain`] of all blocks before it.
    gain_before: i64,
}

#[derive(Debug)]
pub(super) struct Run {
    number: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    cache: Arc<BlockCache>,
    /// Known to this process only, as the run is.
    sealer: Option<Sealer>,
    bloom: Bloom,
    /// First texts of all blocks, one behind the other.
    texts: Vec<u8>,
    fences: Vec<Fence>,
    /// Bytes of the file.
    len: u64,
    /// Sum over all of it.
    gain: i64,
    pub(super) entries: usize,
}

impl Run {
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn blocks(&self) -> usize {
        self.fences.len()
    }

    fn first_text(&self, n: usize) -> &[u8] {
        let end = self.fences.get(n + 1).map_or(self.texts.len(), |f| f.text_at);
        &self.texts[self.fences[n].text_at..end]
    }

    /// The number of blocks whose first text is not behind what `is_before` says.
    fn blocks_before(&self, is_before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.fences.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(self.first_text(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The block in which `text` is, if it is anywhere.
    pub(super) fn block_of(&self, text: &[u8]) -> usize {
        self.blocks_before(|first| first <= text).saturating_sub(1)
    }

    /// Reads block `n` and checks it; where it is remembered for others when `keep`.
    pub(super) fn block(&self, n: usize, keep: bool) -> Result<Arc<[u8]>, Damaged> {
        let at = self.fences.get(n).ok_or(Damaged)?.at;
        if let Some(block) = self.cache.get((self.number, at)) {
            return Ok(block);
        }
        let end = self.fences.get(n + 1).map_or(self.len, |f| f.at);
        let len = end.checked_sub(at).filter(|len| *len <= BLOCK_BYTES_MAX);
        let mut bytes = vec![0; len.and_then(|l| usize::try_from(l).ok()).ok_or(Damaged)?];
        let read = self.file.read_at(&mut bytes, at).map_err(|_| Damaged)?;
        if let Some(sealer) = self.sealer.as_ref().filter(|_| read == bytes.len()) {
            bytes = sealer.open(&at.to_le_bytes(), &bytes).ok_or(Damaged)?;
        } else if read < bytes.len() {
            return Err(Damaged);
        }
        if block::open(&bytes, self.number ^ at).is_none() {
            return Err(Damaged);
        }
        bytes.drain(..4);
        let block: Arc<[u8]> = bytes.into();
        if keep {
            self.cache.put((self.number, at), Arc::clone(&block));
        }
        Ok(block)
    }

    pub(super) fn get(&self, text: &[u8], hash: u64) -> Result<Option<Known>, Damaged> {
        if !self.bloom.may_contain(hash) {
            return Ok(None);
        }
        Ok(block::find(&self.block(self.block_of(text), true)?, text))
    }

    /// Sum of [`Known::gain`] of the subjects that start with `prefix`: two blocks are read, whatever there is between.
    pub(super) fn gain(&self, prefix: &[u8]) -> Result<i64, Damaged> {
        let start = self.block_of(prefix);
        let end = self.blocks_before(|first| first < prefix || first.starts_with(prefix));
        if end == 0 {
            return Ok(0);
        }
        let inner = start + 1..end - 1;
        let mut sum = if inner.is_empty() {
            0
        } else {
            self.fences[inner.end].gain_before - self.fences[inner.start].gain_before
        };
        for n in [start, end - 1].iter().take(if start == end - 1 { 1 } else { 2 }) {
            let block = self.block(*n, true)?;
            let (mut rest, mut text) = (&*block, Vec::new());
            while let Some(known) = block::next(&mut rest, &mut text) {
                sum += if text.starts_with(prefix) { known.gain() } else { 0 };
            }
        }
        Ok(sum)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bloom.memory_bytes() + self.texts.capacity() + self.fences.capacity() * size_of::<Fence>()
    }
}

/// A run that is being written.
#[derive(Debug)]
pub(super) struct RunWriter {
    run: Run,
    hasher: Hasher,
    block: BlockWriter,
    out: Vec<u8>,
    /// First text of the block.
    first: Vec<u8>,
}

impl RunWriter {
    /// Begins a run of at most `subjects`.
    pub(super) fn new(place: &Place, hasher: Hasher, subjects: usize) -> io::Result<Self> {
        let number = place.cache.next_run();
        let path = place.dir.join(file_name(number));
        let sealer = place.vault.as_ref().map(|v| v.begin(b"subjects"));
        let run = Run {
            number,
            file: place.disk.open(&path)?,
            path,
            cache: Arc::clone(&place.cache),
            sealer: sealer.transpose()?.map(|(_, sealer)| sealer),
            bloom: Bloom::new(subjects),
            texts: Vec::new(),
            fences: Vec::new(),
            len: 0,
            gain: 0,
            entries: 0,
        };
        Ok(Self {
            run,
            hasher,
            block: BlockWriter::default(),
            out: Vec::new(),
            first: Vec::new(),
        })
    }

    /// Adds an entry; texts ascend.
    pub(super) fn push(&mut self, text: &[u8], known: &Known) -> io::Result<()> {
        if self.block.len() == 0 {
            self.first.clear();
            self.first.extend_from_slice(text);
        }
        self.block.push(text, known);
        self.run.bloom.insert(self.hasher.hash_one(text));
        self.run.entries += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let run = &mut self.run;
        let at = run.len + self.out.len() as u64;
        run.fences.push(Fence {
            text_at: run.texts.len(),
            at,
            gain_before: run.gain,
        });
        run.texts.extend_from_slice(&self.first);
        run.gain += self.block.gain;
        match &run.sealer {
            None => self.block.finish(run.number ^ at, &mut self.out),
            Some(sealer) => {
                let mut block = Vec::new();
                self.block.finish(run.number ^ at, &mut block);
                sealer.seal(&at.to_le_bytes(), &block, &mut self.out)?;
            }
        }
        if self.out.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.run
            .file
            .write_at(&mut [IoSlice::new(&self.out)], self.run.len)?;
        self.run.len += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    /// The run, whole.
    pub(super) fn finish(mut self) -> io::Result<Run> {
        if self.block.len() > 0 {
            self.end_block()?;
        }
        self.write()?;
        self.run.texts.shrink_to_fit();
        self.run.fences.shrink_to_fit();
        Ok(self.run)
    }

    /// Where it is written to.
    pub(super) fn path(&self) -> PathBuf {
        self.run.path.clone()
    }
}

/// A place between the entries of a run, moving forward.
#[derive(Debug)]
pub(super) struct Cursor {
    run: Arc<Run>,
    /// The block after this one.
    next: usize,
    block: Option<Arc<[u8]>>,
    read: Range<usize>,
    pub(super) text: Vec<u8>,
    /// The entry it is at; none behind the end.
    pub(super) known: Option<Known>,
}

impl Cursor {
    /// At the first entry not before `from`.
    pub(super) fn new(run: Arc<Run>, from: &[u8]) -> Result<Self, Damaged> {
        let mut cursor = Self {
            next: run.block_of(from),
            run,
            block: None,
            read: 0..0,
            text: Vec::new(),
            known: None,
        };
        cursor.advance()?;
        while cursor.known.is_some() && cursor.text.as_slice() < from {
            cursor.advance()?;
        }
        Ok(cursor)
    }

    pub(super) fn advance(&mut self) -> Result<(), Damaged> {
        self.known = None;
        if self.read.is_empty() {
            if self.next >= self.run.blocks() {
                return Ok(());
            }
            let block = self.run.block(self.next, false)?;
            self.next += 1;
            self.read = 0..block.len();
            self.block = Some(block);
            self.text.clear();
        }
        let Some(block) = &self.block else { return Ok(()) };
        let mut rest = &block[self.read.clone()];
        self.known = Some(block::next(&mut rest, &mut self.text).ok_or(Damaged)?);
        self.read.start = self.read.end - rest.len();
        Ok(())
    }
}
