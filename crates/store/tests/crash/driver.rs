//! Runs a script on a simulated disk, and looks at what a crash leaves of it.

use std::path::Path;
use std::sync::{Arc, mpsc};

use natterjack_store::disk::sim::{Crash, Faults, SimDisk};
use natterjack_store::{
    AppendError, Cipher, Committed, Encryption, EntryBody, Group, GroupId, Health, Key, Limits, LogIndex,
    MsgStore, Store, StoreOptions, StreamOptions, SyncMode, Unheard,
};

use crate::model::{self, Change, Model};
use crate::pinned::Pinned;

const ROOT: &str = "/store";

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A change of stream 1, waited for.
    Do(Change),
    /// A change of this stream, waited for.
    On(u32, Change),
    /// Changes of several streams at once; then all are waited for.
    Burst(Vec<(u32, Change)>),
    /// Copies to segments what is in memory, and installs what was written.
    Upkeep,
    /// A checkpoint of this stream, waited for.
    Checkpoint(u32),
    /// One that is only begun.
    BeginCheckpoint(u32),
    /// An orderly stop and a start.
    Restart,
    /// Pins this stream: from now on every step is followed by a look at what the snapshot has.
    Snapshot(u32),
    /// Lets go of all snapshots.
    Release,
    /// The owner finds what is due and removes it.
    Expire(i64),
    /// The disk has so many bytes from now on.
    Capacity(u64),
    /// A stop, and a start with this key; the one before is told as well.
    Key(&'static str),
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Coding {
    key: Option<&'static str>,
    previous: Option<&'static str>,
    cipher: Cipher,
    pub(crate) compress: bool,
}

impl Coding {
    pub(crate) fn sealed(cipher: Cipher, compress: bool) -> Self {
        Self {
            key: Some("the key"),
            previous: None,
            cipher,
            compress,
        }
    }

    pub(crate) fn compressed() -> Self {
        Self {
            compress: true,
            ..Self::default()
        }
    }
}

/// An entry and when it was on its way, counted in operations of the disk.
#[derive(Debug, Clone)]
struct Sent {
    from: usize,
    acked: Option<usize>,
}

/// A stream, its owner, and what it should be behind every entry.
struct Lane {
    id: u32,
    group: Option<Group>,
    log: Option<Box<dyn MsgStore>>,
    limits: Limits,
    sent: Vec<Sent>,
    /// Behind the n-th entry.
    models: Vec<Model>,
    applied: LogIndex,
}

impl Lane {
    fn model(&self) -> &Model {
        self.models.last().unwrap()
    }

    fn log(&mut self) -> &mut dyn MsgStore {
        self.log.as_deref_mut().unwrap()
    }

    fn apply(&mut self, index: LogIndex, body: EntryBody) {
        self.applied = index;
        let (log, limits) = (self.log.as_deref_mut().unwrap(), &mut self.limits);
        match &body {
            EntryBody::Messages(_) => log.append(&Committed { index, body }, &mut Unheard),
            EntryBody::Command(text) => model::apply(log, Change::decode(text), limits),
        }
    }
}

/// A script as it ran.
pub(crate) struct Run {
    pub(crate) disk: SimDisk,
    pub(crate) sync: SyncMode,
    coding: Coding,
    lanes: Vec<Lane>,
    /// Snapshots that are held.
    pinned: Vec<Pinned>,
    now_ns: i64,
    /// Something failed for good.
    pub(crate) over: bool,
    /// Changes that were refused.
    pub(crate) refused: usize,
}

pub(crate) fn options(sync: SyncMode, coding: Coding) -> StoreOptions {
    StoreOptions {
        sync,
        encryption: coding.key.map(|key| Encryption {
            key: Key::new(key),
            previous: coding.previous.map(Key::new),
            cipher: coding.cipher,
        }),
        journal_file_bytes: 8 * 1024,
        journal_files_max: 2,
        reserve_bytes: 4 * 1024,
        // Subjects go to disk at every opportunity.
        memory_bytes_max: 1,
        ..StoreOptions::default()
    }
}

pub(crate) fn stream_options() -> StreamOptions {
    StreamOptions {
        segment_bytes: 1,
        ..StreamOptions::default()
    }
}

fn open(disk: &SimDisk, sync: SyncMode, coding: Coding) -> std::io::Result<Store> {
    Store::open(Arc::new(disk.clone()), Path::new(ROOT), &options(sync, coding))
}

/// Opens a stream and brings it up to date, as its owner does.
fn restore(store: &Store, lane: &mut Lane, compress: bool) -> std::io::Result<()> {
    let (mut group, mut log) = store.open_stream(GroupId(lane.id), &stream_options())?;
    log.set_compression(compress);
    lane.limits = Limits::default();
    lane.applied = LogIndex(0);
    if let Some((at, owner)) = group.checkpoint() {
        lane.applied = *at;
        lane.limits = model::decode_limits(owner);
        log.set_limits(lane.limits, &mut Unheard);
    }
    lane.log = Some(log);
    for entry in group.replay() {
        lane.apply(entry.index, entry.body);
    }
    lane.group = Some(group);
    Ok(())
}

impl Run {
    pub(crate) fn new(sync: SyncMode, streams: u32, faults: Faults) -> Self {
        let disk = SimDisk::default();
        disk.set_faults(faults);
        let mut run = Self {
            disk,
            sync,
            coding: Coding::default(),
            lanes: Vec::new(),
            pinned: Vec::new(),
            now_ns: 1,
            over: false,
            refused: 0,
        };
        for id in 1..=streams {
            run.lanes.push(Lane::new(id));
        }
        run
    }

    /// The same with messages written otherwise.
    pub(crate) fn coded(mut self, coding: Coding) -> Self {
        self.coding = coding;
        self
    }

    /// Runs all steps, as far as the disk lets it.
    pub(crate) fn run(&mut self, steps: &[Step]) {
        let Ok(mut store) = open(&self.disk, self.sync, self.coding) else {
            self.over = true;
            return;
        };
        for lane in &mut self.lanes {
            let Ok((group, mut log)) = store.create_stream(GroupId(lane.id), &stream_options()) else {
                self.over = true;
                return;
            };
            log.set_compression(self.coding.compress);
            (lane.group, lane.log) = (Some(group), Some(log));
        }
        for step in steps {
            self.step(&mut store, step);
            self.pinned.iter().for_each(Pinned::check);
            if self.over {
                break;
            }
        }
        store.shutdown();
        self.pinned.clear();
    }

    fn step(&mut self, store: &mut Store, step: &Step) {
        match step {
            Step::Do(change) => self.burst(&[(1, *change)]),
            Step::On(id, change) => self.burst(&[(*id, *change)]),
            Step::Burst(list) => self.burst(list),
            Step::Upkeep => self.upkeep(store),
            Step::Checkpoint(id) => {
                self.checkpoint(*id);
                self.upkeep(store);
            }
            Step::BeginCheckpoint(id) => self.checkpoint(*id),
            Step::Restart => self.restart(store),
            Step::Key(key) => {
                self.coding.previous = self.coding.key.replace(key);
                self.restart(store);
            }
            Step::Snapshot(id) => {
                let lane = &mut self.lanes[*id as usize - 1];
                let (applied, model) = (lane.applied, lane.model().clone());
                self.pinned.push(Pinned::new(*id, model, lane.log(), applied));
            }
            Step::Release => self.pinned.clear(),
            Step::Expire(seconds) => self.expire(*seconds),
            Step::Capacity(bytes) => self.disk.set_faults(Faults {
                capacity: Some(*bytes),
                ..Faults::default()
            }),
        }
    }

    fn checkpoint(&mut self, id: u32) {
        let lane = &mut self.lanes[id as usize - 1];
        let (applied, owner) = (lane.applied, model::encode_limits(&lane.limits));
        lane.log().checkpoint(applied, owner.into());
    }

    fn upkeep(&mut self, store: &Store) {
        self.now_ns += 2_000_000_000;
        let now = self.now_ns;
        for lane in &mut self.lanes {
            lane.log().upkeep(now);
        }
        store.flush();
        for lane in &mut self.lanes {
            lane.log().upkeep(now);
        }
        store.flush();
    }

    fn restart(&mut self, store: &mut Store) {
        // Who erases in the stream that is opened anew knows nothing of them.
        self.pinned.clear();
        store.shutdown();
        self.lanes
            .iter_mut()
            .for_each(|l| (l.group, l.log) = (None, None));
        let Ok(opened) = open(&self.disk, self.sync, self.coding) else {
            self.over = true;
            return;
        };
        *store = opened;
        for lane in &mut self.lanes {
            if restore(store, lane, self.coding.compress).is_err() {
                self.over = true;
                return;
            }
            let differs =
                lane.models[usize::try_from(lane.applied.0).unwrap()].differs(lane.log.as_deref().unwrap());
            assert_eq!(differs, None, "after an orderly stop");
        }
    }

    fn expire(&mut self, seconds: i64) {
        self.now_ns += seconds * 1_000_000_000;
        let now = self.now_ns;
        let due = self.lanes[0].log().due(now, 100);
        for due in due {
            self.burst(&[(1, Change::Remove(due.seq.0))]);
        }
    }

    fn burst(&mut self, list: &[(u32, Change)]) {
        let mut waiting = Vec::new();
        for (id, change) in list {
            let (lane, now) = (&mut self.lanes[*id as usize - 1], self.now_ns);
            let body = lane.model().entry(*change, *id, now);
            let (sender, receiver) = mpsc::channel();
            let from = self.disk.operations();
            let done = Box::new(move |outcome| drop(sender.send(outcome)));
            let Ok(index) = lane.group.as_ref().unwrap().append(body.clone(), false, done) else {
                self.over = true;
                return;
            };
            let mut after = lane.model().clone();
            after.apply(*change, *id);
            // Indices that were refused count for nothing.
            let known = lane.model().clone();
            lane.models.resize(usize::try_from(index.0).unwrap(), known);
            lane.models.push(after);
            lane.sent.push(Sent { from, acked: None });
            waiting.push((*id, *change, index, body, receiver));
        }
        for (id, change, index, body, receiver) in waiting {
            let outcome: Result<(), AppendError> = receiver.recv().unwrap();
            let slot = id as usize - 1;
            let lane = &mut self.lanes[slot];
            let n = usize::try_from(index.0).unwrap();
            let mut after = lane.models[n - 1].clone();
            match outcome {
                Ok(()) => {
                    let pinned = self.pinned.iter_mut().filter(|p| p.stream == id);
                    pinned.for_each(|p| p.hear(change, &after));
                    after.apply(change, id);
                    lane.sent[n - 1].acked = Some(self.disk.operations());
                    lane.models[n] = after;
                    lane.apply(index, body);
                }
                Err(AppendError::Full) => {
                    self.refused += 1;
                    lane.models[n] = after;
                }
                // In doubt: it may be there after a crash.
                Err(_) => self.over = true,
            }
        }
        for lane in &self.lanes {
            lane.group.as_ref().unwrap().resume();
        }
    }

    /// What must be there, and may be, after a crash behind `operations`: for each stream entries acknowledged and sent.
    pub(crate) fn promises(&self, operations: usize, crash: Crash) -> Vec<(usize, usize)> {
        let durable = self.sync == SyncMode::Always || crash == Crash::Keep;
        let of = |lane: &Lane| {
            let (acked, sent) = lane.promised(operations);
            (if durable { acked } else { 0 }, sent)
        };
        self.lanes.iter().map(of).collect()
    }

    /// Opens what a crash behind `operations` left, and compares. Gives the disk as it is then.
    pub(crate) fn check(&self, operations: usize, crash: Crash) -> Result<(), String> {
        self.check_on(&self.disk.crash(operations, crash), operations, crash)
    }

    /// Opens the store while the n-th read fails; that may fail, or not.
    pub(crate) fn open_failing(&self, disk: &SimDisk, read: usize) {
        disk.set_faults(Faults {
            fail_read: Some(read),
            ..Faults::default()
        });
        if let Ok(store) = open(disk, self.sync, self.coding) {
            for lane in &self.lanes {
                let _failed = restore(&store, &mut Lane::new(lane.id), self.coding.compress);
            }
            store.shutdown();
        }
        disk.set_faults(Faults::default());
    }

    /// The same on a disk that a crash left.
    pub(crate) fn check_on(&self, disk: &SimDisk, operations: usize, crash: Crash) -> Result<(), String> {
        let Some(first) = self.look(disk, operations, crash)? else {
            return Ok(());
        };
        // What was found must stay, and nothing may come to light later: one more message, and a crash that takes all
        // that was not forced out.
        let after = disk.crash(disk.operations(), Crash::Lose);
        let store =
            open(&after, self.sync, self.coding).map_err(|e| format!("cannot be opened again: {e}"))?;
        for (lane, (index, model)) in self.lanes.iter().zip(first) {
            let mut lane = Lane::new(lane.id);
            restore(&store, &mut lane, self.coding.compress).map_err(|e| e.to_string())?;
            let found = lane.group.as_ref().unwrap().last_index();
            if found != index {
                return Err(format!("stream {}: index {index} before, {found} after", lane.id));
            }
            if let Some(text) = model.differs(lane.log.as_deref().unwrap()) {
                return Err(format!("stream {}, opened again: {text}", lane.id));
            }
        }
        Ok(())
    }

    /// Opens the store while it reads a block as it was before: every message that is there is as it should be, and unless
    /// something is said, all are. Gives whether something is said. The end of the journal cannot tell: a block that is as
    /// it was before its last write looks as if a crash had come before it.
    pub(crate) fn look_stale(&self, disk: &SimDisk) -> Result<bool, String> {
        let Ok(store) = open(disk, self.sync, self.coding) else {
            return Ok(true);
        };
        let mut found = Vec::new();
        for lane in &self.lanes {
            let mut fresh = Lane::new(lane.id);
            if restore(&store, &mut fresh, self.coding.compress).is_err() {
                return Ok(true);
            }
            let index = usize::try_from(fresh.group.as_ref().unwrap().last_index().0).unwrap();
            found.push((lane, index, fresh));
        }
        for (lane, index, mut fresh) in found {
            let model = lane.models.get(index).ok_or("out of nowhere")?;
            let torn = index + 1 < lane.models.len();
            if let Some(text) = model.contradicts(fresh.log()) {
                return Err(format!("stream {}: {text}", lane.id));
            }
            // What is wrong with a record may show only when it is read.
            if !torn
                && let Some(text) = model.differs(fresh.log())
                && store.health() == Health::Ok
            {
                return Err(format!("stream {}, and nobody says so: {text}", lane.id));
            }
        }
        let noticed = store.health() != Health::Ok;
        store.shutdown();
        Ok(noticed)
    }

    fn look(
        &self,
        disk: &SimDisk,
        operations: usize,
        crash: Crash,
    ) -> Result<Option<Vec<(LogIndex, Model)>>, String> {
        let store = open(disk, self.sync, self.coding).map_err(|e| format!("cannot be opened: {e}"))?;
        let mut found = Vec::new();
        for lane in &self.lanes {
            found.push(self.look_at(&store, lane, operations, crash)?);
        }
        if self.sync != SyncMode::Always && is_salvaged(&store) {
            return Ok(None);
        }
        if store.health() != Health::Ok {
            return Err(format!("{:?}", store.health()));
        }
        store.shutdown();
        Ok(Some(found))
    }

    fn look_at(
        &self,
        store: &Store,
        lane: &Lane,
        operations: usize,
        crash: Crash,
    ) -> Result<(LogIndex, Model), String> {
        let (acked, sent) = lane.promised(operations);
        let durable = self.sync == SyncMode::Always || crash == Crash::Keep;
        let mut fresh = Lane::new(lane.id);
        restore(store, &mut fresh, self.coding.compress).map_err(|e| format!("stream {}: {e}", lane.id))?;
        let index = usize::try_from(fresh.group.as_ref().unwrap().last_index().0).unwrap();
        if self.sync != SyncMode::Always && is_salvaged(store) {
            // The journal is gone as a whole: what is in segments is more than was promised, and is called damaged.
            return Ok((fresh.group.as_ref().unwrap().last_index(), Model::new()));
        }
        let text = |what: &str| {
            format!(
                "stream {}: {what}: acknowledged {acked}, found {index}, sent {sent}",
                lane.id
            )
        };
        if index > sent {
            return Err(text("out of nowhere"));
        }
        if index < acked && durable {
            return Err(text("lost"));
        }
        if let Some(differs) = lane.models[index].differs(fresh.log()) {
            return Err(text(&differs));
        }
        let mut more = lane.models[index].clone();
        let body = more.entry(Change::Append(1, 40), lane.id, 1);
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        let index = fresh.group.as_ref().unwrap().append(body, false, done);
        let index = index.map_err(|e| e.to_string())?;
        receiver.recv().unwrap().map_err(|e| e.to_string())?;
        more.apply(Change::Append(1, 40), lane.id);
        Ok((index, more))
    }
}

/// Whether a stream was put together from segments alone.
fn is_salvaged(store: &Store) -> bool {
    matches!(store.health(), Health::Damaged(texts) if texts.iter().any(|t| t.contains("taken from segments")))
}

impl Lane {
    /// Entries acknowledged before operation `operations`, and those that were on their way at all.
    fn promised(&self, operations: usize) -> (usize, usize) {
        let acked = self.sent.iter();
        let acked = acked
            .enumerate()
            .rfind(|(_, s)| s.acked.is_some_and(|at| at <= operations));
        let sent = self.sent.iter().take_while(|s| s.from < operations).count();
        (acked.map_or(0, |(n, _)| n + 1), sent)
    }

    fn new(id: u32) -> Self {
        Self {
            id,
            group: None,
            log: None,
            limits: Limits::default(),
            sent: Vec::new(),
            models: vec![Model::new()],
            applied: LogIndex(0),
        }
    }
}
