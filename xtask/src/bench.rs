//! `cargo xtask bench`: builds the server and the load generator for speed, then lets the generator compare it with the peer.

use anyhow::Result;

use crate::child::{command, run};
use crate::outcome::Outcome;
use crate::workspace::Workspace;

/// What the generator gets.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Options and cases as the generator has them (`--help` lists them); `store` alone: the store beside the bare disk
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    given: Vec<String>,
}

/// The case that measures the store beside the bare disk, without any server.
const STORE: &str = "store";

/// Builds both programs and runs the cases.
pub(crate) fn bench(workspace: &Workspace, arguments: &Arguments) -> Result<Outcome> {
    if arguments.given == [STORE] {
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
    let folder = std::path::absolute(workspace.target().join("release"))?;
    let mut generator = command(workspace, folder.join("natterjack-benches"), &[]);
    generator
        .arg("--ours")
        .arg(folder.join("natterjack-server"))
        .args(&arguments.given)
        // Paths mean what they mean where this was called.
        .current_dir(std::env::current_dir()?);
    Ok(Outcome::of_step(run(&mut generator)?))
}
