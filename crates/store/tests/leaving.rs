//! Large messages that leave are not read again: their segment's index knows what they count for.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::Path;
use std::sync::Arc;

use natterjack_store::disk::sim::SimDisk;
use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, MsgStore, NewRecord, Seq, Storage, Store, StoreOptions,
    StreamOptions, Unheard, accounted,
};

use commit::commit;

const STREAM: GroupId = GroupId(1);
const MESSAGES: u64 = 40;

fn open(disk: &SimDisk) -> Store {
    Store::open(Arc::new(disk.clone()), Path::new("/s"), &StoreOptions::default()).unwrap()
}

fn options() -> StreamOptions {
    StreamOptions {
        segment_bytes: 1,
        ..StreamOptions::default()
    }
}

fn payload(seq: u64) -> Vec<u8> {
    vec![7; usize::try_from(2000 + seq).unwrap()]
}

fn append(group: &Group, log: &mut dyn MsgStore) {
    let mut builder = BatchBuilder::default();
    for seq in 1..=MESSAGES {
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: i64::try_from(seq).unwrap(),
            subject: format!("s.{}", seq % 7).as_bytes(),
            headers: if seq % 3 == 0 { b"NATS/1.0\r\n\r\n" } else { b"" },
            payload: &payload(seq),
            ..NewRecord::default()
        }));
    }
    let entry = commit(group, EntryBody::Messages(builder.finish())).unwrap();
    log.append(&entry, &mut Unheard);
}

#[test]
fn what_a_message_counts_for_is_known_though_it_cannot_be_read() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let (group, mut log) = store.create_stream(STREAM, &options()).unwrap();
    append(&group, log.as_mut());
    log.checkpoint(group.last_index(), b"".as_slice().into());
    store.flush();
    log.upkeep(1 << 40);
    store.shutdown();
    drop((group, log));
    for (path, len) in disk.files() {
        // All behind the header of the file.
        if path.extension().is_some_and(|e| e == "dat") {
            (32..len).for_each(|byte| assert!(disk.flip(&path, byte, 3)));
        }
    }
    let store = open(&disk);
    let (_group, mut log) = store.open_stream(STREAM, &options()).unwrap();
    for seq in 1..=MESSAGES {
        let before = log.state();
        assert_eq!((before.first_seq, before.msgs), (Seq(seq), MESSAGES + 1 - seq));
        if seq > 1 {
            assert_eq!(before.first_ts_ns, i64::try_from(seq).unwrap());
        }
        let headers = if seq % 3 == 0 { 12 } else { 0 };
        let bytes = accounted(Storage::File, 3, headers, payload(seq).len());
        assert!(log.load(Seq(seq)).is_err(), "message {seq} cannot be read");
        assert!(log.remove(Seq(seq), false, &mut Unheard));
        assert_eq!(log.state().bytes, before.bytes - bytes, "message {seq}");
    }
    store.shutdown();
}
