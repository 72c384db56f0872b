//! How long the store's operations take: append, read, the next and the last message of a filter, counting what is
//! pending, recovery.
//! `cargo bench -p natterjack-store --bench store`

#![expect(
    clippy::unwrap_used,
    reason = "a measurement ends where something is not as it should be"
)]

use std::hint::black_box;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use natterjack_store::{
    BatchBuilder, Committed, EntryBody, Group, GroupId, MsgStore, NewRecord, OsDisk, Seq, Store,
    StoreOptions, StreamOptions, SyncMode, Unheard,
};
use natterjack_subject::{Filter, FilterSet};

const MESSAGES: u64 = 200_000;
const BATCH: u64 = 500;
const SUBJECTS: u64 = 10_000;
const STREAM: GroupId = GroupId(1);

struct World {
    folder: tempfile::TempDir,
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
}

fn options(sync: SyncMode) -> StoreOptions {
    StoreOptions {
        sync,
        ..StoreOptions::default()
    }
}

fn batch(first: u64, count: u64) -> EntryBody {
    let mut builder = BatchBuilder::default();
    for seq in first..first + count {
        let subject = format!("orders.{}.{}", seq % 10, seq % SUBJECTS);
        builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: subject.as_bytes(),
            payload: &[7; 128],
            ..NewRecord::default()
        });
    }
    EntryBody::Messages(builder.finish())
}

impl World {
    fn new(sync: SyncMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Arc::new(OsDisk), folder.path(), &options(sync)).unwrap();
        let (group, log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
        Self {
            folder,
            store,
            group,
            log,
        }
    }

    fn append(&mut self, count: u64) {
        let body = batch(self.log.state().last_seq.0 + 1, count);
        let (sender, receiver) = mpsc::sync_channel(1);
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        let index = self.group.append(body.clone(), false, done).unwrap();
        receiver.recv().unwrap().unwrap();
        self.log.append(&Committed { index, body }, &mut Unheard);
        self.log.upkeep(1);
    }

    /// All messages, in segments or in the journal only.
    fn filled(drained: bool) -> Self {
        let mut world = Self::new(SyncMode::Interval(Duration::from_secs(60)));
        for _ in 0..MESSAGES / BATCH {
            world.append(BATCH);
        }
        if drained {
            world.log.checkpoint(world.group.last_index(), Vec::new().into());
            world.store.flush();
            world.log.upkeep(2);
        }
        world
    }
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for (name, sync) in [
        ("synced", SyncMode::Always),
        ("written", SyncMode::Interval(Duration::from_secs(60))),
    ] {
        let mut world = World::new(sync);
        group.throughput(Throughput::Elements(BATCH));
        group.bench_function(name, |b| b.iter(|| world.append(BATCH)));
        world.store.shutdown();
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    let mut world = World::filled(true);
    let mut seq = 0;
    c.bench_function("read", |b| {
        b.iter(|| {
            seq = (seq + 7919) % MESSAGES;
            black_box(world.log.load(Seq(seq + 1)).unwrap());
        });
    });
    let filters = |text: &str| FilterSet::new(vec![Filter::parse(text.as_bytes()).unwrap()]);
    for (name, filter) in [
        ("literal", filters("orders.7.4217")),
        ("wildcard", filters("orders.7.*")),
        ("all", FilterSet::all()),
    ] {
        let mut from = 0;
        c.bench_function(&format!("next/{name}"), |b| {
            b.iter(|| {
                from = (from + 7919) % MESSAGES;
                black_box(world.log.next(&filter, Seq(from + 1)));
            });
        });
        c.bench_function(&format!("num_pending/{name}"), |b| {
            b.iter(|| {
                from = (from + 7919) % MESSAGES;
                black_box(world.log.num_pending(&filter, Seq(from + 1), false));
            });
        });
        c.bench_function(&format!("last/{name}"), |b| {
            b.iter(|| {
                from = (from + 7919) % MESSAGES;
                black_box(world.log.last_matching(&filter, Seq(from + 1)));
            });
        });
    }
    world.store.shutdown();
}

fn recovery(c: &mut Criterion) {
    let mut group = c.benchmark_group("recovery");
    group.sample_size(10);
    group.throughput(Throughput::Elements(MESSAGES));
    for (name, drained) in [("segments", true), ("journal", false)] {
        let World {
            folder,
            store,
            group: log_group,
            log,
        } = World::filled(drained);
        store.shutdown();
        drop((log_group, log));
        group.bench_function(name, |b| {
            b.iter(|| {
                let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
                let (mut group, mut log) = store.open_stream(STREAM, &StreamOptions::default()).unwrap();
                for entry in group.replay() {
                    log.append(&entry, &mut Unheard);
                }
                assert_eq!(log.state().msgs, MESSAGES);
                store.shutdown();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, read, recovery);
criterion_main!(benches);
