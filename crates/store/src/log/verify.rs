//! Looking at every record once a stream is open: opening reads none of them. One segment after the other, on the worker.

use super::{Storage, StreamLog};
use crate::ids::Seq;
use crate::segment::cursor::Cursor;
use crate::segment::data::Data;
use crate::segment::{Offsets, Segment};
use crate::worker::Outcome;
use std::io;
use std::sync::Arc;

/// Slots that are damaged.
type Found = Outcome<io::Result<Vec<usize>>>;

/// How far that came.
#[derive(Debug, Default)]
pub(super) struct Verify {
    /// What is left, from here up to there.
    left: Option<(Seq, Seq)>,
    /// The segment that is looked at: base, generation, what was found.
    job: Option<(Seq, u32, Found)>,
    /// Damage that nobody had seen.
    found: bool,
}

impl Verify {
    /// All up to `last`.
    pub(super) fn all(last: Seq) -> Self {
        Self {
            left: Some((Seq(1), last)),
            ..Self::default()
        }
    }

    /// Whether there is something left.
    pub(super) const fn is_busy(&self) -> bool {
        self.left.is_some()
    }
}

impl StreamLog {
    /// Takes what the worker found in one segment, and gives it the next.
    pub(super) fn verify_some(&mut self) {
        let Some((mut from, last)) = self.verify.left else {
            return;
        };
        if let Some((base, generation, outcome)) = &self.verify.job {
            let Some(found) = outcome.take() else { return };
            let (base, generation) = (*base, *generation);
            self.verify.job = None;
            // One that was rewritten meanwhile is looked at again.
            if let Some(end) = self.note_damage(base, generation, found) {
                from = end;
            }
        }
        let wanted = |s: &&Segment| s.sealed && s.base >= from && s.end() <= last.next() && s.live() > 0;
        match self.segments.iter().find(wanted) {
            Some(segment) => {
                self.verify.left = Some((segment.base, last));
                self.verify.job = Some((segment.base, segment.generation, self.submit_verify(segment)));
            }
            None => {
                self.verify.left = None;
                if std::mem::take(&mut self.verify.found) {
                    // Subjects were counted with messages that are lost.
                    self.learn_again();
                }
            }
        }
    }

    /// Notes messages of a segment as lost. Gives where to go on unless the segment is another one.
    fn note_damage(&mut self, base: Seq, generation: u32, found: io::Result<Vec<usize>>) -> Option<Seq> {
        let segment = match self.segments.iter().find(|s| s.base == base) {
            Some(segment) if segment.generation != generation => return None,
            Some(segment) => segment,
            None => return Some(base.next()),
        };
        let slots = found.unwrap_or_else(|error| {
            let group = self.group;
            let text = format!("group {group}: a segment cannot be read: {error}");
            self.context.damage.trouble(text);
            Vec::new()
        });
        for slot in slots.into_iter().filter(|slot| !segment.deleted.contains(*slot)) {
            self.note_lost(Seq(base.0 + slot as u64), segment, slot);
            self.verify.found = true;
        }
        Some(segment.end())
    }

    fn submit_verify(&self, segment: &Segment) -> Found {
        let mut copy = Segment::new(segment.base, segment.generation);
        copy.slots = segment.slots;
        copy.deleted = segment.deleted.clone();
        copy.index = segment.index.clone();
        copy.offsets = match &segment.offsets {
            Offsets::Ram(offsets) => Offsets::Ram(offsets.clone()),
            Offsets::Index => Offsets::Index,
        };
        debug_assert!(self.storage == Storage::File, "memory is not damaged");
        let ([path, _], len) = (segment.paths(&self.dir), segment.len);
        let context = Arc::clone(&self.context);
        self.context.worker.submit(move || {
            // A mapping of its own: when it goes, so do the pages that were read.
            let file = context.disk.open_existing(&path)?;
            let content = file.map(usize::try_from(file.len()?).unwrap_or(0))?;
            let id = (copy.base, copy.generation);
            copy.data = Data::open(&context.pool, &path, id, content)?.up_to(len);
            Ok(damaged(&copy))
        })
    }
}

/// Live slots whose records do not verify.
fn damaged(segment: &Segment) -> Vec<usize> {
    let (mut cursor, mut damaged) = (Cursor::whole(segment), Vec::new());
    while let Some((slot, found)) = cursor.step() {
        if found.is_none() {
            damaged.push(slot);
        }
    }
    damaged
}
