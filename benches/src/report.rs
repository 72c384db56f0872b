//! Samples to a table and to JSON. Shows medians.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::meter::Sample;

/// One case on both servers.
#[derive(Debug, Clone)]
pub struct Row {
    /// The case.
    pub name: &'static str,
    /// Runs on ours.
    pub ours: Vec<Sample>,
    /// Runs on the peer.
    pub peer: Vec<Sample>,
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut all: Vec<f64> = samples.iter().map(of).collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// A figure, with as many places as it needs.
fn figure(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.0}k", v / 1_000.0),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

/// Ours, the peer's, and how they compare.
fn pair(ours: f64, peer: f64) -> String {
    if peer <= 0.0 {
        return figure(ours);
    }
    format!("{} / {} = {:.2}", figure(ours), figure(peer), ours / peer)
}

impl Row {
    /// A case that has not run.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            ours: Vec::new(),
            peer: Vec::new(),
        }
    }

    fn cells(&self) -> [String; 5] {
        let both = |of: fn(&Sample) -> f64| pair(median(&self.ours, of), median(&self.peer, of));
        let waits = median(&self.ours, |s| s.p50_us) > 0.0;
        let wait = |of: fn(&Sample) -> f64| if waits { both(of) } else { String::new() };
        [
            both(|s| s.rate),
            both(|s| s.cpu_us),
            both(|s| s.peak_mib),
            wait(|s| s.p50_us),
            wait(|s| s.p99_us),
        ]
    }

    /// As one line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        format!("| {} | {} |", self.name, self.cells().join(" | "))
    }

    fn json(&self) -> Value {
        let side = |samples: &[Sample]| {
            json!({
                "rate": median(samples, |s| s.rate),
                "cpu_us": median(samples, |s| s.cpu_us),
                "peak_mib": median(samples, |s| s.peak_mib),
                "p50_us": median(samples, |s| s.p50_us),
                "p99_us": median(samples, |s| s.p99_us),
                "runs": samples.len(),
            })
        };
        json!({"case": self.name, "ours": side(&self.ours), "peer": side(&self.peer)})
    }
}

/// All rows; each cell is ours / peer = ratio.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| case | messages/s | server CPU µs/message | peak MiB | p50 µs | p99 µs |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let _infallible = writeln!(out, "{}", row.line());
    }
    out
}

/// All rows for machines.
#[must_use]
pub fn json(rows: &[Row]) -> Value {
    rows.iter().map(Row::json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        let sample = |rate| Sample {
            rate,
            ..Sample::default()
        };
        let row = Row {
            name: "x",
            ours: [30_000.0, 10_000.0, 20_000.0].map(sample).to_vec(),
            peer: [10_000.0].map(sample).to_vec(),
        };
        assert!(
            row.line().starts_with("| x | 20k / 10k = 2.00 |"),
            "{}",
            row.line()
        );
        assert_eq!(json(&[row])[0]["ours"]["rate"], 20_000.0);
    }
}
