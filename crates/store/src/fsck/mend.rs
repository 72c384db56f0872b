//! What a repair does to files: damaged ones are kept aside, segments that are missed are taken back.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Report, find_records, laid_out};
use crate::damage::aside;
use crate::disk::{Disk, read_file};
use crate::ids::Seq;
use crate::log::Checkpoint;
use crate::segment::cursor::Cursor;
use crate::segment::data::Data;
use crate::segment::pool::Pool;

/// Puts segments that the checkpoint names, and that are set aside, where they are missed. Whether there were any.
pub(super) fn take_back(
    disk: &Arc<dyn Disk>,
    pool: &Arc<Pool>,
    (dir, checkpoint): (&Path, &mut Checkpoint),
    report: &mut Report,
) -> io::Result<bool> {
    let mut any = false;
    for entry in &checkpoint.segments {
        let mut segment = laid_out(entry);
        let [path, _] = segment.paths(dir);
        let aside = aside(&path);
        if segment.live() == 0 || disk.open_existing(&path).is_ok() || disk.open_existing(&aside).is_err() {
            continue;
        }
        disk.rename(&aside, &path)?;
        let content = read_file(disk.as_ref(), &path)?.into();
        segment.data = Data::open(pool, &path, (entry.base, entry.generation), content)?;
        find_records(&mut segment);
        let live = segment.live() as u64;
        let mut there = Vec::new();
        let mut cursor = Cursor::whole(&segment);
        while let Some((slot, found)) = cursor.step() {
            if found.is_some() {
                there.push(Seq(entry.base.0 + slot as u64));
            }
        }
        let (good, bad) = (there.len() as u64, live - there.len() as u64);
        checkpoint.lost.retain(|seq| there.binary_search(seq).is_err());
        report.lost -= good.min(report.lost);
        report.messages += good;
        report.repaired.push(format!(
            "{}: taken back; {good} messages are there again, {bad} stay lost",
            path.display()
        ));
        any = true;
    }
    if any {
        // What is known of subjects may lack them: the next start reads the records instead.
        checkpoint.learnt = None;
        disk.sync_dir(dir)?;
    }
    Ok(any)
}

/// Keeps a damaged file under another name.
pub(super) fn set_aside(disk: &dyn Disk, path: &Path, report: &mut Report) -> io::Result<()> {
    let aside = aside(path);
    disk.rename(path, &aside)?;
    report
        .repaired
        .push(format!("{}: kept as {}", path.display(), aside.display()));
    Ok(())
}
