//! Streams with more than a million deleted messages in between: they are told at once, take little memory, and are as
//! they were when the store is opened again.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use natterjack_store::{
    BatchBuilder, EntryBody, GroupId, Health, LogIndex, MsgStore, NewRecord, OsDisk, Seq, Store,
    StoreOptions, StreamOptions, SyncMode, Unheard,
};
use natterjack_subject::FilterSet;

use commit::commit;

const STREAM: GroupId = GroupId(1);
const MESSAGES: u64 = 2_000_000;
const BATCH: u64 = 4000;
/// One in so many is left.
const LEFT: u64 = 3;
/// What the stream may take of memory, beside what it takes without holes, bytes: four bits a message.
const HOLES_BYTES_MAX: usize = 1_000_000;

fn open(folder: &Path) -> Store {
    let options = StoreOptions {
        sync: SyncMode::Interval(Duration::from_secs(3600)),
        ..StoreOptions::default()
    };
    Store::open(Arc::new(OsDisk), folder, &options).unwrap()
}

fn tend(store: &Store, log: &mut dyn MsgStore, round: &mut i64, applied: LogIndex) {
    for _ in 0..6 {
        *round += 1;
        log.upkeep(*round << 40);
        store.flush();
    }
    log.checkpoint(applied, Vec::new().into());
    store.flush();
    log.upkeep(*round << 40);
    store.flush();
}

fn check(log: &mut dyn MsgStore) {
    let state = log.state();
    let left = MESSAGES / LEFT;
    assert_eq!(
        (state.msgs, state.first_seq, state.last_seq),
        (left, Seq(LEFT), Seq(MESSAGES))
    );
    assert_eq!(state.num_deleted, MESSAGES - LEFT + 1 - left);
    let runs = log.deleted(1_000_000);
    assert_eq!((runs.len(), runs[0]), (500_000, (Seq(LEFT + 1), LEFT - 1)));
    for seq in [MESSAGES / 2, MESSAGES / 2 + 1, MESSAGES / 2 + 2] {
        assert_eq!(log.load(Seq(seq)).is_ok(), seq.is_multiple_of(LEFT));
    }
    let pending = log.num_pending(&FilterSet::all(), Seq(MESSAGES / 2), false);
    assert_eq!(pending.count, left - (MESSAGES / 2 - 1) / LEFT);
}

#[test]
fn more_than_a_million_holes_take_a_bit_each() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    let mut round = 1;
    for first in (1..=MESSAGES).step_by(usize::try_from(BATCH).unwrap()) {
        let mut builder = BatchBuilder::default();
        for seq in first..first + BATCH {
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: 1,
                subject: b"s",
                payload: b"12345678",
                ..NewRecord::default()
            }));
        }
        let body = EntryBody::Messages(builder.finish());
        log.append(&commit(&group, body).unwrap(), &mut Unheard);
    }
    tend(&store, log.as_mut(), &mut round, group.last_index());
    let before = log.memory_bytes();
    for seq in (1..=MESSAGES).filter(|seq| !seq.is_multiple_of(LEFT)) {
        assert!(log.remove(Seq(seq), false, &mut Unheard));
    }
    check(log.as_mut());
    let taken = log.memory_bytes().saturating_sub(before);
    assert!(taken < HOLES_BYTES_MAX, "{taken} bytes");
    tend(&store, log.as_mut(), &mut round, group.last_index());
    check(log.as_mut());
    store.shutdown();

    let store = open(folder.path());
    let (mut group, mut log) = store.open_stream(STREAM, &StreamOptions::default()).unwrap();
    assert_eq!(group.replay().count(), 0);
    check(log.as_mut());
    let taken = log.memory_bytes().saturating_sub(before);
    assert!(taken < HOLES_BYTES_MAX, "{taken} bytes, opened again");
    assert_eq!(store.health(), Health::Ok);
    store.shutdown();
}
