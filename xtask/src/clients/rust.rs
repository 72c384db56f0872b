//! The test files of async-nats' own package, put together with the library in `tests/clients/rust` that starts servers
//! for them. Which of them are left out, and why, is in `skip.toml` there. Never changes a test file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::languages::{copy, copy_file};
use super::{Prepared, Program, built, folder, skips, stems};
use crate::child;
use crate::report::say;
use crate::workspace::Workspace;

const PACKAGE: &str = "async-nats";
/// Tests mostly wait, so more of them run at once than there are cores.
const THREADS: &str = "6";

/// The files that are not left out as a whole.
pub(super) fn names(workspace: &Workspace) -> Result<Vec<String>> {
    let skips = skips::read(workspace, "rust")?;
    let mut names = stems(&package(workspace)?.join("tests"), ".rs")?;
    names.retain(|name| !skips.iter().any(|skip| skip.is_whole(name)));
    Ok(names)
}

/// Assembles the package, builds it, and makes a program of each file.
pub(super) fn prepare(workspace: &Workspace) -> Result<Prepared> {
    let skips = skips::read(workspace, "rust")?;
    let tests = package(workspace)?.join("tests");
    skips::check(&skips, "fn", |file| {
        Ok(std::fs::read_to_string(tests.join(format!("{file}.rs")))?)
    })?;
    let target = built(workspace, "rust");
    let names = names(workspace)?;
    assemble(workspace, &tests, &target, &names)?;
    say("building the test files of async-nats");
    ensure!(
        child::run(&mut cargo(workspace, &target, &["--no-run"]))?,
        "the test files of async-nats do not build"
    );
    let program = |name: String| {
        let mut command = cargo(workspace, &target, &["--test", &name]);
        command.args(["--", "--exact", "--test-threads", THREADS]);
        for test in skips::tests(&skips, &name) {
            command.args(["--skip", test]);
        }
        let (workspace, target) = (workspace.clone(), target.clone());
        Program {
            command,
            name: format!("rust/{name}"),
            again: Some(Box::new(move |tests| {
                let mut command = cargo(&workspace, &target, &["--test", &name]);
                command.args(["--", "--exact", "--test-threads", "1"]);
                command.args(tests);
                command
            })),
        }
    };
    Ok(Ok(names.into_iter().map(program).collect()))
}

/// Where cargo keeps the sources of the version our own tests are built with.
fn package(workspace: &Workspace) -> Result<PathBuf> {
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let output = child::command(workspace, "cargo", &arguments).output()?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == PACKAGE)
        .and_then(|package| package["manifest_path"].as_str())
        .with_context(|| format!("{PACKAGE} is no dependency of the workspace"))?;
    let folder = Path::new(manifest)
        .parent()
        .context("a manifest lies in a folder")?;
    Ok(folder.to_owned())
}

fn assemble(workspace: &Workspace, tests: &Path, target: &Path, names: &[String]) -> Result<()> {
    let own = folder(workspace, "rust");
    copy(&own, target)?;
    copy(&own.join("src"), &target.join("src"))?;
    let copies = target.join("tests");
    copy(&tests.join("configs"), &copies.join("configs"))?;
    copy(&tests.join("configs/digests"), &copies.join("configs/digests"))?;
    for left_out in stems(&copies, ".rs")? {
        if !names.contains(&left_out) {
            std::fs::remove_file(copies.join(format!("{left_out}.rs")))?;
        }
    }
    for name in names {
        let file = format!("{name}.rs");
        copy_file(&tests.join(&file), &copies.join(&file))?;
    }
    Ok(())
}

/// `cargo test` on the assembled package, with the packages and versions of its lock file.
fn cargo(workspace: &Workspace, target: &Path, arguments: &[&str]) -> Command {
    let mut command = child::command(workspace, "cargo", &["test", "--quiet", "--locked"]);
    command.current_dir(target).args(arguments);
    command.env("CARGO_TARGET_DIR", workspace.target());
    command
}
