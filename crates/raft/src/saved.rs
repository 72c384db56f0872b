//! What a raft group keeps: its vote, its log and its snapshot, as a sequence of changes in the store's journal with a
//! checkpoint behind it. Reading back what was written gives the same; nothing here decides anything.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use natterjack_store::{AppendError, EntryBody, Group, LogIndex};
use openraft::entry::RaftEntry;
use serde::{Deserialize, Serialize};

use crate::types::{Command, Entry, LogId, SnapshotMeta, Vote};

/// Changes of the log after which a checkpoint is made.
const CHANGES_MAX: u64 = 4096;

/// One change, as the journal has it.
#[derive(Debug, Serialize, Deserialize)]
enum Change {
    Vote(Vote),
    Append(Vec<Entry>),
    TruncateAfter(Option<LogId>),
    Purge(LogId),
    Committed(Option<LogId>),
    Snapshot(SnapshotMeta, Command),
}

/// Everything, as a checkpoint has it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Whole {
    vote: Option<Vote>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    entries: Vec<Entry>,
    snapshot: Option<(SnapshotMeta, Command)>,
}

/// The state of a group's log.
#[derive(Debug)]
pub(crate) struct Saved {
    log: Group,
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    pub(crate) committed: Option<LogId>,
    pub(crate) entries: BTreeMap<u64, Entry>,
    pub(crate) snapshot: Option<(SnapshotMeta, Vec<u8>)>,
    changes: u64,
}

/// What runs when a change is durable.
pub(crate) type Done = Box<dyn FnOnce(Result<(), io::Error>) + Send>;

fn invalid(error: serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Saved {
    /// Reads a group back.
    pub(crate) fn open(mut log: Group) -> io::Result<Self> {
        let whole: Whole = match log.checkpoint() {
            Some((_, bytes)) => serde_json::from_slice(bytes).map_err(invalid)?,
            None => Whole::default(),
        };
        let changes: Vec<_> = log.replay().collect();
        let mut saved = Self {
            log,
            vote: whole.vote,
            purged: whole.purged,
            committed: whole.committed,
            entries: whole.entries.into_iter().map(|e| (e.index(), e)).collect(),
            snapshot: whole.snapshot.map(|(meta, data)| (meta, data.0)),
            changes: 0,
        };
        for change in changes {
            if let EntryBody::Command(bytes) = &change.body {
                saved.apply(serde_json::from_slice(bytes).map_err(invalid)?);
            }
        }
        Ok(saved)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Vote(vote) => self.vote = Some(vote),
            Change::Append(entries) => self.entries.extend(entries.into_iter().map(|e| (e.index(), e))),
            Change::TruncateAfter(last) => {
                let first = last.map_or(0, |id| id.index + 1);
                self.entries.split_off(&first);
            }
            Change::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(upto);
            }
            Change::Committed(committed) => self.committed = committed,
            Change::Snapshot(meta, data) => self.snapshot = Some((meta, data.0)),
        }
    }

    fn write(&mut self, change: Change, relaxed: bool, done: Done) -> io::Result<()> {
        let bytes = Bytes::from(serde_json::to_vec(&change).map_err(invalid)?);
        self.apply(change);
        let told = Box::new(move |result: Result<(), AppendError>| done(result.map_err(io::Error::other)));
        let index = self
            .log
            .append(EntryBody::Command(bytes), relaxed, told)
            .map_err(io::Error::other)?;
        self.changes += 1;
        if self.changes >= CHANGES_MAX {
            self.changes = 0;
            self.checkpoint(index)?;
        }
        Ok(())
    }

    fn checkpoint(&self, index: LogIndex) -> io::Result<()> {
        let whole = Whole {
            vote: self.vote,
            purged: self.purged,
            committed: self.committed,
            entries: self.entries.values().cloned().collect(),
            snapshot: self
                .snapshot
                .as_ref()
                .map(|(meta, data)| (meta.clone(), Command(data.clone()))),
        };
        self.log
            .save(index, &serde_json::to_vec(&whole).map_err(invalid)?);
        Ok(())
    }

    pub(crate) fn put_vote(&mut self, vote: Vote, done: Done) -> io::Result<()> {
        self.write(Change::Vote(vote), false, done)
    }

    pub(crate) fn append(&mut self, entries: Vec<Entry>, done: Done) -> io::Result<()> {
        self.write(Change::Append(entries), false, done)
    }

    pub(crate) fn truncate_after(&mut self, last: Option<LogId>, done: Done) -> io::Result<()> {
        self.write(Change::TruncateAfter(last), false, done)
    }

    pub(crate) fn purge(&mut self, upto: LogId, done: Done) -> io::Result<()> {
        self.write(Change::Purge(upto), false, done)
    }

    /// How far the log is committed is a hint: it need not wait for the disk.
    pub(crate) fn put_committed(&mut self, committed: Option<LogId>, done: Done) -> io::Result<()> {
        self.write(Change::Committed(committed), true, done)
    }

    pub(crate) fn put_snapshot(&mut self, meta: SnapshotMeta, data: Vec<u8>, done: Done) -> io::Result<()> {
        self.write(Change::Snapshot(meta, Command(data)), false, done)
    }

    /// The last entry, or where the log was cut off at its beginning.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.entries
            .values()
            .next_back()
            .map(RaftEntry::log_id)
            .or(self.purged)
    }
}
