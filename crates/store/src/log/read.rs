//! Finding messages. Reads memory and mappings; changes nothing but what a search finds out.

use std::ops::{ControlFlow, Range};

use natterjack_subject::FilterSet;

use super::StreamLog;
use super::spans::Span;
use crate::ids::Seq;
use crate::record::{Message, RecordView};
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
        let slot = segment.slot(seq)?;
        match segment.head(slot) {
            Some((head, _)) => Some(head.ts_ns),
            None => segment.view(slot).map(|m| m.ts_ns()),
        }
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
            self.count_behind(filter, from)
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

    /// Counts from the middle: what is before it where that is less to look at, and known how many there are of all.
    fn count_behind(&mut self, filter: &FilterSet, from: Seq) -> u64 {
        let behind = self.segments.len() - self.segments.partition_point(|s| s.end() <= from);
        let total = match filter.filters() {
            // What is lost may count in one of both ways only.
            [one] if behind > self.segments.len() / 2 && !self.has_lost() => self.count_at_once(one),
            _ => None,
        };
        match total {
            Some(total) => total.saturating_sub(self.count_within(filter, 0..from.0)),
            None => self.count_from(filter, from),
        }
    }

    /// Counts from the middle, by the indexes of what is there.
    pub(super) fn count_from(&self, filter: &FilterSet, from: Seq) -> u64 {
        self.count_within(filter, from.0..u64::MAX)
    }

    fn count_within(&self, filter: &FilterSet, seqs: Range<u64>) -> u64 {
        let spans = self.spans(seqs);
        if filter.is_all() {
            return spans.map(|span| self.count_live(&span)).sum();
        }
        spans.map(|span| self.count_span(&span, filter)).sum()
    }

    fn count_live(&self, span: &Span<'_>) -> u64 {
        let live = match span.segment {
            Some(segment) => {
                let slots = span.places(segment.base);
                slots.len() - segment.deleted.count(slots.start, slots.end)
            }
            None => self.tail.range(span.places(self.tail_base)).flatten().count(),
        };
        live as u64
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
