//! Checks a store directory that nobody has open: every entry of the journal, every record, index and checkpoint. Says in
//! plain words what is damaged and what can be kept. Changes nothing unless asked to.

mod aside;
mod export;
mod mend;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::EntryBody;
use crate::damage;
use crate::disk::{Disk, read_file};
use crate::ids::Seq;
use crate::journal::recover;
use crate::log::{Checkpoint, Copies, SegmentEntry};
use crate::memory::Memory;
use crate::seal::{Encryption, look_at_vault};
use crate::segment::cursor::Cursor;
use crate::segment::data::Data;
use crate::segment::index::{self, SegmentIndex};
use crate::segment::pool::Pool;
use crate::segment::{RECORDS_AT, Segment, index_name, parse_name, write};
use crate::store::{Store, StoreOptions, read_group};
use crate::subjects::Place;

pub use export::{Content, Exported, export};
use mend::{set_aside, take_back};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries in the journal that verify.
    pub entries: u64,
    /// Streams.
    pub streams: u64,
    /// Messages in segments that verify.
    pub messages: u64,
    /// Messages that are damaged or missing.
    pub lost: u64,
    /// What is damaged, in words.
    pub damage: Vec<String>,
    /// What was mended, in words.
    pub repaired: Vec<String>,
    /// What damage had set aside before, in words: it is no damage any more.
    pub aside: Vec<String>,
}

impl Report {
    /// Whether all is well.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Checks the store in `root`, changing nothing. One that is encrypted needs its key.
///
/// # Errors
/// When there is no store, or the disk cannot be read, or the key is missing or another. Damage is no error.
pub fn check(disk: &Arc<dyn Disk>, root: &Path, encryption: Option<&Encryption>) -> io::Result<Report> {
    let names = disk.list(root)?;
    if !names.iter().any(|n| n == "journal") {
        let text = format!("{}: no store is there", root.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let mut report = Report::default();
    let pool = pool(disk, root, encryption)?;
    let journal = recover::read(disk, &root.join("journal"), pool.vault.as_deref())?;
    report.entries = journal.entries.values().map(|e| e.len() as u64).sum();
    report.damage.extend(journal.damage);
    for entry in journal.entries.values().flatten() {
        if let Some(EntryBody::Messages(batch)) = entry.salvaged() {
            let lost = batch
                .records()
                .filter(|(_, r)| r.flags() & crate::record::flags::LOST != 0);
            report.lost += lost.count() as u64;
        }
    }
    for name in list_numbers(disk.as_ref(), &root.join("groups"))? {
        check_group(disk.as_ref(), &pool, &root.join("groups").join(name), &mut report);
    }
    for name in list_numbers(disk.as_ref(), &root.join("streams"))? {
        report.streams += 1;
        check_stream(disk, &pool, &root.join("streams").join(name), &mut report)?;
    }
    aside::look(disk.as_ref(), &pool, root, &mut report)?;
    report.damage.extend(pool.reports());
    Ok(report)
}

fn pool(disk: &Arc<dyn Disk>, root: &Path, encryption: Option<&Encryption>) -> io::Result<Arc<Pool>> {
    let vault = look_at_vault(disk.as_ref(), root, encryption)?;
    Ok(Arc::new(Pool::new(vault.map(Arc::new), Arc::default())))
}

/// Checks the store in `root` and mends what can be mended: copies of checkpoints and indexes are made anew, what a crash
/// cut off is removed, damaged files are kept aside. A segment that is missing and was set aside is taken back, so that its
/// good messages are there again. Damaged messages stay damaged.
///
/// # Errors
/// As [`check`], and when the disk cannot be written.
pub fn repair(disk: &Arc<dyn Disk>, root: &Path, encryption: Option<&Encryption>) -> io::Result<Report> {
    let mut report = check(disk, root, encryption)?;
    if report.is_clean() {
        return Ok(report);
    }
    let pool = pool(disk, root, encryption)?;
    let vault = pool.vault.as_deref();
    for name in list_numbers(disk.as_ref(), &root.join("streams"))? {
        let dir = root.join("streams").join(name);
        let Copies { newest, damaged, .. } = Checkpoint::read(disk.as_ref(), vault, &dir);
        let Some(mut checkpoint) = newest else { continue };
        if take_back(disk, &pool, (&dir, &mut checkpoint), &mut report)? {
            checkpoint.write(disk.as_ref(), vault, &dir)?;
        }
        let runs = damaged_runs(disk, &pool, &dir, &checkpoint);
        if !runs.is_empty() {
            for path in runs {
                set_aside(disk.as_ref(), &path, &mut report)?;
            }
            // The next start reads the records instead.
            checkpoint.learnt = None;
            checkpoint.write(disk.as_ref(), vault, &dir)?;
        }
        if !damaged.is_empty() {
            for path in damaged {
                set_aside(disk.as_ref(), &path, &mut report)?;
            }
            checkpoint.write(disk.as_ref(), vault, &dir)?;
            report
                .repaired
                .push(format!("{}: the checkpoint is there twice again", dir.display()));
        }
        for entry in &checkpoint.segments {
            let path = dir.join(index_name(entry.base, entry.generation));
            if is_index_damaged(disk.as_ref(), &pool, &path, entry.base) {
                // It is read from the records while it is missing.
                set_aside(disk.as_ref(), &path, &mut report)?;
            }
        }
    }
    // Opening the store carries out the rest: what was cut off goes, single bits of the journal are right in memory.
    let options = StoreOptions {
        encryption: encryption.cloned(),
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::clone(disk), root, &options)?;
    store.shutdown();
    Ok(report)
}

/// Folders with the number of a group for a name.
fn list_numbers(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<String>> {
    let mut names = disk.list(dir)?;
    names.retain(|n| u32::from_str_radix(n, 16).is_ok());
    names.sort_unstable();
    Ok(names)
}

fn check_group(disk: &dyn Disk, pool: &Pool, dir: &Path, report: &mut Report) {
    let mut damaged = Vec::new();
    let (newest, _) = read_group(disk, pool.vault.as_deref(), dir, &mut |path| {
        damaged.push(path.to_owned());
    });
    let instead = if newest.is_some() {
        "the other copy is used"
    } else {
        "what the journal still holds of it is used"
    };
    for path in damaged {
        let text = format!("{}: does not verify; {instead}", path.display());
        report.damage.push(text);
    }
}

fn check_stream(disk: &Arc<dyn Disk>, pool: &Arc<Pool>, dir: &Path, report: &mut Report) -> io::Result<()> {
    let vault = pool.vault.as_deref();
    let runs_on = disk;
    let disk = disk.as_ref();
    let copies = Checkpoint::read(disk, vault, dir);
    for path in &copies.damaged {
        let other = if copies.newest.is_some() {
            "the other copy is used"
        } else {
            "messages can be taken from segments"
        };
        report
            .damage
            .push(format!("{}: does not verify; {other}", path.display()));
    }
    let Some(checkpoint) = copies.newest else {
        return check_loose(disk, pool, dir, report);
    };
    for path in damaged_runs(runs_on, pool, dir, &checkpoint) {
        let text = format!("{}: does not verify; it is made from the records", path.display());
        report.damage.push(text);
    }
    for entry in &checkpoint.segments {
        let mut segment = laid_out(entry);
        if segment.live() == 0 {
            continue;
        }
        let [path, index] = segment.paths(dir);
        let Ok(data) = read_file(disk, &path) else {
            let live = segment.live() as u64;
            report.lost += live;
            let aside = damage::aside(&path);
            let good = aside::count(disk, pool, &aside, &path).unwrap_or(0);
            let what = if good > 0 {
                format!(
                    "{good} of them are in {}, and a repair takes them back",
                    aside.display()
                )
            } else {
                "nothing of them is kept aside".to_owned()
            };
            report.damage.push(format!(
                "{}: cannot be read; {live} messages are lost; {what}",
                path.display()
            ));
            continue;
        };
        let data = Bytes::from(data);
        let id = (entry.base, entry.generation);
        check_header(&data, id, &path, report);
        segment.data = Data::open(pool, &path, id, data)?;
        check_records(&mut segment, &path, report);
        if entry.sealed && is_index_damaged(disk, pool, &index, entry.base) {
            let text = format!(
                "{}: does not verify; it is made from the records",
                index.display()
            );
            report.damage.push(text);
        }
    }
    Ok(())
}

/// Runs of subjects that the checkpoint names and that are not as they were written.
fn damaged_runs(disk: &Arc<dyn Disk>, pool: &Pool, dir: &Path, checkpoint: &Checkpoint) -> Vec<PathBuf> {
    let place = Place::new(disk, dir, Memory::new(0), pool.vault.clone());
    let learnt = checkpoint.learnt.as_ref();
    learnt.map_or_else(Vec::new, |learnt| learnt.subjects.check(&place))
}

/// A segment as its checkpoint describes it, without its records.
fn laid_out(entry: &SegmentEntry) -> Segment {
    let mut segment = Segment::new(entry.base, entry.generation);
    segment.slots = usize::try_from(entry.slots).unwrap_or(0);
    segment.len = entry.len;
    for (first, count) in &entry.deleted {
        for slot in *first..first.saturating_add(*count) {
            segment.deleted.insert(slot as usize);
        }
    }
    segment
}

/// Finds the records in a segment's data, whatever its index says.
fn find_records(segment: &mut Segment) {
    let mut offsets = write::scan(&segment.data, segment.base, segment.len.max(RECORDS_AT));
    offsets.resize(segment.slots, crate::segment::HOLE);
    segment.offsets = crate::segment::Offsets::Ram(Arc::new(offsets));
}

/// Whether the index at `path` is there and not as it was written. One of an earlier version is made anew by the next start.
fn is_index_damaged(disk: &dyn Disk, pool: &Arc<Pool>, path: &Path, base: Seq) -> bool {
    let Ok(file) = read_file(disk, path).map(Bytes::from) else {
        return false;
    };
    SegmentIndex::open((Some(pool), path), &file, base).is_none()
        && !index::is_outdated(pool.vault.as_deref(), path, &file)
}

fn check_header(data: &[u8], (base, generation): (Seq, u32), path: &Path, report: &mut Report) {
    if !write::header_is_intact(data, base, generation) {
        let text = format!(
            "{}: the header does not verify; all records can be read",
            path.display()
        );
        report.damage.push(text);
    }
}

fn check_records(segment: &mut Segment, path: &Path, report: &mut Report) {
    find_records(segment);
    let mut cursor = Cursor::whole(segment);
    while let Some((slot, found)) = cursor.step() {
        if found.is_some() {
            report.messages += 1;
            continue;
        }
        report.lost += 1;
        let seq = segment.base.0 + slot as u64;
        report
            .damage
            .push(format!("{}: message {seq} is damaged", path.display()));
    }
}

/// Without a checkpoint, the journal has everything, or segments are all there is.
fn check_loose(disk: &dyn Disk, pool: &Arc<Pool>, dir: &Path, report: &mut Report) -> io::Result<()> {
    for name in disk.list(dir)? {
        let Some((base, generation)) = parse_name(&name) else {
            continue;
        };
        let path: PathBuf = dir.join(&name);
        let content = Bytes::from(read_file(disk, &path)?);
        check_header(&content, (base, generation), &path, report);
        let data = Data::open(pool, &path, (base, generation), content)?;
        let offsets = write::scan(&data, base, data.end());
        let there = offsets.iter().filter(|o| **o != crate::segment::HOLE).count();
        report.messages += there as u64;
    }
    Ok(())
}
