//! Finding messages. Reads memory and mappings; changes nothing but what a search finds out.

use std::ops::ControlFlow;

use natterjack_subject::{Filter, FilterSet};

use super::StreamLog;
use crate::ids::Seq;
use crate::record::{Message, RecordView};
use crate::segment::Segment;
use crate::traits::{LoadError, PendingCount};

impl StreamLog {
    pub(super) fn read(&self, seq: Seq) -> Result<Message, LoadError> {
        if seq == Seq::ZERO || seq > self.last() {
            return Err(LoadError::NotFound);
        }
        if self.lost.lock().contains_key(&seq) {
            return Err(LoadError::Lost);
        }
        if let Some(slot) = self.tail_slot(seq) {
            return self.tail[slot]
                .clone()
                .map(Message::trusted)
                .ok_or(LoadError::Deleted);
        }
        if seq < self.state.first_seq {
            return Err(LoadError::NotFound);
        }
        let Some(n) = self.segment_of(seq) else {
            return Err(LoadError::Deleted);
        };
        let segment = &self.segments[n];
        let Some(slot) = segment.slot(seq) else {
            return Err(LoadError::Deleted);
        };
        match segment.read(slot) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(LoadError::Deleted),
            Err(()) => {
                self.note_lost(seq, segment, slot);
                Err(LoadError::Lost)
            }
        }
    }

    /// When a live message was stored.
    pub(super) fn timestamp(&self, seq: Seq) -> Option<i64> {
        if let Some(slot) = self.tail_slot(seq) {
            return Some(RecordView::check(self.tail[slot].as_ref()?)?.ts_ns());
        }
        let segment = &self.segments[self.segment_of(seq)?];
        segment.view(segment.slot(seq)?).map(|m| m.ts_ns())
    }

    /// The first live sequence at or behind `from`.
    pub(super) fn next_live(&self, from: Seq) -> Option<Seq> {
        if from < self.tail_base
            && let Some(seq) = self.next_in_segments(from)
        {
            return Some(seq);
        }
        let from = from.max(self.tail_base);
        let start = usize::try_from(from.0.checked_sub(self.tail_base.0)?).ok()?;
        let found = self.tail.iter().skip(start).position(Option::is_some)?;
        Some(Seq(self.tail_base.0 + (start + found) as u64))
    }

    fn next_in_segments(&self, from: Seq) -> Option<Seq> {
        let start = self.segments.partition_point(|s| s.end() <= from);
        for segment in self.segments.iter().skip(start) {
            let slot = usize::try_from(from.0.saturating_sub(segment.base.0)).ok()?;
            let found = segment.deleted.next_absent(slot, segment.slots);
            if let Some(found) = found {
                // What is placed but not written yet is read from the tail.
                return Some(Seq(segment.base.0 + found as u64)).filter(|seq| *seq < self.tail_base);
            }
        }
        None
    }

    /// The last live sequence at or before `up_to`.
    pub(super) fn previous_live(&self, up_to: Seq) -> Option<Seq> {
        let up_to = up_to.min(self.last());
        if up_to >= self.tail_base && !self.tail.is_empty() {
            let end = usize::try_from(up_to.0 - self.tail_base.0).ok()? + 1;
            let found = self.tail.iter().take(end).rposition(Option::is_some);
            if let Some(slot) = found {
                return Some(Seq(self.tail_base.0 + slot as u64));
            }
        }
        let before = up_to.min(self.tail_base.previous());
        let end = self.segments.partition_point(|s| s.base <= before);
        for segment in self.segments.iter().take(end).rev() {
            let last = segment.end().previous().min(before);
            let slot = usize::try_from(last.0.checked_sub(segment.base.0)?).ok()?;
            if let Some(found) = segment.deleted.previous_absent(slot) {
                return Some(Seq(segment.base.0 + found as u64));
            }
        }
        None
    }

    pub(super) fn find_last(&self, filter: &FilterSet, up_to: Seq) -> Option<Seq> {
        let mut up_to = up_to.min(self.last());
        while let Some(seq) = self.previous_live(up_to) {
            if seq < self.state.first_seq {
                return None;
            }
            if filter.is_all() {
                return Some(seq);
            }
            if seq < self.tail_base
                && let Some(n) = self.segment_of(seq)
                && seq == self.segments[n].end().previous()
                && matching_slots(&self.segments[n], filter) == Some(None)
            {
                up_to = self.segments[n].base.previous();
                continue;
            }
            if self.read(seq).is_ok_and(|m| filter.matches(m.subject())) {
                return Some(seq);
            }
            up_to = seq.previous();
        }
        None
    }

    pub(super) fn count_pending(
        &mut self,
        filter: &FilterSet,
        from: Seq,
        last_per_subject: bool,
    ) -> PendingCount {
        let up_to = self.last();
        let from = from.max(self.state.first_seq);
        if from > up_to || self.state.msgs == 0 {
            return PendingCount { count: 0, up_to };
        }
        let count = if last_per_subject {
            self.count_lasts(filter, from)
        } else if from <= self.state.first_seq {
            self.count_all(filter)
        } else {
            self.count_from(filter, from)
        };
        PendingCount { count, up_to }
    }

    /// Subjects that pass `filter` and have their last message at or behind `from`.
    fn count_lasts(&mut self, filter: &FilterSet, from: Seq) -> u64 {
        let mut count = 0;
        self.each_last(filter, self.last(), &mut |last| {
            count += u64::from(last >= from);
            ControlFlow::Continue(())
        });
        count
    }

    fn count_all(&mut self, filter: &FilterSet) -> u64 {
        if filter.is_all() {
            return self.state.msgs;
        }
        if let [one] = filter.filters() {
            return self.count_of_subjects(one);
        }
        let mut total = 0;
        for n in 0..filter.filters().len() {
            self.each_subject_once(filter, n, b"", &mut |_, state| {
                total += state.count;
                ControlFlow::Continue(())
            });
        }
        total
    }

    /// Counts from the middle: whole segments by their index where nothing was deleted, the rest message by message.
    pub(super) fn count_from(&self, filter: &FilterSet, from: Seq) -> u64 {
        let mut count = 0;
        let start = self.segments.partition_point(|s| s.end() <= from);
        for segment in self.segments.iter().skip(start) {
            let first = usize::try_from(from.0.saturating_sub(segment.base.0)).unwrap_or(0);
            let end = usize::try_from(self.tail_base.0.saturating_sub(segment.base.0))
                .unwrap_or(0)
                .min(segment.slots);
            if filter.is_all() {
                let gone = (first..end).filter(|s| segment.deleted.contains(*s)).count();
                count += (end.saturating_sub(first) - gone) as u64;
                continue;
            }
            let whole = first == 0 && end == segment.slots && segment.deleted.len() == 0;
            if let (true, [one], Some(index)) = (whole, filter.filters(), &segment.index) {
                count += indexed(index, one).map(|(_, s)| u64::from(s.count)).sum::<u64>();
                continue;
            }
            let mut slot = first;
            while let Some(live) = segment.deleted.next_absent(slot, end) {
                count += u64::from(segment.view(live).is_some_and(|v| filter.matches(v.subject())));
                slot = live + 1;
            }
        }
        let skip = usize::try_from(from.0.saturating_sub(self.tail_base.0)).unwrap_or(0);
        let in_tail = self.tail.iter().skip(skip).flatten();
        let matching = in_tail
            .filter(|b| filter.is_all() || RecordView::check(b).is_some_and(|v| filter.matches(v.subject())));
        count + matching.count() as u64
    }

    pub(super) fn find_time(&self, ts_ns: i64) -> Seq {
        let mut low = self.state.first_seq;
        let mut high = self.last().next();
        while low < high {
            let middle = Seq(u64::midpoint(low.0, high.0));
            // Deleted messages have no time: look at the next live one.
            match self.next_live(middle).filter(|s| *s < high) {
                Some(live) if self.timestamp(live).is_some_and(|t| t < ts_ns) => low = live.next(),
                Some(_) | None => high = middle,
            }
        }
        self.next_live(low).unwrap_or_else(|| self.last().next())
    }

    pub(super) fn deleted_runs(&self, max: usize) -> Vec<(Seq, u64)> {
        let (mut runs, mut total) = (Vec::new(), 0u64);
        let mut expected = self.state.first_seq;
        let limit = max as u64;
        while total < limit {
            let next = self.next_live(expected).unwrap_or_else(|| self.last().next());
            if next > expected {
                let count = (next.0 - expected.0).min(limit - total);
                runs.push((expected, count));
                total += count;
            }
            if next > self.last() {
                break;
            }
            // Runs of live messages are passed over word by word in segments, one by one in the tail.
            expected = next.next();
        }
        runs
    }
}

/// Subjects of a segment's index that pass `filter`.
fn indexed<'a>(
    index: &'a crate::segment::index::SegmentIndex,
    filter: &'a Filter,
) -> impl Iterator<Item = (&'a [u8], crate::segment::index::SubjectSlots)> {
    let prefix = filter.literal_prefix();
    (index.lower_bound(prefix)..index.subjects())
        .map(|n| index.subject(n))
        .take_while(move |(text, _)| text.starts_with(prefix))
        .filter(|(text, _)| filter.matches(text))
}

/// The first and the last slot of a sealed segment whose subjects pass `filter`: `None` without index, `Some(None)` when
/// none does. Deleted messages count, so nothing that passes is before or behind them.
pub(super) fn matching_slots(segment: &Segment, filter: &FilterSet) -> Option<Option<(usize, usize)>> {
    let index = segment.index.as_ref()?;
    let slots = filter
        .filters()
        .iter()
        .flat_map(|f| indexed(index, f))
        .map(|(_, s)| (s.first as usize, s.last as usize));
    Some(slots.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))))
}
