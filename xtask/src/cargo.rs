//! The steps that are a cargo command: format, lints and tests. Never changes a source.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::child;
use crate::failures::Failures;
use crate::outcome::Outcome;
use crate::report::say;
use crate::workspace::Workspace;

/// The package that is no member of the workspace.
const APART: &str = "tests/clients/rust/Cargo.toml";

/// `cargo fmt` over all packages, changing nothing.
pub(crate) fn fmt(workspace: &Workspace) -> Result<Outcome> {
    let members = cargo(workspace, &["fmt", "--all", "--check"])?;
    if !members.is_success() {
        return Ok(members);
    }
    cargo(workspace, &["fmt", "--check", "--manifest-path", APART])
}

/// Lints of each package alone, so that no feature of one hides a fault of another.
pub(crate) fn clippy(workspace: &Workspace) -> Result<Outcome> {
    for package in workspace.packages()? {
        say(format_args!("clippy {}", package.name));
        let arguments = [
            "clippy",
            "-q",
            "-p",
            &package.name,
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        if !child::run(&mut child::command(workspace, "cargo", &arguments))? {
            return Ok(Outcome::of_step(false));
        }
    }
    say("clippy of tests/clients/rust");
    let arguments = [
        "clippy",
        "-q",
        "--lib",
        "--manifest-path",
        APART,
        "--",
        "-D",
        "warnings",
    ];
    let mut apart = child::command(workspace, "cargo", &arguments);
    apart.env("CARGO_TARGET_DIR", workspace.target());
    Ok(Outcome::of_step(child::run(&mut apart)?))
}

/// The server under test: `NATTERJACK_SERVER`, or what the sources at hand make.
pub(crate) fn server(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("NATTERJACK_SERVER").map(PathBuf::from) {
        let name = program.display();
        ensure!(
            program.exists(),
            "NATTERJACK_SERVER names {name}, which is no file"
        );
        return Ok(program);
    }
    let build = cargo(workspace, &["build", "-q", "--bin", "natterjack-server"])?;
    ensure!(build.is_success(), "the server does not build");
    Ok(workspace.server())
}

/// Every test of the workspace. The server is built first: tests start it as a process.
pub(crate) fn unit(workspace: &Workspace) -> Result<Outcome> {
    server(workspace)?;
    counted(workspace, &["test", "--workspace", "--no-fail-fast"])
}

/// What there is of tests of replicated groups.
pub(crate) fn cluster_test(workspace: &Workspace) -> Result<Outcome> {
    say("cluster-test: the tests of natterjack-raft, groups inside one process; no servers are started");
    counted(workspace, &["test", "-p", "natterjack-raft"])
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<Outcome> {
    let success = child::run(&mut child::command(workspace, "cargo", arguments))?;
    Ok(Outcome::of_step(success))
}

fn counted(workspace: &Workspace, arguments: &[&str]) -> Result<Outcome> {
    let mut sum = Outcome::default();
    let mut command = child::command(workspace, "cargo", arguments);
    let mut failures = Failures::default();
    let success = child::run_watched(&mut command, |line| {
        if line.starts_with("test result:") {
            sum.add_line(line);
        }
        if failures.is_one(line) {
            sum.note(line);
        }
    })?;
    if !success && sum.is_success() {
        sum.failed = 1; // It did not compile, or a test process died without a word.
    }
    Ok(sum)
}
