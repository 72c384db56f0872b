//! Dependencies against `deny.toml`. Never asks the advisory database: that is a repository elsewhere.

use anyhow::Result;

use crate::child;
use crate::outcome::Outcome;
use crate::report::say;
use crate::workspace::Workspace;

const VERSION: &str = "0.20.2";

/// Installs the checker below the target directory when it is missing, then runs it.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let tools = workspace.target().join("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() && !install(workspace, &tools.to_string_lossy())? {
        return Ok(Outcome::of_step(false));
    }
    let arguments = ["check", "bans", "licenses", "sources"];
    let success = child::run(&mut child::command(workspace, program, &arguments))?;
    Ok(Outcome::of_step(success))
}

fn install(workspace: &Workspace, tools: &str) -> Result<bool> {
    say(format_args!("installing cargo-deny {VERSION} into {tools}"));
    let arguments = [
        "install",
        "cargo-deny",
        "--version",
        VERSION,
        "--locked",
        "--debug",
        "--quiet",
        "--root",
        tools,
    ];
    child::fetch(&mut child::command(workspace, "cargo", &arguments))
}
