//! The command that checks a store directory. Prints; the checking is the store's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use natterjack_store::fsck::{self, Report};
use natterjack_store::{Disk, Encryption, OsDisk};

/// All is well, or everything that was not is mended.
const CLEAN: u8 = 0;
/// Something is damaged.
const DAMAGED: u8 = 1;
/// It could not be told.
const FAILED: u8 = 2;

/// Where the store is: the directory itself, or the place of JetStream in it.
fn store_in(dir: &str) -> PathBuf {
    let dir = Path::new(dir);
    let below = dir.join("jetstream");
    if dir.join("journal").is_dir() || !below.is_dir() {
        dir.to_owned()
    } else {
        below
    }
}

/// Checks the store in `dir`. Gives what is to be printed, and the exit status.
pub(crate) fn run(
    dir: &str,
    (repair, json): (bool, bool),
    encryption: Option<&Encryption>,
) -> (String, ExitCode) {
    let root = store_in(dir);
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let locked = std::fs::File::open(root.join("LOCK")).ok();
    if locked.as_ref().is_some_and(|file| file.try_lock().is_err()) {
        let text = format!("fsck: {} is in use by a server", root.display());
        return (text, ExitCode::from(FAILED));
    }
    let outcome = if repair {
        fsck::repair(&disk, &root, encryption)
    } else {
        fsck::check(&disk, &root, encryption)
    };
    match outcome {
        Ok(report) => {
            let text = if json { as_json(&report) } else { as_text(&report) };
            let status = if report.is_clean() { CLEAN } else { DAMAGED };
            (text, ExitCode::from(status))
        }
        Err(error) => (format!("fsck: {error}"), ExitCode::from(FAILED)),
    }
}

fn as_text(report: &Report) -> String {
    let mut out = String::new();
    for line in report.damage.iter().chain(&report.repaired) {
        let _written = writeln!(out, "{line}");
    }
    let _written = write!(
        out,
        "{} entries in the journal, {} streams, {} messages in segments, {} lost: {}",
        report.entries,
        report.streams,
        report.messages,
        report.lost,
        if report.is_clean() { "clean" } else { "damaged" }
    );
    out
}

fn as_json(report: &Report) -> String {
    serde_json::json!({
        "clean": report.is_clean(),
        "entries": report.entries,
        "streams": report.streams,
        "messages": report.messages,
        "lost": report.lost,
        "damage": report.damage,
        "repaired": report.repaired,
    })
    .to_string()
}
