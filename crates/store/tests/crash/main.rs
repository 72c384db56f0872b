//! Every script, a crash behind every operation of the disk, many ways of what the crash leaves: what was acknowledged is
//! there, nothing else is, nothing is called damaged, and what was found stays.
//!
//! More than a hundred thousand different states in all; `NATTERJACK_CRASH_SEEDS=n` tries n ways behind every operation
//! instead of forty. A disk that is the same as one looked at before, with the same promises made, is not looked at again.

#![expect(
    clippy::unwrap_used,
    reason = "a test of many files ends where something is not as it should be"
)]

mod driver;
mod model;
mod pinned;
mod restored;
mod scripts;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use natterjack_store::disk::sim::{Crash, Faults, Stale};
use natterjack_store::{Cipher, SyncMode};

use driver::{Coding, Run};
use scripts::{Script, all_scripts, keys, scripts};

/// Ways of what a crash leaves, behind every operation.
const SEEDS: u64 = 14;

fn seeds() -> u64 {
    std::env::var("NATTERJACK_CRASH_SEEDS").map_or(SEEDS, |n| n.parse().expect("a number"))
}

/// How many states there were, and how many of them were different.
#[derive(Debug, Default, Clone, Copy)]
struct States {
    all: u64,
    different: u64,
}

impl std::iter::Sum for States {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |sum, one| Self {
            all: sum.all + one.all,
            different: sum.different + one.different,
        })
    }
}

/// `work` for each of the scripts, several at a time: much of the time goes by waiting for the store's threads.
fn of_each<T: Send>(scripts: &[Script], work: impl Fn(&Script) -> T + Sync) -> Vec<T> {
    const LANES: usize = 6;
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut done = Vec::new();
        while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(work(script));
        }
        done
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().flat_map(|l| l.join().unwrap()).collect()
    })
}

/// Crashes behind every operation. Returns how many states there were.
fn exhaust(script: &Script, sync: SyncMode, seeds: u64) -> States {
    let mut run = Run::new(sync, script.streams, Faults::default());
    run.run(&script.steps);
    assert!(!run.over, "{}: nothing failed", script.name);
    check_all(&script.name, &run, seeds)
}

fn check_all(name: &str, run: &Run, seeds: u64) -> States {
    let mut seen = HashSet::new();
    let mut states = States::default();
    for operations in 0..=run.disk.operations() {
        let drawn = (0..seeds).map(|n| Crash::Seed(n * 1_000_003 + operations as u64));
        for crash in [Crash::Lose, Crash::Keep].into_iter().chain(drawn) {
            states.all += 1;
            let disk = run.disk.crash(operations, crash);
            if !seen.insert((disk.fingerprint(), run.promises(operations, crash))) {
                continue;
            }
            states.different += 1;
            if let Err(text) = run.check_on(&disk, operations, crash) {
                panic!("{name}, {crash:?} behind operation {operations}: {text}");
            }
        }
    }
    states
}

#[test]
fn every_crash_point_of_every_script() {
    let states: States = of_each(&all_scripts(), |script| {
        exhaust(script, SyncMode::Always, seeds())
    })
    .into_iter()
    .sum();
    assert!(scripts().len() >= 30);
    println!("{states:?}");
    assert!(seeds() < SEEDS || states.different >= 100_000, "{states:?}");
}

/// Runs `script` with one thing going wrong at each of some places, then crashes at the end in several ways.
fn with_faults(script: &Script, every: usize, faults: impl Fn(usize) -> Faults + Sync) -> usize {
    let mut whole = Run::new(SyncMode::Always, script.streams, Faults::default());
    whole.run(&script.steps);
    let mut failed = 0;
    for place in (0..whole.disk.operations()).step_by(every) {
        let mut run = Run::new(SyncMode::Always, script.streams, faults(place));
        run.run(&script.steps);
        run.disk.set_faults(Faults::default());
        failed += usize::from(run.over || run.refused > 0);
        let end = run.disk.operations();
        for crash in [
            Crash::Lose,
            Crash::Keep,
            Crash::Seed(place as u64),
            Crash::Seed(!(place as u64)),
        ] {
            if let Err(text) = run.check(end, crash) {
                panic!("{}, {:?}, then {crash:?}: {text}", script.name, faults(place));
            }
        }
    }
    failed
}

/// How many runs of any script ended early.
fn of_all(every: usize, faults: impl Fn(usize) -> Faults + Sync) -> usize {
    let failed = of_each(&scripts(), |script| with_faults(script, every, &faults));
    failed.into_iter().sum()
}

#[test]
fn a_failed_sync_ends_everything_and_loses_nothing() {
    let faults = |place| Faults {
        fail_sync_from: Some(place),
        ..Faults::default()
    };
    let failed = of_all(7, faults);
    assert!(failed > 100, "{failed} runs came to an end");
}

#[test]
fn a_failed_write_loses_nothing() {
    let faults = |place| Faults {
        fail_change_from: Some(place),
        ..Faults::default()
    };
    let failed = of_all(7, faults);
    assert!(failed > 100, "{failed} runs came to an end");
}

#[test]
fn a_disk_that_fills_up_anywhere_loses_nothing() {
    let faults = |place: usize| Faults {
        capacity: Some(10_000 + place as u64 * 331),
        ..Faults::default()
    };
    let failed = of_all(3, faults);
    assert!(failed > 50, "{failed} runs were refused something");
}

#[test]
fn a_failed_read_is_an_error_and_nothing_else() {
    let script = scripts()
        .into_iter()
        .find(|s| s.name == "three streams, all checkpointed")
        .unwrap();
    let mut run = Run::new(SyncMode::Always, script.streams, Faults::default());
    run.run(&script.steps);
    for read in 1..40 {
        let disk = run.disk.crash(run.disk.operations(), Crash::Keep);
        run.open_failing(&disk, read);
        let end = disk.operations();
        run.check_on(&disk.crash(end, Crash::Lose), run.disk.operations(), Crash::Lose)
            .unwrap();
    }
}

#[test]
fn nothing_is_made_up_when_syncs_are_rare() {
    let rare = SyncMode::Interval(std::time::Duration::from_secs(3600));
    for script in scripts().iter().step_by(3) {
        exhaust(script, rare, 1);
    }
}

#[test]
fn a_stale_block_is_never_taken_for_the_truth() {
    let mut noticed = 0;
    for name in [
        "three streams, all checkpointed",
        "rewrite sparse segments",
        "roll the journal",
    ] {
        let script = scripts().into_iter().find(|s| s.name == name).unwrap();
        let mut run = Run::new(SyncMode::Always, script.streams, Faults::default());
        run.run(&script.steps);
        for read in 1..30 {
            for block in 0..20 {
                let disk = run.disk.duplicate();
                disk.set_faults(Faults {
                    stale: Some(Stale { read, block }),
                    ..Faults::default()
                });
                match run.look_stale(&disk) {
                    Ok(was_noticed) => noticed += usize::from(was_noticed),
                    Err(text) => panic!("{name}, read {read}, block {block}: {text}"),
                }
            }
        }
    }
    assert!(noticed > 50, "{noticed}");
}

#[test]
fn every_crash_point_of_encrypted_and_compressed_streams() {
    let codings = [
        Coding::sealed(Cipher::ChaCha20Poly1305, true),
        Coding::sealed(Cipher::Aes256Gcm, false),
        Coding::compressed(),
    ];
    for (n, script) in scripts().iter().enumerate() {
        let mut run =
            Run::new(SyncMode::Always, script.streams, Faults::default()).coded(codings[n % codings.len()]);
        run.run(&script.steps);
        assert!(!run.over, "{}: nothing failed", script.name);
        check_all(&script.name, &run, 1);
    }
}

#[test]
fn every_crash_point_of_a_store_that_gets_a_key() {
    for script in keys() {
        let mut run = Run::new(SyncMode::Always, script.streams, Faults::default());
        run.run(&script.steps);
        assert!(!run.over, "{}: nothing failed", script.name);
        check_all(&script.name, &run, 2);
    }
}

#[test]
fn every_crash_point_of_a_restore_leaves_all_or_nothing() {
    let codings = [
        Coding::default(),
        Coding::compressed(),
        Coding::sealed(Cipher::default(), false),
    ];
    let outcomes: Vec<(usize, usize)> = codings
        .into_iter()
        .map(|coding| restored::exhaust(coding, seeds().min(4)))
        .collect();
    // How many operations come behind the one that counts is up to how threads take turns.
    let all: usize = outcomes.iter().map(|(all, _)| all).sum();
    let nothing: usize = outcomes.iter().map(|(_, nothing)| nothing).sum();
    assert!(
        all > 10 && nothing > 10 && outcomes.iter().all(|(all, nothing)| *all > 0 && *nothing > 0),
        "with the stream, and without: {outcomes:?}"
    );
}

#[test]
fn what_goes_wrong_costs_an_encrypted_store_nothing_either() {
    let coding = Coding::sealed(Cipher::default(), true);
    let faults = |place: usize| {
        [
            Faults {
                capacity: Some(10_000 + place as u64 * 331),
                ..Faults::default()
            },
            Faults {
                fail_change_from: Some(place),
                ..Faults::default()
            },
            Faults {
                fail_sync_from: Some(place),
                ..Faults::default()
            },
        ]
    };
    let mut failed = 0;
    for script in scripts().iter().step_by(3) {
        let mut whole = Run::new(SyncMode::Always, script.streams, Faults::default()).coded(coding);
        whole.run(&script.steps);
        for (place, which) in (0..whole.disk.operations())
            .step_by(7)
            .zip([0, 1, 2].into_iter().cycle())
        {
            let faults = faults(place)[which];
            let mut run = Run::new(SyncMode::Always, script.streams, faults).coded(coding);
            run.run(&script.steps);
            run.disk.set_faults(Faults::default());
            failed += usize::from(run.over || run.refused > 0);
            let end = run.disk.operations();
            for crash in [Crash::Lose, Crash::Keep, Crash::Seed(place as u64)] {
                if let Err(text) = run.check(end, crash) {
                    panic!("{}, {faults:?}, then {crash:?}: {text}", script.name);
                }
            }
        }
    }
    assert!(failed > 20, "{failed} runs were refused something");
}
