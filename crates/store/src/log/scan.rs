//! Going over messages in order, segment by segment. Reads memory and mappings; changes nothing but what a search finds
//! out.

use std::ops::ControlFlow;

use natterjack_subject::FilterSet;

use super::StreamLog;
use super::read::matching_slots;
use crate::ids::Seq;
use crate::record::Message;
use crate::segment::Segment;
use crate::segment::cursor::{Cursor, Passing};

/// How often a sparse filter asks whether the rest of a segment has anything for it, in slots: asking at every message
/// would cost more than it saves.
const ASK_EVERY: usize = 64;

impl StreamLog {
    pub(super) fn find_next(&self, filter: &FilterSet, from: Seq) -> Option<Message> {
        let mut found = None;
        self.walk(filter, from, &mut |passing| {
            found = Some(passing.message());
            ControlFlow::Break(())
        });
        found
    }

    /// Shows `each` the live messages at or behind `from` that pass `filter`, in order, until it has seen enough.
    pub(super) fn walk(
        &self,
        filter: &FilterSet,
        from: Seq,
        each: &mut dyn FnMut(Passing<'_>) -> ControlFlow<()>,
    ) {
        let from = from.max(self.state.first_seq);
        if from < self.tail_base {
            let start = self.segments.partition_point(|s| s.end() <= from);
            let segments = self.segments.range(start..);
            for segment in segments.take_while(|s| s.base < self.tail_base) {
                if self.walk_segment(segment, filter, from, each).is_break() {
                    return;
                }
            }
        }
        self.walk_tail(filter, from.max(self.tail_base), each);
    }

    fn walk_tail(&self, filter: &FilterSet, from: Seq, each: &mut dyn FnMut(Passing<'_>) -> ControlFlow<()>) {
        let skip = usize::try_from(from.0.saturating_sub(self.tail_base.0)).unwrap_or(usize::MAX);
        if skip >= self.tail.len() {
            return;
        }
        let has_lost = self.has_lost();
        for record in self.tail.range(skip..).flatten() {
            let passing = Passing::trusted(record);
            let record = passing.record();
            if (filter.is_all() || filter.matches(record.subject()))
                && !(has_lost && self.is_lost(record.seq()))
                && each(passing).is_break()
            {
                return;
            }
        }
    }

    fn walk_segment(
        &self,
        segment: &Segment,
        filter: &FilterSet,
        from: Seq,
        each: &mut dyn FnMut(Passing<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let slot_of = |seq: Seq| usize::try_from(seq.0.saturating_sub(segment.base.0)).unwrap_or(usize::MAX);
        // What is placed but not written yet is read from the tail.
        let (mut first, end) = (slot_of(from), slot_of(self.tail_base).min(segment.slots));
        let has_lost = self.has_lost();
        let mut last = None;
        if !filter.is_all() && segment.deleted.next_absent(0, first.min(end)).is_none() {
            let slots = matching_slots(segment, filter);
            last = slots.map(|slots| slots.map(|(_, last)| last));
            // Nothing before the first place that the index names.
            first = slots.flatten().map_or(first, |(place, _)| first.max(place));
        }
        let mut cursor = Cursor::new(segment, first.min(end)..end);
        while let Some((slot, found)) = cursor.step() {
            if last.is_none() && slot.is_multiple_of(ASK_EVERY) && !filter.is_all() {
                last = matching_slots(segment, filter).map(|slots| slots.map(|(_, last)| last));
            }
            if last.is_some_and(|last| last.is_none_or(|last| slot > last)) {
                return ControlFlow::Continue(());
            }
            let seq = Seq(segment.base.0 + slot as u64);
            match found {
                None => self.note_lost(seq, segment, slot),
                Some(_) if has_lost && self.is_lost(seq) => {}
                Some(passing) if filter.is_all() || filter.matches(passing.record().subject()) => {
                    each(passing)?;
                }
                Some(_) => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn has_lost(&self) -> bool {
        !self.lost.lock().is_empty()
    }

    fn is_lost(&self, seq: Seq) -> bool {
        self.lost.lock().contains_key(&seq)
    }

    /// Notes that the record in `slot` of `segment` does not verify.
    pub(super) fn note_lost(&self, seq: Seq, segment: &Segment, slot: usize) {
        let before = self.lost.lock().insert(seq, segment.space(slot));
        if before.is_none() {
            self.context.damage.lost(self.group, seq);
        }
    }
}
