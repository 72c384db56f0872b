//! The memory that a store is given is a bound: whatever is appended, removed, read and opened again, what is accounted stays
//! within it, but for a small part a stream, and what is accounted is what the pieces hold.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use natterjack_store::disk::sim::SimDisk;
use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, Limits, LogIndex, MemoryUse, MsgStore, NewRecord, Purge, Seq,
    Store, StoreOptions, StreamOptions, SyncMode, Unheard,
};
use natterjack_subject::{Filter, FilterSet};
use proptest::prelude::*;

use commit::commit;

const STREAMS: usize = 3;
/// Memory the store may take, bytes.
const BUDGET: usize = 1024 * 1024;
/// Different subjects a stream may get.
const SUBJECTS: u64 = 30_000;
/// Messages a stream keeps of each.
const HISTORY: u64 = 3;
const BATCH: u64 = 500;

#[derive(Debug, Clone)]
enum Step {
    /// Batches of messages of subjects that are so far apart.
    Append(usize, u64, u64),
    /// Messages one by one from the front.
    Remove(usize, u64),
    Purge(usize, u64),
    Read(usize, u64),
    Checkpoint(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let stream = 0..STREAMS;
    prop_oneof![
        8 => (stream.clone(), 1u64..20, 1u64..9).prop_map(|(s, n, by)| Step::Append(s, n, by)),
        1 => (stream.clone(), 1u64..2000).prop_map(|(s, n)| Step::Remove(s, n)),
        1 => (stream.clone(), 0u64..7).prop_map(|(s, n)| Step::Purge(s, n)),
        2 => (stream.clone(), 0u64..7).prop_map(|(s, n)| Step::Read(s, n)),
        1 => stream.prop_map(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

fn name(n: u64) -> String {
    format!("region.{}.some.device.{n}", n % 7)
}

fn region(n: u64) -> Filter {
    Filter::parse(format!("region.{n}.>").as_bytes()).unwrap()
}

struct Stream {
    group: Group,
    log: Box<dyn MsgStore>,
    /// The subject of the next message.
    next: u64,
    applied: LogIndex,
}

struct World {
    disk: SimDisk,
    store: Store,
    streams: Vec<Stream>,
    now: i64,
}

fn open(disk: &SimDisk) -> Store {
    let options = StoreOptions {
        sync: SyncMode::Interval(Duration::from_secs(3600)),
        memory_bytes_max: BUDGET,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(disk.clone()), Path::new("/store"), &options).unwrap()
}

fn id(n: usize) -> GroupId {
    GroupId(u32::try_from(n).unwrap() + 1)
}

fn limits() -> Limits {
    Limits {
        max_per_subject: Some(HISTORY),
        ..Limits::default()
    }
}

impl World {
    fn new() -> Self {
        let disk = SimDisk::default();
        let store = open(&disk);
        let mut streams = Vec::new();
        for n in 0..STREAMS {
            let (group, mut log) = store.create_stream(id(n), &StreamOptions::default()).unwrap();
            log.set_limits(limits(), &mut Unheard);
            let (next, applied) = (0, LogIndex(0));
            streams.push(Stream {
                group,
                log,
                next,
                applied,
            });
        }
        let now = 0;
        Self {
            disk,
            store,
            streams,
            now,
        }
    }

    fn append(&mut self, n: usize, by: u64) {
        let stream = &mut self.streams[n];
        let mut builder = BatchBuilder::default();
        let first = stream.log.state().last_seq.0 + 1;
        for seq in first..first + BATCH {
            stream.next = (stream.next + by) % SUBJECTS;
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: 1,
                subject: name(stream.next).as_bytes(),
                ..NewRecord::default()
            }));
        }
        let body = EntryBody::Messages(builder.finish());
        let entry = commit(&stream.group, body).unwrap();
        stream.applied = entry.index;
        stream.log.append(&entry, &mut Unheard);
        self.check();
        // As an owner does: nothing more comes until what came has its place.
        while self.streams[n].log.is_behind() {
            self.upkeep();
        }
    }

    /// Whether something is under way still.
    fn upkeep(&mut self) -> bool {
        self.now += 1_000_000;
        self.store.flush();
        let mut busy = false;
        for stream in &mut self.streams {
            busy |= stream.log.upkeep(self.now).busy;
        }
        busy
    }

    fn checkpoint(&mut self, n: usize) {
        let stream = &mut self.streams[n];
        let owner = Bytes::copy_from_slice(&stream.next.to_le_bytes());
        stream.log.checkpoint(stream.applied, owner);
        self.check();
        self.upkeep();
    }

    fn reopen(&mut self) {
        for n in 0..STREAMS {
            self.checkpoint(n);
        }
        let nexts: Vec<u64> = self.streams.drain(..).map(|stream| stream.next).collect();
        self.store.shutdown();
        self.store = open(&self.disk);
        for (n, next) in nexts.into_iter().enumerate() {
            let (mut group, mut log) = self.store.open_stream(id(n), &StreamOptions::default()).unwrap();
            let mut applied = group.checkpoint().map_or(LogIndex(0), |(index, _)| *index);
            for entry in group.replay() {
                applied = entry.index;
                log.append(&entry, &mut Unheard);
            }
            log.set_limits(limits(), &mut Unheard);
            self.streams.push(Stream {
                group,
                log,
                next,
                applied,
            });
            self.check();
        }
    }

    fn read(&mut self, n: usize, part: u64) {
        let log = &mut self.streams[n].log;
        let filter = FilterSet::new(vec![region(part)]);
        let last = log.state().last_seq;
        let lasts = log.multi_last(&filter, last, usize::MAX).unwrap();
        let mut live = 0;
        log.subjects(&region(part), &mut |_, count| {
            assert!((1..=HISTORY).contains(&count));
            live += count;
            ControlFlow::Continue(())
        });
        assert_eq!(log.num_pending(&filter, Seq(1), false).count, live);
        assert_eq!(log.num_pending(&filter, Seq(1), true).count, lasts.len() as u64);
        let _first = log.first_for(name(part).as_bytes());
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append(n, batches, by) => (0..batches).for_each(|_| self.append(n, by)),
            Step::Remove(n, count) => {
                let log = &mut self.streams[n].log;
                let first = log.state().first_seq.0;
                for seq in first..first + count {
                    log.remove(Seq(seq), false, &mut Unheard);
                }
            }
            Step::Purge(n, part) => {
                let purge = Purge {
                    filter: Some(region(part)),
                    ..Purge::default()
                };
                self.streams[n].log.purge(&purge, &mut Unheard);
            }
            Step::Read(n, part) => self.read(n, part),
            Step::Checkpoint(n) => self.checkpoint(n),
            Step::Reopen => self.reopen(),
        }
        self.check();
        self.upkeep();
        self.check();
    }

    fn check(&self) {
        let in_use = self.store.memory_use();
        assert_eq!((in_use.bytes_max, in_use.streams <= STREAMS), (BUDGET, true));
        let allowed = BUDGET + STREAMS * MemoryUse::SLACK_PER_STREAM;
        assert!(in_use.bytes <= allowed, "{in_use:?}, allowed are {allowed}");
    }

    /// What is accounted is the sum of what the pieces hold, once nothing is under way.
    fn check_account(&mut self) {
        while self.upkeep() {}
        let held: usize = self.streams.iter().map(|stream| stream.log.memory_bytes()).sum();
        let in_use = self.store.memory_use();
        assert_eq!(in_use.bytes, held + in_use.cached);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accounted_is_held_and_stays_within_the_budget(steps in proptest::collection::vec(step(), 10..40)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            world.check_account();
        }
        let streams = std::mem::take(&mut world.streams);
        drop(streams);
        let in_use = world.store.memory_use();
        prop_assert_eq!((in_use.bytes, in_use.streams), (in_use.cached, 0));
        world.store.shutdown();
    }
}
