//! What the journal holds is read when it is applied: little of it is in memory at a time, and what cannot be read any more
//! by then is not given up.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, Health, MsgStore, NewRecord, OsDisk, Seq, Store, StoreOptions,
    StreamOptions, SyncMode, Unheard,
};

use commit::commit;

const STREAM: GroupId = GroupId(1);
const MESSAGES: u64 = 40;
const LARGE: u64 = 2000;
const LARGE_BYTES: usize = 16 * 1024;
/// What may wait for its way to a segment, bytes, with what is known of where messages lie.
const HELD_BYTES_MAX: usize = 3 * 1024 * 1024;

fn open_store(folder: &Path) -> Store {
    let options = StoreOptions {
        sync: SyncMode::Interval(Duration::from_secs(3600)),
        ..StoreOptions::default()
    };
    Store::open(Arc::new(OsDisk), folder, &options).unwrap()
}

fn open(folder: &Path) -> (Store, Group, Box<dyn MsgStore>) {
    let store = open_store(folder);
    let (group, log) = store.open_stream(STREAM, &StreamOptions::default()).unwrap();
    (store, group, log)
}

/// A store that ended with these messages in its journal only.
fn fill(folder: &Path, count: u64, size: usize) {
    let store = open_store(folder);
    let (group, log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    for seq in 1..=count {
        let mut builder = BatchBuilder::default();
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: b"s",
            payload: &vec![7; size],
            ..NewRecord::default()
        }));
        commit(&group, EntryBody::Messages(builder.finish())).unwrap();
    }
    drop(log);
    store.shutdown();
}

fn journal(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.join("journal")).unwrap();
    files.map(|entry| entry.unwrap().path()).collect()
}

/// Puts these bytes into a file that others have open.
fn put(path: &Path, content: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(content, 0).unwrap();
}

#[test]
fn of_much_in_the_journal_little_is_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), LARGE, LARGE_BYTES);
    let (store, mut group, mut log) = open(folder.path());
    let mut peak = 0;
    for entry in group.replay() {
        log.append(&entry, &mut Unheard);
        peak = peak.max(log.memory_bytes());
    }
    assert_eq!(log.state().msgs, LARGE);
    assert!(peak <= HELD_BYTES_MAX, "{peak} bytes");
    assert_eq!(log.load(Seq(LARGE)).unwrap().payload(), vec![7; LARGE_BYTES]);
    store.shutdown();
}

#[test]
fn what_cannot_be_read_again_ends_writing_and_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), MESSAGES, 64);
    let (store, mut group, mut log) = open(folder.path());
    let whole: Vec<_> = journal(folder.path())
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    // Two bits of every message: more than can be put right.
    for (path, content) in &whole {
        let mut damaged = content.clone();
        for at in 0..damaged.len().saturating_sub(64) {
            if damaged[at..at + 64] == [7; 64] {
                damaged[at] ^= 3;
            }
        }
        put(path, &damaged);
    }
    for entry in group.replay() {
        log.append(&entry, &mut Unheard);
    }
    assert_eq!(log.state().msgs, 0);
    assert!(
        matches!(store.health(), Health::Poisoned(_)),
        "{:?}",
        store.health()
    );
    store.shutdown();
    drop((group, log));
    for (path, content) in &whole {
        put(path, content);
    }
    let (store, mut group, mut log) = open(folder.path());
    for entry in group.replay() {
        log.append(&entry, &mut Unheard);
    }
    assert_eq!((log.state().msgs, store.health()), (MESSAGES, Health::Ok));
    store.shutdown();
}
