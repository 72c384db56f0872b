//! `cargo xtask bench`: builds the server and the load generator for speed, then lets the generator compare it with the peer.

use std::path::PathBuf;

use anyhow::Result;

use crate::child::{command, run};
use crate::outcome::Outcome;
use crate::workspace::Workspace;

/// What to compare, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The server to compare with; ours alone without
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Seconds of load in each case
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Times each case runs on each server, in turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Distinct subjects of the case `js_subjects`
    #[arg(long, default_value_t = 1_000_000)]
    subjects: usize,
    /// Write the figures here as well
    #[arg(long)]
    json: Option<PathBuf>,
    /// Beginnings of names of cases; all without. `store` stands alone: the store beside the bare disk
    cases: Vec<String>,
}

/// The case that measures the store beside the bare disk, without any server.
const STORE: &str = "store";

/// Builds both programs and runs the cases.
pub(crate) fn bench(workspace: &Workspace, arguments: &Arguments) -> Result<Outcome> {
    if arguments.cases.iter().any(|case| case == STORE) {
        let store = ["bench", "-p", "natterjack-store", "--bench", "ratio"];
        return Ok(Outcome::of_step(run(&mut command(workspace, "cargo", &store))?));
    }
    let build = [
        "build",
        "--release",
        "-p",
        "natterjack-server",
        "-p",
        "natterjack-benches",
        "--bins",
    ];
    if !run(&mut command(workspace, "cargo", &build))? {
        return Ok(Outcome::of_step(false));
    }
    let folder = workspace.target().join("release");
    let mut generator = command(workspace, folder.join("natterjack-benches"), &[]);
    generator
        .arg("--ours")
        .arg(folder.join("natterjack-server"))
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(["--rounds", &arguments.rounds.to_string()])
        .args(["--subjects", &arguments.subjects.to_string()]);
    if let Some(peer) = &arguments.peer {
        generator.arg("--peer").arg(std::path::absolute(peer)?);
    }
    if let Some(json) = &arguments.json {
        generator.arg("--json").arg(std::path::absolute(json)?);
    }
    generator.args(&arguments.cases);
    Ok(Outcome::of_step(run(&mut generator)?))
}
