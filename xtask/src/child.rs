//! Running other programs with their output passed through. Never hides what a program says.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::report::say;
use crate::workspace::Workspace;

/// Times to ask a registry.
const TRIES: usize = 3;

/// A command in the workspace's root, without the colours and backtraces that only make logs long.
pub(crate) fn command(workspace: &Workspace, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&workspace.root)
        .env("RUST_BACKTRACE", "0")
        // Set by `cargo run`, and wrong for any cargo below us.
        .env_remove("CARGO_MANIFEST_DIR");
    command
}

/// Runs `command` to its end and says whether it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<bool> {
    let status = command.status().with_context(|| describe(command))?;
    Ok(status.success())
}

/// Runs a command that fetches packages, again when it fails: a registry may refuse once.
pub(crate) fn fetch(command: &mut Command) -> Result<bool> {
    for _ in 1..TRIES {
        if run(command)? {
            return Ok(true);
        }
    }
    run(command)
}

/// Runs `command` and shows each line of its standard output to `look` as it passes through.
pub(crate) fn run_watched(command: &mut Command, mut look: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| describe(command))?;
    let output = child.stdout.take().context("no pipe to the child")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        look(&line);
        say(line);
    }
    Ok(child.wait()?.success())
}

fn describe(command: &Command) -> String {
    format!("cannot run {}", command.get_program().to_string_lossy())
}
