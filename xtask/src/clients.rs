//! Runs the scripts of `tests/clients` with an independent client. Never starts a server itself: each script does.

use std::path::PathBuf;

use anyhow::Result;

use crate::child;
use crate::outcome::Outcome;
use crate::report::say;
use crate::venv;
use crate::workspace::Workspace;

/// Each script gets the server's path in `NATTERJACK_SERVER` and the peer's in `NATS_PEER`. Lines of the form
/// `3 passed, 0 failed` are its counts; a script without one counts as one test.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let scripts = scripts(workspace);
    if scripts.is_empty() {
        return Ok(Outcome::skipped("no scripts in tests/clients".into()));
    }
    let environment = match venv::ensure(workspace)? {
        Ok(directory) => directory,
        Err(why) => return Ok(Outcome::skipped(why)),
    };
    let mut sum = Outcome::default();
    for script in scripts {
        say(format_args!("clients {}", script.display()));
        let mut command = child::command(workspace, environment.join("bin/python"), &[]);
        command
            .arg(&script)
            .env("NATTERJACK_SERVER", workspace.server())
            .env("NATS_PEER", environment.join("bin/nats-server"));
        let mut counts = Outcome::default();
        let mut counted = false;
        let success = child::run_watched(&mut command, |line| counted |= counts.add_line(line))?;
        if !success && counts.is_success() {
            counts.failed = 1;
        } else if !counted {
            counts.passed = 1;
        }
        sum.add(&counts);
    }
    Ok(sum)
}

fn scripts(workspace: &Workspace) -> Vec<PathBuf> {
    let directory = workspace.root.join("tests/clients");
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut scripts: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "py"))
        // Modules that scripts share begin with an underscore.
        .filter(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('_')))
        .collect();
    scripts.sort();
    scripts
}
