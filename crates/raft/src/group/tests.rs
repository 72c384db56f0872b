//! A group of one over a real store: proposals, restarts, snapshots, and openraft's own suite for logs.

use std::sync::Arc;

use natterjack_store::{GroupId, OsDisk, Store, StoreOptions};
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::*;

/// Adds numbers up.
#[derive(Debug, Default)]
struct Sum(u64);

impl Machine for Sum {
    fn apply(&mut self, command: &[u8]) -> Vec<u8> {
        self.0 += std::str::from_utf8(command)
            .ok()
            .and_then(|t| t.parse::<u64>().ok())
            .unwrap_or(0);
        self.snapshot()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }

    fn restore(&mut self, snapshot: &[u8]) {
        self.0 = String::from_utf8_lossy(snapshot).parse().unwrap_or(0);
    }
}

fn open(folder: &TempDir) -> Store {
    Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap()
}

async fn start(store: &Store) -> RaftGroup<Sum> {
    RaftGroup::start(1, store.group(GroupId(9)).unwrap(), Sum::default())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let group = start(&store).await;
    assert_eq!(group.propose(b"4".to_vec()).await.unwrap(), b"4");
    assert_eq!(group.propose(b"3".to_vec()).await.unwrap(), b"7");
    group.stop().await;
    store.shutdown();

    let store = open(&folder);
    let group = start(&store).await;
    group.read_barrier().await.unwrap();
    assert_eq!(group.with(|m| m.0), 7);
    assert_eq!(group.propose(b"1".to_vec()).await.unwrap(), b"8");
    group.stop().await;
    store.shutdown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_stands_for_the_log_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let group = start(&store).await;
    for _ in 0..20 {
        group.propose(b"2".to_vec()).await.unwrap();
    }
    group.snapshot().await.unwrap();
    group.propose(b"1".to_vec()).await.unwrap();
    group.stop().await;
    store.shutdown();

    let store = open(&folder);
    let saved = Saved::open(store.group(GroupId(9)).unwrap()).unwrap();
    let (meta, data) = saved.snapshot.as_ref().unwrap();
    assert_eq!(data, b"40");
    assert!(meta.last_log_id.is_some());
    drop(saved);
    store.shutdown();
    let store = open(&folder);
    let group = start(&store).await;
    group.read_barrier().await.unwrap();
    assert_eq!(group.with(|m| m.0), 41);
    group.stop().await;
    store.shutdown();
}

/// A fresh log and machine for each of openraft's cases.
struct Fresh;

impl StoreBuilder<Types, LogStore, Driven<Sum>, (TempDir, Store)> for Fresh {
    async fn build(&self) -> Result<((TempDir, Store), LogStore, Driven<Sum>), StorageError<Types>> {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let saved = Saved::open(store.group(GroupId(9)).unwrap()).unwrap();
        let log = LogStore(Arc::new(Mutex::new(saved)));
        let machine = Driven::new(Sum::default(), log.clone());
        Ok(((folder, store), log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_openrafts_rules() {
    Suite::test_all(Fresh).await.unwrap();
}
