//! Going over messages in order, span by span. Reads memory and mappings; changes nothing but what a search finds out.

use std::ops::ControlFlow;
use std::sync::Arc;

use natterjack_subject::FilterSet;

use super::StreamLog;
use super::spans::{Span, slot_of};
use crate::ids::Seq;
use crate::record::Message;
use crate::segment::Segment;
use crate::segment::cursor::{Cursor, Passing};
use crate::segment::postings::Postings;

/// Messages that are read in vain before anything else is asked: asking costs more than reading the next few.
const MISSES: usize = if cfg!(test) { 2 } else { 16 };
/// The index of a span is asked once so many times the subjects that it has to look at were read in vain.
const MISSES_A_SUBJECT: usize = if cfg!(test) { 1 } else { 4 };

/// Tells where to go on in a span once too much was read in vain.
struct Guide<'a> {
    span: &'a Span<'a>,
    /// Its index, and what asking that costs; nothing before the first time.
    known: Option<Option<(Arc<Postings>, usize)>>,
}

impl<'a> Guide<'a> {
    const fn new(span: &'a Span<'a>) -> Self {
        Self { span, known: None }
    }

    /// The index to be asked, if that is worth it after so many misses.
    fn asks(&mut self, log: &StreamLog, filter: &FilterSet, misses: usize) -> Option<Arc<Postings>> {
        if misses < MISSES || filter.is_all() {
            return None;
        }
        let known = self.known.get_or_insert_with(|| {
            let postings = log.postings(self.span)?;
            let spread = postings.spread(filter);
            Some((postings, spread))
        });
        let (postings, spread) = known.as_ref()?;
        (misses >= spread * MISSES_A_SUBJECT).then(|| Arc::clone(postings))
    }
}

/// The messages of a span, one after the other.
enum Steps<'a> {
    Segment(Cursor<'a>),
    Tail {
        log: &'a StreamLog,
        slot: usize,
        end: usize,
    },
}

impl<'a> Steps<'a> {
    fn new(log: &'a StreamLog, span: &Span<'a>) -> Self {
        match span.segment {
            Some(segment) => Self::Segment(Cursor::new(segment, span.places(segment.base))),
            None => {
                let slots = span.places(log.tail_base);
                Self::Tail {
                    log,
                    slot: slots.start,
                    end: slots.end,
                }
            }
        }
    }

    /// The sequence from which on it looks for the next, in `span`.
    fn seq(&self, span: &Span<'_>) -> u64 {
        match (self, span.segment) {
            (Self::Segment(cursor), Some(segment)) => segment.base.0 + cursor.slot() as u64,
            (Self::Tail { log, slot, .. }, _) => log.tail_base.0 + *slot as u64,
            (Self::Segment(_), None) => span.seqs.end,
        }
    }

    /// Leaves out what is before `seq`.
    fn leap(&mut self, span: &Span<'_>, seq: u64) {
        match (self, span.segment) {
            (Self::Segment(cursor), Some(segment)) => cursor.leap(slot_of(seq, segment.base)),
            (Self::Tail { log, slot, .. }, _) => *slot = slot_of(seq, log.tail_base),
            (Self::Segment(_), None) => {}
        }
    }

    /// The next live message, as far as it verifies.
    fn step(&mut self, span: &Span<'_>) -> Option<(u64, Option<Passing<'_>>)> {
        match self {
            Self::Segment(cursor) => {
                let (slot, found) = cursor.step()?;
                Some((span.segment?.base.0 + slot as u64, found))
            }
            Self::Tail { log, slot, end } => {
                let left = log.tail.range((*slot).min(*end)..*end).enumerate();
                let (passed, record) = left.into_iter().find_map(|(n, r)| Some((n, r.as_ref()?)))?;
                let found = *slot + passed;
                *slot = found + 1;
                Some((log.tail_base.0 + found as u64, Some(Passing::trusted(record))))
            }
        }
    }
}

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
        let mut misses = 0;
        let mut bounds = None;
        for span in self.spans(from.0..u64::MAX) {
            if misses >= MISSES {
                let (first, last) = *bounds.get_or_insert_with(|| self.bounds(filter));
                if span.seqs.start > last {
                    return;
                }
                if span.seqs.end <= first {
                    continue;
                }
            }
            if self.walk_span(&span, filter, &mut misses, each).is_break() {
                return;
            }
        }
    }

    /// Between which sequences all that passes `filter` is, as far as that is known without looking for it.
    fn bounds(&self, filter: &FilterSet) -> (u64, u64) {
        let anywhere = (0, u64::MAX);
        let [one] = filter.filters() else { return anywhere };
        if !one.is_literal() {
            return anywhere;
        }
        match self.subjects.get(one.as_bytes()) {
            Ok(Some(state)) => (state.first_bound.0, state.last.0),
            Ok(None) => (u64::MAX, 0),
            Err(_) => anywhere,
        }
    }

    /// The same in one span. `misses` is how many messages were read in vain since the last that passed.
    pub(super) fn walk_span(
        &self,
        span: &Span<'_>,
        filter: &FilterSet,
        misses: &mut usize,
        each: &mut dyn FnMut(Passing<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let has_lost = self.has_lost();
        let (mut steps, mut guide) = (Steps::new(self, span), Guide::new(span));
        loop {
            if let Some(postings) = guide.asks(self, filter, *misses) {
                let left = steps.seq(span)..span.seqs.end;
                match self.next_indexed((span, &postings), filter, &left) {
                    Some(seq) => steps.leap(span, seq),
                    None => return ControlFlow::Continue(()),
                }
            }
            let Some((seq, found)) = steps.step(span) else {
                return ControlFlow::Continue(());
            };
            match (found, span.segment) {
                (None, Some(segment)) => self.note_lost(Seq(seq), segment, slot_of(seq, segment.base)),
                (None, None) => {}
                (Some(_), _) if has_lost && self.is_lost(Seq(seq)) => {}
                (Some(passing), _) if filter.matches(passing.record().subject()) => {
                    *misses = 0;
                    each(passing)?;
                }
                (Some(_), _) => *misses += 1,
            }
        }
    }

    /// The last message at or before `up_to` that passes `filter`.
    pub(super) fn find_last(&self, filter: &FilterSet, up_to: Seq) -> Option<Seq> {
        if filter.is_all() {
            return self
                .previous_live(up_to)
                .filter(|seq| *seq >= self.state.first_seq);
        }
        let mut misses = 0;
        let mut spans = self.spans(0..up_to.0.saturating_add(1)).rev();
        spans.find_map(|span| self.last_in_span(&span, filter, &mut misses))
    }

    fn last_in_span(&self, span: &Span<'_>, filter: &FilterSet, misses: &mut usize) -> Option<Seq> {
        let mut guide = Guide::new(span);
        let mut left = span.seqs.clone();
        while !left.is_empty() {
            let seq = match guide.asks(self, filter, *misses) {
                Some(postings) => Seq(self.last_indexed((span, &postings), filter, &left)?),
                None => self.previous_live(Seq(left.end - 1))?,
            };
            if seq.0 < left.start {
                return None;
            }
            if self.read(seq).is_ok_and(|m| filter.matches(m.subject())) {
                return Some(seq);
            }
            *misses += 1;
            left.end = seq.0;
        }
        None
    }

    pub(super) fn has_lost(&self) -> bool {
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
