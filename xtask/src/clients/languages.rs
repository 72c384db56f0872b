//! What each language needs before its programs run: its packages below `target/clients`, and its build.
//! A missing runtime is told; a package that cannot be had is an error.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Prepared, Program, built, folder, rust, stems, upstream};
use crate::child;
use crate::report::say;
use crate::venv;
use crate::workspace::Workspace;

type Prepare = fn(&Workspace) -> Result<Prepared>;

/// Every language with programs in `tests/clients`, by the name of its folder.
pub(super) const ALL: &[(&str, Prepare)] = &[
    ("python", python),
    ("node", node),
    ("java", java),
    ("go", go),
    ("rust", rust::prepare),
    (upstream::LANGUAGE, upstream::prepare),
];

/// The programs of a language. Everything else in its folder is shared by them.
pub(super) fn names(workspace: &Workspace, language: &str) -> Result<Vec<String>> {
    let (ending, is_program): (&str, fn(&str) -> bool) = match language {
        "python" => (".py", |name| name.starts_with("test_")),
        "node" => (".mjs", |name| name != "harness"),
        "java" => (".java", |name| name.ends_with("Cases")),
        "rust" => return rust::names(workspace),
        upstream::LANGUAGE => return Ok(upstream::names()),
        // One program holds all of them.
        _ => (".mod", |_| true),
    };
    let mut names = stems(&folder(workspace, language), ending)?;
    names.retain(|name| is_program(name));
    Ok(names)
}

fn python(workspace: &Workspace) -> Result<Prepared> {
    let environment = match venv::ensure(workspace)? {
        Ok(directory) => directory,
        Err(why) => return Ok(Err(why)),
    };
    programs(workspace, "python", |name| {
        let mut command = child::command(workspace, environment.join("bin/python"), &[]);
        command.arg(folder(workspace, "python").join(format!("{name}.py")));
        command
    })
}

fn node(workspace: &Workspace) -> Result<Prepared> {
    if let Some(missing) = first_missing(workspace, &[("node", "--version"), ("npm", "--version")]) {
        return Ok(Err(missing));
    }
    // Packages are found from where a program lies, so the programs go to their packages.
    let target = built(workspace, "node");
    copy(&folder(workspace, "node"), &target)?;
    installed(&target, &["package.json", "package-lock.json"], || {
        let mut npm = child::command(workspace, "npm", &["ci", "--silent", "--ignore-scripts"]);
        npm.current_dir(&target);
        npm
    })?;
    programs(workspace, "node", |name| {
        let mut command = child::command(workspace, "node", &[]);
        command.arg(target.join(format!("{name}.mjs")));
        command
    })
}

fn java(workspace: &Workspace) -> Result<Prepared> {
    let tools = [("java", "-version"), ("javac", "-version"), ("mvn", "--version")];
    if let Some(missing) = first_missing(workspace, &tools) {
        return Ok(Err(missing));
    }
    let sources = folder(workspace, "java");
    let target = built(workspace, "java");
    copy(&sources, &target)?;
    installed(&target, &["pom.xml"], || {
        let arguments = [
            "-q",
            "-B",
            "-Dstyle.color=never",
            "dependency:copy-dependencies",
            "-DoutputDirectory=lib",
        ];
        let mut maven = child::command(workspace, "mvn", &arguments);
        maven.current_dir(&target);
        maven
    })?;
    let mut compiler = child::command(workspace, "javac", &["-d", "classes", "-cp", "lib/*"]);
    compiler.current_dir(&target).args(
        stems(&sources, ".java")?
            .iter()
            .map(|stem| format!("{stem}.java")),
    );
    ensure!(child::run(&mut compiler)?, "javac failed in tests/clients/java");
    programs(workspace, "java", |name| {
        let mut command = child::command(workspace, "java", &["-cp", "classes:lib/*"]);
        command.current_dir(&target).arg(name);
        command
    })
}

fn go(workspace: &Workspace) -> Result<Prepared> {
    if let Some(missing) = first_missing(workspace, &[("go", "version")]) {
        return Ok(Err(missing));
    }
    let program = built(workspace, "go").join("clients");
    let mut build = child::command(workspace, "go", &["build", "-mod=readonly", "-o"]);
    build.arg(&program).arg(".").current_dir(folder(workspace, "go"));
    ensure!(child::fetch(&mut build)?, "go build failed in tests/clients/go");
    programs(workspace, "go", |_| child::command(workspace, &program, &[]))
}

fn programs(workspace: &Workspace, language: &str, command: impl Fn(&str) -> Command) -> Result<Prepared> {
    let names = names(workspace, language)?;
    ensure!(!names.is_empty(), "no programs in tests/clients/{language}");
    let program = |name: String| Program {
        command: command(&name),
        name: format!("{language}/{name}"),
        again: None,
    };
    Ok(Ok(names.into_iter().map(program).collect()))
}

/// The first of these programs that does not run here, in words.
pub(super) fn first_missing(workspace: &Workspace, tools: &[(&str, &str)]) -> Option<String> {
    tools.iter().find_map(|(tool, version)| {
        let mut command = child::command(workspace, tool, &[version]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let runs = matches!(child::run(&mut command), Ok(true));
        (!runs).then(|| format!("{tool} does not run here"))
    })
}

/// Copies the files of a folder, none of its folders.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy_file(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Copies a file unless it is there as it is, so that nothing is built again for its time of change.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let text = std::fs::read(from).with_context(|| from.display().to_string())?;
    if std::fs::read(to).is_ok_and(|there| there == text) {
        return Ok(());
    }
    std::fs::write(to, text).with_context(|| to.display().to_string())
}

/// Installs unless these lists of packages are the ones installed last.
fn installed(target: &Path, lists: &[&str], install: impl FnOnce() -> Command) -> Result<()> {
    let mut wanted = String::new();
    for list in lists {
        wanted.push_str(&std::fs::read_to_string(target.join(list))?);
    }
    let marker = target.join("natterjack-packages");
    if std::fs::read_to_string(&marker).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    say(format_args!("installing packages in {}", target.display()));
    ensure!(
        child::fetch(&mut install())?,
        "the packages of {} cannot be installed",
        lists.join(" and ")
    );
    std::fs::write(&marker, wanted).context("marking the packages as complete")
}
