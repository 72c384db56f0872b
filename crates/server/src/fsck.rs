//! The command that checks a store directory, and writes down what of it can be read. Prints; the checking and reading are
//! the store's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use data_encoding::BASE64;
use natterjack_jetstream::meta::{Assignment, Change, META_GROUP, Meta};
use natterjack_jsapi::GoTime;
use natterjack_store::fsck::{self, Content, Exported, Report};
use natterjack_store::{Disk, Encryption, GroupId, OsDisk, RecordView};

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

/// Checks the store in `dir`, after it has written what can be read to the file `export`. Gives what is to be printed, and
/// the exit status.
pub(crate) fn run(
    dir: &str,
    export: Option<&str>,
    (repair, json): (bool, bool),
    encryption: Option<&Encryption>,
) -> (String, ExitCode) {
    let root = store_in(dir);
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let locked = File::open(root.join("LOCK")).ok();
    if locked.as_ref().is_some_and(|file| file.try_lock().is_err()) {
        let text = format!("fsck: {} is in use by a server", root.display());
        return (text, ExitCode::from(FAILED));
    }
    let exported = export.map(|path| write_down(&disk, &root, encryption, Path::new(path)));
    let exported = match exported.transpose() {
        Ok(exported) => exported,
        Err(error) => {
            let text = format!("fsck: {}: {error}", export.unwrap_or_default());
            return (text, ExitCode::from(FAILED));
        }
    };
    let outcome = if repair {
        fsck::repair(&disk, &root, encryption)
    } else {
        fsck::check(&disk, &root, encryption)
    };
    match outcome {
        Ok(report) => {
            let text = if json {
                as_json(&report, exported)
            } else {
                as_text(&report, exported)
            };
            let status = if report.is_clean() { CLEAN } else { DAMAGED };
            (text, ExitCode::from(status))
        }
        Err(error) => (format!("fsck: {error}"), ExitCode::from(FAILED)),
    }
}

fn as_text(report: &Report, exported: Option<u64>) -> String {
    let mut out = String::new();
    for line in report.damage.iter().chain(&report.repaired).chain(&report.aside) {
        let _written = writeln!(out, "{line}");
    }
    if let Some(count) = exported {
        let _written = writeln!(out, "{count} messages were written down");
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

fn as_json(report: &Report, exported: Option<u64>) -> String {
    serde_json::json!({
        "clean": report.is_clean(),
        "entries": report.entries,
        "streams": report.streams,
        "messages": report.messages,
        "lost": report.lost,
        "damage": report.damage,
        "repaired": report.repaired,
        "aside": report.aside,
        "exported": exported,
    })
    .to_string()
}

/// Writes every message that can be read to a new file, one line of JSON each. Returns how many there are.
fn write_down(
    disk: &Arc<dyn Disk>,
    root: &Path,
    encryption: Option<&Encryption>,
    path: &Path,
) -> io::Result<u64> {
    let mut out = BufWriter::new(File::create_new(path)?);
    let (mut meta, mut count) = (Meta::default(), 0);
    let mut names: BTreeMap<GroupId, Assignment> = BTreeMap::new();
    fsck::export(disk, root, encryption, &mut |piece: &Exported<'_>| {
        let is_meta = piece.group == META_GROUP;
        match piece.content {
            Content::State(state) if is_meta => meta = Meta::decode(state).unwrap_or_default(),
            Content::Command(bytes) if is_meta => {
                if let Some(change) = Change::decode(bytes) {
                    meta.apply(change);
                }
            }
            Content::State(_) | Content::Command(_) => {}
            Content::Message(record) => {
                // Streams come when the list of them is complete.
                if names.is_empty() {
                    names = meta.streams().map(|a| (a.group, a.clone())).collect();
                }
                count += 1;
                line(&mut out, piece.group, names.get(&piece.group), record)?;
            }
        }
        Ok(())
    })?;
    out.into_inner()?.sync_all()?;
    Ok(count)
}

/// A message as a line. Its fields are described in the store's `FORMAT.md`.
fn line(
    out: &mut dyn io::Write,
    group: GroupId,
    assignment: Option<&Assignment>,
    record: RecordView<'_>,
) -> io::Result<()> {
    let line = serde_json::json!({
        "account": assignment.map(|a| &a.account),
        "stream": assignment.map(|a| &a.config.name),
        "group": group.0,
        "seq": record.seq().0,
        "time": GoTime(record.ts_ns()).to_string(),
        "subject": String::from_utf8_lossy(record.subject()),
        "headers": BASE64.encode(record.headers()),
        "payload": BASE64.encode(record.payload()),
    });
    writeln!(out, "{line}")
}
