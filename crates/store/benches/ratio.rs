//! The store beside the bare disk, as ratios: appending with a sync against the same bytes written and synced without a
//! store, and a scan of sealed messages against a scan of the mapped file. `cargo bench -p natterjack-store --bench ratio`

#![expect(
    clippy::unwrap_used,
    reason = "a measurement ends where something is not as it should be"
)]

use std::collections::VecDeque;
use std::io::{IoSlice, Write as _};
use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use natterjack_store::{
    BatchBuilder, Committed, Disk, EntryBody, GroupId, NewRecord, OsDisk, Seq, Store, StoreOptions,
    StreamOptions, Unheard,
};
use natterjack_subject::FilterSet;

/// Messages of 128 bytes that go to the disk together.
const BATCH: u64 = 500;
const BATCHES: u64 = 600;
/// Entries on their way at a time: one is written while the next gathers.
const WINDOW: usize = 2;
const ROUNDS: usize = 5;
const STREAM: GroupId = GroupId(1);
const SUBJECT: &[u8] = b"orders.eu.4711";

fn batch(first: u64) -> EntryBody {
    let mut builder = BatchBuilder::default();
    for seq in first..first + BATCH {
        builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: SUBJECT,
            payload: &[7; 128],
            ..NewRecord::default()
        });
    }
    EntryBody::Messages(builder.finish())
}

/// Seconds to append everything with a sync, a store's way, without and with applying it.
fn store_append(apply: bool) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
    let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    let mut flying = VecDeque::new();
    let start = Instant::now();
    for n in 0..BATCHES {
        let body = batch(n * BATCH + 1);
        let (sender, receiver) = mpsc::sync_channel::<Result<(), natterjack_store::AppendError>>(1);
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        let index = group.append(body.clone(), false, done).unwrap();
        flying.push_back((Committed { index, body }, receiver));
        while flying.len() >= WINDOW || (n + 1 == BATCHES && !flying.is_empty()) {
            let (entry, receiver) = flying.pop_front().unwrap();
            receiver.recv().unwrap().unwrap();
            if apply {
                log.append(&entry, &mut Unheard);
                log.upkeep(1);
            }
        }
    }
    let took = start.elapsed().as_secs_f64();
    store.shutdown();
    took
}

/// Seconds to write and sync the same bytes to a file that was written before.
fn raw_append() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = OsDisk.open(&folder.path().join("raw")).unwrap();
    let EntryBody::Messages(one) = batch(1) else {
        return 0.0;
    };
    file.fill(one.body.len() as u64 * BATCHES).unwrap();
    file.sync_data().unwrap();
    let start = Instant::now();
    for n in 0..BATCHES {
        let at = n * one.body.len() as u64;
        file.write_at(&mut [IoSlice::new(&one.body)], at).unwrap();
        file.sync_data().unwrap();
    }
    start.elapsed().as_secs_f64()
}

/// Bytes a second of a scan through the store, and through its files as they are mapped.
fn scans() -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
    let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    for n in 0..BATCHES * 3 {
        let body = batch(n * BATCH + 1);
        let index = group.append(body.clone(), true, Box::new(drop)).unwrap();
        log.append(&Committed { index, body }, &mut Unheard);
        log.upkeep(1);
    }
    log.checkpoint(group.last_index(), Vec::new().into());
    store.flush();
    log.upkeep(2);
    let dir = folder.path().join("streams").join("00000001");
    let maps: Vec<_> = OsDisk
        .list(&dir)
        .unwrap()
        .iter()
        .filter(|n| n.ends_with(".dat"))
        .map(|n| OsDisk.open_existing(&dir.join(n)).unwrap())
        .map(|file| file.map(usize::try_from(file.len().unwrap()).unwrap()).unwrap())
        .collect();
    let total: usize = maps.iter().map(bytes::Bytes::len).sum();
    let scan = |work: &mut dyn FnMut() -> u64| {
        let start = Instant::now();
        let found = work();
        assert!(found > 0);
        start.elapsed().as_secs_f64()
    };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(scan(&mut || {
            let mut count = 0;
            log.scan(&FilterSet::all(), Seq(1), &mut |passing| {
                count += passing.record().payload().len() as u64;
                ControlFlow::Continue(())
            });
            count
        }));
        // The least a reader can do: each record's checksum.
        times[1].push(scan(&mut || {
            let mut count = 0;
            for map in &maps {
                let records = natterjack_store::record::iterate(&map[32..]);
                count += records.map(|(_, r)| r.payload().len() as u64).sum::<u64>();
            }
            count
        }));
    }
    store.shutdown();
    let [ours, raw] = times;
    let bytes = f64::from(u32::try_from(total).unwrap());
    (bytes / median(ours), bytes / median(raw))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_reads = writeln!(out, "{text}");
}

fn main() {
    let (mut applied, mut appended, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(raw_append());
        appended.push(store_append(false));
        applied.push(store_append(true));
    }
    let messages = f64::from(u32::try_from(BATCH * BATCHES).unwrap());
    let (raw, appended, applied) = (median(raw), median(appended), median(applied));
    say(&format!(
        "append 128 B, {BATCH} together: bare disk {:.0}/s, journal {:.0}/s (time x {:.2}), stream {:.0}/s (time x {:.2})",
        messages / raw,
        messages / appended,
        appended / raw,
        messages / applied,
        applied / raw,
    ));
    let (ours, mapped) = scans();
    say(&format!(
        "scan: mapped files {:.2} GB/s, store {:.2} GB/s ({:.0} %)",
        mapped / 1e9,
        ours / 1e9,
        100.0 * ours / mapped,
    ));
}
