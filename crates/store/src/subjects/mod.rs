//! What the stream knows of each subject: how many messages, which was last, and for bounded histories all of them.
//!
//! It is kept in layers. The newest is a table in memory; a file stream whose table is full freezes it, and the worker
//! writes it to disk as an immutable run, sorted, and merges runs. A newer layer's entry takes the place of older ones.
//! A checkpoint names the runs and holds what the table says, so that a stream is opened without its messages being read;
//! what does not verify is replaced by looking at the messages.

mod background;
mod block;
mod bloom;
mod cache;
mod footer;
mod history;
mod kept;
mod listing;
mod memtable;
mod merged;
mod rows;
mod run;
mod spill;
#[cfg(test)]
mod tests;
mod texts;
mod write;

use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ids::Seq;
use background::Background;
use block::Known;
pub(crate) use cache::BlockCache;
pub(crate) use kept::{Keep, Kept};
use memtable::Memtable;
use run::Run;
pub(crate) use run::{Place, run_number};
pub(crate) use spill::SpillError;

type Hasher = foldhash::fast::RandomState;

/// State of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectState {
    /// Live messages.
    pub count: u64,
    /// The last live one; unless `last_stale`, exact.
    pub last: Seq,
    /// Whether `last` was removed and has to be looked for before it.
    pub last_stale: bool,
    /// No live one is before this.
    pub first_bound: Seq,
}

/// What was found of a subject.
#[derive(Debug, Clone, Copy)]
struct Found {
    hash: u64,
    /// Its entry in the table.
    entry: Option<u32>,
    /// Its state, if it has live messages.
    before: Option<SubjectState>,
}

/// A run does not verify: the messages have to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// All that is known of a stream's subjects.
#[derive(Debug)]
pub(crate) struct Subjects {
    /// The newest layer.
    table: Memtable,
    /// The one before it, on its way to disk.
    frozen: Option<Arc<Memtable>>,
    /// The layers on disk, the oldest first.
    runs: Vec<Arc<Run>>,
    /// Subjects with live messages.
    live: usize,
    /// One for all tables: hashes are handed down.
    hasher: Hasher,
    /// Sequences of subjects are remembered, and those of all that is there, as far as there is room.
    keeps_histories: bool,
    has_histories: bool,
    /// The history that is being changed.
    scratch: Vec<u8>,
    /// Where runs go; without, everything stays in memory.
    place: Option<Place>,
    background: Background,
    /// Files that checkpoints had a copy of the table written to.
    copies: Arc<Mutex<Vec<PathBuf>>>,
}

impl Subjects {
    /// No subjects. Their table goes to `place` when it is full, if there is one.
    pub(crate) fn new(place: Option<Place>) -> Self {
        Self {
            table: Memtable::default(),
            frozen: None,
            runs: Vec::new(),
            live: 0,
            hasher: Hasher::default(),
            keeps_histories: false,
            has_histories: false,
            scratch: Vec::new(),
            place,
            background: Background::default(),
            copies: Arc::default(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    /// What the layers below the table say, and the subject's history into `history`.
    fn below(
        &self,
        subject: &[u8],
        hash: u64,
        history: &mut Vec<u8>,
    ) -> Result<Option<SubjectState>, Damaged> {
        if let Some(frozen) = &self.frozen
            && let Some(n) = frozen.find(subject, hash)
        {
            history.extend_from_slice(frozen.history(n));
            return Ok(live(frozen.known(n)));
        }
        if self.runs.is_empty() {
            return Ok(None);
        }
        let print = bloom::print_of(subject);
        for run in self.runs.iter().rev() {
            if let Some(known) = run.get(subject, print, history)? {
                return Ok(live(known));
            }
        }
        Ok(None)
    }

    /// What is known of `subject` so far, and its history into `history`.
    fn look(&self, subject: &[u8], history: &mut Vec<u8>) -> Result<Found, Damaged> {
        history.clear();
        let hash = self.hasher.hash_one(subject);
        let entry = self.table.find(subject, hash);
        let before = match entry {
            Some(n) => {
                history.extend_from_slice(self.table.history(n));
                live(self.table.known(n))
            }
            None => self.below(subject, hash, history)?,
        };
        Ok(Found { hash, entry, before })
    }

    /// Says in the table how `subject` is, whose history is `history`.
    fn say(&mut self, subject: &[u8], found: Found, state: SubjectState, history: &[u8]) {
        let n = match found.entry {
            Some(n) => {
                self.table.set(n, state);
                n
            }
            None => {
                let below = found.before.map_or(0, |before| before.count);
                self.table.insert(subject, found.hash, state, below)
            }
        };
        self.table.set_history(n, history);
    }

    /// State of `subject`, if it has live messages.
    pub(crate) fn get(&self, subject: &[u8]) -> Result<Option<SubjectState>, Damaged> {
        let hash = self.hasher.hash_one(subject);
        match self.table.find(subject, hash) {
            Some(n) => Ok(live(self.table.known(n))),
            None => self.below(subject, hash, &mut Vec::new()),
        }
    }

    /// Counts a new last message of `subject`; returns the state before.
    pub(crate) fn add(&mut self, subject: &[u8], seq: Seq) -> Result<Option<SubjectState>, Damaged> {
        let mut history = std::mem::take(&mut self.scratch);
        let found = self.look(subject, &mut history)?;
        let before = found.before;
        let mut state = before.unwrap_or(SubjectState {
            count: 0,
            last: seq,
            last_stale: false,
            first_bound: seq,
        });
        self.with_added(&mut history, state.count, seq);
        state.count += 1;
        // A last that was removed may be behind: sequences that were taken back are given again.
        state.last = if state.last_stale {
            seq
        } else {
            state.last.max(seq)
        };
        state.last_stale = false;
        self.say(subject, found, state, &history);
        self.live += usize::from(before.is_none());
        self.scratch = history;
        Ok(before)
    }

    /// Counts the removal of message `seq` of `subject`.
    pub(crate) fn remove(&mut self, subject: &[u8], seq: Seq) -> Result<(), Damaged> {
        let mut history = std::mem::take(&mut self.scratch);
        let found = self.look(subject, &mut history)?;
        let Some(mut state) = found.before else {
            return Ok(());
        };
        state.count -= 1;
        state.last_stale |= state.last == seq;
        if state.first_bound == seq {
            state.first_bound = seq.next();
        }
        self.with_removed(&mut history, seq, &mut state);
        self.live -= usize::from(state.count == 0);
        match found.entry {
            Some(n) if state.count == 0 && self.table.known(n).below == 0 => self.table.forget(n, found.hash),
            _ => self.say(subject, found, state, &history),
        }
        self.scratch = history;
        Ok(())
    }

    /// Records what a search found to be the last message of `subject`.
    pub(crate) fn set_last(&mut self, subject: &[u8], last: Seq) -> Result<(), Damaged> {
        self.change(subject, |state, _| {
            state.last = last;
            state.last_stale = false;
        })
    }

    /// Changes what is known of `subject`, its history too, if it has live messages.
    fn change(
        &mut self,
        subject: &[u8],
        change: impl FnOnce(&mut SubjectState, &mut Vec<u8>),
    ) -> Result<(), Damaged> {
        let mut history = std::mem::take(&mut self.scratch);
        let found = self.look(subject, &mut history)?;
        if let Some(mut state) = found.before {
            change(&mut state, &mut history);
            self.say(subject, found, state, &history);
        }
        self.scratch = history;
        Ok(())
    }

    /// Bytes that do not go to disk with the table: the one before it, and what of runs is in memory.
    pub(crate) fn other_bytes(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| run.memory_bytes()).sum();
        let frozen = self.frozen.as_ref().map_or(0, |f| f.memory_bytes());
        runs + frozen
    }

    /// Bytes of memory in use, near enough for accounting.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.other_bytes()
    }
}

/// What an entry says, if the subject is there.
fn live(known: Known) -> Option<SubjectState> {
    (known.state.count > 0).then_some(known.state)
}
