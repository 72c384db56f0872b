//! What is known of subjects, kept with a checkpoint: the layers on disk by name, and what the table in memory says, in the
//! checkpoint itself if that is little, else in a run of its own. All of it is as of the checkpoint, to the entry.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::background::Written;
use super::block::{self, BlockWriter};
use super::rows::Rows;
use super::run::{Place, Run};
use super::{Damaged, Subjects, footer, spill};
use crate::codec::{In, Out};
use crate::memory::Taken;
use crate::worker::Worker;
use std::hash::BuildHasher;

/// A table up to this size is kept in the checkpoint, bytes of memory. Both copies of the checkpoint have it.
const INSIDE_BYTES_MAX: usize = 128 * 1024;

/// What the checksum of the table in a checkpoint says of its place.
const TABLE_PLACE: u64 = 2;

/// A run as a checkpoint names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RunEntry {
    number: u64,
    len: u64,
    mark: u32,
}

/// What a checkpoint says of subjects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Subjects with live messages.
    live: u64,
    /// The sequences of each are there as well, as far as they are known.
    has_histories: bool,
    /// The oldest first.
    runs: Vec<RunEntry>,
    /// Entries of the table, as in a block, with their checksum.
    table: Vec<u8>,
}

impl Kept {
    pub(crate) fn encode(&self, out: &mut Out) {
        out.u64(self.live << 1 | u64::from(self.has_histories));
        out.len(self.runs.len());
        for run in &self.runs {
            out.u64(run.number);
            out.u64(run.len);
            out.u32(run.mark);
        }
        out.bytes(&self.table);
    }

    pub(crate) fn decode(fields: &mut In<'_>) -> Option<Self> {
        let head = fields.u64()?;
        let count = fields.count()?;
        let mut runs = Vec::new();
        for _ in 0..count {
            runs.push(RunEntry {
                number: fields.u64()?,
                len: fields.u64()?,
                mark: fields.u32()?,
            });
        }
        Some(Self {
            live: head >> 1,
            has_histories: head & 1 != 0,
            runs,
            table: fields.bytes()?.to_vec(),
        })
    }

    /// Whether it names the run with this number.
    pub(crate) fn names(&self, number: u64) -> bool {
        self.runs.iter().any(|run| run.number == number)
    }

    /// Files of runs that do not verify, all their blocks read.
    pub(crate) fn check(&self, place: &Place) -> Vec<PathBuf> {
        let whole = |entry: &&RunEntry| {
            let run = footer::open(place, entry.number, entry.len, entry.mark);
            run.is_some_and(|run| (0..run.blocks()).all(|n| run.block(n, false).is_ok()))
        };
        let damaged = self.runs.iter().filter(|entry| !whole(entry));
        damaged.map(|entry| place.path(entry.number)).collect()
    }
}

/// Layers as they were when a checkpoint was begun; carried to the worker.
#[derive(Debug)]
pub(crate) struct Keep {
    place: Place,
    live: u64,
    has_histories: bool,
    runs: Vec<Arc<Run>>,
    frozen: Option<Written>,
    table: Rows,
    /// Bytes that the table takes in memory.
    table_bytes: usize,
    /// What of it is not shared once the stream has changed all of it.
    _taken: Taken,
    copies: Arc<Mutex<Vec<PathBuf>>>,
}

impl Keep {
    /// Writes what has no file yet and forces all runs to disk by `sync`; the folder is still to be. `None` when a table
    /// could not be written: then opening the stream reads its messages.
    ///
    /// # Errors
    /// When a file cannot be forced to disk.
    pub(crate) fn finish(self, sync: &dyn Fn(io::Result<()>) -> io::Result<()>) -> io::Result<Option<Kept>> {
        let mut runs = self.runs;
        if let Some(frozen) = &self.frozen {
            let Some(run) = frozen.get() else {
                return Ok(None);
            };
            runs.push(Arc::clone(run));
        }
        let mut table = Vec::new();
        if self.table_bytes <= INSIDE_BYTES_MAX {
            let mut block = BlockWriter::default();
            for n in self.table.ordered_from(b"") {
                block.push(self.table.text(n), &self.table.known(n), self.table.history(n));
            }
            block.finish(TABLE_PLACE, &mut table);
        } else {
            let Ok(run) = spill::write_table(&self.place, &self.table) else {
                return Ok(None);
            };
            self.copies.lock().push(run.path().to_owned());
            runs.push(Arc::new(run));
        }
        for run in &runs {
            if !run.durable.load(Ordering::Relaxed) {
                sync(run.file.sync_data())?;
                run.durable.store(true, Ordering::Relaxed);
            }
            run.named.store(true, Ordering::Relaxed);
        }
        let entry = |run: &Arc<Run>| RunEntry {
            number: run.number,
            len: run.len,
            mark: run.mark,
        };
        Ok(Some(Kept {
            live: self.live,
            has_histories: self.has_histories,
            runs: runs.iter().map(entry).collect(),
            table,
        }))
    }
}

impl Subjects {
    /// All layers as they are, for a checkpoint. With `settle` a table of some size goes to disk for good instead of being
    /// copied: for streams in which little changes from one checkpoint to the next. `None` when nothing goes to disk.
    pub(crate) fn keep(&mut self, settle: bool, worker: &Worker) -> Option<Keep> {
        if settle && self.may_freeze() && self.table_bytes() > INSIDE_BYTES_MAX {
            self.freeze(worker);
        }
        let place = self.place.clone()?;
        // The copy that the checkpoint before names, and any that a failed one left.
        self.background.gone.append(&mut self.copies.lock());
        self.runs
            .iter()
            .for_each(|run| run.named.store(true, Ordering::Relaxed));
        let table = self.table.rows().clone();
        Some(Keep {
            _taken: place.memory.take(table.memory_bytes()),
            place,
            live: self.live as u64,
            has_histories: self.has_histories,
            runs: self.runs.clone(),
            frozen: self.frozen.as_ref().map(|_| Arc::clone(&self.background.written)),
            table,
            table_bytes: self.table_bytes(),
            copies: Arc::clone(&self.copies),
        })
    }

    /// Numbers of runs to be made are behind `number`.
    pub(crate) fn number_behind(&self, number: Option<u64>) {
        if let (Some(place), Some(number)) = (&self.place, number) {
            place.number_behind(number);
        }
    }

    /// Takes over what a checkpoint says. No block of a run is read. Nothing is changed when that is not possible; the runs
    /// are removed once another checkpoint is durable.
    ///
    /// # Errors
    /// The file of a run that is missing, is not the one that was named, or does not verify.
    pub(crate) fn recall(&mut self, kept: &Kept) -> Result<(), PathBuf> {
        let Some(place) = self.place.clone() else {
            return Err(PathBuf::new());
        };
        match Self::open(&place, kept) {
            Ok(subjects) => *self = subjects,
            Err(path) => {
                let paths = kept.runs.iter().map(|entry| place.path(entry.number));
                self.background.gone.extend(paths);
                return Err(path);
            }
        }
        Ok(())
    }

    fn open(place: &Place, kept: &Kept) -> Result<Self, PathBuf> {
        let mut subjects = Self::new(Some(place.clone()));
        for entry in &kept.runs {
            let run = footer::open(place, entry.number, entry.len, entry.mark);
            let run = run.ok_or_else(|| place.path(entry.number))?;
            subjects.runs.push(Arc::new(run));
        }
        let damaged = |Damaged| place.dir.clone();
        // Without its checksum a table is in a run.
        let mut rest = match kept.table.as_slice() {
            [] => &[][..],
            table => block::open(table, TABLE_PLACE)
                .and_then(block::entries)
                .ok_or(Damaged)
                .map_err(damaged)?,
        };
        let mut text = Vec::new();
        while !rest.is_empty() {
            let (known, history) = block::next(&mut rest, &mut text)
                .ok_or(Damaged)
                .map_err(damaged)?;
            let hash = subjects.hasher.hash_one(text.as_slice());
            let n = subjects.table.insert(&text, hash, known.state, known.below);
            subjects.table.set_history(n, history);
        }
        subjects.live = usize::try_from(kept.live).unwrap_or(usize::MAX);
        subjects.has_histories = kept.has_histories;
        Ok(subjects)
    }
}
