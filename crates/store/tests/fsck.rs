//! Checking a store that nobody has open: damage is named, what can be mended is, and nothing is changed unasked.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{
    BatchBuilder, Cipher, Disk, Encryption, EntryBody, GroupId, Key, NewRecord, Seq, Store, StoreOptions,
    StreamOptions, Unheard, fsck,
};

use commit::commit;

const ROOT: &str = "/s";

/// A store of twenty messages in segments, and one behind them.
fn make() -> SimDisk {
    make_with(None)
}

fn make_with(encryption: Option<&Encryption>) -> SimDisk {
    let disk = SimDisk::default();
    let small = StoreOptions {
        encryption: encryption.cloned(),
        // Subjects go to disk at every opportunity.
        memory_bytes_max: 1,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(disk.clone()), Path::new(ROOT), &small).unwrap();
    let options = StreamOptions {
        segment_bytes: 1,
        ..StreamOptions::default()
    };
    let (group, mut log) = store.create_stream(GroupId(1), &options).unwrap();
    for (first, count) in [(1, 20), (21, 1)] {
        let mut builder = BatchBuilder::default();
        for seq in first..first + count {
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                subject: b"s",
                payload: &[7; 400],
                ..NewRecord::default()
            }));
        }
        let body = EntryBody::Messages(builder.finish());
        let entry = commit(&group, body).unwrap();
        log.append(&entry, &mut Unheard);
        if first == 1 {
            log.checkpoint(entry.index, b"owner".as_slice().into());
            store.flush();
        }
    }
    store.shutdown();
    disk
}

fn check(disk: &SimDisk) -> fsck::Report {
    check_with(disk, None)
}

fn check_with(disk: &SimDisk, encryption: Option<&Encryption>) -> fsck::Report {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    fsck::check(&disk, Path::new(ROOT), encryption).unwrap()
}

fn file(disk: &SimDisk, ending: &str) -> PathBuf {
    let found = disk
        .files()
        .into_iter()
        .find(|(p, _)| p.to_string_lossy().ends_with(ending));
    found.unwrap().0
}

#[test]
fn a_whole_store_is_clean_and_stays_as_it_is() {
    let disk = make();
    let before = disk.operations();
    let report = check(&disk);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.streams, report.messages, report.lost, report.entries),
        (1, 20, 0, 2)
    );
    assert_eq!(disk.operations(), before);
}

#[test]
fn every_kind_of_file_is_named_when_damaged() {
    let disk = make();
    for ending in ["CHECKPOINT", "CHECKPOINT.copy", ".idx", ".run", ".dat", ".jnl"] {
        let damaged = disk.crash(disk.operations(), Crash::Keep);
        let path = file(&damaged, ending);
        let at = if ending == ".jnl" { 4300 } else { 60 };
        assert!(damaged.flip(&path, at, 3));
        let report = check(&damaged);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            report.damage.iter().any(|t| t.contains(&name)),
            "{ending}: {report:?}"
        );
        assert_eq!(report.lost, u64::from(ending == ".dat"), "{ending}");
    }
}

#[test]
fn what_can_be_mended_is() {
    for ending in ["CHECKPOINT", "CHECKPOINT.copy", ".idx", ".run"] {
        let disk = make();
        let path = file(&disk, ending);
        assert!(disk.flip(&path, 60, 3));
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let report = fsck::repair(&shared, Path::new(ROOT), None).unwrap();
        assert!(
            !report.is_clean() && !report.repaired.is_empty(),
            "{ending}: {report:?}"
        );
        let again = check(&disk);
        assert!(again.is_clean(), "{ending}: {again:?}");
        assert_eq!(again.messages, 20);
        let mut aside = path.into_os_string();
        aside.push(".damaged");
        assert!(disk.content(Path::new(&aside)).is_some(), "{ending} is kept");
    }
}

#[test]
fn a_place_without_a_store_is_an_error() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::default());
    assert!(fsck::check(&disk, Path::new("/nowhere"), None).is_err());
}

/// Sequences and payloads that can be taken out.
fn export(disk: &SimDisk) -> Vec<u64> {
    export_with(disk, None)
}

fn export_with(disk: &SimDisk, encryption: Option<&Encryption>) -> Vec<u64> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut found = Vec::new();
    let mut states = 0;
    fsck::export(&disk, Path::new(ROOT), encryption, &mut |piece| {
        match piece.content {
            fsck::Content::Message(record) => {
                assert_eq!((piece.group, record.payload()), (GroupId(1), &[7; 400][..]));
                found.push(record.seq().0);
            }
            fsck::Content::State(state) => {
                assert_eq!(state, b"owner");
                states += 1;
            }
            fsck::Content::Command(_) => panic!("there is none"),
        }
        Ok(())
    })
    .unwrap();
    assert!(states <= 1);
    found
}

#[test]
fn what_can_be_read_is_written_down_and_nothing_else() {
    let disk = make();
    let before = disk.operations();
    let all: Vec<u64> = (1..=21).collect();
    assert_eq!(export(&disk), all);
    assert_eq!(disk.operations(), before);
    for ending in ["CHECKPOINT", "CHECKPOINT.copy", ".idx", ".run", ".jnl"] {
        let damaged = disk.crash(disk.operations(), Crash::Keep);
        assert!(damaged.flip(&file(&damaged, ending), 60, 3));
        assert_eq!(export(&damaged), all, "{ending}");
    }
    let damaged = disk.crash(disk.operations(), Crash::Keep);
    assert!(damaged.flip(&file(&damaged, ".dat"), 60, 3));
    assert_eq!(export(&damaged).len(), 20);
    for name in ["CHECKPOINT", "CHECKPOINT.copy"] {
        assert!(damaged.flip(&file(&damaged, name), 60, 3));
    }
    assert_eq!(export(&damaged).len(), 20, "without a checkpoint");
}

fn keys() -> [Option<Encryption>; 2] {
    let encryption = Encryption {
        cipher: Cipher::default(),
        key: Key::new("a key for tests"),
        previous: None,
    };
    [None, Some(encryption)]
}

/// A segment that was set aside is spoken of where it is missed, written down from there, and taken back by a repair: all
/// of its messages but those that are damaged are there again.
#[test]
fn a_segment_that_was_set_aside_is_taken_back() {
    for encryption in keys() {
        let encryption = encryption.as_ref();
        let disk = make_with(encryption);
        let path = file(&disk, ".dat");
        let mut aside = path.clone().into_os_string();
        aside.push(".damaged");
        assert!(disk.flip(&path, 200, 3));
        let damaged = check_with(&disk, encryption);
        // In an encrypted block a single bit is put right.
        assert_eq!(damaged.lost, u64::from(encryption.is_none()));
        let readable = export_with(&disk, encryption);
        disk.rename(&path, Path::new(&aside)).unwrap();
        let missed = check_with(&disk, encryption);
        assert!(missed.lost > damaged.lost, "{missed:?}");
        let says = |words: &str| missed.damage.iter().any(|text| text.contains(words));
        assert!(says("a repair takes them back"), "{missed:?}");
        assert_eq!(missed.aside.len(), 1);
        assert_eq!(export_with(&disk, encryption), readable);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let report = fsck::repair(&shared, Path::new(ROOT), encryption).unwrap();
        assert_eq!((report.lost, report.messages), (damaged.lost, damaged.messages));
        assert!(report.repaired[0].contains("are there again"), "{report:?}");
        let again = check_with(&disk, encryption);
        assert_eq!((again.lost, again.aside.len()), (damaged.lost, 0), "{again:?}");
        let options = StoreOptions {
            encryption: encryption.cloned(),
            ..StoreOptions::default()
        };
        let store = Store::open(shared, Path::new(ROOT), &options).unwrap();
        let (mut group, mut log) = store.open_stream(GroupId(1), &StreamOptions::default()).unwrap();
        for entry in group.replay() {
            log.append(&entry, &mut Unheard);
        }
        let loaded = (1..=21).filter(|seq| log.load(Seq(*seq)).is_ok());
        assert!(loaded.eq(readable.iter().copied()));
        store.shutdown();
    }
}

/// A stream that nothing names is set aside whole; it is said to be there and can be written down.
#[test]
fn a_stream_that_was_set_aside_can_be_written_down() {
    for encryption in keys() {
        let encryption = encryption.as_ref();
        let disk = make_with(encryption);
        let dir = Path::new(ROOT).join("streams/00000001");
        disk.rename(&dir, &dir.with_file_name("00000001.damaged"))
            .unwrap();
        let report = check_with(&disk, encryption);
        assert!(report.is_clean() && report.streams == 0, "{report:?}");
        assert_eq!(report.aside.len(), 1);
        assert!(
            report.aside[0].contains("20 messages in it can be read"),
            "{report:?}"
        );
        let mut found = export_with(&disk, encryption);
        found.sort_unstable();
        assert_eq!(found, (1..=21).collect::<Vec<u64>>());
    }
}
