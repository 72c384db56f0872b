//! Who may depend on whom. The table is the one in `crates/README.md`; tests of a crate may use what they like.

use toml::{Table, Value};

use super::Finding;
use crate::workspace::Package;

const ANY: &str = "any";

/// Package directory, and the packages of the workspace it may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("crates/proto", &[]),
    ("crates/subject", &[]),
    ("crates/conf", &[]),
    ("crates/jsapi", &["subject"]),
    ("crates/auth", &["subject"]),
    ("crates/store", &["subject"]),
    ("crates/mqtt", &["subject"]),
    ("crates/jetstream", &["jsapi", "store", "subject"]),
    ("crates/config", &["conf", "auth", "jsapi", "subject"]),
    ("crates/raft", &["store", "jetstream"]),
    ("crates/client", &["proto", "jsapi", "auth", "subject"]),
    (
        "crates/server",
        &[
            "proto",
            "subject",
            "conf",
            "jsapi",
            "auth",
            "store",
            "mqtt",
            "jetstream",
            "config",
            "raft",
        ],
    ),
    ("crates/cli", &["client", "jsapi", "auth", "config"]),
    ("crates/sim", &["jetstream", "raft", "store", "proto", "server"]),
    ("xtask", &[]),
    ("tests", &[ANY]),
    ("benches", &[ANY]),
];

/// Libraries that belong to some packages only.
const KEPT: &[(&str, &[&str])] = &[
    (
        "tokio",
        &[
            "crates/client",
            "crates/server",
            "crates/raft",
            "crates/cli",
            "tests",
            "benches",
        ],
    ),
    ("openraft", &["crates/raft"]),
];

/// Edges of one package that are not in the table, and lints it does not share.
pub(super) fn check(package: &Package, text: &str) -> Vec<Finding> {
    let path = format!("{}/Cargo.toml", package.path);
    let mut findings = Vec::new();
    let Some((_, allowed)) = EDGES.iter().find(|(p, _)| *p == package.path) else {
        let text = "not in the table of who may depend on whom (xtask/src/tidy/edges.rs)";
        return vec![Finding::new("edge", &path, 1, text)];
    };
    for name in dependencies(&package.manifest) {
        let line = 1 + text.lines().position(|l| l.starts_with(name)).unwrap_or(0);
        let short = name.strip_prefix("natterjack-");
        if short.is_some_and(|s| !allowed.contains(&s) && !allowed.contains(&ANY)) {
            let text = format!("edge {} -> {name} is not in the table", package.name);
            findings.push(Finding::new("edge", &path, line, text));
        }
        let keepers = KEPT.iter().find(|(library, _)| *library == name);
        if keepers.is_some_and(|(_, keepers)| !keepers.contains(&package.path.as_str())) {
            let text = format!("{} must not depend on {name}", package.name);
            findings.push(Finding::new("edge", &path, line, text));
        }
    }
    let lints = package.manifest.get("lints").and_then(|l| l.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        findings.push(Finding::new("lints", &path, 1, "no `[lints] workspace = true`"));
    }
    findings
}

/// Names of everything the package itself is built with, tests left out.
fn dependencies(manifest: &Table) -> Vec<&str> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = targets
        .into_iter()
        .flat_map(|t| t.values().filter_map(Value::as_table));
    std::iter::once(manifest)
        .chain(of_targets)
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .filter_map(|dependencies| dependencies.and_then(Value::as_table))
        .flat_map(|dependencies| dependencies.keys().map(String::as_str))
        .collect()
}
