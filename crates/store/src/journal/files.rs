//! The journal's files: which exist, which groups each pins, which may be used again.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::ids::{GroupId, LogIndex};

/// First bytes of a journal file.
pub(crate) const MAGIC: [u8; 8] = *b"NJJRNL01";
/// Where frames begin.
pub(crate) const FRAMES_AT: u64 = 64;

/// Name of the file with `id`.
pub(crate) fn name(id: u64) -> String {
    format!("J-{id:016x}.jnl")
}

/// The id in a file's name.
pub(crate) fn id_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix("J-")?.strip_suffix(".jnl")?, 16).ok()
}

/// The header of a file: magic, id, first frame number, checksum.
pub(crate) fn header(id: u64, first_lsn: u64) -> [u8; 64] {
    let mut out = [0; 64];
    out[0..8].copy_from_slice(&MAGIC);
    out[8..16].copy_from_slice(&id.to_le_bytes());
    out[16..24].copy_from_slice(&first_lsn.to_le_bytes());
    let crc = crc32fast::hash(&out[0..24]);
    out[24..28].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Id and first frame number of a header, if it is intact.
pub(crate) fn read_header(bytes: &[u8]) -> Option<(u64, u64)> {
    let head: &[u8; 28] = bytes.first_chunk()?;
    let crc = u32::from_le_bytes(head[24..28].try_into().ok()?);
    if head[0..8] != MAGIC || crc32fast::hash(&head[0..24]) != crc {
        return None;
    }
    Some((
        u64::from_le_bytes(head[8..16].try_into().ok()?),
        u64::from_le_bytes(head[16..24].try_into().ok()?),
    ))
}

/// What one full file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Highest entry of each group in it.
    pub(crate) highest: HashMap<GroupId, LogIndex>,
}

/// All files but the one being written.
#[derive(Debug)]
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    full: BTreeMap<u64, Contents>,
    spare: Vec<u64>,
    spares_max: usize,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path, spares_max: usize) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            full: BTreeMap::new(),
            spare: Vec::new(),
            spares_max,
        }
    }

    pub(crate) fn path(&self, id: u64) -> PathBuf {
        self.dir.join(name(id))
    }

    /// Notes that file `id` is full.
    pub(crate) fn add_full(&mut self, id: u64, contents: Contents) {
        self.full.insert(id, contents);
    }

    /// Number of full files that are still needed.
    pub(crate) fn full_count(&self) -> usize {
        self.full.len()
    }

    /// Groups that keep the oldest file from being used again.
    pub(crate) fn pinning(&self, released: &HashMap<GroupId, LogIndex>) -> Vec<GroupId> {
        let Some(oldest) = self.full.values().next() else {
            return Vec::new();
        };
        let pins = |(group, highest): (&GroupId, &LogIndex)| {
            released.get(group).is_none_or(|r| r < highest).then_some(*group)
        };
        oldest.highest.iter().filter_map(pins).collect()
    }

    /// Lets go of files that no group needs any more: a few are kept to be written again, the rest removed.
    pub(crate) fn release(&mut self, released: &HashMap<GroupId, LogIndex>) -> io::Result<()> {
        let free: Vec<u64> = self
            .full
            .iter()
            .filter(|(_, c)| {
                c.highest
                    .iter()
                    .all(|(g, i)| released.get(g).is_some_and(|r| r >= i))
            })
            .map(|(id, _)| *id)
            .collect();
        for id in free {
            self.full.remove(&id);
            if self.spare.len() < self.spares_max {
                self.spare.push(id);
            } else {
                self.disk.remove(&self.path(id))?;
            }
        }
        Ok(())
    }

    /// A file to be written from the start under the new `id`: one used before if there is any.
    pub(crate) fn create(&mut self, id: u64, first_lsn: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path(id);
        if let Some(old) = self.spare.pop() {
            self.disk.rename(&self.path(old), &path)?;
        }
        let file = self.disk.open(&path)?;
        file.write_at(&mut [IoSlice::new(&header(id, first_lsn))], 0)?;
        file.sync_data()?;
        self.disk.sync_dir(&self.dir)?;
        Ok(file)
    }
}
