//! Indexes of sealed segments that are missing, or that an earlier build wrote, are made anew; nobody calls that damage.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use natterjack_store::disk::sim::SimDisk;
use natterjack_store::{
    BatchBuilder, Disk, EntryBody, GroupId, Health, MsgStore, NewRecord, Seq, Store, StoreOptions,
    StreamOptions, Unheard, fsck,
};

use commit::commit;

const STREAM: GroupId = GroupId(1);
const ROOT: &str = "/s";
const MESSAGES: u64 = 100;
const NOW: &[u8] = b"NJSIDX03";
const BEFORE: &[u8] = b"NJSIDX02";

fn open(disk: &SimDisk) -> Store {
    Store::open(Arc::new(disk.clone()), Path::new(ROOT), &StoreOptions::default()).unwrap()
}

fn options() -> StreamOptions {
    StreamOptions {
        segment_bytes: 1,
        ..StreamOptions::default()
    }
}

/// A store of segments with their indexes, all checkpointed.
fn make() -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk);
    let (group, mut log) = store.create_stream(STREAM, &options()).unwrap();
    let mut builder = BatchBuilder::default();
    for seq in 1..=MESSAGES {
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: format!("s.{}", seq % 7).as_bytes(),
            payload: &[7; 400],
            ..NewRecord::default()
        }));
    }
    let entry = commit(&group, EntryBody::Messages(builder.finish())).unwrap();
    log.append(&entry, &mut Unheard);
    checkpoint(&store, log.as_mut(), 1);
    store.shutdown();
    disk
}

fn checkpoint(store: &Store, log: &mut dyn MsgStore, round: i64) {
    for n in 0..3 {
        log.upkeep((round << 40) + n);
        store.flush();
    }
    log.checkpoint(natterjack_store::LogIndex(1), Vec::new().into());
    store.flush();
    log.upkeep((round << 40) + 9);
    store.flush();
}

fn indexes(disk: &SimDisk) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files
        .filter(|p| p.extension().is_some_and(|e| e == "idx"))
        .collect()
}

fn is_clean(disk: &SimDisk) -> bool {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    fsck::check(&disk, Path::new(ROOT), None).unwrap().is_clean()
}

/// Opens the store, does upkeep until every segment should have its index, and gives what was worth telling.
fn open_and_tend(disk: &SimDisk) -> Vec<String> {
    let store = open(disk);
    let (_group, mut log) = store.open_stream(STREAM, &options()).unwrap();
    let remarks = store.take_remarks();
    for seq in 1..=MESSAGES {
        assert_eq!(log.load(Seq(seq)).unwrap().payload(), [7; 400]);
    }
    for round in 2..40 {
        log.upkeep(round << 40);
        store.flush();
    }
    assert_eq!(store.health(), Health::Ok);
    assert_eq!(log.subject_state(b"s.3").unwrap().count, 14);
    store.shutdown();
    remarks
}

#[test]
fn an_index_of_an_earlier_version_is_made_anew_and_told_once() {
    let disk = make();
    let all = indexes(&disk);
    assert!(all.len() > 5, "{all:?}");
    for path in &all {
        let mut content = disk.content(path).unwrap();
        content[..8].copy_from_slice(BEFORE);
        let sum = crc32fast::hash(&[&content[..16], &content[24..]].concat());
        content[16..20].copy_from_slice(&sum.to_le_bytes());
        let file = disk.open(path).unwrap();
        file.write_at(&mut [IoSlice::new(&content)], 0).unwrap();
        file.sync_data().unwrap();
    }
    assert!(is_clean(&disk));
    assert_eq!(open_and_tend(&disk).len(), all.len());
    for path in &all {
        assert!(disk.content(path).unwrap().starts_with(NOW), "{path:?}");
    }
    assert!(is_clean(&disk));
    assert_eq!(open_and_tend(&disk), Vec::<String>::new());
}

#[test]
fn an_index_that_is_missing_is_made_anew() {
    let disk = make();
    let all = indexes(&disk);
    for path in &all {
        disk.remove(path).unwrap();
    }
    assert!(is_clean(&disk));
    assert_eq!(open_and_tend(&disk), Vec::<String>::new());
    assert_eq!(indexes(&disk), all);
    assert!(is_clean(&disk));
}
