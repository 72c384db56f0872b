//! The test files of nats.go's own module, at the version our programs are built with. What they start servers with is in
//! `tests/clients/upstream`; which of them are left out, and why, is in `skip.toml` there. Never changes a test file. Takes
//! about ten minutes, most of them waiting, so it is run by name only.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::languages::{copy, first_missing};
use super::{Prepared, Program, built, folder, skips, stems};
use crate::child;
use crate::report::say;
use crate::workspace::Workspace;

/// The name of the folder.
pub(super) const LANGUAGE: &str = "upstream";
const MODULE: &str = "github.com/nats-io/nats.go";
/// Names of the programs, and the packages of the module they are.
const PACKAGES: [(&str, &str); 3] = [
    ("core", "test"),
    ("jetstream", "jetstream/test"),
    ("micro", "micro/test"),
];
/// What its test files start servers with, and the folders that take its place.
const STARTERS: [(&str, &str); 2] = [
    ("github.com/synadia-io/orbit.go/ntf", "service"),
    ("github.com/synadia-io/orbit.go/ntf-client", "tester"),
];

/// The names of the programs.
pub(super) fn names() -> Vec<String> {
    PACKAGES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// Copies the module, has it use our way to start servers, and builds its test files.
pub(super) fn prepare(workspace: &Workspace) -> Result<Prepared> {
    if let Some(missing) = first_missing(workspace, &[("go", "version")]) {
        return Ok(Err(missing));
    }
    let skips = skips::read(workspace, LANGUAGE)?;
    let target = built(workspace, LANGUAGE);
    let module = target.join("nats.go");
    copy_all(&source(workspace)?, &module)?;
    skips::check(&skips, "func", |name| tests(&module, name))?;
    let mut text = std::fs::read_to_string(module.join("go_test.mod"))?;
    for (name, place) in STARTERS {
        let place = folder(workspace, LANGUAGE).join(place);
        writeln!(text, "replace {name} => {}", place.display())?;
    }
    std::fs::write(module.join("own_test.mod"), text)?;
    std::fs::copy(module.join("go_test.sum"), module.join("own_test.sum"))?;
    say("building the test files of nats.go");
    let mut programs = Vec::new();
    for (name, package) in PACKAGES {
        let binary = target.join(format!("{name}.test"));
        let arguments = ["test", "-c", "-vet=off", "-mod=mod", "-modfile=own_test.mod"];
        let mut build = child::command(workspace, "go", &arguments);
        build.args(["-tags=internal_testing", "-o"]).arg(&binary);
        build.arg(format!("./{package}")).current_dir(&module);
        ensure!(
            child::fetch(&mut build)?,
            "the test files of nats.go do not build"
        );
        let left_out: Vec<&str> = skips::tests(&skips, name).collect();
        let mut command = child::command(workspace, &binary, &["-test.v", "-test.timeout=1h"]);
        command.current_dir(module.join(package));
        if !left_out.is_empty() {
            command.arg(format!("-test.skip=^({})$", left_out.join("|")));
        }
        programs.push(Program {
            command,
            name: format!("{LANGUAGE}/{name}"),
            again: None,
        });
    }
    Ok(Ok(programs))
}

/// The text of all the test files of a program.
fn tests(module: &Path, name: &str) -> Result<String> {
    let package = PACKAGES.iter().find(|(known, _)| *known == name);
    let (_, package) = package.context("no program of this name")?;
    let folder = module.join(package);
    let files = stems(&folder, "_test.go")?.into_iter();
    files
        .map(|stem| Ok(std::fs::read_to_string(folder.join(format!("{stem}_test.go")))?))
        .collect()
}

/// Where Go keeps the sources of the version that our programs are built with.
fn source(workspace: &Workspace) -> Result<PathBuf> {
    let mut list = child::command(workspace, "go", &["mod", "download", "-json", MODULE]);
    let output = list.current_dir(folder(workspace, "go")).output()?;
    ensure!(output.status.success(), "{MODULE} cannot be had");
    let module: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let place = module["Dir"].as_str().context("go says where a module is")?;
    Ok(PathBuf::from(place))
}

/// Copies a folder with those in it.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
