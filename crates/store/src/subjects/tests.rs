//! Random changes to subjects in memory and with a table that goes to disk all the time, against a plain map.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use natterjack_subject::Filter;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::codec::{In, Out};
use crate::disk::Disk;
use crate::disk::sim::SimDisk;
use crate::memory::Memory;
use crate::seal::{Cipher, Vault};
use crate::worker::Worker;

const DIR: &str = "/stream";

fn place(disk: &SimDisk) -> Place {
    disk.create_dir_all(Path::new(DIR)).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Place::new(&disk, Path::new(DIR), Memory::new(512 * 1024), None)
}

#[derive(Debug, Clone)]
enum Step {
    Add(String),
    RemoveFirst(String),
    RemoveLast(String),
    Freeze,
    Collect,
    Reopen(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let subject = || "[ab](\\.[abc]){0,3}";
    prop_oneof![
        6 => subject().prop_map(Step::Add),
        2 => subject().prop_map(Step::RemoveFirst),
        2 => subject().prop_map(Step::RemoveLast),
        2 => Just(Step::Freeze),
        2 => Just(Step::Collect),
        1 => any::<bool>().prop_map(Step::Reopen),
    ]
}

/// Live sequences by subject.
type Model = BTreeMap<String, Vec<u64>>;

fn take(subjects: &mut Subjects, model: &mut Model, subject: &str, last: bool) {
    let Some(list) = model.get_mut(subject) else {
        return;
    };
    let seq = if last { list.pop().unwrap() } else { list.remove(0) };
    subjects.remove(subject.as_bytes(), Seq(seq)).unwrap();
    match list.last() {
        None => {
            model.remove(subject);
        }
        // As the log does after it looked for the last.
        Some(left) if last => subjects.set_last(subject.as_bytes(), Seq(*left)).unwrap(),
        Some(_) => {}
    }
}

fn apply(subjects: &mut Subjects, model: &mut Model, worker: &Worker, n: u64, step: Step) {
    match step {
        Step::Add(subject) => {
            let before = subjects.add(subject.as_bytes(), Seq(n)).unwrap();
            let list = model.entry(subject).or_default();
            assert_eq!(before.map_or(0, |s| s.count), list.len() as u64);
            list.push(n);
        }
        Step::RemoveFirst(subject) => take(subjects, model, &subject, false),
        Step::RemoveLast(subject) => take(subjects, model, &subject, true),
        Step::Freeze if subjects.may_freeze() => subjects.freeze(worker),
        Step::Freeze => {}
        Step::Collect => {
            worker.drain();
            subjects.collect(worker).unwrap();
        }
        Step::Reopen(settle) => {
            if let Some((place, kept)) = kept(subjects, worker, settle) {
                *subjects = recalled(&place, &kept).unwrap();
                subjects.set_histories(true);
            }
        }
    }
}

/// What a checkpoint made now says, and where.
fn kept(subjects: &mut Subjects, worker: &Worker, settle: bool) -> Option<(Place, Kept)> {
    let keep = subjects.keep(settle, worker)?;
    let outcome = worker.submit(move || keep.finish(&|synced| synced).unwrap().unwrap());
    worker.drain();
    let mut out = Out::default();
    outcome.take().unwrap().encode(&mut out);
    let kept = Kept::decode(&mut In(&out.0)).unwrap();
    Some((subjects.place.clone().unwrap(), kept))
}

/// As a process that knows nothing else finds it.
fn recalled(place: &Place, kept: &Kept) -> Result<Subjects, PathBuf> {
    let mut subjects = Subjects::new(Some(Place {
        memory: Memory::new(512 * 1024),
        ..place.clone()
    }));
    subjects.recall(kept).map(|()| subjects)
}

fn check(subjects: &mut Subjects, model: &Model, filter: &str) {
    assert_eq!(subjects.len(), model.len());
    for (subject, list) in model {
        let state = subjects.get(subject.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (state.count, state.last.0),
            (list.len() as u64, *list.last().unwrap())
        );
        assert!(!state.last_stale && state.first_bound.0 <= list[0]);
        let oldest = subjects.oldest(subject.as_bytes());
        assert!(
            oldest == Some(Seq(list[0])) || oldest.is_none() && !subjects.has_histories,
            "{subject}: {oldest:?} of {list:?}"
        );
    }
    let filter = Filter::parse(filter.as_bytes()).unwrap();
    let expected: Vec<(String, u64)> = model
        .iter()
        .filter(|(s, _)| filter.matches(s.as_bytes()))
        .map(|(s, l)| (s.clone(), l.len() as u64))
        .collect();
    for after in ["", "a.b"] {
        let mut got = Vec::new();
        let each = &mut |text: &[u8], state: SubjectState| {
            got.push((String::from_utf8(text.to_vec()).unwrap(), state.count));
            ControlFlow::Continue(())
        };
        subjects.for_each(&filter, after.as_bytes(), each).unwrap();
        let rest: Vec<_> = expected
            .iter()
            .filter(|(s, _)| s.as_str() > after)
            .cloned()
            .collect();
        assert_eq!(got, rest, "{filter:?} after {after:?}");
    }
    for prefix in ["", "a", "a.", "a.b.", "b.c", "c"] {
        let alike = model.iter().filter(|(s, _)| s.starts_with(prefix));
        let expected: u64 = alike.map(|(_, l)| l.len() as u64).sum();
        assert_eq!(
            subjects.count_prefix(prefix.as_bytes()),
            Ok(expected),
            "{prefix:?}"
        );
    }
}

proptest! {
    #[test]
    fn agrees_with_a_map(on_disk: bool, steps in proptest::collection::vec(step(), 0..150), filter in prop_oneof![Just(">"), Just("a.*"), Just("a.>"), Just("*.b"), Just("a.b")]) {
        let worker = Worker::start().unwrap();
        let mut subjects = if on_disk { Subjects::new(Some(place(&SimDisk::default()))) } else { Subjects::new(None) };
        subjects.set_histories(true);
        let mut model = Model::new();
        for (n, step) in steps.into_iter().enumerate() {
            apply(&mut subjects, &mut model, &worker, n as u64 + 1, step);
        }
        check(&mut subjects, &model, filter);
    }
}

fn name(n: u64) -> String {
    format!("region.{}.device.{:05}.temperature", n % 7, n * 7919 % 20_000)
}

/// Enough for many blocks, in several runs.
fn many(place: Place, worker: &Worker) -> (Subjects, Model) {
    let mut subjects = Subjects::new(Some(place));
    let mut model = Model::new();
    for n in 1..=20_000 {
        subjects.add(name(n).as_bytes(), Seq(n)).unwrap();
        model.entry(name(n)).or_default().push(n);
        if n % 2_000 == 0 {
            while !subjects.may_freeze() {
                worker.drain();
                subjects.collect(worker).unwrap();
            }
            subjects.freeze(worker);
        }
    }
    while subjects.is_busy() {
        worker.drain();
        subjects.collect(worker).unwrap();
    }
    (subjects, model)
}

#[test]
fn many_subjects_take_little_memory() {
    let (disk, worker) = (SimDisk::default(), Worker::start().unwrap());
    let (mut subjects, model) = many(place(&disk), &worker);
    check(&mut subjects, &model, "region.3.>");
    assert_eq!(
        subjects.count_prefix(b"region.5.device.0"),
        Ok(model
            .iter()
            .filter(|(s, _)| s.starts_with("region.5.device.0"))
            .map(|(_, l)| l.len() as u64)
            .sum())
    );
    let (bytes, subjects) = (subjects.memory_bytes(), subjects.len());
    assert!(bytes < subjects * 4, "{bytes} bytes for {subjects} subjects");
}

#[test]
fn a_flipped_bit_is_noticed() {
    let (disk, worker) = (SimDisk::default(), Worker::start().unwrap());
    let (mut subjects, model) = many(place(&disk), &worker);
    for name in disk.list(Path::new(DIR)).unwrap() {
        let file = disk.open(&Path::new(DIR).join(name)).unwrap();
        let at = file.len().unwrap() / 2;
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        file.write_at(&mut [std::io::IoSlice::new(&[byte[0] ^ 4])], at)
            .unwrap();
    }
    // What was read before is remembered: another cache has nothing.
    let wrong = model
        .keys()
        .filter(|s| subjects.get(s.as_bytes()) == Err(Damaged))
        .count();
    assert!(wrong > 0 && wrong < model.len() / 10, "{wrong}");
    let all = Filter::parse(b">").unwrap();
    let each = &mut |_: &[u8], _| ControlFlow::Continue(());
    assert_eq!(subjects.for_each(&all, b"", each), Err(Damaged));
    subjects.reset(&worker);
    assert_eq!(subjects.len(), 0);
}

/// A run is refused or does not verify, whichever byte of its file is not as it was; a checkpoint that names another run
/// than the one that is there is as good as none.
#[test]
fn a_flipped_bit_in_a_run_that_a_checkpoint_names_is_noticed() {
    let (disk, worker) = (SimDisk::default(), Worker::start().unwrap());
    for vault in [None, Some(Vault::new(Zeroizing::new([7; 32]), Cipher::default()))] {
        let mut subjects = Subjects::new(Some(Place {
            vault: vault.map(Arc::new),
            ..place(&disk)
        }));
        subjects.number_behind(
            disk.list(Path::new(DIR))
                .unwrap()
                .iter()
                .filter_map(|n| run_number(n))
                .max(),
        );
        (1..=900).for_each(|n| assert!(subjects.add(name(n).as_bytes(), Seq(n)).is_ok()));
        subjects.freeze(&worker);
        worker.drain();
        subjects.collect(&worker).unwrap();
        let (place, kept) = kept(&mut subjects, &worker, false).unwrap();
        assert!(kept.check(&place).is_empty());
        let path = subjects.runs[0].path().to_owned();
        let len = usize::try_from(subjects.runs[0].len).unwrap();
        for byte in (0..len).step_by(7).chain(len - 64..len) {
            assert!(disk.flip(&path, byte, u8::try_from(byte % 8).unwrap()));
            assert_eq!(kept.check(&place), std::slice::from_ref(&path), "byte {byte}");
            assert!(disk.flip(&path, byte, u8::try_from(byte % 8).unwrap()));
        }
        disk.rename(&path, &place.path(99)).unwrap();
        assert!(recalled(&place, &kept).is_err());
        disk.rename(&place.path(99), &path).unwrap();
        assert!(recalled(&place, &kept).is_ok());
    }
}

/// With a table too large for the checkpoint, its copy goes to a file that goes when the next checkpoint is there.
#[test]
fn a_large_table_is_copied_and_the_copy_before_is_given_up() {
    let (disk, worker) = (SimDisk::default(), Worker::start().unwrap());
    let mut subjects = Subjects::new(Some(place(&disk)));
    (1..=20_000).for_each(|n| assert!(subjects.add(name(n).as_bytes(), Seq(n)).is_ok()));
    let (_, first) = kept(&mut subjects, &worker, false).unwrap();
    assert!(subjects.take_gone().is_empty());
    let (place, second) = kept(&mut subjects, &worker, false).unwrap();
    let gone = subjects.take_gone();
    assert_eq!(gone.len(), 1);
    assert!(first.names(0) && !second.names(0) && gone == [place.path(0)]);
    disk.remove(&gone[0]).unwrap();
    assert_eq!(recalled(&place, &second).unwrap().len(), subjects.len());
    // Where little changes it goes to disk for good.
    let (_, settled) = kept(&mut subjects, &worker, true).unwrap();
    let (_, again) = kept(&mut subjects, &worker, true).unwrap();
    assert!(settled.names(2) && again == settled);
}

#[test]
fn with_a_key_no_subject_is_on_disk() {
    let (disk, worker) = (SimDisk::default(), Worker::start().unwrap());
    let vault = Vault::new(Zeroizing::new([7; 32]), Cipher::default());
    let place = Place {
        vault: Some(Arc::new(vault)),
        ..place(&disk)
    };
    let (subjects, model) = many(place, &worker);
    for (subject, list) in &model {
        let state = subjects.get(subject.as_bytes()).unwrap();
        assert_eq!(state.map(|s| s.count), Some(list.len() as u64));
    }
    let names = disk.list(Path::new(DIR)).unwrap();
    assert!(!names.is_empty());
    for name in names {
        let file = crate::disk::read_file(&disk, &Path::new(DIR).join(name)).unwrap();
        assert!(!file.windows(6).any(|w| w == b"device"));
    }
}

#[test]
fn dead_texts_are_moved_out() {
    let mut subjects = Subjects::new(None);
    for n in 0..20_000u64 {
        let text = format!("subject.with.a.longer.name.{n}");
        subjects.add(text.as_bytes(), Seq(n + 1)).unwrap();
        if n >= 100 {
            let old = format!("subject.with.a.longer.name.{}", n - 100);
            subjects.remove(old.as_bytes(), Seq(n - 99)).unwrap();
        }
    }
    assert_eq!(subjects.len(), 100);
    let bytes = subjects.memory_bytes();
    assert!(bytes < 1_600_000, "{bytes}");
}

/// Whatever the worker is at: a table on its way, a merge, a checkpoint that names what is written.
#[test]
fn what_is_being_made_when_all_is_forgotten_leaves_no_file() {
    for (tables, names) in [(1, false), (1, true), (9, false), (9, true)] {
        let (disk, worker) = (SimDisk::default(), Worker::start().unwrap());
        let mut subjects = Subjects::new(Some(place(&disk)));
        for n in 1..=tables {
            assert!(subjects.add(name(n).as_bytes(), Seq(n)).is_ok());
            subjects.collect(&worker).unwrap();
            worker.drain();
            subjects.collect(&worker).unwrap();
            subjects.freeze(&worker);
        }
        let kept = names.then(|| kept(&mut subjects, &worker, false));
        subjects.reset(&worker);
        worker.drain();
        if kept.is_some() {
            let _next = subjects.keep(false, &worker);
        }
        subjects
            .take_gone()
            .iter()
            .for_each(|path| disk.remove(path).unwrap());
        assert_eq!(
            disk.list(Path::new(DIR)).unwrap(),
            Vec::<String>::new(),
            "{tables} {names}"
        );
    }
}
