//! Writes the generated sources from their committed inputs. Never reads anything outside the checkout.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::child;
use crate::outcome::Outcome;
use crate::report::say;
use crate::workspace::Workspace;

#[path = "../../crates/jsapi/codegen/generate.rs"]
mod generate;

const INPUT: &str = "crates/jsapi/errors.json";
const OUTPUT: &str = "crates/jsapi/src/errors.rs";

/// Writes the table of JetStream errors, or with `check` only compares it.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<Outcome> {
    let input = std::fs::read_to_string(workspace.root.join(INPUT)).context(INPUT)?;
    let json = serde_json::from_str(&input).context(INPUT)?;
    let source = generate::generate_errors(&json).map_err(anyhow::Error::msg)?;
    let formatted = rustfmt(workspace, &source)?;
    let path = workspace.root.join(OUTPUT);
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    if current == formatted {
        say(format_args!("{OUTPUT}: up to date"));
        return Ok(Outcome::of_step(true));
    }
    if check {
        say(format_args!(
            "{OUTPUT}: differs from what {INPUT} gives: run `cargo xtask codegen`"
        ));
        return Ok(Outcome::of_step(false));
    }
    std::fs::write(&path, formatted).context(OUTPUT)?;
    say(format_args!("{OUTPUT}: written"));
    Ok(Outcome::of_step(true))
}

fn rustfmt(workspace: &Workspace, source: &str) -> Result<String> {
    let mut child = child::command(workspace, "rustfmt", &["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run rustfmt")?;
    // rustfmt reads all of its input before it writes, so one pipe after the other cannot block.
    let mut input = child.stdin.take().context("no pipe to rustfmt")?;
    input.write_all(source.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt refused the generated source");
    Ok(String::from_utf8(output.stdout)?)
}
