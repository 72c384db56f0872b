//! Entries that the journal writes from where they are: they begin with a page of its file, and what is between them says
//! nothing. One flipped bit anywhere costs none of them.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{
    BatchBuilder, Disk, EntryBody, GroupId, Health, NewRecord, Seq, Store, StoreOptions, StreamOptions,
    Unheard, fsck,
};

use commit::commit;

const STREAM: GroupId = GroupId(1);
/// A head, and a record of `PAYLOAD_BYTES` with a subject of five and its padding.
const FRAME_BYTES: u32 = 64 + 70_040;
/// Without padding.
const RECORD_BYTES: u32 = 32 + 5 + 70_001;
const MESSAGES: u64 = 5;
/// Long enough to be lent, and not whole pages.
const PAYLOAD_BYTES: usize = 70_001;
/// A prime, so that all parts of a page are hit.
const EVERY: usize = 1021;

fn open(disk: &SimDisk) -> Store {
    let options = StoreOptions {
        journal_file_bytes: 1024 * 1024,
        reserve_bytes: 512,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(disk.clone()), Path::new("/s"), &options).unwrap()
}

fn payload(seq: u64) -> Vec<u8> {
    vec![u8::try_from(seq).unwrap(); PAYLOAD_BYTES]
}

/// A store of large messages, in the journal only or in a segment as well.
fn make(drained: bool) -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk);
    let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    let mut builder = BatchBuilder::default();
    for seq in 1..=MESSAGES {
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            subject: b"large",
            payload: &payload(seq),
            ..NewRecord::default()
        }));
        let entry = commit(&group, EntryBody::Messages(builder.finish())).unwrap();
        log.append(&entry, &mut Unheard);
    }
    if drained {
        log.checkpoint(group.last_index(), b"".as_slice().into());
        store.flush();
        log.upkeep(1 << 40);
    }
    store.shutdown();
    disk
}

fn find(disk: &SimDisk, extension: &str) -> (PathBuf, usize) {
    let mut files = disk.files().into_iter();
    let found = files.find(|(path, _)| path.extension().is_some_and(|e| e == extension));
    found.unwrap()
}

fn assert_all_is_there(disk: &SimDisk, place: &str) {
    let store = open(disk);
    let (mut group, mut log) = store.open_stream(STREAM, &StreamOptions::default()).unwrap();
    for entry in group.replay() {
        log.append(&entry, &mut Unheard);
    }
    assert_eq!(log.state().last_seq, Seq(MESSAGES), "{place}");
    for seq in 1..=MESSAGES {
        let message = log.load(Seq(seq)).unwrap();
        assert!(message.payload() == payload(seq), "{place}: message {seq}");
    }
    store.shutdown();
}

#[test]
fn a_flipped_bit_costs_no_large_message_and_nothing_between_them() {
    let disk = make(false);
    assert_all_is_there(&disk.crash(disk.operations(), Crash::Keep), "as it is");
    let (path, len) = find(&disk, "jnl");
    let content = disk.content(&path).unwrap();
    // All but the first: only then is it known how long they are.
    let heads = (0..len)
        .step_by(4096)
        .filter(|at| content[*at..].starts_with(&FRAME_BYTES.to_le_bytes()));
    assert_eq!(
        heads.count() as u64,
        MESSAGES - 1,
        "frames that begin with a page"
    );
    for byte in (0..len).step_by(EVERY) {
        let damaged = disk.crash(disk.operations(), Crash::Keep);
        assert!(damaged.flip(&path, byte, u8::try_from(byte % 8).unwrap()));
        assert_all_is_there(&damaged, &format!("byte {byte}"));
    }
    let whole = disk.crash(disk.operations(), Crash::Keep);
    assert_eq!(open(&whole).health(), Health::Ok);
}

#[test]
fn in_a_segment_they_lie_as_in_memory_and_are_found_without_an_index() {
    let disk = make(true);
    let (path, len) = find(&disk, "dat");
    let content = disk.content(&path).unwrap();
    // The first of a record is its length.
    let is_record = |at: &usize| content[*at..].starts_with(&RECORD_BYTES.to_le_bytes());
    let records: Vec<usize> = (0..len - 4).step_by(8).filter(is_record).collect();
    assert_eq!(records.len() as u64, MESSAGES);
    assert!(records[1..].iter().all(|at| at % 4096 == 64), "{records:?}");
    assert_all_is_there(&disk, "as it is");
    let checked: Arc<dyn Disk> = Arc::new(disk.clone());
    assert!(fsck::check(&checked, Path::new("/s"), None).unwrap().is_clean());
    for file in disk.files().into_iter().map(|(path, _)| path) {
        if file.extension().is_some_and(|e| e == "idx" || e == "jnl") {
            disk.remove(&file).unwrap();
        }
    }
    assert_all_is_there(&disk, "without its index");
}
