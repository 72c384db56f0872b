//! Segments that were sealed and have no index when the stream is opened: a stop came before it was written, or an earlier
//! build wrote it in another way. One after the other is given an index in the background; until then its records are found
//! by what was read when it was opened. An index that is damaged is left as it is found, to be looked at.

use super::StreamLog;
use super::checkpoint::{Checkpoint, SegmentEntry};
use crate::segment::index;
use crate::segment::{RECORDS_AT, Segment};

impl StreamLog {
    /// Notes which segments are to be given an index.
    pub(super) fn note_unindexed(&mut self, checkpoint: &Checkpoint) {
        let both = self.segments.iter().zip(&checkpoint.segments);
        let lacking = both.filter(|(segment, entry)| self.lacks_index(segment, entry));
        self.jobs.unindexed = lacking.map(|(s, _)| (s.base, s.generation)).collect();
    }

    fn lacks_index(&self, segment: &Segment, entry: &SegmentEntry) -> bool {
        // What is not there as a whole is read as it is: an index would say that the rest of it never was.
        let is_whole = segment.data.end() >= entry.len && entry.len > RECORDS_AT;
        if !entry.sealed || segment.index.is_some() || segment.live() == 0 || !is_whole {
            return false;
        }
        let [_, path] = segment.paths(&self.dir);
        let Ok(file) = self.context.disk.open_existing(&path) else {
            return true;
        };
        let content = file
            .len()
            .and_then(|len| file.map(usize::try_from(len).unwrap_or(0)));
        let vault = self.context.pool.vault.as_deref();
        content.is_ok_and(|content| index::is_outdated(vault, &path, &content))
    }

    /// Has the index of one of them written, unless the worker seals another segment.
    pub(super) fn index_one(&mut self) {
        if !self.jobs.sealing.is_empty() {
            return;
        }
        while let Some((base, generation)) = self.jobs.unindexed.pop() {
            let wanted = |s: &Segment| {
                s.base == base && s.generation == generation && s.index.is_none() && s.live() > 0
            };
            if let Some(n) = self.segments.iter().position(wanted) {
                let rewriting = self.jobs.rewriting.as_ref();
                if rewriting.is_none_or(|r| r.base != base) {
                    self.submit_seal(n);
                }
                return;
            }
        }
    }
}
