//! What a group's committed entries do, and the adapter through which openraft drives it.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use parking_lot::Mutex;

use crate::log_store::LogStore;
use crate::types::{Command, LogId, Membership, Snapshot, SnapshotMeta, Types};

/// A state machine: applying the same commands in the same order gives the same state everywhere.
pub trait Machine: Send + Debug + 'static {
    /// Applies a committed command and gives what its proposer is told. Cannot fail.
    fn apply(&mut self, command: &[u8]) -> Vec<u8>;

    /// The whole state.
    fn snapshot(&self) -> Vec<u8>;

    /// Takes the state of a snapshot over.
    fn restore(&mut self, snapshot: &[u8]);
}

#[derive(Debug)]
struct Inner<M> {
    machine: M,
    applied: Option<LogId>,
    membership: Membership,
}

impl<M: Machine> Inner<M> {
    fn install(&mut self, meta: &SnapshotMeta, data: &[u8]) {
        self.machine.restore(data);
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
    }
}

/// The adapter.
#[derive(Debug)]
pub(crate) struct Driven<M> {
    inner: Arc<Mutex<Inner<M>>>,
    log: LogStore,
}

impl<M> Clone for Driven<M> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            log: self.log.clone(),
        }
    }
}

impl<M: Machine> Driven<M> {
    /// `machine` in the state of the last snapshot; what was committed since is applied again by openraft.
    pub(crate) fn new(machine: M, log: LogStore) -> Self {
        let mut inner = Inner {
            machine,
            applied: None,
            membership: Membership::default(),
        };
        if let Some((meta, data)) = &log.0.lock().snapshot {
            inner.install(meta, data);
        }
        Self {
            inner: Arc::new(Mutex::new(inner)),
            log,
        }
    }

    /// Lets `look` look at the machine.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(&self.inner.lock().machine)
    }

    fn apply_one(&self, (entry, responder): EntryResponder<Types>) {
        let answer = {
            let mut inner = self.inner.lock();
            inner.applied = Some(entry.log_id);
            match &entry.payload {
                EntryPayload::Normal(command) => Command(inner.machine.apply(&command.0)),
                EntryPayload::Membership(membership) => {
                    inner.membership = Membership::new(Some(entry.log_id), membership.clone());
                    Command::default()
                }
                EntryPayload::Blank => Command::default(),
            }
        };
        if let Some(responder) = responder {
            responder.send(answer);
        }
    }
}

impl<M: Machine> RaftSnapshotBuilder<Types> for Driven<M> {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (meta, snapshot) = {
            let inner = self.inner.lock();
            let meta = SnapshotMeta {
                last_log_id: inner.applied,
                last_membership: inner.membership.clone(),
            };
            (meta, inner.machine.snapshot())
        };
        let (kept, data) = (meta.clone(), snapshot.clone());
        self.log
            .durably(move |saved, done| saved.put_snapshot(kept, data, done))
            .await?;
        Ok(Snapshot { meta, snapshot })
    }
}

impl<M: Machine> RaftStateMachine<Types> for Driven<M> {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        let inner = self.inner.lock();
        Ok((inner.applied, inner.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            self.apply_one(entry?);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Vec<u8>) -> Result<(), io::Error> {
        let (kept, data) = (meta.clone(), snapshot.clone());
        self.log
            .durably(move |saved, done| saved.put_snapshot(kept, data, done))
            .await?;
        self.inner.lock().install(meta, &snapshot);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let kept = self.log.0.lock().snapshot.clone();
        Ok(kept.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}
