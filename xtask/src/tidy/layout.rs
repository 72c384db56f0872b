//! Files that must be there and files that must not. Never reads more of them than their names, but for the
//! architecture page, whose every named file must exist.

use std::path::Path;

use anyhow::Result;

use super::Finding;

const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "crates",
    "xtask",
    "benches",
    "tests",
    "deny.toml",
    "README.md",
    "target",
];
const OF_A_CRATE: &[&str] = &["README.md", "CHANGELOG.md", "LICENSE"];
const PAGE: &str = "crates/README.md";

/// What a published crate brings along.
pub(super) fn package(root: &Path, path: &str) -> Vec<Finding> {
    if !path.starts_with("crates/") {
        return Vec::new();
    }
    OF_A_CRATE
        .iter()
        .filter(|name| !root.join(path).join(name).exists())
        .map(|name| Finding::new("crate-files", &format!("{path}/{name}"), 1, "is missing"))
        .collect()
}

/// Nothing but what was agreed on lies at the top level.
pub(super) fn top_level(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()) {
            findings.push(Finding::new(
                "top-level",
                &name,
                1,
                "does not belong at the top level",
            ));
        }
    }
    Ok(findings)
}

/// The architecture page names only files that exist.
pub(super) fn named_files(root: &Path) -> Vec<Finding> {
    let Ok(text) = std::fs::read_to_string(root.join(PAGE)) else {
        return vec![Finding::new("named-file", PAGE, 1, "is missing")];
    };
    let exists = |name: &str| root.join(name).exists() || root.join("crates").join(name).exists();
    names(&text)
        .into_iter()
        .filter(|(_, name)| !exists(name))
        .map(|(line, name)| Finding::new("named-file", PAGE, line, format!("`{name}` does not exist")))
        .collect()
}

/// Paths in backticks with their lines.
pub(super) fn names(text: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        // Every second piece stands between two backticks.
        for piece in line.split('`').skip(1).step_by(2) {
            let is_path = piece.contains('/') && !piece.contains(['*', '{', '<', ' ']);
            if is_path && (piece.ends_with(".rs") || piece.ends_with(".md")) {
                names.push((number, piece));
            }
        }
    }
    names
}
