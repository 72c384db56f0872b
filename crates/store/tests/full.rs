//! A full disk: publishers are told, reading and deleting go on, and writing resumes by itself once there is space.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use natterjack_store::disk::sim::{Faults, SimDisk};
use natterjack_store::{
    AppendError, Batch, BatchBuilder, EntryBody, Group, GroupId, Health, MsgStore, NewRecord, Purge, Seq,
    Store, StoreOptions, StreamOptions, Unheard,
};

use commit::commit;

const CAPACITY: u64 = 400_000;

struct Stream {
    disk: SimDisk,
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    now_ns: i64,
}

fn one(seq: Seq) -> Batch {
    let mut builder = BatchBuilder::default();
    assert!(builder.push(&NewRecord {
        seq,
        ts_ns: 1,
        subject: b"s",
        payload: &[7; 2000],
        ..NewRecord::default()
    }));
    builder.finish()
}

impl Stream {
    fn new() -> Self {
        let disk = SimDisk::default();
        disk.set_faults(Faults {
            capacity: Some(CAPACITY),
            ..Faults::default()
        });
        let options = StoreOptions {
            journal_file_bytes: 64 * 1024,
            journal_files_max: 2,
            reserve_bytes: 64 * 1024,
            ..StoreOptions::default()
        };
        let store = Store::open(Arc::new(disk.clone()), Path::new("/s"), &options).unwrap();
        let stream = StreamOptions {
            segment_bytes: 32 * 1024,
            ..StreamOptions::default()
        };
        let (group, log) = store.create_stream(GroupId(1), &stream).unwrap();
        Self {
            disk,
            store,
            group,
            log,
            now_ns: 1,
        }
    }

    fn publish(&mut self) -> Result<(), AppendError> {
        let batch = one(self.log.state().last_seq.next());
        let entry = commit(&self.group, EntryBody::Messages(batch))?;
        self.log.append(&entry, &mut Unheard);
        Ok(())
    }

    /// What an owner does every so often.
    fn upkeep(&mut self) {
        self.now_ns += 2_000_000_000;
        if self.log.upkeep(self.now_ns).wants_checkpoint {
            self.log.checkpoint(self.group.last_index(), Vec::new().into());
        }
        self.store.flush();
        self.log.upkeep(self.now_ns);
        self.store.flush();
    }

    fn fill(&mut self) -> u64 {
        for n in 0..10_000 {
            if let Err(error) = self.publish() {
                assert_eq!(error, AppendError::Full);
                return n;
            }
            if n % 8 == 0 {
                self.upkeep();
            }
        }
        panic!("the disk does not fill up");
    }

    /// Publishes until it works again.
    fn resume(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Err(error) = self.publish() {
            assert_eq!(error, AppendError::Full);
            assert!(
                Instant::now() < deadline,
                "still full, {} bytes in use: {:?}",
                self.disk.used(),
                self.disk.files()
            );
            self.group.resume();
            self.upkeep();
        }
        assert_eq!(self.store.health(), Health::Ok);
    }
}

#[test]
fn publishers_are_told_at_once_and_reading_goes_on() {
    let mut stream = Stream::new();
    let count = stream.fill();
    assert!(count > 50, "{count}");
    let start = Instant::now();
    for _ in 0..200 {
        stream.group.resume();
        assert_eq!(stream.publish(), Err(AppendError::Full));
    }
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(stream.store.health(), Health::Full);
    for seq in 1..=count {
        assert_eq!(stream.log.load(Seq(seq)).unwrap().payload(), [7; 2000]);
    }
    stream.store.shutdown();
}

#[test]
fn a_purge_on_a_full_disk_makes_room() {
    let mut stream = Stream::new();
    for _ in 0..3 {
        let count = stream.fill();
        assert!(count > 20, "{count}");
        let purge = EntryBody::Command(b"purge".as_slice().into());
        assert!(commit(&stream.group, purge).is_ok());
        stream.log.purge(&Purge::default(), &mut Unheard);
        stream.resume();
        assert_eq!(stream.log.state().msgs, 1);
    }
    stream.store.shutdown();
}

#[test]
fn writing_resumes_when_there_is_more_space() {
    let mut stream = Stream::new();
    let count = stream.fill();
    stream.disk.set_faults(Faults::default());
    stream.resume();
    assert_eq!(stream.log.state().msgs, count + 1);
    stream.store.shutdown();
}

#[test]
fn messages_behind_refused_ones_are_refused_until_the_owner_has_heard() {
    let mut stream = Stream::new();
    stream.fill();
    let last = stream.log.state().last_seq;
    stream.disk.set_faults(Faults::default());
    // There is room again, but what follows a refused message has a sequence behind it.
    let deadline = Instant::now() + Duration::from_secs(5);
    while stream.store.health() == Health::Full {
        assert!(Instant::now() < deadline);
        assert_eq!(stream.publish(), Err(AppendError::Full));
        stream.upkeep();
        let other = stream.store.group(GroupId(9)).unwrap();
        let _full_for_a_while = commit(&other, EntryBody::Messages(one(Seq(1))));
    }
    assert_eq!(stream.publish(), Err(AppendError::Full));
    stream.group.resume();
    stream.publish().unwrap();
    assert_eq!(stream.log.state().last_seq, last.next());
    assert_eq!(stream.log.state().num_deleted, 0);
    stream.store.shutdown();
}
