//! All checks in order, with times and totals. Never goes on after a step that failed.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::outcome::Outcome;
use crate::report::say;
use crate::workspace::Workspace;
use crate::{cargo, clients, codegen, conformance, deny, tidy};

type Step = fn(&Workspace) -> Result<Outcome>;

const STEPS: &[(&str, Step)] = &[
    ("fmt", cargo::fmt),
    ("tidy", tidy::run),
    ("clippy", cargo::clippy),
    ("deny", deny::run),
    ("codegen --check", |workspace| codegen::run(workspace, true)),
    ("unit", cargo::unit),
    ("clients", |workspace| {
        clients::run(workspace, &clients::Arguments::default())
    }),
    ("conformance", |workspace| {
        conformance::run(workspace, &conformance::Arguments::default())
    }),
];

/// Runs the steps; the last line printed is the total.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let mut sum = Outcome::default();
    let mut lines = Vec::new();
    for (name, step) in STEPS {
        say(format_args!("==== {name}"));
        let begin = Instant::now();
        let outcome = step(workspace).unwrap_or_else(|error| {
            let line = format!("error: {error:#}");
            say(&line);
            let mut failed = Outcome::of_step(false);
            failed.note(&line);
            failed
        });
        let line = describe(name, &outcome, begin.elapsed());
        say(&line);
        lines.push(line);
        sum.add(&outcome);
        if !outcome.is_success() {
            break;
        }
    }
    if !sum.failures.is_empty() {
        say("==== what did not hold, at first or at all");
        sum.failures.iter().for_each(say);
    }
    say("====");
    for line in &lines {
        say(line);
    }
    let Outcome {
        passed,
        failed,
        ignored,
        ..
    } = &sum;
    say(format_args!(
        "tests: {passed} passed, {failed} failed, {ignored} ignored"
    ));
    say(format_args!("total: {passed} passed, {failed} failed"));
    Ok(sum)
}

fn describe(name: &str, outcome: &Outcome, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let verdict = match (&outcome.skipped, outcome.is_success()) {
        (Some(why), true) => format!("SKIPPED: {why}"),
        (Some(why), false) => format!("FAILED: could not run: {why}"),
        (None, true) => "ok".to_owned(),
        (None, false) => "FAILED".to_owned(),
    };
    let counts = if outcome.passed + outcome.failed > 0 {
        format!(" ({} passed, {} failed)", outcome.passed, outcome.failed)
    } else {
        String::new()
    };
    format!("{name}: {verdict}{counts} in {seconds:.1} s")
}
