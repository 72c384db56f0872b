//! Reading the journal back after a stop of any kind: every whole entry in order, and what is damaged.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::Start;
use super::files::{self, Contents, FRAMES_AT};
use super::frame::{BODY_AT, Frame, stride};
use crate::batch::Committed;
use crate::disk::Disk;
use crate::ids::GroupId;

/// A place where the journal cannot be read although it was synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalDamage {
    /// File name.
    pub file: String,
    /// First byte that does not verify.
    pub offset: u64,
    /// Bytes passed over.
    pub bytes: u64,
}

/// What the journal holds.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) start: Start,
    /// Entries of each group, in order.
    pub(crate) entries: HashMap<GroupId, Vec<Committed>>,
    pub(crate) damage: Vec<JournalDamage>,
}

struct Found {
    frame: Frame,
    body: Bytes,
    file: u64,
}

/// Reads all files of `dir`.
pub(crate) fn recover(disk: &Arc<dyn Disk>, dir: &Path) -> io::Result<Recovered> {
    let mut ids: Vec<u64> = disk.list(dir)?.iter().filter_map(|n| files::id_of(n)).collect();
    ids.sort_unstable();
    let mut scan = Scan::default();
    for id in &ids {
        scan.file(disk, dir, *id)?;
    }
    let Scan {
        mut found,
        gaps,
        known,
    } = scan;
    found.sort_by_key(|f| f.frame.lsn);
    let synced = found.iter().map(|f| f.frame.synced).max().unwrap_or(0);
    // Whatever lies behind the first gap above the synced mark belongs to a write that was cut short.
    let mut next = found.first().map_or(1, |f| f.frame.lsn);
    let mut keep = 0;
    for item in &found {
        if item.frame.lsn != next && next > synced {
            break;
        }
        next = item.frame.lsn + 1;
        keep += 1;
    }
    let highest = found.last().map_or(0, |f| f.frame.lsn);
    found.truncate(keep);
    // A gap counts as damage when a frame that was synced is behind it.
    let damage = gaps
        .into_iter()
        .filter(|(_, before)| *before < synced)
        .map(|(d, _)| d)
        .collect();
    let mut contents: HashMap<u64, Contents> = known.iter().map(|id| (*id, Contents::default())).collect();
    let mut entries: HashMap<GroupId, Vec<Committed>> = HashMap::new();
    for item in found {
        let Some(body) = item.frame.entry(item.body) else {
            continue;
        };
        let (group, index) = (item.frame.group, item.frame.index);
        let highest = contents
            .entry(item.file)
            .or_default()
            .highest
            .entry(group)
            .or_default();
        *highest = (*highest).max(index);
        entries.entry(group).or_default().push(Committed { index, body });
    }
    let start = Start {
        // Numbers of frames that were cut are not used again: a later recovery must not take them for these.
        next_lsn: highest + 1,
        next_file: ids.last().map_or(1, |id| id + 1),
        files: contents.into_iter().collect(),
        released: HashMap::new(),
    };
    Ok(Recovered {
        start,
        entries,
        damage,
    })
}

/// What reading the files has found so far.
#[derive(Default)]
struct Scan {
    found: Vec<Found>,
    /// Places that do not verify, with the last frame before each.
    gaps: Vec<(JournalDamage, u64)>,
    known: Vec<u64>,
}

impl Scan {
    fn file(&mut self, disk: &Arc<dyn Disk>, dir: &Path, id: u64) -> io::Result<()> {
        let name = files::name(id);
        let content = Bytes::from(crate::disk::read_file(disk.as_ref(), &dir.join(&name))?);
        self.known.push(id);
        // A recycled file whose header was not rewritten holds nothing of ours; a damaged header does not hide its frames.
        if files::read_header(&content).is_some_and(|(file_id, _)| file_id != id) {
            return Ok(());
        }
        let mut at = usize::try_from(FRAMES_AT).unwrap_or(64);
        let mut last_lsn = self.found.last().map_or(0, |f| f.frame.lsn);
        while at + BODY_AT <= content.len() {
            if let Some((frame, len)) = Frame::decode(id, &content[at..]) {
                last_lsn = frame.lsn;
                self.found.push(Found {
                    frame,
                    body: content.slice(at + BODY_AT..at + len),
                    file: id,
                });
                at += stride(len);
                continue;
            }
            let Some(next) = next_frame(id, &content, at + 8) else {
                break;
            };
            let damage = JournalDamage {
                file: name.clone(),
                offset: at as u64,
                bytes: (next - at) as u64,
            };
            self.gaps.push((damage, last_lsn));
            at = next;
        }
        Ok(())
    }
}

/// The next place at or behind `at` where a frame of this file verifies.
fn next_frame(id: u64, content: &[u8], mut at: usize) -> Option<usize> {
    while at + BODY_AT <= content.len() {
        // Nothing but zeros follows in a file that was never full.
        if content[at..].iter().take(4096).all(|b| *b == 0) {
            let skip = content[at..].iter().position(|b| *b != 0)?;
            at += skip / 8 * 8;
        }
        if Frame::decode(id, content.get(at..)?).is_some() {
            return Some(at);
        }
        at += 8;
    }
    None
}
