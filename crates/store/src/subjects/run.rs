//! An immutable run of subjects in a file: blocks of entries in order. What it takes to find a block (its first text, its
//! place, the sum of what is before it) and a filter of the subjects stay in memory, about two bytes a subject. They are in
//! the file as well, behind the blocks, so that a run a checkpoint names is there again without any block being read.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Damaged;
use super::block::{self, Known};
use super::bloom::print_of;
use super::cache::BlockCache;
use super::footer::Footer;
use crate::disk::{Disk, DiskFile, read_exact};
use crate::memory::Memory;
use crate::seal::{Sealer, Vault};

/// A block is full at this size.
pub(super) const BLOCK_BYTES: usize = 4 * 1024;
/// Larger than any block: a subject has 64 KiB at most.
const BLOCK_BYTES_MAX: u64 = 128 * 1024;

/// Where runs are kept, and the memory they share with everything else of the store, a cache of blocks among it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) memory: Arc<Memory>,
    /// The store's key, if it is encrypted: then runs are as well.
    pub(super) vault: Option<Arc<Vault>>,
    /// Number of the next run in the folder.
    pub(super) next: Arc<AtomicU64>,
}

impl Place {
    pub(crate) fn new(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        memory: Arc<Memory>,
        vault: Option<Arc<Vault>>,
    ) -> Self {
        Self {
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            memory,
            vault,
            next: Arc::default(),
        }
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs that are made from now on have numbers behind `number`.
    pub(super) fn number_behind(&self, number: u64) {
        self.next.fetch_max(number.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number))
    }
}

/// Name of a run's file.
fn file_name(number: u64) -> String {
    format!("subj-{number:016x}.run")
}

/// The number in a run's name.
pub(crate) fn run_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("subj-")?.strip_suffix(".run")?;
    u64::from_str_radix(number, 16).ok()
}

/// Where a block begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) text_at: usize,
    pub(super) at: u64,
    /// Sum of [`Known::gain`] of all blocks before it.
    pub(super) gain_before: i64,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) number: u64,
    /// Tells its blocks from those of other runs in the cache.
    cached_as: u64,
    path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    cache: Arc<BlockCache>,
    sealer: Option<Sealer>,
    footer: Footer,
    /// Bytes of the file.
    pub(super) len: u64,
    /// Checksum of its last bytes, which tell it from any other run.
    pub(super) mark: u32,
    /// Forced to disk.
    pub(super) durable: AtomicBool,
    /// A checkpoint names it, or is about to.
    pub(super) named: AtomicBool,
    pub(super) entries: usize,
}

/// What is known of a run beside its footer.
pub(super) struct Made {
    pub(super) number: u64,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) sealer: Option<Sealer>,
    pub(super) len: u64,
    pub(super) mark: u32,
    pub(super) durable: bool,
}

impl Run {
    pub(super) fn new(place: &Place, made: Made, footer: Footer) -> Self {
        Self {
            number: made.number,
            cached_as: place.memory.cache.next_run(),
            path: place.path(made.number),
            file: made.file,
            cache: Arc::clone(&place.memory.cache),
            sealer: made.sealer,
            entries: footer.entries,
            footer,
            len: made.len,
            mark: made.mark,
            durable: AtomicBool::new(made.durable),
            named: AtomicBool::new(made.durable),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn blocks(&self) -> usize {
        self.footer.fences.len()
    }

    fn first_text(&self, n: usize) -> &[u8] {
        let end = self
            .footer
            .fences
            .get(n + 1)
            .map_or(self.footer.texts.len(), |f| f.text_at);
        &self.footer.texts[self.footer.fences[n].text_at..end]
    }

    /// The number of blocks whose first text is not behind what `is_before` says.
    fn blocks_before(&self, is_before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.footer.fences.len());
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
        let at = self.footer.fences.get(n).ok_or(Damaged)?.at;
        if let Some(block) = self.cache.get((self.cached_as, at)) {
            return Ok(block);
        }
        let end = self
            .footer
            .fences
            .get(n + 1)
            .map_or(self.footer.blocks_end, |f| f.at);
        let len = end.checked_sub(at).filter(|len| *len <= BLOCK_BYTES_MAX);
        let stored = len.and_then(|len| read_exact(self.file.as_ref(), at, len));
        let mut bytes = stored.ok_or(Damaged)?;
        if let Some(sealer) = &self.sealer {
            bytes = sealer.open(&at.to_le_bytes(), &bytes).ok_or(Damaged)?;
        }
        let content = block::open(&bytes, self.number ^ at);
        if content.and_then(block::entries).is_none() {
            return Err(Damaged);
        }
        bytes.drain(..4);
        let block: Arc<[u8]> = bytes.into();
        if keep {
            self.cache.put((self.cached_as, at), Arc::clone(&block));
        }
        Ok(block)
    }

    /// What it says of `text`, which filters know by `print`, and its history into `history`.
    pub(super) fn get(
        &self,
        text: &[u8],
        print: u64,
        history: &mut Vec<u8>,
    ) -> Result<Option<Known>, Damaged> {
        debug_assert_eq!(print, print_of(text), "the print is the text's");
        if !self.footer.bloom.may_contain(print) {
            return Ok(None);
        }
        let block = self.block(self.block_of(text), true)?;
        let found = block::find(&block, text);
        Ok(found.map(|(known, bytes)| {
            history.clear();
            history.extend_from_slice(bytes);
            known
        }))
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
            self.footer.fences[inner.end].gain_before - self.footer.fences[inner.start].gain_before
        };
        for n in [start, end - 1].iter().take(if start == end - 1 { 1 } else { 2 }) {
            let block = self.block(*n, true)?;
            let (mut rest, mut text) = (block::entries(&block).unwrap_or_default(), Vec::new());
            while let Some((known, _)) = block::next(&mut rest, &mut text) {
                sum += if text.starts_with(prefix) { known.gain() } else { 0 };
            }
        }
        Ok(sum)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.footer.memory_bytes()
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
    /// Its history, as it is before what is to be read.
    history: Range<usize>,
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
            history: 0..0,
        };
        cursor.advance()?;
        while cursor.known.is_some() && cursor.text.as_slice() < from {
            cursor.advance()?;
        }
        Ok(cursor)
    }

    /// The history of the subject it is at, if that is known.
    pub(super) fn history(&self) -> &[u8] {
        let bytes = self
            .block
            .as_ref()
            .and_then(|block| block.get(self.history.clone()));
        bytes.unwrap_or_default()
    }

    pub(super) fn advance(&mut self) -> Result<(), Damaged> {
        self.known = None;
        if self.read.is_empty() {
            if self.next >= self.run.blocks() {
                return Ok(());
            }
            let block = self.run.block(self.next, false)?;
            self.next += 1;
            self.read = 0..block::entries(&block).map_or(0, <[u8]>::len);
            self.block = Some(block);
            self.text.clear();
        }
        let Some(block) = &self.block else { return Ok(()) };
        let mut rest = &block[self.read.clone()];
        let (known, history) = block::next(&mut rest, &mut self.text).ok_or(Damaged)?;
        let at = history.as_ptr().addr().wrapping_sub(block.as_ptr().addr());
        self.history = if history.is_empty() {
            0..0
        } else {
            at..at + history.len()
        };
        self.known = Some(known);
        self.read.start = self.read.end - rest.len();
        Ok(())
    }
}
