//! Which blocks a segment file has, and where: found by reading the heads, or noted as they are written.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::RECORDS_AT;
use super::block::{HEAD_BYTES, Head};
use super::pool::Seal;
use crate::disk::DiskFile;
use crate::record::ALIGN;

/// Where the bytes of a block are.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the file, from here on.
    Disk { at: u64, head: Head },
    /// Not written yet.
    Memory(Bytes),
}

/// A block: which records, by their places, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) place: Place,
}

impl Entry {
    /// Where it is in the file, if it is there.
    pub(super) const fn at(&self) -> Option<u64> {
        match self.place {
            Place::Disk { at, .. } => Some(at),
            Place::Memory(_) => None,
        }
    }
}

/// What is known of a file.
#[derive(Debug)]
pub(super) struct State {
    /// Made with the file.
    pub(super) seal: Option<Seal>,
    pub(super) file: Option<Arc<dyn DiskFile>>,
    /// The file as far as blocks were written.
    pub(super) map: Bytes,
    pub(super) end: u64,
    /// By start.
    pub(super) table: Vec<Entry>,
    /// Blocks that were written again elsewhere: place and bytes.
    pub(super) old: Vec<(u64, usize)>,
    /// Blocks with a bit that was put right, as far as reported.
    pub(super) told: BTreeSet<u64>,
}

impl State {
    pub(super) fn covering(&self, at: u64) -> Option<&Entry> {
        let place = self.table.partition_point(|e| e.start <= at).checked_sub(1)?;
        self.table.get(place).filter(|e| at < e.start + e.len)
    }

    /// Whether there is a block from `start` on that is as it was written.
    pub(super) fn is_whole(&self, start: u64) -> bool {
        match self.covering(start).map(|e| &e.place) {
            Some(Place::Disk { at, head }) => head.start == start && is_whole(&self.map, *at, head),
            Some(Place::Memory(_)) | None => false,
        }
    }

    /// Takes the block at `at` in; it takes the place of one that was there before.
    pub(super) fn insert(&mut self, at: u64, head: Head) {
        let entry = Entry {
            start: head.start,
            len: head.raw as u64,
            place: Place::Disk { at, head },
        };
        let place = self.table.partition_point(|e| e.start < head.start);
        match self.table.get_mut(place).filter(|e| e.start == head.start) {
            Some(there) => {
                if let Place::Disk { at, head } = &there.place {
                    self.old.push((*at, head.stored));
                }
                *there = entry;
            }
            None => self.table.insert(place, entry),
        }
    }

    /// Lets go of what was held in memory from `start` up to `end`: it is written.
    pub(super) fn forget_memory(&mut self, start: u64, end: u64) {
        self.table
            .retain(|e| matches!(e.place, Place::Disk { .. }) || e.start < start || e.start >= end);
    }
}

/// Whether what is stored behind the head at `at` is as it was written.
pub(super) fn is_whole(content: &[u8], at: u64, head: &Head) -> bool {
    let from = usize::try_from(at)
        .unwrap_or(usize::MAX)
        .saturating_add(HEAD_BYTES);
    let stored = content.get(from..from.saturating_add(head.stored));
    stored.is_some_and(|stored| head.fits(stored))
}

/// The blocks in a file, in the order they were written, with their places. A head with a flipped bit counts; what does not
/// verify beyond that is searched for the next one.
pub(super) fn find(content: &[u8]) -> Vec<(u64, Head)> {
    let mut at = usize::try_from(RECORDS_AT).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut expected = true;
    while let Some(bytes) = content.get(at..).filter(|b| b.len() >= HEAD_BYTES) {
        let head = Head::read(bytes).or_else(|| {
            let written = expected && bytes[..HEAD_BYTES].iter().any(|b| *b != 0);
            written.then(|| Head::mend(bytes)).flatten()
        });
        expected = head.is_some();
        match head {
            Some(head) => {
                found.push((at as u64, head));
                at += head.stride();
            }
            None => at += ALIGN,
        }
    }
    found
}
