//! What damage had set aside: files and folders with `.damaged` behind their names. No server reads them; here they are said
//! to be there, with what they hold that can be read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Report;
use crate::damage::ASIDE;
use crate::disk::{Disk, read_file};
use crate::ids::GroupId;
use crate::record::Message;
use crate::segment::data::Data;
use crate::segment::pool::Pool;
use crate::segment::{HOLE, parse_name, write};

/// Streams that were set aside whole, because nothing named them any more: their numbers and folders.
pub(super) fn streams(disk: &dyn Disk, root: &Path) -> io::Result<Vec<(GroupId, PathBuf)>> {
    let dir = root.join("streams");
    let mut names = disk.list(&dir)?;
    names.sort_unstable();
    let number = |name: &String| u32::from_str_radix(name.strip_suffix(ASIDE)?, 16).ok();
    let found = names.iter().filter_map(|name| {
        let id = GroupId(number(name)?);
        Some((id, dir.join(name)))
    });
    Ok(found.collect())
}

/// Where a stream that is set aside was before: its files open under the names they were made with.
pub(super) fn before(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(name.strip_suffix(ASIDE).unwrap_or(&name))
}

/// Adds to the report what is set aside in the store.
pub(super) fn look(disk: &dyn Disk, pool: &Arc<Pool>, root: &Path, report: &mut Report) -> io::Result<()> {
    look_in(disk, &root.join("journal"), report)?;
    for kind in ["groups", "streams"] {
        for name in super::list_numbers(disk, &root.join(kind))? {
            look_in(disk, &root.join(kind).join(name), report)?;
        }
    }
    for (group, dir) in streams(disk, root)? {
        let mut messages = 0;
        for name in disk.list(&dir)?.iter().filter(|name| parse_name(name).is_some()) {
            messages += count(disk, pool, &dir.join(name), &before(&dir).join(name))?;
        }
        report.aside.push(format!(
            "{}: stream {group}, which nothing named any more, is kept aside; {messages} messages in it can be read and are exported",
            dir.display()
        ));
    }
    Ok(())
}

/// What is set aside in one folder, other than messages that are still missed: those are spoken of where they are missed.
fn look_in(disk: &dyn Disk, dir: &Path, report: &mut Report) -> io::Result<()> {
    let mut names = disk.list(dir)?;
    names.sort_unstable();
    for name in names.iter().filter_map(|name| name.strip_suffix(ASIDE)) {
        let what = match name.rsplit_once('.').map_or(name, |(_, ending)| ending) {
            "idx" | "run" => "an index; it is made from the records, and this can be removed",
            "dat" => "messages of a segment",
            _ if name.starts_with("J-") => {
                "a file of the journal; what verified in it has been applied, and nothing needs it any more"
            }
            _ if name.starts_with("CHECKPOINT") => {
                "a copy of a checkpoint; the other copy, or the journal and the segments, are used instead"
            }
            _ => "nothing here knows what it is",
        };
        let path = dir.join(format!("{name}{ASIDE}"));
        report
            .aside
            .push(format!("{}: kept aside: {what}", path.display()));
    }
    Ok(())
}

/// Records in the segment file at `path` that verify. It was made as `made_as`.
pub(super) fn count(disk: &dyn Disk, pool: &Arc<Pool>, path: &Path, made_as: &Path) -> io::Result<u64> {
    let name = made_as.file_name().unwrap_or_default().to_string_lossy();
    let Some(id) = parse_name(&name) else {
        return Ok(0);
    };
    let data = Data::open(pool, made_as, id, read_file(disk, path)?.into())?;
    let offsets = write::scan(&data, id.0, data.end());
    let whole = |at: &&u32| data.from(**at as usize).and_then(Message::check).is_some();
    let there = offsets.iter().filter(|at| **at != HOLE).filter(whole);
    Ok(there.count() as u64)
}
