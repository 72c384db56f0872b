//! A message that was deleted for good is in no file of the store any more, wherever it had got to, and whatever a crash
//! leaves; everything else is as it was.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use natterjack_store::disk::read_file;
use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{
    BatchBuilder, Committed, Disk, EntryBody, Group, GroupId, Health, MsgStore, NewRecord, OsDisk, Seq,
    Store, StoreOptions, StreamOptions, Unheard,
};

use commit::commit;

const STREAM: GroupId = GroupId(1);
const OTHER: GroupId = GroupId(2);

/// What message `seq` holds: found nowhere else, not even in part.
fn payload(seq: u64) -> Vec<u8> {
    (0..20u64)
        .flat_map(|n| {
            (seq * 1_000_003 + n)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_be_bytes()
        })
        .collect()
}

struct World {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    /// Keeps the oldest files of the journal from being used again.
    other: Group,
    now_ns: i64,
}

impl World {
    fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        let store = Self::store(&disk, root);
        let (group, log) = store.create_stream(STREAM, &Self::stream_options()).unwrap();
        Self::of(disk, root, store, (group, log))
    }

    fn of(disk: Arc<dyn Disk>, root: &Path, store: Store, (group, log): (Group, Box<dyn MsgStore>)) -> Self {
        let other = store.group(OTHER).unwrap();
        Self {
            disk,
            root: root.to_owned(),
            store,
            group,
            log,
            other,
            now_ns: 1,
        }
    }

    fn store(disk: &Arc<dyn Disk>, root: &Path) -> Store {
        let options = StoreOptions {
            journal_file_bytes: 8 * 1024,
            reserve_bytes: 512,
            ..StoreOptions::default()
        };
        Store::open(Arc::clone(disk), root, &options).unwrap()
    }

    fn stream_options() -> StreamOptions {
        StreamOptions {
            segment_bytes: 1,
            ..StreamOptions::default()
        }
    }

    fn restart(&mut self) {
        self.store.shutdown();
        self.store = Self::store(&self.disk, &self.root);
        let (mut group, mut log) = self.store.open_stream(STREAM, &Self::stream_options()).unwrap();
        for entry in group.replay() {
            apply(log.as_mut(), &entry);
        }
        (self.group, self.log) = (group, log);
        self.other = self.store.group(OTHER).unwrap();
    }

    fn commit(&mut self, body: EntryBody) {
        let entry = commit(&self.group, body).unwrap();
        apply(self.log.as_mut(), &entry);
    }

    fn append(&mut self, count: u64) {
        let first = self.log.state().last_seq.0 + 1;
        let mut builder = BatchBuilder::default();
        for seq in first..first + count {
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: 1,
                subject: b"s",
                payload: &payload(seq),
                ..NewRecord::default()
            }));
        }
        self.commit(EntryBody::Messages(builder.finish()));
    }

    fn erase(&mut self, seq: u64) {
        self.commit(EntryBody::Command(seq.to_le_bytes().to_vec().into()));
    }

    /// What an owner does every so often, until there is nothing more to be done.
    fn upkeep(&mut self) {
        for _ in 0..4 {
            self.now_ns += 2_000_000_000;
            if self.log.upkeep(self.now_ns).wants_checkpoint {
                self.log.checkpoint(self.group.last_index(), Vec::new().into());
            }
            self.store.flush();
        }
        self.log.upkeep(self.now_ns);
        assert_eq!(self.store.health(), Health::Ok);
    }

    fn checkpoint(&mut self) {
        self.log.checkpoint(self.group.last_index(), Vec::new().into());
        self.store.flush();
        self.upkeep();
    }
}

fn apply(log: &mut dyn MsgStore, entry: &Committed) {
    match &entry.body {
        EntryBody::Messages(_) => log.append(entry, &mut Unheard),
        EntryBody::Command(text) => {
            let seq = Seq(u64::from_le_bytes(text.as_ref().try_into().unwrap()));
            log.remove(seq, true, &mut Unheard);
        }
    }
}

/// Files in which any eight bytes of message `seq` are.
fn holding(disk: &dyn Disk, root: &Path, seq: u64) -> Vec<PathBuf> {
    let secret = payload(seq);
    let parts: Vec<&[u8]> = secret.chunks(8).collect();
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in disk.list(&folder).unwrap() {
            let path = folder.join(name);
            match read_file(disk, &path) {
                Ok(content) if content.windows(8).any(|w| parts.contains(&w)) => found.push(path),
                Ok(_) => {}
                Err(_) => folders.push(path),
            }
        }
    }
    found
}

/// What it is called, how it is brought about, and which messages are deleted then.
type Way = (&'static str, fn(&mut World), Vec<u64>);

/// Every way a message may have come to be where it is.
fn ways() -> Vec<Way> {
    vec![
        ("in memory only", |w| w.append(5), vec![2, 5]),
        (
            "in a segment, the journal held back",
            |w| {
                commit(&w.other, EntryBody::Command(b"held".as_slice().into())).unwrap();
                w.append(9);
                w.checkpoint();
                w.append(2);
            },
            vec![1, 9, 10],
        ),
        (
            "in files that are used again",
            |w| {
                for _ in 0..12 {
                    w.append(12);
                    w.checkpoint();
                }
            },
            vec![1, 13, 77, 140],
        ),
        (
            "behind a restart",
            |w| {
                for _ in 0..8 {
                    w.append(12);
                    w.checkpoint();
                }
                w.restart();
                w.append(1);
            },
            vec![3, 50, 97],
        ),
        (
            "in a segment that is rewritten",
            |w| {
                w.append(60);
                w.checkpoint();
                for seq in (1..=24).filter(|n| n % 8 != 0) {
                    w.erase(seq);
                }
                // The rewriting begins, and is not waited for.
                w.log.upkeep(w.now_ns);
            },
            vec![8, 16, 40],
        ),
    ]
}

#[test]
fn no_byte_of_a_deleted_message_is_left_on_a_disk() {
    for (name, prepare, doomed) in ways() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(Arc::new(OsDisk), folder.path());
        prepare(&mut world);
        for seq in &doomed {
            assert!(!holding(&OsDisk, folder.path(), *seq).is_empty(), "{name}: {seq}");
            world.erase(*seq);
        }
        world.upkeep();
        for seq in &doomed {
            let left = holding(&OsDisk, folder.path(), *seq);
            assert!(left.is_empty(), "{name}: message {seq} is in {left:?}");
        }
        world.restart();
        check(&world, name, &doomed);
        world.store.shutdown();
    }
}

/// All but the deleted messages are there.
fn check(world: &World, name: &str, doomed: &[u64]) {
    assert_eq!(world.store.health(), Health::Ok, "{name}");
    let last = world.log.state().last_seq.0;
    for seq in 1..=last {
        match world.log.load(Seq(seq)) {
            Ok(message) => assert_eq!(message.payload(), payload(seq), "{name}: {seq}"),
            Err(_) => assert!(doomed.contains(&seq) || (name.contains("rewritten") && seq < 24)),
        }
    }
    for seq in doomed {
        assert!(world.log.load(Seq(*seq)).is_err(), "{name}: {seq}");
    }
}

#[test]
fn a_crash_while_messages_are_overwritten_costs_nothing_and_the_rest_follows() {
    for (name, prepare, doomed) in ways() {
        let sim = SimDisk::default();
        let mut world = World::new(Arc::new(sim.clone()), Path::new("/s"));
        prepare(&mut world);
        let begin = sim.operations();
        doomed.iter().for_each(|seq| world.erase(*seq));
        let deleted = sim.operations();
        world.upkeep();
        let end = sim.operations();
        assert!(end > deleted, "{name}");
        for operations in begin..=end {
            let seeds = (0..3).map(|n| Crash::Seed(n * 7919 + operations as u64));
            for crash in [Crash::Keep, Crash::Lose].into_iter().chain(seeds) {
                let after = sim.crash(operations, crash);
                if operations == end {
                    assert_gone(&after, name, &doomed);
                }
                if operations < deleted {
                    continue;
                }
                let place = format!("{name}, {crash:?} behind {operations} of {begin} to {end}");
                let mut again = reopened(&after);
                check(&again, &place, &doomed);
                again.upkeep();
                assert_gone(&after, &place, &doomed);
                again.store.shutdown();
            }
        }
        world.store.shutdown();
    }
}

fn assert_gone(disk: &SimDisk, place: &str, doomed: &[u64]) {
    for seq in doomed {
        let left = holding(disk, Path::new("/s"), *seq);
        assert!(left.is_empty(), "{place}: message {seq} is in {left:?}");
    }
}

fn reopened(disk: &SimDisk) -> World {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let root = Path::new("/s");
    let store = World::store(&disk, root);
    let (mut group, mut log) = store.open_stream(STREAM, &World::stream_options()).unwrap();
    for entry in group.replay() {
        apply(log.as_mut(), &entry);
    }
    World::of(disk, root, store, (group, log))
}
