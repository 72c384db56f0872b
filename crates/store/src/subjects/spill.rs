//! Moving what is known of subjects to disk: the full table in memory becomes a run, and runs of about one size become one.
//! Done by the store's worker piece by piece, so that nothing else waits long for it.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::Damaged;
use super::merged::{Layer, Merged};
use super::rows::Rows;
use super::run::{Cursor, Place, Run};
use super::write::RunWriter;

/// Runs of about one size are merged when there are so many.
const MERGE_RUNS: usize = 4;
/// Runs are of one size when the larger one has less than so many times the entries.
const SIZE_RATIO: usize = 4;
/// Entries merged before other work has its turn.
const MERGE_STEP: usize = 64 * 1024;

/// Why a run was not made.
#[derive(Debug)]
pub(crate) enum SpillError {
    /// It could not be written.
    Write(io::Error),
    /// What was to go in it does not verify.
    Damaged,
}

impl From<io::Error> for SpillError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<Damaged> for SpillError {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

/// Writes `table` as a run.
pub(super) fn write_table(place: &Place, table: &Rows) -> Result<Run, SpillError> {
    let mut writer = RunWriter::new(place, table.len())?;
    let path = writer.path();
    let written = (|| {
        let _taken = place.memory.take(table.sorting_bytes());
        for n in table.ordered_from(b"") {
            writer.push(table.text(n), &table.known(n), table.history(n))?;
        }
        writer.finish()
    })();
    written.map_err(|error| {
        let _left = place.disk.remove(&path);
        SpillError::Write(error)
    })
}

/// Which runs to merge, if any; the newest are last.
pub(super) fn to_merge(runs: &[Arc<Run>]) -> Option<Range<usize>> {
    let newest = runs.last()?.entries.max(1);
    let alike = runs
        .iter()
        .rev()
        .take_while(|r| r.entries < newest * SIZE_RATIO)
        .count();
    (alike >= MERGE_RUNS).then(|| runs.len() - alike..runs.len())
}

/// A merge under way.
#[derive(Debug)]
pub(super) struct Merge {
    place: Place,
    merged: Merged<'static>,
    writer: Option<RunWriter>,
    path: PathBuf,
    /// Nothing is below: what is gone needs no entry.
    is_lowest: bool,
    text: Vec<u8>,
    history: Vec<u8>,
}

impl Merge {
    /// Begins to merge `runs`, the oldest first.
    pub(super) fn new(place: &Place, runs: &[Arc<Run>], is_lowest: bool) -> Result<Self, SpillError> {
        let layers = runs
            .iter()
            .rev()
            .map(|run| Ok(Layer::Run(Cursor::new(Arc::clone(run), b"")?)))
            .collect::<Result<_, Damaged>>()?;
        let entries = runs.iter().map(|r| r.entries).sum();
        let writer = RunWriter::new(place, entries)?;
        Ok(Self {
            place: place.clone(),
            merged: Merged::new(layers),
            path: writer.path(),
            writer: Some(writer),
            is_lowest,
            text: Vec::new(),
            history: Vec::new(),
        })
    }

    /// Goes on for a while; the run when it is whole.
    pub(super) fn step(&mut self) -> Result<Option<Run>, SpillError> {
        let outcome = self.copy_some();
        if outcome.is_err() {
            self.remove();
        }
        outcome
    }

    /// Ends it before its time.
    pub(super) fn give_up(self) {
        self.remove();
    }

    fn remove(&self) {
        // Left behind, it is removed when the stream is opened the next time.
        let _left = self.place.disk.remove(&self.path);
    }

    fn copy_some(&mut self) -> Result<Option<Run>, SpillError> {
        for _ in 0..MERGE_STEP {
            let next = self.merged.next(&mut self.text, &mut self.history)?;
            let (Some(known), Some(writer)) = (next, &mut self.writer) else {
                return Ok(self.writer.take().map(RunWriter::finish).transpose()?);
            };
            if known.state.count > 0 || !self.is_lowest {
                writer.push(&self.text, &known, &self.history)?;
            }
        }
        Ok(None)
    }
}
