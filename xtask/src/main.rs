//! Chores of the workspace: `cargo xtask <command>`. Never part of what is shipped.

mod bench;
mod cargo;
mod child;
mod clients;
mod codegen;
mod conformance;
mod deny;
mod everything;
mod failures;
mod outcome;
mod report;
mod tidy;
mod venv;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::outcome::Outcome;
use crate::workspace::Workspace;

/// Chores of the workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// What the house agreed on and no other tool checks
    Tidy,
    /// Formatting of every package
    Fmt,
    /// Lints, each package alone, warnings are errors
    Clippy,
    /// Dependencies: bans, licences and sources
    Deny,
    /// Build the server, then every test of the workspace
    Unit,
    /// The programs in tests/clients against our server
    Clients(clients::Arguments),
    /// The transcripts in tests/conformance against our server and its peer
    Conformance(conformance::Arguments),
    /// Speed of our server beside its peer's
    Bench(bench::Arguments),
    /// Write the generated sources again
    Codegen {
        /// Only say whether they are up to date
        #[arg(long)]
        check: bool,
    },
    /// Tests of replicated groups
    ClusterTest,
    /// All checks in order, stopping at the first that fails
    Test,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(outcome) if outcome.is_success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            report::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &Chore) -> anyhow::Result<Outcome> {
    let workspace = Workspace::find()?;
    let outcome = match chore {
        Chore::Tidy => tidy::run(&workspace)?,
        Chore::Fmt => cargo::fmt(&workspace)?,
        Chore::Clippy => cargo::clippy(&workspace)?,
        Chore::Deny => deny::run(&workspace)?,
        Chore::Unit => cargo::unit(&workspace)?,
        Chore::Clients(arguments) => clients::run(&workspace, arguments)?,
        Chore::Conformance(arguments) => conformance::run(&workspace, arguments)?,
        Chore::Bench(arguments) => bench::bench(&workspace, arguments)?,
        Chore::Codegen { check } => codegen::run(&workspace, *check)?,
        Chore::ClusterTest => cargo::cluster_test(&workspace)?,
        Chore::Test => return everything::run(&workspace),
    };
    if let Some(why) = &outcome.skipped {
        report::say(format_args!("SKIPPED: {why}"));
    }
    Ok(outcome)
}
