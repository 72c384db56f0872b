//! A group over openraft: starts it, proposes to it, ends it. Elections, commits and snapshots are openraft's.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use natterjack_store::Group as Log;
use openraft::impls::BasicNode;
use openraft::{Config, Raft, SnapshotPolicy};
use parking_lot::Mutex;

use crate::log_store::LogStore;
use crate::machine::{Driven, Machine};
use crate::network::Alone;
use crate::saved::Saved;
use crate::types::{Command, NodeId, Types};

/// Entries after which a snapshot is made and the log before it is cut off.
const SNAPSHOT_ENTRIES: u64 = 1_000;
/// A leader is waited for this long.
const LEADER_WAIT: Duration = Duration::from_secs(10);

/// Why a group does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its log cannot be read.
    #[error("the group's log cannot be read: {0}")]
    Log(#[from] io::Error),
    /// Raft refuses.
    #[error("raft: {0}")]
    Raft(String),
}

/// Why a command was not committed.
#[derive(Debug, thiserror::Error)]
#[error("raft: {0}")]
pub struct WriteError(String);

/// One member of a raft group.
pub struct RaftGroup<M: Machine> {
    raft: Raft<Types, Driven<M>>,
    machine: Driven<M>,
}

impl<M: Machine> Debug for RaftGroup<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RaftGroup").finish_non_exhaustive()
    }
}

impl<M: Machine> RaftGroup<M> {
    /// Starts member `id` of a group of one, whose log is `log`, and waits until it leads. `machine` is empty: it is brought
    /// up to date from the snapshot and the log.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(id: NodeId, log: Log, machine: M) -> Result<Self, StartError> {
        let saved = Saved::open(log)?;
        let fresh = saved.vote.is_none() && saved.last().is_none();
        let log = LogStore(Arc::new(Mutex::new(saved)));
        let machine = Driven::new(machine, log.clone());
        let config = Config {
            cluster_name: "natterjack".into(),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_ENTRIES),
            max_in_snapshot_log_to_keep: 0,
            ..Config::default()
        };
        let config = config.validate().map_err(|e| StartError::Raft(e.to_string()))?;
        let raft = Raft::new(id, Arc::new(config), Alone, log, machine.clone())
            .await
            .map_err(|e| StartError::Raft(e.to_string()))?;
        if fresh {
            let members = BTreeMap::from([(id, BasicNode::default())]);
            raft.initialize(members)
                .await
                .map_err(|e| StartError::Raft(e.to_string()))?;
        }
        raft.wait(Some(LEADER_WAIT))
            .current_leader(id, "the only member leads")
            .await
            .map_err(|e| StartError::Raft(e.to_string()))?;
        Ok(Self { raft, machine })
    }

    /// Proposes a command; gives what the machine answered once it was committed and applied.
    ///
    /// # Errors
    /// [`WriteError`]; whether it was committed is not known then.
    pub async fn propose(&self, command: Vec<u8>) -> Result<Vec<u8>, WriteError> {
        let written = self
            .raft
            .client_write(Command(command))
            .await
            .map_err(|e| WriteError(e.to_string()))?;
        Ok(written.data.0)
    }

    /// Waits until everything committed before is applied here.
    ///
    /// # Errors
    /// [`WriteError`] when this member does not lead.
    pub async fn read_barrier(&self) -> Result<(), WriteError> {
        self.raft
            .ensure_linearizable(openraft::raft::ReadPolicy::ReadIndex)
            .await
            .map(|_| ())
            .map_err(|e| WriteError(e.to_string()))
    }

    /// Lets `look` look at the machine as it is now.
    pub fn with<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        self.machine.with(look)
    }

    /// Makes a snapshot now and waits for it.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn snapshot(&self) -> Result<(), WriteError> {
        let fail = |e: String| WriteError(e);
        self.raft
            .trigger()
            .snapshot()
            .await
            .map_err(|e| fail(e.to_string()))?;
        self.raft
            .wait(Some(LEADER_WAIT))
            .metrics(|m| m.snapshot.is_some(), "a snapshot is there")
            .await
            .map(|_| ())
            .map_err(|e| fail(e.to_string()))
    }

    /// Ends this member; its log stays.
    pub async fn stop(&self) {
        let _ended = self.raft.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
