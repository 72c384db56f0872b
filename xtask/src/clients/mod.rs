//! Runs the programs of `tests/clients`, each written with an independent client. Never starts a server itself:
//! each program does.

mod languages;
mod rust;
mod skips;
mod upstream;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::cargo;
use crate::child;
use crate::failures::Failures;
use crate::outcome::Outcome;
use crate::report::say;
use crate::venv;
use crate::workspace::Workspace;

/// What to run and what with.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Run them against nats-server, which shows that they ask for what it does
    #[arg(long)]
    pub(crate) peer: bool,
    /// Only programs whose `language/name` contains this; `upstream`, nats.go's own test files, runs by name only
    pub(crate) filter: Option<String>,
}

/// One program, ready to run but for the servers' paths.
struct Program {
    /// `language/name`.
    name: String,
    command: Command,
    /// How to run only these of its tests, one after the other, where it can.
    again: Option<Again>,
}

type Again = Box<dyn Fn(&[String]) -> Command>;

/// The programs of one language, or what is missing on this machine.
type Prepared = Result<Vec<Program>, String>;

/// Runs every program of every language there is a runtime for, and counts.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<Outcome> {
    let mut sum = Outcome::default();
    let mut missing = Vec::new();
    for (language, prepare) in languages::ALL {
        if !is_wanted(workspace, language, arguments)? {
            continue;
        }
        match prepare(workspace)? {
            Ok(programs) => run_all(workspace, programs, arguments, &mut sum)?,
            Err(why) => missing.push(format!("{language}: {why}")),
        }
    }
    if !missing.is_empty() {
        let lone = Outcome::skipped(missing.join("; "));
        sum.add(&lone);
        sum.skipped = lone.skipped;
    }
    Ok(sum)
}

/// Whether the filter leaves any program of this language, so that nothing is installed for the others.
fn is_wanted(workspace: &Workspace, language: &str, arguments: &Arguments) -> Result<bool> {
    let Some(filter) = &arguments.filter else {
        return Ok(language != upstream::LANGUAGE);
    };
    let mut names = languages::names(workspace, language)?.into_iter();
    Ok(names.any(|name| format!("{language}/{name}").contains(filter)))
}

fn run_all(
    workspace: &Workspace,
    programs: Vec<Program>,
    arguments: &Arguments,
    sum: &mut Outcome,
) -> Result<()> {
    let peer = venv::peer(workspace)?;
    let server = match (&peer, arguments.peer) {
        (Ok(peer), true) => peer.clone(),
        (Err(why), true) => anyhow::bail!("no peer: {why}"),
        (_, false) => cargo::server(workspace)?,
    };
    for mut program in programs {
        if arguments
            .filter
            .as_ref()
            .is_some_and(|f| !program.name.contains(f))
        {
            continue;
        }
        let mut servers = vec![("NATTERJACK_SERVER", server.as_path())];
        servers.extend(peer.as_deref().ok().map(|peer| ("NATS_PEER", peer)));
        sum.add(&run_one(&mut program, &servers)?);
    }
    Ok(())
}

/// Runs a program, and once more what failed in it: the clients have waits of their own that a busy machine can
/// outlast. What passed only then is noted all the same.
fn run_one(program: &mut Program, servers: &[(&str, &Path)]) -> Result<Outcome> {
    say(format_args!("clients {}", program.name));
    let begin = Instant::now();
    program.command.envs(servers.iter().copied());
    let (mut outcome, failed) = counted(&mut program.command)?;
    if !outcome.is_success() {
        say(format_args!("again: {} {}", program.name, failed.join(" ")));
        let mut second = match &program.again {
            Some(again) if !failed.is_empty() => {
                let (mut alone, _) = counted(again(&failed).envs(servers.iter().copied()))?;
                alone.passed += outcome.passed;
                alone
            }
            _ => counted(&mut program.command)?.0,
        };
        second.note(&format!("FAILED at first: clients {}", program.name));
        outcome.failures.append(&mut second.failures);
        second.failures = outcome.failures;
        outcome = second;
    }
    let seconds = begin.elapsed().as_secs_f64();
    say(format_args!("clients {} took {seconds:.1} s", program.name));
    Ok(outcome)
}

/// Runs a program to its end; says what it came to, and the tests that failed where it lists them.
/// Lines of the form `3 passed, 0 failed` are its counts; one without any counts as one test.
fn counted(command: &mut Command) -> Result<(Outcome, Vec<String>)> {
    let mut counts = Outcome::default();
    let mut counted = false;
    let mut failures = Failures::default();
    let success = child::run_watched(command, |line| {
        counted |= counts.add_line(line);
        if failures.is_one(line) {
            counts.note(line);
        }
    })?;
    if !success && counts.is_success() {
        counts.failed = 1;
    } else if !counted {
        counts.passed = 1;
    }
    Ok((counts, failures.tests))
}

/// Where the programs of a language are.
fn folder(workspace: &Workspace, language: &str) -> PathBuf {
    workspace.root.join("tests/clients").join(language)
}

/// Where what a language needs is installed and built.
fn built(workspace: &Workspace, language: &str) -> PathBuf {
    workspace.target().join("clients").join(language)
}

/// The stems of a folder's files with this ending, in order.
fn stems(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let mut stems = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(ending) {
            stems.push(stem.to_owned());
        }
    }
    stems.sort();
    Ok(stems)
}
