//! A stream that nobody knew when the store was opened is gone for good, also for one that is made under its number.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, Health, LogIndex, MsgStore, NewRecord, Seq, Store, StoreOptions,
    StreamOptions, Unheard,
};

use commit::commit;

const KNOWN: GroupId = GroupId(1);
const STREAM: GroupId = GroupId(5);

fn open(disk: &SimDisk) -> Store {
    Store::open(Arc::new(disk.clone()), Path::new("/s"), &StoreOptions::default()).unwrap()
}

fn append(group: &Group, log: &mut dyn MsgStore, payload: &[u8]) {
    let seq = log.state().last_seq.next();
    let mut builder = BatchBuilder::default();
    assert!(builder.push(&NewRecord {
        seq,
        ts_ns: 1,
        subject: b"s",
        payload,
        ..NewRecord::default()
    }));
    let entry = commit(group, EntryBody::Messages(builder.finish())).unwrap();
    log.append(&entry, &mut Unheard);
}

/// A store in which messages of a stream were on their way when the process ended, before anybody was told of the stream.
fn cut_short(messages: u64) -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk);
    let known = store.group(KNOWN).unwrap();
    commit(&known, EntryBody::Command(b"keeps the file".as_slice().into())).unwrap();
    let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    (0..messages).for_each(|_| append(&group, log.as_mut(), b"half"));
    disk.crash(disk.operations(), Crash::Keep)
}

#[test]
fn what_nobody_was_told_of_never_comes_back() {
    for (half, whole) in [(3u64, 1u64), (1, 3), (2, 2), (3, 0)] {
        let disk = cut_short(half);
        let store = open(&disk);
        store.retain(&[KNOWN]).unwrap();
        let again = store.create_stream(STREAM, &StreamOptions::default());
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        let number = store.next_group();
        let (group, mut log) = store.create_stream(number, &StreamOptions::default()).unwrap();
        (0..whole).for_each(|_| append(&group, log.as_mut(), b"whole"));
        let after = disk.crash(disk.operations(), Crash::Keep);
        let store = open(&after);
        let (mut group, mut log) = store.open_stream(number, &StreamOptions::default()).unwrap();
        for entry in group.replay() {
            log.append(&entry, &mut Unheard);
        }
        assert_eq!(log.state().msgs, whole, "{half} before");
        for seq in 1..=whole {
            assert_eq!(log.load(Seq(seq)).unwrap().payload(), b"whole");
        }
        assert_eq!(group.last_index(), LogIndex(whole));
        assert_eq!(store.health(), Health::Ok);
    }
}
