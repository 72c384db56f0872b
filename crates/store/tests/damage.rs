//! One flipped bit anywhere: it costs at most the message it hits, what is lost is reported, and everything else is as it
//! was. A bit of every byte of every file of two small stores.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{
    BatchBuilder, Cipher, Encryption, EntryBody, Group, GroupId, Health, Key, LoadError, MsgStore, NewRecord,
    Seq, Store, StoreOptions, StreamOptions, Unheard,
};

use commit::commit;

const META: GroupId = GroupId(0);
const STREAM: GroupId = GroupId(1);

type Messages = BTreeMap<u64, (Vec<u8>, Vec<u8>)>;

/// How messages are written.
#[derive(Clone, Copy)]
enum Coding {
    Plain,
    Sealed,
    Packed,
    Both,
}

impl Coding {
    const fn compresses(self) -> bool {
        matches!(self, Self::Packed | Self::Both)
    }

    fn encryption(self) -> Option<Encryption> {
        let sealed = matches!(self, Self::Sealed | Self::Both);
        sealed.then(|| Encryption {
            key: Key::new("the key"),
            previous: None,
            cipher: Cipher::default(),
        })
    }
}

fn open(disk: &SimDisk, coding: Coding) -> Store {
    let options = StoreOptions {
        encryption: coding.encryption(),
        journal_file_bytes: 8 * 1024,
        reserve_bytes: 512,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(disk.clone()), Path::new("/s"), &options).unwrap()
}

fn stream_options() -> StreamOptions {
    StreamOptions {
        segment_bytes: 1,
        ..StreamOptions::default()
    }
}

fn append(group: &Group, log: &mut dyn MsgStore, count: u64) {
    let first = log.state().last_seq.0 + 1;
    let mut builder = BatchBuilder::default();
    for seq in first..first + count {
        let subject = format!("s.{}", seq % 3);
        let payload = vec![u8::try_from(seq).unwrap(); 90];
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: subject.as_bytes(),
            payload: &payload,
            ..NewRecord::default()
        }));
    }
    log.append(
        &commit(group, EntryBody::Messages(builder.finish())).unwrap(),
        &mut Unheard,
    );
}

/// A command of the tests: removes the message whose number it is.
fn remove(group: &Group, log: &mut dyn MsgStore, seq: u8) {
    commit(group, EntryBody::Command(vec![seq].into())).unwrap();
    log.remove(Seq(u64::from(seq)), false, &mut Unheard);
}

/// Segments sealed and not, a checkpoint, and entries behind it; or all in the journal.
fn make(checkpointed: bool, coding: Coding) -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk, coding);
    let meta = store.group(META).unwrap();
    commit(&meta, EntryBody::Command(b"one".as_slice().into())).unwrap();
    let (group, mut log) = store.create_stream(STREAM, &stream_options()).unwrap();
    log.set_compression(coding.compresses());
    append(&group, log.as_mut(), 12);
    remove(&group, log.as_mut(), 3);
    append(&group, log.as_mut(), 30);
    if checkpointed {
        meta.save(meta.last_index(), b"state");
        log.checkpoint(group.last_index(), b"owner".as_slice().into());
        store.flush();
        log.upkeep(1 << 40);
    }
    remove(&group, log.as_mut(), 20);
    append(&group, log.as_mut(), 2);
    commit(&meta, EntryBody::Command(b"two".as_slice().into())).unwrap();
    store.shutdown();
    disk
}

/// What is read back.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    messages: Messages,
    last: u64,
    lost: Vec<u64>,
    meta: (Option<Vec<u8>>, usize),
}

fn read(disk: &SimDisk, coding: Coding) -> (Found, Health) {
    let store = open(disk, coding);
    let mut meta = store.group(META).unwrap();
    let state = meta.checkpoint().map(|c| c.1.to_vec());
    let meta = (state, meta.replay().count());
    let (mut group, mut log) = store.open_stream(STREAM, &stream_options()).unwrap();
    for entry in group.replay() {
        match &entry.body {
            EntryBody::Messages(_) => log.append(&entry, &mut Unheard),
            EntryBody::Command(text) => drop(log.remove(Seq(u64::from(text[0])), false, &mut Unheard)),
        }
    }
    let (mut messages, mut lost) = (Messages::new(), Vec::new());
    let last = log.state().last_seq.0;
    for seq in 1..=last {
        match log.load(Seq(seq)) {
            Ok(m) => drop(messages.insert(seq, (m.subject().to_vec(), m.payload().to_vec()))),
            Err(LoadError::Lost) => lost.push(seq),
            Err(LoadError::NotFound | LoadError::Deleted) => {}
        }
    }
    assert_eq!(log.state().lost_msgs, lost.len() as u64);
    let health = store.health();
    store.shutdown();
    let found = Found {
        messages,
        last,
        lost,
        meta,
    };
    (found, health)
}

/// Flips one bit of every byte, or of every so many. Returns how often something was lost, and how often something was
/// noticed.
fn flip_all(checkpointed: bool, coding: Coding, every: usize) -> (usize, usize) {
    let disk = make(checkpointed, coding);
    let (whole, health) = read(&disk.crash(disk.operations(), Crash::Keep), coding);
    assert_eq!(health, Health::Ok);
    assert_eq!((whole.messages.len(), whole.last), (42, 44));
    let (mut lossy, mut noticed) = (0, 0);
    let files: Vec<(PathBuf, usize)> = disk.files();
    for (path, len) in files {
        for byte in (0..len).step_by(every) {
            // What was never written to is not looked at.
            if disk.content(&path).unwrap()[byte..]
                .iter()
                .take(512)
                .all(|b| *b == 0)
                && byte % 61 != 0
            {
                continue;
            }
            let damaged = disk.crash(disk.operations(), Crash::Keep);
            assert!(damaged.flip(&path, byte, u8::try_from(byte * 5 % 8).unwrap()));
            let (found, health) = read(&damaged, coding);
            let place = format!("byte {byte} of {}", path.display());
            assert_eq!((found.last, &found.meta), (whole.last, &whole.meta), "{place}");
            for (seq, message) in &found.messages {
                assert_eq!(Some(message), whole.messages.get(seq), "{place}: message {seq}");
            }
            let gone: Vec<u64> = whole
                .messages
                .keys()
                .filter(|n| !found.messages.contains_key(n))
                .copied()
                .collect();
            assert!(gone.len() <= 1, "{place}: {gone:?} are gone");
            assert_eq!(gone, found.lost, "{place}");
            assert!(
                gone.is_empty() || health != Health::Ok,
                "{place}: {gone:?} are gone and nobody says so"
            );
            lossy += usize::from(!gone.is_empty());
            noticed += usize::from(health != Health::Ok);
        }
    }
    (lossy, noticed)
}

#[test]
fn a_flipped_bit_in_the_journal_costs_nothing() {
    let (lossy, noticed) = flip_all(false, Coding::Plain, 1);
    assert_eq!(lossy, 0);
    assert!(noticed > 4000, "{noticed}");
}

#[test]
fn a_flipped_bit_behind_a_checkpoint_costs_one_message_at_most() {
    let (lossy, noticed) = flip_all(true, Coding::Plain, 1);
    assert!(lossy > 3000, "{lossy}");
    assert!(noticed > lossy, "{noticed}");
}

fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "jnl")
}

/// Length of a mark in the journal.
const MARK_BYTES: usize = 72;

#[test]
fn a_flipped_bit_costs_nothing_where_blocks_have_checksums() {
    for coding in [Coding::Sealed, Coding::Packed, Coding::Both] {
        let (lossy, noticed) = flip_all(true, coding, 3);
        assert_eq!(lossy, 0);
        assert!(noticed > 500, "{noticed}");
    }
    let (lossy, noticed) = flip_all(false, Coding::Sealed, 3);
    assert_eq!(lossy, 0);
    assert!(noticed > 1000, "{noticed}");
}

#[test]
fn damage_that_cannot_be_put_right_costs_the_messages_it_hits() {
    wreck(false, Coding::Plain);
}

#[test]
fn damage_that_cannot_be_put_right_costs_the_blocks_it_hits() {
    for coding in [Coding::Sealed, Coding::Packed, Coding::Both] {
        wreck(true, coding);
    }
    wreck(false, Coding::Sealed);
}

/// Damages many bits at a time: what is read is what was written, and what is lost is said.
fn wreck(checkpointed: bool, coding: Coding) {
    let disk = make(checkpointed, coding);
    let (whole, _) = read(&disk.crash(disk.operations(), Crash::Keep), coding);
    for (path, len) in disk.files() {
        let journal = is_journal(&path);
        if journal && checkpointed {
            // Files that were used again have older frames at their end.
            continue;
        }
        let start = if journal { 4160 } else { 64 };
        for byte in (start..len.saturating_sub(100)).step_by(37) {
            if disk.content(&path).unwrap()[byte..byte + 100]
                .iter()
                .all(|b| *b == 0)
            {
                continue;
            }
            let damaged = disk.crash(disk.operations(), Crash::Keep);
            for n in 0..40 {
                damaged.flip(&path, byte + n, u8::try_from(n * 3 % 8).unwrap());
            }
            let (found, health) = read(&damaged, coding);
            for (seq, message) in &found.messages {
                // A removal may be what was hit.
                let removed = [3, 20].contains(seq);
                assert!(
                    removed || Some(message) == whole.messages.get(seq),
                    "byte {byte}: message {seq}"
                );
            }
            // The mark behind the last frame says that it was on disk. With both hit, this is how an end looks that a crash
            // cut short, and nothing is left that could tell the two apart (FORMAT.md).
            let content = disk.content(&path).unwrap();
            let end = content.iter().rposition(|b| *b != 0).unwrap_or(0);
            let told = end > byte + 40 + MARK_BYTES;
            assert!(
                found == whole || health != Health::Ok || !told,
                "{path:?} byte {byte} of {end}: nobody says so"
            );
        }
    }
}
