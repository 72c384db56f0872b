//! A purge of everything is the same whether or not somebody hears of each message, and leaves nothing behind.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use natterjack_store::disk::sim::SimDisk;
use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, MsgStore, NewRecord, Purge, Removed, Seq, State, Storage, Store,
    StoreOptions, StreamOptions, Unheard,
};
use natterjack_subject::Filter;

use commit::commit;

const STREAM: GroupId = GroupId(1);
const BATCH: u64 = 100;

fn open(disk: &SimDisk) -> Store {
    Store::open(Arc::new(disk.clone()), Path::new("/s"), &StoreOptions::default()).unwrap()
}

fn options(storage: Storage) -> StreamOptions {
    StreamOptions {
        storage,
        segment_bytes: 64 * 1024,
        ..StreamOptions::default()
    }
}

fn append(group: &Group, log: &mut dyn MsgStore, batches: u64) {
    for _ in 0..batches {
        let first = log.state().last_seq.0 + 1;
        let mut builder = BatchBuilder::default();
        for seq in first..first + BATCH {
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: i64::try_from(seq).unwrap(),
                subject: format!("s.{}.{}", seq % 7, seq % 900).as_bytes(),
                payload: &[1; 60],
                ..NewRecord::default()
            }));
        }
        let entry = commit(group, EntryBody::Messages(builder.finish())).unwrap();
        log.append(&entry, &mut Unheard);
    }
}

/// Its state, its subjects, what is deleted.
type Seen = (State, Vec<(Vec<u8>, u64)>, Vec<(Seq, u64)>);

/// All there is to be seen of a stream.
fn seen(log: &mut dyn MsgStore) -> Seen {
    let mut subjects = Vec::new();
    log.subjects(&Filter::parse(b">").unwrap(), &mut |subject, count| {
        subjects.push((subject.to_vec(), count));
        ControlFlow::Continue(())
    });
    (log.state(), subjects, log.deleted(100))
}

struct Told(u64);

impl Removed for Told {
    fn removed(&mut self, _: Seq, _: &[u8]) {
        self.0 += 1;
    }
}

/// How many messages a purge told of, and what is seen of the stream after it, after more messages, and once it is opened
/// again. A checkpoint is made before it, the last records are still in memory.
fn purged(storage: Storage, settles: bool, removed: &mut dyn Removed) -> (SimDisk, u64, Vec<Seen>) {
    let disk = SimDisk::default();
    let store = open(&disk);
    let (group, mut log) = store.create_stream(STREAM, &options(storage)).unwrap();
    let mut all = Vec::new();
    append(&group, log.as_mut(), 200);
    if settles {
        log.checkpoint(group.last_index(), b"".as_slice().into());
        store.flush();
        log.upkeep(1 << 40);
    }
    append(&group, log.as_mut(), 20);
    let count = log.purge(&Purge::default(), removed);
    all.push(seen(log.as_mut()));
    append(&group, log.as_mut(), 3);
    all.push(seen(log.as_mut()));
    for now in 1..5 {
        log.checkpoint(group.last_index(), b"".as_slice().into());
        store.flush();
        log.upkeep(now << 40);
    }
    store.flush();
    all.push(seen(log.as_mut()));
    store.shutdown();
    drop((group, log));
    if storage == Storage::File {
        let store = open(&disk);
        let (_group, mut log) = store.open_stream(STREAM, &options(storage)).unwrap();
        all.push(seen(log.as_mut()));
        assert!(log.load(Seq(22_001)).is_ok() && log.load(Seq(22_000)).is_err());
        store.shutdown();
    }
    (disk, count, all)
}

#[test]
fn nothing_is_left_of_what_was_purged() {
    for storage in [Storage::File, Storage::Memory] {
        for settles in [false, true] {
            let mut told = Told(0);
            let (_, count, one_by_one) = purged(storage, settles, &mut told);
            assert_eq!((count, told.0), (22_000, 22_000));
            let (disk, count, at_once) = purged(storage, settles, &mut Unheard);
            assert_eq!(count, 22_000);
            assert_eq!(at_once, one_by_one, "{storage:?} {settles}");
            let segments = disk.files();
            let bytes: usize = segments
                .iter()
                .filter(|(path, _)| path.extension().is_some_and(|e| e == "dat"))
                .map(|(_, len)| *len)
                .sum();
            assert!(bytes < 256 * 1024, "{segments:?}");
        }
    }
}
