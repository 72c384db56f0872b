//! Random command sequences on files and in memory against a plain map, with restarts in between.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};

use natterjack_subject::{Filter, FilterSet};
use proptest::prelude::*;

use super::*;
use crate::batch::{BatchBuilder, EntryBody};
use crate::disk::OsDisk;
use crate::record::NewRecord;
use crate::store::{Group, Health, Store, StoreOptions};
use crate::traits::Unheard;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, u8)>),
    Remove(u64),
    Purge(Option<u8>, Option<u64>, u64),
    Limits(Option<u64>, Option<u64>, Option<u64>),
    Checkpoint,
    Upkeep,
    Restart,
    Skip(u64),
    Truncate(u64),
}

const SUBJECTS: [&str; 5] = ["a.x", "a.y", "b.x", "b.y.z", "c"];
const FILTERS: [&str; 7] = [">", "a.*", "b.>", "c", "*.x", "a.x", "nobody"];
const SETS: [&[&str]; 3] = [&["a.*", "*.x"], &["c", "b.>", "b.x"], &["*", "a.y"]];
/// So little that subjects go to disk at every opportunity.
const NO_ROOM: usize = 1;
/// Enough for all that a test has.
const ROOM: usize = 64 * 1024 * 1024;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec((0u8..5, 0u8..60), 1..12).prop_map(Step::Append),
        3 => (0u64..120).prop_map(Step::Remove),
        1 => (proptest::option::of(0u8..7), proptest::option::of(0u64..140), 0u64..4).prop_map(|(f, s, k)| Step::Purge(f, s, k)),
        1 => (proptest::option::of(1u64..30), proptest::option::of(200u64..3000), proptest::option::of(1u64..5)).prop_map(|(m, b, p)| Step::Limits(m, b, p)),
        1 => Just(Step::Checkpoint),
        3 => Just(Step::Upkeep),
        1 => Just(Step::Restart),
        1 => (1u64..6).prop_map(Step::Skip),
        1 => Just(Step::Skip(1 << 40)),
        1 => (1u64..30).prop_map(Step::Truncate),
    ]
}

/// What the stream should hold, kept the plain way.
#[derive(Default)]
struct Model {
    messages: BTreeMap<u64, (String, Vec<u8>)>,
    last: u64,
    limits: Limits,
}

impl Model {
    fn bytes(&self, storage: Storage) -> u64 {
        self.messages
            .values()
            .map(|(s, p)| accounted(storage, s.len(), 0, p.len()))
            .sum()
    }

    fn enforce(&mut self, storage: Storage) {
        while self
            .limits
            .max_msgs
            .is_some_and(|m| self.messages.len() as u64 > m)
            || self.limits.max_bytes.is_some_and(|m| self.bytes(storage) > m)
        {
            self.messages.pop_first();
        }
    }

    fn trim(&mut self, subject: &str) {
        let Some(max) = self.limits.max_per_subject else {
            return;
        };
        while self.messages.values().filter(|(s, _)| s == subject).count() as u64 > max {
            let oldest = *self.messages.iter().find(|(_, (s, _))| s == subject).unwrap().0;
            self.messages.remove(&oldest);
        }
    }
}

struct Run {
    storage: Storage,
    _folder: tempfile::TempDir,
    path: PathBuf,
    options: StreamOptions,
    memory_bytes_max: usize,
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    model: Model,
    applied: LogIndex,
    now: i64,
}

fn stream_options(storage: Storage) -> StreamOptions {
    StreamOptions {
        storage,
        segment_bytes: 1,
        label: Bytes::from_static(b"test"),
    }
}

/// Commands of the tests' own: what is not messages must be replayed as well.
fn encode(step: &Step) -> Vec<u8> {
    format!("{step:?}").into_bytes()
}

impl Run {
    fn new(storage: Storage, memory_bytes_max: usize) -> Self {
        Self::with(storage, 1, memory_bytes_max)
    }

    fn sized(storage: Storage, segment_bytes: u64) -> Self {
        Self::with(storage, segment_bytes, NO_ROOM)
    }

    fn with(storage: Storage, segment_bytes: u64, memory_bytes_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let options = StoreOptions {
            journal_file_bytes: 64 * 1024,
            memory_bytes_max,
            ..StoreOptions::default()
        };
        let store = Store::open(Arc::new(OsDisk), &path, &options).unwrap();
        let stream = StreamOptions {
            segment_bytes,
            ..stream_options(storage)
        };
        let (group, log) = store.create_stream(GroupId(1), &stream).unwrap();
        Self {
            storage,
            _folder: folder,
            path,
            options: stream,
            memory_bytes_max,
            store,
            group,
            log,
            model: Model::default(),
            applied: LogIndex(0),
            now: 1,
        }
    }

    fn commit(&self, body: EntryBody) -> LogIndex {
        let (sender, receiver) = mpsc::channel();
        let index = self
            .group
            .append(body, false, Box::new(move |r| sender.send(r).unwrap()))
            .unwrap();
        receiver.recv().unwrap().unwrap();
        index
    }

    fn apply(&mut self, step: &Step) {
        let body = match step {
            Step::Append(list) => {
                let mut builder = BatchBuilder::default();
                for (n, (subject, len)) in list.iter().enumerate() {
                    let payload = vec![*subject; usize::from(*len)];
                    let seq = Seq(self.model.last + n as u64 + 1);
                    self.now += 10;
                    let subject = SUBJECTS[usize::from(*subject)].as_bytes();
                    assert!(builder.push(&NewRecord {
                        seq,
                        ts_ns: self.now,
                        subject,
                        payload: &payload,
                        ..NewRecord::default()
                    }));
                }
                EntryBody::Messages(builder.finish())
            }
            Step::Checkpoint | Step::Upkeep | Step::Restart => return self.maintain(step),
            other => EntryBody::Command(Bytes::from(encode(other))),
        };
        let index = self.commit(body.clone());
        self.applied = index;
        self.model_step(step);
        match body {
            EntryBody::Messages(_) => self.log.append(&Committed { index, body }, &mut Unheard),
            EntryBody::Command(_) => command(self.log.as_mut(), step),
        }
    }

    fn maintain(&mut self, step: &Step) {
        match step {
            Step::Upkeep => {
                self.now += 2_000_000_000;
                self.log.upkeep(self.now);
                self.store.flush();
                self.log.upkeep(self.now);
            }
            Step::Checkpoint => {
                let Limits {
                    max_msgs,
                    max_bytes,
                    max_per_subject,
                    ..
                } = self.model.limits;
                let owner = encode(&Step::Limits(max_msgs, max_bytes, max_per_subject));
                self.log.checkpoint(self.applied, Bytes::from(owner));
            }
            _ if self.storage == Storage::File => self.restart(),
            _ => {}
        }
    }

    fn restart(&mut self) {
        self.reopen();
        assert_eq!(self.store.health(), Health::Ok);
    }

    fn reopen(&mut self) {
        self.store.shutdown();
        let options = StoreOptions {
            journal_file_bytes: 64 * 1024,
            memory_bytes_max: self.memory_bytes_max,
            ..StoreOptions::default()
        };
        self.store = Store::open(Arc::new(OsDisk), &self.path, &options).unwrap();
        let (mut group, mut log) = self.store.open_stream(GroupId(1), &self.options).unwrap();
        if let Some((_, owner)) = group.checkpoint() {
            command(log.as_mut(), &decode(owner));
        }
        for entry in group.replay() {
            match &entry.body {
                EntryBody::Messages(_) => log.append(&entry, &mut Unheard),
                EntryBody::Command(text) => command(log.as_mut(), &decode(text)),
            }
        }
        (self.group, self.log) = (group, log);
    }

    fn model_step(&mut self, step: &Step) {
        let model = &mut self.model;
        match step {
            Step::Append(list) => {
                for (subject, len) in list {
                    model.last += 1;
                    let text = SUBJECTS[usize::from(*subject)].to_owned();
                    model
                        .messages
                        .insert(model.last, (text.clone(), vec![*subject; usize::from(*len)]));
                    model.trim(&text);
                    model.enforce(self.storage);
                }
            }
            Step::Remove(seq) => {
                model.messages.remove(seq);
            }
            Step::Purge(filter, up_to, keep) => {
                let filter = filter.map(|f| Filter::parse(FILTERS[usize::from(f)].as_bytes()).unwrap());
                let hit: Vec<u64> = model
                    .messages
                    .iter()
                    .filter(|(_, (s, _))| filter.as_ref().is_none_or(|f| f.matches(s.as_bytes())))
                    .map(|(n, _)| *n)
                    .collect();
                let keep = usize::try_from(*keep).unwrap();
                let mut left = hit.len();
                for seq in hit {
                    if up_to.is_some_and(|u| seq >= u) || left <= keep {
                        break;
                    }
                    model.messages.remove(&seq);
                    left -= 1;
                }
                if filter.is_none_or(|f| f.is_all()) && model.messages.is_empty() {
                    model.last = model.last.max(up_to.unwrap_or(0).saturating_sub(1));
                }
            }
            Step::Limits(msgs, bytes, per_subject) => {
                model.limits = Limits {
                    max_msgs: *msgs,
                    max_bytes: *bytes,
                    max_per_subject: *per_subject,
                    max_age_ns: None,
                };
                for subject in SUBJECTS {
                    model.trim(subject);
                }
                model.enforce(self.storage);
            }
            Step::Skip(n) => model.last += n,
            Step::Truncate(n) => {
                model.last = model.last.saturating_sub(*n);
                let keep = model.last + 1;
                drop(model.messages.split_off(&keep));
            }
            Step::Checkpoint | Step::Upkeep | Step::Restart => {}
        }
    }

    fn check(&mut self) {
        let state = self.log.state();
        assert_eq!(state.last_seq.0, self.model.last);
        assert_eq!(state.msgs, self.model.messages.len() as u64);
        assert_eq!(state.bytes, self.model.bytes(self.storage));
        let first = self
            .model
            .messages
            .keys()
            .next()
            .copied()
            .unwrap_or(self.model.last + 1);
        assert_eq!(state.first_seq.0, first);
        let near = self
            .model
            .messages
            .keys()
            .flat_map(|n| [n.saturating_sub(1), *n, n + 1]);
        let end = self.model.last;
        for seq in near
            .chain(end.saturating_sub(30)..=end)
            .filter(|n| (1..=end).contains(n))
        {
            let loaded = self.log.load(Seq(seq)).ok().map(|m| {
                (
                    String::from_utf8(m.subject().to_vec()).unwrap(),
                    m.payload().to_vec(),
                )
            });
            assert_eq!(loaded, self.model.messages.get(&seq).cloned(), "message {seq}");
        }
        for filter in FILTERS {
            self.check_filter(filter);
        }
        for set in SETS {
            self.check_set(set);
        }
        let gone: u64 = self.log.deleted(usize::MAX).iter().map(|(_, n)| n).sum();
        assert_eq!(gone, state.num_deleted);
    }

    fn check_set(&mut self, texts: &[&str]) {
        let parsed = texts.iter().map(|text| Filter::parse(text.as_bytes()).unwrap());
        let set = FilterSet::new(parsed.collect());
        let passing = self.model.messages.iter();
        let passing = passing.filter(|(_, (s, _))| set.matches(s.as_bytes()));
        let hit: Vec<u64> = passing.map(|(n, _)| *n).collect();
        for from in [0, 1, self.model.last / 3, self.model.last / 2, self.model.last] {
            let behind: Vec<u64> = hit.iter().copied().filter(|n| *n >= from).collect();
            assert_eq!(
                self.log.next(&set, Seq(from)).map(|m| m.seq().0),
                behind.first().copied(),
                "{texts:?} from {from}"
            );
            let mut scanned = Vec::new();
            self.log.scan(&set, Seq(from), &mut |passing| {
                let record = passing.record();
                assert_eq!(passing.message().subject(), record.subject());
                scanned.push(record.seq().0);
                ControlFlow::Continue(())
            });
            assert_eq!(scanned, behind, "{texts:?} from {from}");
            assert_eq!(
                self.log.num_pending(&set, Seq(from), false).count,
                behind.len() as u64,
                "{texts:?} from {from}"
            );
            let before = hit.iter().rev().copied().find(|n| *n <= from);
            assert_eq!(
                self.log.last_matching(&set, Seq(from)).map(|s| s.0),
                before,
                "{texts:?} up to {from}"
            );
        }
    }

    fn check_filter(&mut self, text: &str) {
        let filter = Filter::parse(text.as_bytes()).unwrap();
        let set = FilterSet::new(vec![filter.clone()]);
        let hit: Vec<(u64, String)> = self
            .model
            .messages
            .iter()
            .filter(|(_, (s, _))| filter.matches(s.as_bytes()))
            .map(|(n, (s, _))| (*n, s.clone()))
            .collect();
        self.check_set(&[text]);
        let mut lasts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (seq, subject) in &hit {
            lasts.insert(subject, *seq);
            *counts.entry(subject).or_default() += 1;
        }
        let mut expected: Vec<u64> = lasts.values().copied().collect();
        expected.sort_unstable();
        let got: Vec<u64> = self
            .log
            .multi_last(&set, Seq(u64::MAX), 100)
            .unwrap()
            .iter()
            .map(|s| s.0)
            .collect();
        assert_eq!(got, expected, "{text}");
        let mut subjects = Vec::new();
        self.log.subjects(&filter, &mut |s, n| {
            subjects.push((String::from_utf8(s.to_vec()).unwrap(), n));
            ControlFlow::Continue(())
        });
        assert_eq!(
            subjects,
            counts
                .iter()
                .map(|(s, n)| ((*s).to_owned(), *n))
                .collect::<Vec<_>>(),
            "{text}"
        );
        for (subject, last) in lasts {
            assert_eq!(self.log.last_for(subject.as_bytes()), Some(Seq(last)));
            let first = hit.iter().find(|h| h.1 == subject).unwrap().0;
            assert_eq!(self.log.first_for(subject.as_bytes()), Some(Seq(first)));
        }
    }
}

fn command(log: &mut dyn MsgStore, step: &Step) {
    match step {
        Step::Remove(seq) => {
            log.remove(Seq(*seq), false, &mut Unheard);
        }
        Step::Purge(filter, up_to, keep) => {
            let filter = filter.map(|f| Filter::parse(FILTERS[usize::from(f)].as_bytes()).unwrap());
            log.purge(
                &Purge {
                    filter,
                    up_to: up_to.map(Seq),
                    keep: *keep,
                },
                &mut Unheard,
            );
        }
        Step::Limits(msgs, bytes, per_subject) => {
            let limits = Limits {
                max_msgs: *msgs,
                max_bytes: *bytes,
                max_per_subject: *per_subject,
                max_age_ns: None,
            };
            log.set_limits(limits, &mut Unheard);
        }
        Step::Skip(n) => {
            let last = log.state().last_seq;
            log.skip_to(Seq(last.0 + n), 0);
        }
        Step::Truncate(n) => {
            let last = log.state().last_seq;
            log.truncate(Seq(last.0.saturating_sub(*n)));
        }
        Step::Append(_) | Step::Checkpoint | Step::Upkeep | Step::Restart => {}
    }
}

/// Reads back what [`encode`] wrote: the numbers of the debug form.
fn decode(text: &[u8]) -> Step {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let fields: Vec<Option<u64>> = text
        .split_once('(')
        .unwrap()
        .1
        .split(", ")
        .map(|f| {
            let digits: String = f.chars().filter(char::is_ascii_digit).collect();
            digits.parse().ok().filter(|_| !f.contains("None"))
        })
        .collect();
    if text.starts_with("Remove") {
        Step::Remove(fields[0].unwrap())
    } else if text.starts_with("Purge") {
        Step::Purge(
            fields[0].map(|f| u8::try_from(f).unwrap()),
            fields[1],
            fields[2].unwrap(),
        )
    } else if text.starts_with("Limits") {
        Step::Limits(fields[0], fields[1], fields[2])
    } else if text.starts_with("Truncate") {
        Step::Truncate(fields[0].unwrap())
    } else {
        Step::Skip(fields[0].unwrap())
    }
}

fn run(storage: Storage, memory_bytes_max: usize, steps: Vec<Step>) {
    let mut run = Run::new(storage, memory_bytes_max);
    for step in steps {
        run.apply(&step);
        run.check();
    }
    run.maintain(&Step::Checkpoint);
    run.maintain(&Step::Upkeep);
    run.maintain(&Step::Restart);
    run.check();
    run.store.shutdown();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn files_agree_with_a_map(steps in proptest::collection::vec(step(), 1..40)) {
        run(Storage::File, NO_ROOM, steps);
    }

    #[test]
    fn files_of_which_much_is_known_agree_with_a_map(steps in proptest::collection::vec(step(), 1..40)) {
        run(Storage::File, ROOM, steps);
    }

    #[test]
    fn memory_agrees_with_a_map(steps in proptest::collection::vec(step(), 1..40)) {
        run(Storage::Memory, ROOM, steps);
    }
}

#[test]
fn full_segments_are_sealed_rewritten_and_removed() {
    let mut run = Run::sized(Storage::File, 64 * 1024);
    for round in 0..60u8 {
        run.apply(&Step::Append((0..200).map(|n| (n % 5, 59)).collect()));
        if round % 4 == 0 {
            run.maintain(&Step::Upkeep);
        }
    }
    run.maintain(&Step::Upkeep);
    for seq in (1..run.model.last).filter(|s| s % 10 != 0) {
        run.apply(&Step::Remove(seq));
    }
    for _ in 0..40 {
        run.maintain(&Step::Upkeep);
    }
    run.maintain(&Step::Checkpoint);
    run.maintain(&Step::Upkeep);
    run.check();
    run.restart();
    run.check();
    let on_disk: u64 = std::fs::read_dir(run.path.join("streams/00000001"))
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.file_name().to_string_lossy().ends_with(".dat"))
        .map(|e| e.metadata().unwrap().len())
        .sum();
    assert!(
        on_disk < 1_000_000,
        "{on_disk} bytes for {} messages",
        run.model.messages.len()
    );
    run.store.shutdown();
}

/// An entry with `count` messages of `size` bytes behind the last, applied.
fn append_large(run: &mut Run, count: u64, size: usize) {
    let mut batch = BatchBuilder::default();
    let first = run.log.state().last_seq.0 + 1;
    for seq in first..first + count {
        batch.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: SUBJECTS[usize::try_from(seq).unwrap() % 3].as_bytes(),
            payload: &vec![u8::try_from(seq % 251).unwrap(); size],
            ..NewRecord::default()
        });
    }
    let body = EntryBody::Messages(batch.finish());
    let index = run.group.append(body.clone(), false, Box::new(drop)).unwrap();
    run.log.append(&Committed { index, body }, &mut Unheard);
    run.applied = index;
}

#[test]
fn large_messages_are_there_and_found_like_others() {
    let mut run = Run::sized(Storage::File, 4 * 1024 * 1024);
    let lens = |log: &dyn MsgStore, filter: &FilterSet| {
        let mut seen = Vec::new();
        log.scan(filter, Seq(1), &mut |passing| {
            let record = passing.record();
            let byte = u8::try_from(record.seq().0 % 251).unwrap();
            assert!(record.payload().iter().all(|b| *b == byte));
            seen.push((record.seq().0, record.payload().len()));
            ControlFlow::Continue(())
        });
        seen
    };
    let mut expected = Vec::new();
    for (count, size) in [
        (400u64, 4096),
        (3, 100),
        (300, 4099),
        (2, 3_000_000),
        (600, 5000),
        (1, 1),
    ] {
        let first = run.log.state().last_seq.0 + 1;
        expected.extend((first..first + count).map(|seq| (seq, size)));
        append_large(&mut run, count, size);
        run.maintain(&Step::Upkeep);
        assert_eq!(lens(run.log.as_ref(), &FilterSet::all()), expected);
    }
    let one = FilterSet::new(vec![Filter::parse(b"a.y").unwrap()]);
    let ys: Vec<_> = expected.iter().copied().filter(|m| m.0 % 3 == 1).collect();
    for _ in 0..2 {
        assert_eq!(lens(run.log.as_ref(), &one), ys);
        let pending = run.log.num_pending(&one, Seq(2), false).count;
        assert_eq!(pending, ys.iter().filter(|m| m.0 >= 2).count() as u64);
        run.maintain(&Step::Checkpoint);
        run.maintain(&Step::Upkeep);
    }
    run.store.shutdown();
}

#[test]
fn who_is_behind_says_so_until_it_has_caught_up() {
    let mut run = Run::sized(Storage::File, SEGMENT_BYTES);
    append_large(&mut run, 100, 1000);
    assert!(!run.log.is_behind());
    append_large(&mut run, 10_000, 1000);
    assert!(run.log.is_behind());
    run.maintain(&Step::Upkeep);
    assert!(!run.log.is_behind());
    run.store.shutdown();
}

#[test]
fn a_place_that_is_filled_again_is_not_removed() {
    let append = |count| Step::Append(vec![(0, 30); count]);
    let mut run = Run::new(Storage::File, NO_ROOM);
    let steps = [
        append(3),
        Step::Checkpoint,
        Step::Upkeep,
        Step::Restart,
        Step::Purge(None, None, 0),
        Step::Truncate(3),
        append(5),
    ];
    for step in &steps {
        run.apply(step);
        run.check();
    }
    for step in [Step::Checkpoint, Step::Upkeep, Step::Restart] {
        run.maintain(&step);
    }
    run.check();
}

/// Flips a bit at `at` of every run of subjects, from its end if that is below 0; how many there are.
fn damage_runs(run: &Run, at: i64) -> usize {
    run.store.flush();
    let folder = run.path.join("streams/00000001");
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let runs: Vec<PathBuf> = files
        .filter(|p| p.extension().is_some_and(|e| e == "run"))
        .collect();
    for path in &runs {
        let mut bytes = std::fs::read(path).unwrap();
        let at = at.rem_euclid(i64::try_from(bytes.len()).unwrap());
        bytes[usize::try_from(at).unwrap()] ^= 16;
        std::fs::write(path, bytes).unwrap();
    }
    runs.len()
}

#[test]
fn what_is_known_of_subjects_survives_damage() {
    let mut run = Run::new(Storage::File, NO_ROOM);
    for at in [6, -20, 6] {
        for subject in 0..5 {
            run.apply(&Step::Append(vec![(subject, 9)]));
            run.maintain(&Step::Upkeep);
            run.maintain(&Step::Upkeep);
        }
        assert!(damage_runs(&run, 6) > 0, "subjects are on disk");
        for subject in SUBJECTS {
            let expected = run.model.messages.values().filter(|(s, _)| s == subject).count();
            let state = run.log.subject_state(subject.as_bytes());
            assert_eq!(state.map_or(0, |s| s.count), expected as u64);
        }
        run.apply(&Step::Append((0..5).map(|subject| (subject, 1)).collect()));
        run.check();
        let troubles = run.store.take_troubles();
        assert!(
            troubles.iter().any(|t| t.contains("is made anew")),
            "{troubles:?}"
        );
        run.maintain(&Step::Checkpoint);
        run.maintain(&Step::Upkeep);
        damage_runs(&run, at);
        run.reopen();
        // A block is not read before it is needed; what says where blocks are is.
        let is_said = matches!(run.store.health(), Health::Damaged(texts) if texts.iter().any(|t| t.contains("is made anew")));
        assert_eq!(is_said, at < 0);
        run.check();
    }
}

/// A stream with the settings that it has by default.
struct Plain {
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    _folder: tempfile::TempDir,
}

impl Plain {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
        let (group, log) = store
            .create_stream(GroupId(1), &StreamOptions::default())
            .unwrap();
        Self {
            store,
            group,
            log,
            _folder: folder,
        }
    }

    /// Applies messages with these payloads, each with a subject of its own if `distinct`.
    fn append(&mut self, count: u64, size: usize, distinct: bool) {
        let mut batch = BatchBuilder::default();
        let first = self.log.state().last_seq.0 + 1;
        for seq in first..first + count {
            let subject = format!("subject.{}", if distinct { seq } else { 0 });
            batch.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: 1,
                subject: subject.as_bytes(),
                payload: &vec![7; size],
                ..NewRecord::default()
            });
        }
        let body = EntryBody::Messages(batch.finish());
        let index = self.group.append(body.clone(), true, Box::new(drop)).unwrap();
        self.log.append(&Committed { index, body }, &mut Unheard);
    }

    /// MiB of messages that come behind a checkpoint until another is asked for.
    fn until_checkpoint(&mut self) -> u64 {
        self.log.checkpoint(self.group.last_index(), Bytes::new());
        self.store.flush();
        let mut came = 0;
        while !self.log.upkeep(1).wants_checkpoint {
            self.append(1, 1024 * 1024, false);
            came += 1;
        }
        came
    }
}

#[test]
fn what_checkpoints_write_is_little_beside_what_is_appended() {
    let mut plain = Plain::new();
    assert_eq!(plain.until_checkpoint(), 32);
    plain.append(150_000, 64, true);
    let came = plain.until_checkpoint();
    assert!(
        (34..60).contains(&came),
        "with a table of some 10 MB after {came} MiB"
    );
    plain.store.shutdown();
}
