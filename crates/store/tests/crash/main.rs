//! Every script, a crash behind every operation of the disk, many ways of what the crash leaves: what was acknowledged is
//! there, nothing else is, nothing is called damaged, and what was found stays.
//!
//! `NATTERJACK_CRASH_SEEDS=n` tries n ways behind every operation instead of a few; the ignored test tries more than a
//! hundred thousand in all.

#![expect(
    clippy::unwrap_used,
    reason = "a test of many files ends where something is not as it should be"
)]

mod driver;
mod model;
mod scripts;

use natterjack_store::disk::sim::{Crash, Faults};
use natterjack_store::{Cipher, SyncMode};

use driver::{Coding, Run};
use scripts::{Script, keys, scripts};

fn seeds() -> u64 {
    std::env::var("NATTERJACK_CRASH_SEEDS").map_or(2, |n| n.parse().expect("a number"))
}

/// Crashes behind every operation. Returns how many states were looked at.
fn exhaust(script: &Script, sync: SyncMode, seeds: u64) -> u64 {
    let mut run = Run::new(sync, script.streams, Faults::default());
    run.run(&script.steps);
    assert!(!run.over, "{}: nothing failed", script.name);
    check_all(script.name, &run, seeds)
}

fn check_all(name: &str, run: &Run, seeds: u64) -> u64 {
    let mut states = 0;
    for operations in 0..=run.disk.operations() {
        let drawn = (0..seeds).map(|n| Crash::Seed(n * 1_000_003 + operations as u64));
        for crash in [Crash::Lose, Crash::Keep].into_iter().chain(drawn) {
            if let Err(text) = run.check(operations, crash) {
                panic!("{name}, {crash:?} behind operation {operations}: {text}");
            }
            states += 1;
        }
    }
    states
}

#[test]
fn every_crash_point_of_every_script() {
    let mut states = 0;
    for script in scripts() {
        states += exhaust(&script, SyncMode::Always, seeds());
    }
    assert!(scripts().len() >= 30);
    println!("{states} states");
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_states() {
    let states: u64 = scripts().iter().map(|s| exhaust(s, SyncMode::Always, 20)).sum();
    println!("{states} states");
    assert!(states >= 100_000, "{states}");
}

/// Runs `script` with one thing going wrong at each of some places, then crashes at the end in several ways.
fn with_faults(script: &Script, every: usize, faults: impl Fn(usize) -> Faults) -> usize {
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

#[test]
fn a_failed_sync_ends_everything_and_loses_nothing() {
    let faults = |place| Faults {
        fail_sync_from: Some(place),
        ..Faults::default()
    };
    let failed: usize = scripts().iter().map(|s| with_faults(s, 7, faults)).sum();
    assert!(failed > 100, "{failed} runs came to an end");
}

#[test]
fn a_failed_write_loses_nothing() {
    let faults = |place| Faults {
        fail_change_from: Some(place),
        ..Faults::default()
    };
    let failed: usize = scripts().iter().map(|s| with_faults(s, 7, faults)).sum();
    assert!(failed > 100, "{failed} runs came to an end");
}

#[test]
fn a_disk_that_fills_up_anywhere_loses_nothing() {
    let faults = |place: usize| Faults {
        capacity: Some(10_000 + place as u64 * 331),
        ..Faults::default()
    };
    let failed: usize = scripts().iter().map(|s| with_faults(s, 3, faults)).sum();
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
        check_all(script.name, &run, 1);
    }
}

#[test]
fn every_crash_point_of_a_store_that_gets_a_key() {
    for script in keys() {
        let mut run = Run::new(SyncMode::Always, script.streams, Faults::default());
        run.run(&script.steps);
        assert!(!run.over, "{}: nothing failed", script.name);
        check_all(script.name, &run, 2);
    }
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
