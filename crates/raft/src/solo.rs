//! A group of one server: an entry is committed once the journal has it. Never waits for anybody.

use std::sync::atomic::{AtomicU64, Ordering};

use natterjack_store::{AppendError, Completion, EntryBody, Group, LogIndex};

/// Why an entry was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The log accepts nothing.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// The log of a group of one.
#[derive(Debug)]
pub struct Solo {
    log: Option<Group>,
    next: AtomicU64,
}

impl Solo {
    /// Entries go to the store's journal.
    #[must_use]
    pub const fn durable(log: Group) -> Self {
        Self {
            log: Some(log),
            next: AtomicU64::new(1),
        }
    }

    /// Entries are committed as they come and forgotten: for streams in memory.
    #[must_use]
    pub const fn volatile() -> Self {
        Self {
            log: None,
            next: AtomicU64::new(1),
        }
    }

    /// Proposes an entry. `done` runs once when it is committed or has failed, in the order of proposals, from any thread;
    /// for volatile logs before this returns. `relaxed` entries are committed once written, without waiting for the disk.
    ///
    /// # Errors
    /// When the log accepts nothing; `done` does not run then.
    pub fn propose(
        &self,
        body: EntryBody,
        relaxed: bool,
        done: Completion,
    ) -> Result<LogIndex, ProposeError> {
        match &self.log {
            Some(log) => Ok(log.append(body, relaxed, done)?),
            None => {
                let index = LogIndex(self.next.fetch_add(1, Ordering::Relaxed));
                done(Ok(()));
                Ok(index)
            }
        }
    }

    /// Takes messages again after it refused some: nothing proposed is on its way any more.
    pub fn resume(&self) {
        if let Some(log) = &self.log {
            log.resume();
        }
    }

    /// Whether the log has as much waiting as it may.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.log.as_ref().is_some_and(Group::is_busy)
    }

    /// Makes `state` as of `applied` durable in the background, for groups without messages.
    pub fn save(&self, applied: LogIndex, state: &[u8]) {
        if let Some(log) = &self.log {
            log.save(applied, state);
        }
    }

    /// Whether old files of the journal wait for the group to make its state durable.
    #[must_use]
    pub fn is_pinning(&self) -> bool {
        self.log.as_ref().is_some_and(Group::is_pinning)
    }

    /// The group is gone: its entries are not needed any more.
    pub fn release(&self) {
        if let Some(log) = &self.log {
            log.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use bytes::Bytes;
    use natterjack_store::{GroupId, OsDisk, Store, StoreOptions};

    use super::*;

    #[test]
    fn committed_entries_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
        let store = open();
        let solo = Solo::durable(store.group(GroupId(1)).unwrap());
        let (sender, receiver) = mpsc::channel();
        let body = EntryBody::Command(Bytes::from_static(b"one"));
        let index = solo
            .propose(body, false, Box::new(move |done| sender.send(done).unwrap()))
            .unwrap();
        receiver.recv().unwrap().unwrap();
        store.shutdown();
        let mut group = open().group(GroupId(1)).unwrap();
        let entries: Vec<_> = group.replay().collect();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].index, index);
        assert!(matches!(&entries[0].body, EntryBody::Command(c) if c.as_ref() == b"one"));
    }

    #[test]
    fn a_volatile_log_commits_at_once() {
        let solo = Solo::volatile();
        let (sender, receiver) = mpsc::channel();
        let body = EntryBody::Command(Bytes::new());
        let index = solo
            .propose(body, false, Box::new(move |done| sender.send(done).unwrap()))
            .unwrap();
        assert_eq!(index, LogIndex(1));
        receiver.try_recv().unwrap().unwrap();
    }
}
