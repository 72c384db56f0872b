//! A stream is filled from a snapshot of another, as a restore does it: nobody is told of it before all of it is on disk.
//! After a crash behind any operation it is there as a whole, or nothing of it is, and nothing of it ever comes back.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, mpsc};

use natterjack_store::disk::sim::{Crash, SimDisk};
use natterjack_store::{
    BatchBuilder, Committed, Disk as _, EntryBody, Group, GroupId, Health, MsgStore, NewRecord, Seq,
    Snapshot, Store, SyncMode, Unheard,
};

use crate::driver::{Coding, options, stream_options};
use crate::model::{self, Change, Model};

const ROOT: &str = "/store";
/// Says which streams there are: their numbers, one an entry.
const LIST: GroupId = GroupId(0);
/// The stream that is pinned.
const SOURCE: GroupId = GroupId(1);
/// Messages of a batch.
const BATCH: usize = 4;

fn open(disk: &SimDisk, coding: Coding) -> io::Result<Store> {
    let options = options(SyncMode::Always, coding);
    Store::open(Arc::new(disk.clone()), Path::new(ROOT), &options)
}

fn commit(group: &Group, body: EntryBody) -> Committed {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |outcome| drop(sender.send(outcome)));
    let index = group.append(body.clone(), false, done).unwrap();
    receiver.recv().unwrap().unwrap();
    Committed { index, body }
}

fn change(group: &Group, log: &mut dyn MsgStore, body: EntryBody) {
    let entry = commit(group, body);
    apply(log, &entry);
}

fn apply(log: &mut dyn MsgStore, entry: &Committed) {
    match &entry.body {
        EntryBody::Messages(_) => log.append(entry, &mut Unheard),
        EntryBody::Command(text) => {
            model::apply(log, Change::decode(text), &mut model::decode_limits(&[255; 24]))
        }
    }
}

/// Makes a stream out of a snapshot and tells of it.
fn restore(store: &Store, list: &Group, snapshot: &Snapshot, coding: Coding) -> GroupId {
    let number = store.next_group();
    let (group, mut log) = store.create_stream(number, &stream_options()).unwrap();
    log.set_compression(coding.compress);
    let mut messages = Vec::new();
    snapshot.scan(Seq(0), &mut |_, found| {
        messages.push(found.unwrap().message());
        ControlFlow::Continue(())
    });
    let mut rest = messages.iter().peekable();
    while let Some(first) = rest.peek() {
        let gap = first.seq().0 - log.state().last_seq.0 - 1;
        if gap > 0 {
            change(
                &group,
                log.as_mut(),
                EntryBody::Command(Change::Skip(gap).encode().into()),
            );
        }
        let (mut builder, mut last) = (BatchBuilder::default(), log.state().last_seq);
        for _ in 0..BATCH {
            let Some(message) = rest.next_if(|m| m.seq() == last.next()) else {
                break;
            };
            last = message.seq();
            assert!(builder.push(&NewRecord {
                seq: last,
                ts_ns: message.ts_ns(),
                subject: message.subject(),
                headers: message.headers(),
                payload: message.payload(),
                ..NewRecord::default()
            }));
        }
        change(&group, log.as_mut(), EntryBody::Messages(builder.finish()));
        log.upkeep(1 << 40);
        if last.0 > 9 {
            log.checkpoint(group.last_index(), vec![255; 24].into());
        }
    }
    store.flush();
    log.upkeep(1 << 41);
    commit(list, EntryBody::Command(number.0.to_le_bytes().to_vec().into()));
    number
}

/// A restore as it ran.
struct Restore {
    disk: SimDisk,
    /// Operations before it began, and behind it.
    ran: (usize, usize),
    number: GroupId,
    model: Model,
}

fn run(coding: Coding) -> Restore {
    let disk = SimDisk::default();
    let store = open(&disk, coding).unwrap();
    let list = store.group(LIST).unwrap();
    let (group, mut log) = store.create_stream(SOURCE, &stream_options()).unwrap();
    log.set_compression(coding.compress);
    let mut model = Model::new();
    let all = [
        Change::Append(7, 300),
        Change::Remove(3),
        Change::Append(6, 900),
        Change::Remove(8),
    ];
    for what in all {
        change(&group, log.as_mut(), model.entry(what, SOURCE.0, 1));
        model.apply(what, SOURCE.0);
    }
    log.upkeep(1 << 40);
    commit(&list, EntryBody::Command(SOURCE.0.to_le_bytes().to_vec().into()));
    let snapshot = log.snapshot(group.last_index(), Vec::new().into());
    // The stream goes on, and then goes away.
    change(&group, log.as_mut(), model.entry(Change::Purge, SOURCE.0, 1));
    log.checkpoint(group.last_index(), vec![255; 24].into());
    store.flush();
    log.upkeep(1 << 40);
    let before = disk.operations();
    let number = restore(&store, &list, &snapshot, coding);
    store.flush();
    let ran = (before, disk.operations());
    store.shutdown();
    Restore {
        disk,
        ran,
        number,
        model,
    }
}

/// Streams that somebody was told of.
fn told(store: &Store) -> Vec<GroupId> {
    let number = |entry: Committed| match entry.body {
        EntryBody::Command(text) => GroupId(u32::from_le_bytes(text[..4].try_into().unwrap())),
        EntryBody::Messages(_) => panic!("the list has no messages"),
    };
    store.group(LIST).unwrap().replay().map(number).collect()
}

fn reopen(store: &Store, number: GroupId) -> Box<dyn MsgStore> {
    let (mut group, mut log) = store.open_stream(number, &stream_options()).unwrap();
    group.replay().for_each(|entry| apply(log.as_mut(), &entry));
    log
}

impl Restore {
    /// Opens what a crash left. Gives whether the stream is there.
    fn look(&self, disk: &SimDisk, coding: Coding) -> bool {
        let store = open(disk, coding).unwrap();
        let known = told(&store);
        assert!(known.contains(&SOURCE));
        let is_there = known.contains(&self.number);
        drop(reopen(&store, SOURCE));
        if is_there {
            assert_eq!(self.model.differs(reopen(&store, self.number).as_ref()), None);
        }
        store.retain(&[&known[..], &[LIST]].concat()).unwrap();
        let folders = disk.list(Path::new("/store/streams")).unwrap();
        assert_eq!(folders.len(), known.len(), "{folders:?}");
        // Another one takes its place, and the process ends again.
        let next = store.next_group();
        let (group, mut log) = store.create_stream(next, &stream_options()).unwrap();
        let mut model = Model::new();
        change(
            &group,
            log.as_mut(),
            model.entry(Change::Append(2, 50), next.0, 1),
        );
        model.apply(Change::Append(2, 50), next.0);
        assert_eq!(store.health(), Health::Ok);
        let after = disk.crash(disk.operations(), Crash::Lose);
        store.shutdown();
        let store = open(&after, coding).unwrap();
        assert_eq!(told(&store), known);
        assert_eq!(model.differs(reopen(&store, next).as_ref()), None);
        store.shutdown();
        is_there
    }
}

/// Crashes behind every operation of a restore. Gives how often the stream was there afterwards, and how often not.
pub(crate) fn exhaust(coding: Coding, seeds: u64) -> (usize, usize) {
    let restore = run(coding);
    let (mut all, mut nothing) = (0, 0);
    let mut seen = HashSet::new();
    let (first, end) = restore.ran;
    for operations in first..=end {
        let drawn = (0..seeds).map(|n| Crash::Seed(n * 1_000_003 + operations as u64));
        for crash in [Crash::Lose, Crash::Keep].into_iter().chain(drawn) {
            let disk = restore.disk.crash(operations, crash);
            if !seen.insert(disk.fingerprint()) {
                continue;
            }
            match restore.look(&disk, coding) {
                true => all += 1,
                false => nothing += 1,
            }
        }
    }
    let last = restore.disk.crash(end, Crash::Lose);
    assert!(restore.look(&last, coding), "it was told, and is there");
    (all, nothing)
}
