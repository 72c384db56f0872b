//! What the house agreed on and no other tool checks. Never changes a file.

mod edges;
mod exceptions;
mod layout;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result};

use crate::outcome::Outcome;
use crate::report::say;
use crate::workspace::Workspace;

const EXCEPTIONS: &str = "xtask/tidy-exceptions.txt";

/// One place that does not keep a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    text: String,
}

impl Finding {
    fn new(rule: &'static str, path: &str, line: usize, text: impl Into<String>) -> Self {
        let (path, text) = (path.to_owned(), text.into());
        Self {
            path,
            line,
            rule,
            text,
        }
    }
}

/// Checks everything and prints the findings with their count.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let mut findings = Vec::new();
    for path in files(&workspace.root)? {
        // A file that is not text holds no words to ban.
        if let Ok(text) = std::fs::read_to_string(workspace.root.join(&path)) {
            findings.extend(source::check(&path, &text));
        }
    }
    for package in workspace.packages()? {
        let manifest = format!("{}/Cargo.toml", package.path);
        let text = std::fs::read_to_string(workspace.root.join(&manifest))?;
        findings.extend(edges::check(&package, &text));
        findings.extend(layout::package(&workspace.root, &package.path));
    }
    findings.extend(layout::top_level(&workspace.root)?);
    findings.extend(layout::named_files(&workspace.root));
    let listed = std::fs::read_to_string(workspace.root.join(EXCEPTIONS)).unwrap_or_default();
    let mut findings = exceptions::apply(EXCEPTIONS, &listed, findings);
    findings.sort();
    for Finding { path, line, text, .. } in &findings {
        say(format_args!("{path}:{line}: {text}"));
    }
    say(format_args!("{} findings", findings.len()));
    Ok(Outcome::of_step(findings.is_empty()))
}

/// Paths of the files that people write, below the root, with forward slashes.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for top in ["crates", "xtask", "tests", "benches"] {
        walk(root, top, &mut found)?;
    }
    found.push("README.md".to_owned());
    found.sort();
    Ok(found)
}

fn walk(root: &Path, below: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(root.join(below)).with_context(|| below.to_owned())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{below}/{name}");
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                walk(root, &path, found)?;
            }
        } else if ["rs", "py", "sh", "toml", "md", "txt"]
            .iter()
            .any(|e| name.ends_with(&format!(".{e}")))
        {
            found.push(path);
        }
    }
    Ok(())
}
