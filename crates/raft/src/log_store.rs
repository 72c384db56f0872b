//! The log of a raft group on the store's journal, as openraft wants it. Answers from memory, writes through.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::saved::{Done, Saved};
use crate::types::{Entry, LogId, Types, Vote};

/// Handle of a group's log.
#[derive(Debug, Clone)]
pub(crate) struct LogStore(pub(crate) Arc<Mutex<Saved>>);

impl LogStore {
    /// Runs `write` and waits until what it wrote is durable.
    pub(crate) async fn durably(
        &self,
        write: impl FnOnce(&mut Saved, Done) -> io::Result<()> + Send,
    ) -> Result<(), io::Error> {
        let (sender, receiver) = oneshot::channel();
        let done: Done = Box::new(move |result| {
            let _gone = sender.send(result);
        });
        write(&mut self.0.lock(), done)?;
        receiver.await.map_err(io::Error::other)?
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        Ok(self
            .0
            .lock()
            .entries
            .range(bounds)
            .map(|(_, e)| e.clone())
            .collect())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.0.lock().vote)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let saved = self.0.lock();
        Ok(LogState {
            last_purged_log_id: saved.purged,
            last_log_id: saved.last(),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let vote = *vote;
        self.durably(move |saved, done| saved.put_vote(vote, done)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.durably(move |saved, done| saved.put_committed(committed, done))
            .await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.0.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().collect();
        let done: Done = Box::new(move |result| callback.io_completed(result));
        self.0.lock().append(entries, done)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.durably(move |saved, done| saved.truncate_after(last, done))
            .await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.durably(move |saved, done| saved.purge(upto, done)).await
    }
}
