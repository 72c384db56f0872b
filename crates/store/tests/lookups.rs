//! What is asked of a subject in the middle of a stream is answered from indexes: with every sealed message damaged the
//! counts are right all the same, and nobody has noticed the damage.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, MsgStore, NewRecord, OsDisk, Seq, Store, StoreOptions,
    StreamOptions, SyncMode, Unheard,
};
use natterjack_subject::{Filter, FilterSet};

use commit::commit;

const STREAM: GroupId = GroupId(1);
const MESSAGES: u64 = 20_000;
const BATCH: u64 = 500;
const SUBJECTS: u64 = 100;
/// Every so many messages one is deleted.
const GONE: u64 = 10;
const PAYLOAD: [u8; 64] = [7; 64];

fn subject(seq: u64) -> String {
    format!("orders.{}.{}", seq % 5, seq % SUBJECTS)
}

fn open_store(folder: &Path) -> Store {
    let options = StoreOptions {
        sync: SyncMode::Interval(Duration::from_secs(3600)),
        ..StoreOptions::default()
    };
    Store::open(Arc::new(OsDisk), folder, &options).unwrap()
}

fn batch(first: u64) -> EntryBody {
    let mut builder = BatchBuilder::default();
    for seq in first..first + BATCH {
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: subject(seq).as_bytes(),
            payload: &PAYLOAD,
            ..NewRecord::default()
        }));
    }
    EntryBody::Messages(builder.finish())
}

fn fill(store: &Store, group: &Group, log: &mut dyn MsgStore) {
    for first in (1..=MESSAGES).step_by(usize::try_from(BATCH).unwrap()) {
        let body = batch(first);
        log.append(&commit(group, body).unwrap(), &mut Unheard);
        log.upkeep(1);
    }
    for seq in (GONE..=MESSAGES).step_by(usize::try_from(GONE).unwrap()) {
        assert!(log.remove(Seq(seq), false, &mut Unheard));
    }
    // Idle long enough for all of it to go to segments, and a full one to be sealed.
    for now in [2, 3, 4] {
        log.upkeep(now * 2_000_000_000);
        store.flush();
    }
    log.checkpoint(group.last_index(), Vec::new().into());
    store.flush();
    log.upkeep(9_000_000_000);
}

/// Changes a byte of every message in sealed segments; says how many.
fn damage_sealed(folder: &Path) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(folder.join("streams/00000001")).unwrap() {
        let path = entry.unwrap().path();
        let is_data = path.extension().is_some_and(|e| e == "dat");
        if !is_data || !path.with_extension("idx").exists() {
            continue;
        }
        let mut content = std::fs::read(&path).unwrap();
        let mut at = 0;
        while let Some(found) = content[at..].windows(PAYLOAD.len()).position(|w| w == PAYLOAD) {
            at += found;
            content[at] ^= 1;
            at += PAYLOAD.len();
            damaged += 1;
        }
        std::fs::write(&path, content).unwrap();
    }
    damaged
}

#[test]
fn what_is_pending_is_counted_without_reading_messages() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let options = StreamOptions {
        segment_bytes: 256 * 1024,
        ..StreamOptions::default()
    };
    let (group, mut log) = store.create_stream(STREAM, &options).unwrap();
    fill(&store, &group, log.as_mut());
    store.shutdown();
    drop((group, log, store));
    let damaged = damage_sealed(folder.path());
    assert!(
        damaged as u64 > MESSAGES / 2,
        "{damaged} messages are in sealed segments"
    );

    let store = open_store(folder.path());
    let (_group, mut log) = store.open_stream(STREAM, &options).unwrap();
    let live = |seq: &u64| !seq.is_multiple_of(GONE);
    for texts in [
        &["orders.3.43"][..],
        &["orders.2.>"],
        &["*.*.7", "orders.1.*"],
        &["orders.9.>"],
    ] {
        let filters = texts.iter().map(|t| Filter::parse(t.as_bytes()).unwrap());
        let set = FilterSet::new(filters.collect());
        for from in [1, 777, MESSAGES / 3, MESSAGES / 2, MESSAGES - 3000] {
            let expected = (from..=MESSAGES).filter(live);
            let expected = expected
                .filter(|seq| set.matches(subject(*seq).as_bytes()))
                .count();
            let pending = log.num_pending(&set, Seq(from), false).count;
            assert_eq!(pending, expected as u64, "{texts:?} from {from}");
        }
    }
    assert_eq!(log.state().lost_msgs, 0, "no damaged message was read");
    store.shutdown();
}
