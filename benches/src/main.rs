//! The command line of the load generator: which servers, which cases, how long.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use natterjack_benches::{CASES, Case, Load, Row, Sample, Server, json, table};

/// Compares two NATS servers under the same load.
#[derive(Debug, Parser)]
struct Arguments {
    /// Our server.
    #[arg(long)]
    ours: PathBuf,
    /// The server to compare with.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Seconds of load in each case.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Times each case runs on each server; medians are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Distinct subjects of the case `js_subjects`, messages of the cases `reopen`.
    #[arg(long, default_value_t = 1_000_000)]
    subjects: usize,
    /// Write the figures here as well.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Beginnings of names of cases; all without.
    cases: Vec<String>,
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_reads = writeln!(out, "{text}");
    let _nobody_reads = out.flush();
}

fn run(program: &Path, case: &Case, load: &Load) -> Result<Sample> {
    let server = Server::start(program, case.jetstream, case.config)?;
    (case.run)(&server, load)
        .with_context(|| format!("{} on {}\n{}", case.name, program.display(), server.log()))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let load = Load {
        span: Duration::from_secs_f64(arguments.seconds.clamp(0.05, 600.0)),
        subjects: arguments.subjects,
    };
    let wanted = |case: &&Case| {
        arguments.cases.is_empty() || arguments.cases.iter().any(|c| case.name.starts_with(c.as_str()))
    };
    let mut rows = Vec::new();
    for case in CASES.iter().filter(wanted) {
        let mut row = Row::new(case.name);
        for _ in 0..arguments.rounds.max(1) {
            row.ours.push(run(&arguments.ours, case, &load)?);
            if let Some(peer) = &arguments.peer {
                row.peer.push(run(peer, case, &load)?);
            }
        }
        say(&row.line());
        rows.push(row);
    }
    say(&format!("\n{}", table(&rows)));
    if let Some(path) = &arguments.json {
        std::fs::write(path, json(&rows).to_string())?;
    }
    Ok(())
}
