//! What the worker is doing for the subjects of a stream: writing the frozen table, merging runs.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use super::memtable::Memtable;
use super::run::Run;
use super::spill::{self, Merge, SpillError};
use super::{Place, Subjects};
use crate::worker::{Outcome, Worker};

/// How far a merge came.
#[derive(Debug)]
enum Progress {
    Partly(Box<Merge>),
    Whole(Run),
}

type Merging = Outcome<Result<Progress, SpillError>>;

fn go_on(mut merge: Box<Merge>) -> Result<Progress, SpillError> {
    Ok(match merge.step()? {
        Some(run) => Progress::Whole(run),
        None => Progress::Partly(merge),
    })
}

/// Where the worker puts the run it made of the frozen table.
pub(super) type Written = Arc<OnceLock<Arc<Run>>>;

#[derive(Debug, Default)]
pub(super) struct Background {
    writing: Option<Outcome<Result<Arc<Run>, SpillError>>>,
    pub(super) written: Written,
    /// Which runs, and how far.
    merging: Option<(Range<usize>, Merging)>,
    /// Files that a checkpoint names and nothing else does.
    pub(super) gone: Vec<PathBuf>,
}

impl Subjects {
    /// Whether the table may go to disk: the one before is there.
    pub(crate) const fn may_freeze(&self) -> bool {
        self.place.is_some() && self.frozen.is_none()
    }

    /// Whether a table is on its way to disk.
    pub(crate) const fn is_frozen(&self) -> bool {
        self.place.is_some() && self.frozen.is_some()
    }

    /// Whether the worker is writing the table before, and the last try did not fail.
    pub(crate) const fn is_being_written(&self) -> bool {
        self.is_frozen() && self.background.writing.is_some()
    }

    /// From now on everything stays in memory.
    pub(crate) fn stay_in_memory(&mut self) {
        self.place = None;
    }

    /// Bytes of the table in memory.
    pub(crate) fn table_bytes(&self) -> usize {
        self.table.memory_bytes()
    }

    /// Has the table written to disk and begins a new one.
    pub(crate) fn freeze(&mut self, worker: &Worker) {
        if self.frozen.is_none() {
            let table = std::mem::take(&mut self.table);
            self.frozen = Some(Arc::new(table));
            self.background.written = Written::default();
        }
        self.write_frozen(worker);
    }

    fn write_frozen(&mut self, worker: &Worker) {
        let (Some(table), Some(place)) = (self.frozen.clone(), self.place.clone()) else {
            return;
        };
        let written = Arc::clone(&self.background.written);
        self.background.writing = Some(worker.submit(move || {
            let run = Arc::new(spill::write_table(&place, table.rows())?);
            Ok(Arc::clone(written.get_or_init(|| run)))
        }));
    }

    /// Installs what the worker has finished and gives it what is next.
    ///
    /// # Errors
    /// What failed; it is tried again by the next call, unless it is damage, which only [`Self::reset`] ends.
    pub(crate) fn collect(&mut self, worker: &Worker) -> Result<(), SpillError> {
        match self.background.writing.as_ref().map(Outcome::take) {
            Some(Some(Ok(run))) => {
                self.background.writing = None;
                self.install(run);
            }
            Some(Some(Err(error))) => {
                self.background.writing = None;
                return Err(error);
            }
            Some(None) => {}
            None => self.write_frozen(worker),
        }
        self.collect_merge(worker)
    }

    fn install(&mut self, run: Arc<Run>) {
        self.frozen = None;
        self.runs.push(run);
    }

    fn collect_merge(&mut self, worker: &Worker) -> Result<(), SpillError> {
        let Some((range, outcome)) = self.background.merging.take() else {
            self.start_merge(worker);
            return Ok(());
        };
        match outcome.take() {
            None => self.background.merging = Some((range, outcome)),
            Some(Ok(Progress::Partly(merge))) => {
                self.background.merging = Some((range, worker.submit(move || go_on(merge))));
            }
            Some(Ok(Progress::Whole(run))) => self.replace(range, run, worker),
            Some(Err(error)) => return Err(error),
        }
        Ok(())
    }

    fn start_merge(&mut self, worker: &Worker) {
        let (Some(range), Some(place)) = (spill::to_merge(&self.runs), self.place.clone()) else {
            return;
        };
        let runs = self.runs[range.clone()].to_vec();
        let is_lowest = range.start == 0;
        let outcome = worker.submit(move || {
            let merge = Merge::new(&place, &runs, is_lowest)?;
            go_on(Box::new(merge))
        });
        self.background.merging = Some((range, outcome));
    }

    /// `run` takes the place of the runs in `range`.
    fn replace(&mut self, range: Range<usize>, run: Run, worker: &Worker) {
        let gone: Vec<_> = self.runs.splice(range, [Arc::new(run)]).collect();
        self.let_go(&gone, worker);
    }

    /// Has the files of runs removed, those that a checkpoint names only once another one does not.
    fn let_go(&mut self, runs: &[Arc<Run>], worker: &Worker) {
        let is_named = |run: &&Arc<Run>| run.named.load(Ordering::Relaxed);
        let (named, others): (Vec<_>, Vec<_>) = runs.iter().partition(is_named);
        self.background
            .gone
            .extend(named.iter().map(|run| run.path().to_owned()));
        let paths: Vec<PathBuf> = others.iter().map(|run| run.path().to_owned()).collect();
        let Some(Place { disk, .. }) = self.place.clone().filter(|_| !paths.is_empty()) else {
            return;
        };
        let _outcome = worker.submit(move || {
            for path in paths {
                // Left behind, it is removed when the stream is opened the next time.
                let _left = disk.remove(&path);
            }
        });
    }

    /// Takes the files that are to be removed once a checkpoint that does not name them is durable.
    pub(crate) fn take_gone(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.background.gone)
    }

    /// Whether the worker has something to do for it.
    pub(crate) const fn is_busy(&self) -> bool {
        self.is_frozen() || self.background.merging.is_some()
    }

    /// Has what the worker is making removed once it is made.
    fn abandon(&mut self, worker: &Worker) {
        let Background { writing, merging, .. } = std::mem::take(&mut self.background);
        let Some(Place { disk, .. }) = self.place.clone() else {
            return;
        };
        let copies = Arc::clone(&self.copies);
        // Jobs end in the order they are given, and so do those that name what is written in a checkpoint.
        let _outcome = worker.submit(move || {
            let written = writing.and_then(|w| w.take()).and_then(Result::ok);
            let merged = match merging.and_then(|(_, m)| m.take()) {
                Some(Ok(Progress::Whole(run))) => Some(Arc::new(run)),
                Some(Ok(Progress::Partly(merge))) => {
                    merge.give_up();
                    None
                }
                _ => None,
            };
            for run in written.into_iter().chain(merged) {
                if run.named.load(Ordering::Relaxed) {
                    copies.lock().push(run.path().to_owned());
                } else {
                    // Left behind, it is removed when the stream is opened the next time.
                    let _left = disk.remove(run.path());
                }
            }
        });
    }

    /// Forgets everything: the messages will say it again, or there are none.
    pub(crate) fn reset(&mut self, worker: &Worker) {
        let runs = std::mem::take(&mut self.runs);
        self.let_go(&runs, worker);
        self.frozen = None;
        let gone = self.take_gone();
        self.abandon(worker);
        self.background.gone = gone;
        self.table = Memtable::default();
        self.live = 0;
        self.has_histories = self.keeps_histories;
    }
}
