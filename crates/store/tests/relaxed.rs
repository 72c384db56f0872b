//! Entries that nobody waits for: told once they are written, and on disk soon after, though nothing else comes.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{EntryBody, Group, GroupId, Store, StoreOptions};

const GROUP: GroupId = GroupId(1);
/// Until then it is there, on the busiest machine.
const LIMIT: Duration = Duration::from_secs(60);

fn open(disk: &SimDisk) -> (Store, Group) {
    let store = Store::open(Arc::new(disk.clone()), Path::new("/s"), &StoreOptions::default()).unwrap();
    let group = store.group(GROUP).unwrap();
    (store, group)
}

/// Entries that a power cut leaves.
fn left(disk: &SimDisk) -> usize {
    let (store, mut group) = open(&disk.crash(disk.operations(), Crash::Lose));
    let count = group.replay().count();
    store.shutdown();
    count
}

#[test]
fn what_nobody_waits_for_is_on_disk_soon() {
    let disk = SimDisk::default();
    let (store, group) = open(&disk);
    for n in 1..=3 {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |outcome| sender.send(outcome).unwrap());
        let body = EntryBody::Command(b"relaxed".as_slice().into());
        group.append(body, true, done).unwrap();
        receiver.recv_timeout(LIMIT).unwrap().unwrap();
        let began = Instant::now();
        while left(&disk) < n {
            assert!(began.elapsed() < LIMIT, "{n} entries");
            park_timeout(Duration::from_millis(50));
        }
    }
    assert!(store.journal_stats().syncs > 0);
    store.shutdown();
}
