//! Which binary is under test, and runs of it that end by themselves.
//! Never starts a server that stays.

use crate::{Outcome, within};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// What a run with `-v` or `-t` may take.
const RUN_LIMIT: Duration = Duration::from_secs(15);

/// A command that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// The binary under test.
///
/// # Errors
/// There is none; the text says how to build it.
pub fn server_binary() -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("NATTERJACK_SERVER") {
        let named = PathBuf::from(named);
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!("NATTERJACK_SERVER names {}, which is no file", named.display()).into())
        };
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("no workspace folder")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |t| workspace.join(t));
    let built = target.join("debug").join("natterjack-server");
    if built.is_file() {
        return Ok(built);
    }
    let hint = "build it with `cargo build --bin natterjack-server` or name another in NATTERJACK_SERVER";
    Err(format!("no server at {}: {hint}", built.display()).into())
}

/// What `-v` prints, line by line.
///
/// # Errors
/// The binary is missing or does not run.
pub async fn version_lines() -> Outcome<Vec<String>> {
    let done = finish(&server_binary()?, &["-v"]).await?;
    Ok(done.stdout.lines().map(ToOwned::to_owned).collect())
}

/// Whether the binary under test is the original server: its usage does not name ours.
///
/// # Errors
/// As [`version_lines`].
pub async fn is_original() -> Outcome<bool> {
    let done = finish(&server_binary()?, &["-h"]).await?;
    Ok(!done.stdout.contains("natterjack"))
}

/// Runs a server binary that ends by itself, such as with `-v` or `-t`.
///
/// # Errors
/// It does not run or does not end in time.
pub async fn finish(executable: &Path, args: &[&str]) -> Outcome<Finished> {
    let mut command = Command::new(executable);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = within("a run of the binary", RUN_LIMIT, async {
        Ok(command.output().await?)
    })
    .await?;
    Ok(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
