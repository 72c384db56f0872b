//! Snapshots of streams on a real disk and in memory: they read the same whatever the stream does, never what was erased,
//! and let go of everything when they are dropped.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use natterjack_store::{
    BatchBuilder, Cipher, Encryption, EntryBody, Group, GroupId, Health, Key, LoadError, LogIndex, MsgStore,
    NewRecord, OsDisk, Purge, Seq, Snapshot, Storage, Store, StoreOptions, StreamOptions, Unheard,
};
use natterjack_subject::Filter;

use commit::commit;

const STREAM: GroupId = GroupId(1);

/// How messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Plain,
    Compressed,
    Encrypted,
    Memory,
}

const ALL: [Kept; 4] = [Kept::Plain, Kept::Compressed, Kept::Encrypted, Kept::Memory];

struct World {
    folder: tempfile::TempDir,
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    now_ns: i64,
}

fn payload(seq: u64) -> Vec<u8> {
    (0..60u64)
        .flat_map(|n| {
            (seq * 1_000_003 + n)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_be_bytes()
        })
        .collect()
}

impl World {
    fn new(kept: Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let encryption = (kept == Kept::Encrypted).then(|| Encryption {
            key: Key::new("the key"),
            previous: None,
            cipher: Cipher::default(),
        });
        let options = StoreOptions {
            encryption,
            ..StoreOptions::default()
        };
        let store = Store::open(Arc::new(OsDisk), folder.path(), &options).unwrap();
        let options = StreamOptions {
            segment_bytes: 1,
            storage: if kept == Kept::Memory {
                Storage::Memory
            } else {
                Storage::File
            },
            ..StreamOptions::default()
        };
        let (group, mut log) = store.create_stream(STREAM, &options).unwrap();
        log.set_compression(kept == Kept::Compressed);
        let mut world = Self {
            folder,
            store,
            group,
            log,
            now_ns: 1,
        };
        (0..6).for_each(|_| world.append(10));
        for seq in [3, 4, 40] {
            world.log.remove(Seq(seq), false, &mut Unheard);
        }
        world.upkeep();
        world.append(5);
        world
    }

    fn append(&mut self, count: u64) {
        let first = self.log.state().last_seq.0 + 1;
        let mut builder = BatchBuilder::default();
        for seq in first..first + count {
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: 1,
                subject: format!("s.{}", seq % 3).as_bytes(),
                payload: &payload(seq),
                ..NewRecord::default()
            }));
        }
        let entry = commit(&self.group, EntryBody::Messages(builder.finish())).unwrap();
        self.log.append(&entry, &mut Unheard);
    }

    /// What an owner does every so often, until there is nothing more to be done.
    fn upkeep(&mut self) {
        for _ in 0..4 {
            self.now_ns += 2_000_000_000;
            self.log.upkeep(self.now_ns);
            self.log.checkpoint(self.group.last_index(), Vec::new().into());
            self.store.flush();
        }
        self.log.upkeep(self.now_ns);
        self.store.flush();
    }

    fn pin(&mut self) -> Snapshot {
        self.log
            .snapshot(self.group.last_index(), b"owner".as_slice().into())
    }

    /// Files of segments that have a name.
    fn segments(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("streams/00000001");
        let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        names
            .filter(|p| p.extension().is_some_and(|e| e == "dat"))
            .collect()
    }
}

/// All a snapshot has; nothing where a message is damaged.
fn contents(snapshot: &Snapshot) -> BTreeMap<u64, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    snapshot.scan(Seq(0), &mut |seq, message| {
        let message = message.map(|m| m.record().payload().to_vec());
        found.insert(seq.0, message.ok());
        ControlFlow::Continue(())
    });
    for (seq, scanned) in &found {
        let loaded = snapshot.load(Seq(*seq)).map(|m| m.payload().to_vec());
        assert_eq!(&loaded.ok(), scanned, "message {seq}");
    }
    found
}

/// What the messages in `seqs` should be, without those that `gone` names.
fn expected(seqs: std::ops::RangeInclusive<u64>, gone: &[u64]) -> BTreeMap<u64, Option<Vec<u8>>> {
    seqs.filter(|seq| !gone.contains(seq))
        .map(|seq| (seq, Some(payload(seq))))
        .collect()
}

/// All that can be done to a stream.
fn work(world: &mut World) {
    world.append(30);
    world.upkeep();
    for seq in (1..=60).filter(|n| n % 4 > 0) {
        world.log.remove(Seq(seq), false, &mut Unheard);
    }
    world.upkeep();
    world.log.truncate(Seq(50));
    world.append(20);
    world.upkeep();
    let purge = Purge {
        filter: Some(Filter::parse(b"s.1").unwrap()),
        ..Purge::default()
    };
    world.log.purge(&purge, &mut Unheard);
    world.upkeep();
    world.log.purge(&Purge::default(), &mut Unheard);
    world.append(3);
    world.upkeep();
}

#[test]
fn it_reads_the_same_whatever_the_stream_does() {
    for kept in ALL {
        let mut world = World::new(kept);
        let (snapshot, before) = (world.pin(), world.log.state());
        assert_eq!((snapshot.state(), before.msgs), (before, 62));
        assert_eq!(snapshot.applied(), LogIndex(7));
        assert_eq!(snapshot.owner_state()[..], b"owner"[..]);
        let all = expected(1..=65, &[3, 4, 40]);
        let (is_over, passes) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) || passes.load(Ordering::Relaxed) == 0 {
                    assert_eq!(contents(&snapshot), all, "{kept:?}");
                    passes.fetch_add(1, Ordering::Relaxed);
                }
            });
            work(&mut world);
            is_over.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        let World { store, log, .. } = world;
        log.destroy();
        store.flush();
        assert_eq!(contents(&snapshot), all, "{kept:?}, and the stream is gone");
        assert_eq!(snapshot.load(Seq(40)), Err(LoadError::Deleted));
        assert_eq!(snapshot.load(Seq(66)), Err(LoadError::NotFound));
        assert_eq!(store.health(), Health::Ok);
        store.shutdown();
    }
}

#[test]
fn what_is_erased_is_not_handed_out_again() {
    for kept in ALL {
        let mut world = World::new(kept);
        let snapshot = world.pin();
        let gone = [3, 4, 5, 30, 40, 64];
        for seq in [5, 30, 64] {
            assert!(world.log.remove(Seq(seq), true, &mut Unheard));
            assert_eq!(snapshot.load(Seq(seq)), Err(LoadError::Deleted));
        }
        assert_eq!(contents(&snapshot), expected(1..=65, &gone), "{kept:?}");
        world.upkeep();
        assert_eq!(
            contents(&snapshot),
            expected(1..=65, &gone),
            "{kept:?}, overwritten"
        );
        assert_eq!(world.store.health(), Health::Ok);
        // What comes behind what is taken back is another message.
        world.log.truncate(Seq(60));
        world.append(5);
        world.log.remove(Seq(62), true, &mut Unheard);
        world.upkeep();
        assert_eq!(
            contents(&snapshot),
            expected(1..=65, &gone),
            "{kept:?}, given again"
        );
        world.store.shutdown();
    }
}

#[test]
fn what_is_damaged_costs_one_message_and_is_reported() {
    let mut world = World::new(Kept::Plain);
    let snapshot = world.pin();
    let needle = payload(20);
    let (path, at) = world
        .segments()
        .into_iter()
        .find_map(|path| {
            let content = std::fs::read(&path).unwrap();
            let at = content.windows(16).position(|w| *w == needle[100..116])?;
            Some((path, at as u64))
        })
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_at(&[needle[100] ^ 4], at).unwrap();
    assert_eq!(world.store.health(), Health::Ok);
    let mut all = expected(1..=65, &[3, 4, 40]);
    all.insert(20, None);
    assert_eq!(contents(&snapshot), all);
    assert_eq!(snapshot.load(Seq(20)), Err(LoadError::Lost));
    let Health::Damaged(reports) = world.store.health() else {
        panic!("nobody says so")
    };
    assert_eq!(reports.len(), 1, "{reports:?}");
    world.store.shutdown();
}

/// Mapped files in `folder` that have no name any more.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let folder = folder.display().to_string();
    let lines = maps
        .lines()
        .filter(|l| l.contains(&folder) && l.ends_with("(deleted)"));
    lines.count()
}

#[test]
#[cfg(target_os = "linux")]
fn files_go_with_the_last_snapshot_that_reads_them() {
    for kept in [Kept::Plain, Kept::Compressed, Kept::Encrypted] {
        let mut world = World::new(kept);
        let folder = world.folder.path().to_owned();
        let before = world.segments();
        let snapshots = [world.pin(), world.pin()];
        world.log.purge(&Purge::default(), &mut Unheard);
        world.upkeep();
        let after = world.segments();
        // The last one is still written to.
        let gone = before.iter().filter(|path| !after.contains(path)).count();
        assert!(
            gone > 1 && gone + 1 >= before.len(),
            "{kept:?}: {gone} of {}",
            before.len()
        );
        let [first, second] = snapshots;
        assert!(nameless(&folder) > 0, "{kept:?}");
        drop(first);
        assert_eq!(contents(&second), expected(1..=65, &[3, 4, 40]));
        drop(second);
        assert_eq!(nameless(&folder), 0, "{kept:?}");
        world.store.shutdown();
    }
}

#[test]
fn what_it_keeps_counts_while_it_is_there() {
    let mut world = World::new(Kept::Plain);
    let before = world.store.memory_use().bytes;
    let snapshots: Vec<Snapshot> = (0..3).map(|_| world.pin()).collect();
    // Three times the five messages that are in no segment yet.
    assert!(world.store.memory_use().bytes >= before + 15 * payload(1).len());
    drop(snapshots);
    assert_eq!(world.store.memory_use().bytes, before);
    world.store.shutdown();
}
