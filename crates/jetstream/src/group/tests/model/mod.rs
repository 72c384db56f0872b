//! Consumers against a model: random schedules of what clients, administrators, time and crashes do. The model knows only
//! what was seen from outside; after each step it is compared with what the consumers say of themselves.

mod check;
mod ears;
mod rig;
mod schedule;
mod seen;
mod steps;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use rig::Rig;
use schedule::{Schedule, schedule};

fn play(plan: &Schedule) -> Result<(), TestCaseError> {
    let mut rig = Rig::new(plan);
    for (n, step) in plan.steps.iter().enumerate() {
        rig.step(step)
            .map_err(|why| TestCaseError::fail(format!("step {n}, {step:?}: {why}")))?;
    }
    rig.drain()
        .map_err(|why| TestCaseError::fail(format!("at the end: {why}")))
}

fn run(cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3000,
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(&schedule(), |plan| play(&plan)) {
        panic!("{failure}");
    }
}

#[test]
fn schedules_agree_with_the_model() {
    run(1000);
}

#[test]
#[ignore = "the long mode: 10,000 schedules take two minutes"]
fn ten_thousand_schedules_agree_with_the_model() {
    run(10_000);
}
