//! The end of a stream: sequences given up ahead, and what is taken back.

use std::sync::Arc;

use super::place::Wholes;
use super::{Storage, StreamLog};
use crate::ids::Seq;
use crate::segment::{Offsets, Segment};
use crate::traits::Unheard;

/// A gap up to this long is kept slot by slot.
const GAP_MAX: u64 = 1024;

impl StreamLog {
    pub(super) fn apply_skip(&mut self, last: Seq, ts_ns: i64) {
        if last <= self.last() {
            return;
        }
        if last.0 - self.last().0 > GAP_MAX {
            self.detach_tail();
        }
        if self.tail.is_empty() {
            // Nothing to keep in step: the tail simply starts later.
            self.tail_base = last.next();
        } else {
            for _ in self.last().0..last.0 {
                self.tail.push_back(None);
            }
        }
        self.state.last_seq = last;
        if ts_ns > 0 {
            self.state.last_ts_ns = ts_ns;
        }
        if self.state.msgs == 0 {
            self.state.first_seq = last.next();
        }
        self.changed();
    }

    /// Makes all of the tail readable from segments at once, whatever the worker has written of it.
    fn detach_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        self.place_tail();
        for job in &mut self.jobs.draining {
            let segment = self.segments.iter_mut().find(|s| s.base == job.base);
            if let Some(segment) = segment.filter(|_| job.laid.covers > 0) {
                segment.data.extend(job.at, &job.laid.parts);
            }
            job.laid.covers = 0;
        }
        self.seal_last();
        self.tail.clear();
        self.wholes = Wholes::default();
        (self.tail_bytes, self.tail_placed) = (0, 0);
        self.tail_base = self.last().next();
        self.drop_empty_segments();
    }

    pub(super) fn apply_truncate(&mut self, last: Seq) {
        if last >= self.last() {
            return;
        }
        while let Some(seq) = self.previous_live(self.last()).filter(|s| *s > last) {
            self.apply_remove(seq, false, &mut Unheard);
        }
        if last.next() < self.tail_base {
            self.detach_tail();
        }
        let keep = usize::try_from(last.next().0.saturating_sub(self.tail_base.0)).unwrap_or(usize::MAX);
        if keep < self.tail_placed {
            // What is taken back has its place already: it is given up together with what goes.
            self.detach_tail();
        }
        self.tail.truncate(keep);
        self.wholes.truncate(Seq(self.tail_base.0 + keep as u64));
        self.state.last_seq = last;
        self.cut_segments(last);
        // Sequences are given again, and a segment that was cut has no index.
        self.chunks.clear();
        if self.tail.is_empty() {
            self.tail_base = last.next();
        }
        self.lost.get_mut().retain(|seq, _| *seq <= last);
        self.pins.truncate(last);
        if self.state.msgs == 0 {
            self.state.first_seq = last.next();
            self.state.first_ts_ns = 0;
        }
        self.state.last_ts_ns = self.timestamp(last).unwrap_or(self.state.last_ts_ns);
        self.changed();
    }

    /// Takes the slots behind `last` off the segments; work on those has no outcome any more.
    fn cut_segments(&mut self, last: Seq) {
        while let Some(segment) = self.segments.back_mut().filter(|s| s.end() > last.next()) {
            let base = segment.base;
            let keep = usize::try_from(last.next().0.saturating_sub(base.0)).unwrap_or(0);
            cut(segment, keep);
            self.jobs.sealing.retain(|s| s.0 != base);
            self.jobs.rewriting = self.jobs.rewriting.take().filter(|r| r.base != base);
            if keep > 0 {
                return;
            }
            if let Some(segment) = self.segments.pop_back().filter(|_| self.storage == Storage::File) {
                // The next segment may begin at the same place: it must not have the name of what is to be removed, nor of
                // what a rewrite under way leaves behind.
                self.generation = self.generation.max(segment.generation + 2);
                self.jobs.garbage.extend(segment.paths(&self.dir));
            }
        }
    }
}

fn cut(segment: &mut Segment, keep: usize) {
    let offsets = (0..keep).map(|slot| {
        let offset = segment.offset(slot).and_then(|o| u32::try_from(o).ok());
        offset.unwrap_or(crate::segment::HOLE)
    });
    segment.offsets = Offsets::Ram(Arc::new(offsets.collect()));
    segment.index = None;
    segment.slots = keep;
    segment.deleted.truncate(keep);
    segment.sealed = true;
}
