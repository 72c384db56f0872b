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
    BatchBuilder, Committed, Disk, DiskFile, EntryBody, Group, GroupId, MsgStore, NewRecord, OsDisk, Seq,
    Store, StoreOptions, StreamOptions, Unheard,
};
use natterjack_subject::FilterSet;

/// Messages of 128 bytes that go to the disk together.
const BATCH: u64 = 500;
/// Batches of one turn.
const TURN: u64 = 100;
/// Entries on their way at a time: one is written while the next gathers.
const WINDOW: usize = 2;
/// Turns that each way of appending has; the first are not counted: files are made in them that are used again later.
const TURNS: usize = 48;
const WARM_UP: usize = 8;
/// Messages scanned, in batches, and how often.
const SCAN_BATCHES: u64 = 1800;
const SCANS: usize = 15;
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

/// A store that is appended to, turn by turn.
struct Appended {
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    /// Whether what is durable is applied to the stream, as a server does.
    apply: bool,
    next: u64,
    _folder: tempfile::TempDir,
}

impl Appended {
    fn new(apply: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
        let (group, log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
        Self {
            store,
            group,
            log,
            apply,
            next: 1,
            _folder: folder,
        }
    }

    fn checkpoint(&mut self) {
        let index = self.group.last_index();
        self.log.checkpoint(index, Vec::new().into());
    }

    /// Seconds to append one turn's batches with a sync, the way a server does.
    fn turn(&mut self) -> f64 {
        let mut flying = VecDeque::new();
        let start = Instant::now();
        for n in 1..=TURN {
            let body = batch(self.next);
            self.next += BATCH;
            let (sender, receiver) = mpsc::sync_channel::<Result<(), natterjack_store::AppendError>>(1);
            let done = Box::new(move |outcome| drop(sender.send(outcome)));
            let index = self.group.append(body.clone(), false, done).unwrap();
            flying.push_back((Committed { index, body }, receiver));
            while flying.len() >= WINDOW || (n == TURN && !flying.is_empty()) {
                let (entry, receiver) = flying.pop_front().unwrap();
                receiver.recv().unwrap().unwrap();
                if self.apply {
                    self.log.append(&entry, &mut Unheard);
                }
            }
            if self.apply && self.log.upkeep(1).wants_checkpoint && flying.is_empty() {
                self.checkpoint();
            }
        }
        let took = start.elapsed().as_secs_f64();
        if !self.apply {
            // Nobody reads them: the journal lets go of its files.
            self.checkpoint();
            self.store.flush();
            self.log.upkeep(1);
        }
        took
    }
}

/// A file that is written and synced again and again, without a store.
struct Bare {
    file: Arc<dyn DiskFile>,
    one: bytes::Bytes,
    _folder: tempfile::TempDir,
}

impl Bare {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = OsDisk.open(&folder.path().join("raw")).unwrap();
        let EntryBody::Messages(one) = batch(1) else {
            unreachable!("a batch is of messages");
        };
        file.fill(one.body.len() as u64 * TURN).unwrap();
        file.sync_data().unwrap();
        Self {
            file,
            one: one.body,
            _folder: folder,
        }
    }

    /// Seconds to write and sync the bytes of one turn.
    fn turn(&self) -> f64 {
        let start = Instant::now();
        for n in 0..TURN {
            let at = n * self.one.len() as u64;
            self.file.write_at(&mut [IoSlice::new(&self.one)], at).unwrap();
            self.file.sync_data().unwrap();
        }
        start.elapsed().as_secs_f64()
    }
}

/// Appending in turns, so that all see the same disk: seconds of bare disk, journal, and stream.
fn appends() -> [Vec<f64>; 3] {
    let (bare, mut journal, mut stream) = (Bare::new(), Appended::new(false), Appended::new(true));
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        let took = [bare.turn(), journal.turn(), stream.turn()];
        if turn >= WARM_UP {
            times.iter_mut().zip(took).for_each(|(all, one)| all.push(one));
        }
    }
    journal.store.shutdown();
    stream.store.shutdown();
    times
}

/// Bytes of a scan, and the seconds of scans through the files as they are mapped and through the store.
fn scans() -> (f64, [Vec<f64>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
    let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
    for n in 0..SCAN_BATCHES {
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
    for _ in 0..SCANS {
        times[1].push(scan(&mut || {
            let mut count = 0;
            log.scan(&FilterSet::all(), Seq(1), &mut |passing| {
                count += passing.record().payload().len() as u64;
                ControlFlow::Continue(())
            });
            count
        }));
        // The least a reader can do: each record's checksum.
        times[0].push(scan(&mut || {
            let mut count = 0;
            for map in &maps {
                let records = natterjack_store::record::iterate(&map[32..]);
                count += records.map(|(_, r)| r.payload().len() as u64).sum::<u64>();
            }
            count
        }));
    }
    store.shutdown();
    (f64::from(u32::try_from(total).unwrap()), times)
}

/// What three quarters of the values are above, half of them, and a quarter.
fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|n| sorted[(sorted.len() - 1) * n / 4])
}

/// How the times of turns compare with those of the bare disk in the same turns.
fn ratios(times: &[f64], bare: &[f64]) -> [f64; 3] {
    let ratios: Vec<f64> = times.iter().zip(bare).map(|(time, bare)| time / bare).collect();
    quartiles(&ratios)
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_reads = writeln!(out, "{text}");
}

fn main() {
    let times = appends();
    let messages = f64::from(u32::try_from(BATCH * TURN).unwrap());
    say(&format!(
        "append 128 B, {BATCH} together, medians of {} turns",
        TURNS - WARM_UP
    ));
    for (name, all) in ["bare disk", "journal", "stream"].iter().zip(&times) {
        let [low, middle, high] = ratios(all, &times[0]);
        let rate = messages / quartiles(all)[1];
        say(&format!(
            "  {name}: {rate:.0}/s, time x {middle:.2} (quartiles {low:.2} to {high:.2})"
        ));
    }
    let (bytes, [mapped, ours]) = scans();
    let [low, middle, high] = ratios(&mapped, &ours).map(|ratio| 100.0 * ratio);
    say(&format!(
        "scan: mapped files {:.2} GB/s, store {:.2} GB/s, {middle:.0} % (quartiles {low:.0} to {high:.0})",
        bytes / quartiles(&mapped)[1] / 1e9,
        bytes / quartiles(&ours)[1] / 1e9,
    ));
}
