//! A stream in pieces of which each has its subjects indexed: sealed segments by their index files, what is not sealed in
//! chunks of so many sequences, whose index is made in memory when somebody asks for it, as long as there is room.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use natterjack_subject::FilterSet;
use parking_lot::Mutex;

use super::{Storage, StreamLog};
use crate::ids::Seq;
use crate::segment::Segment;
use crate::segment::gathered::Subjects;
use crate::segment::postings::{Gone, Postings, WHOLE};

/// Sequences of a chunk.
const CHUNK: u64 = if cfg!(test) { 8 } else { 1024 };
/// What a chunk takes beside its index, bytes.
const CHUNK_BYTES: usize = 2 * size_of::<Postings>();

/// Indexes of chunks, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Chunks(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    by_number: BTreeMap<u64, Arc<Postings>>,
    bytes: usize,
}

impl Made {
    fn retain(&mut self, mut is_wanted: impl FnMut(u64) -> bool) {
        self.by_number.retain(|number, _| is_wanted(*number));
        self.bytes = self.by_number.values().map(|p| p.bytes() + CHUNK_BYTES).sum();
    }
}

impl Chunks {
    /// Bytes of memory they take.
    pub(super) fn memory_bytes(&self) -> usize {
        self.0.lock().bytes
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        *self.0.get_mut() = Made::default();
    }
}

/// Sequences side by side that are read in the same way.
#[derive(Debug, Clone)]
pub(super) struct Span<'a> {
    /// What of it is looked at; not empty.
    pub(super) seqs: Range<u64>,
    /// What its messages are in, unless that is the tail.
    pub(super) segment: Option<&'a Segment>,
    /// Number of the chunk, unless the segment has an index.
    chunk: Option<u64>,
}

/// The place of `seq` in what begins with `base`.
pub(super) fn slot_of(seq: u64, base: Seq) -> usize {
    usize::try_from(seq.saturating_sub(base.0)).unwrap_or(usize::MAX)
}

impl Span<'_> {
    /// Its places in what begins with `base`.
    pub(super) fn places(&self, base: Seq) -> Range<usize> {
        slot_of(self.seqs.start, base)..slot_of(self.seqs.end, base)
    }

    /// The sequence that its index calls slot 0.
    fn base(&self) -> u64 {
        match (self.chunk, self.segment) {
            (Some(chunk), _) => chunk * CHUNK,
            (None, segment) => segment.map_or(0, |s| s.base.0),
        }
    }

    /// Sequences as its index calls them.
    fn slots(&self, seqs: &Range<u64>) -> Range<u32> {
        let slot = |seq: u64| u32::try_from(seq.saturating_sub(self.base())).unwrap_or(u32::MAX);
        slot(seqs.start)..slot(seqs.end)
    }

    /// Whether it is all of a segment.
    fn is_whole(&self) -> bool {
        self.segment.is_some_and(|s| self.seqs == (s.base.0..s.end().0))
    }
}

/// `seqs` of a segment or of the tail, in pieces that are indexed.
fn pieces(segment: Option<&Segment>, seqs: Range<u64>) -> impl DoubleEndedIterator<Item = Span<'_>> {
    let is_indexed = segment.is_some_and(|s| s.index.is_some());
    let numbers = match (is_indexed, seqs.is_empty()) {
        (_, true) => 0..0,
        (true, false) => 0..1,
        (false, false) => seqs.start / CHUNK..(seqs.end - 1) / CHUNK + 1,
    };
    numbers.map(move |number| Span {
        seqs: if is_indexed {
            seqs.clone()
        } else {
            seqs.start.max(number * CHUNK)..seqs.end.min((number + 1) * CHUNK)
        },
        segment,
        chunk: (!is_indexed).then_some(number),
    })
}

impl StreamLog {
    /// All there is in `seqs`, in order. What is placed in a segment but not written yet is read from the tail.
    pub(super) fn spans(&self, seqs: Range<u64>) -> impl DoubleEndedIterator<Item = Span<'_>> {
        let (from, to) = (
            seqs.start.max(self.state.first_seq.0),
            seqs.end.min(self.last().0 + 1),
        );
        let tail_base = self.tail_base.0;
        let first = self.segments.partition_point(|s| s.end().0 <= from);
        let end = self.segments.partition_point(|s| s.base.0 < to.min(tail_base));
        let segments = self.segments.range(first..end.max(first));
        let in_segments = segments.flat_map(move |s| {
            let end = s.end().0.min(to).min(tail_base);
            pieces(Some(s), s.base.0.max(from)..end)
        });
        let tail_end = to.min(tail_base + self.tail.len() as u64);
        in_segments.chain(pieces(None, from.max(tail_base)..tail_end))
    }

    /// Whether `seq`, which is in `span`, is not live.
    pub(super) fn is_gone(&self, span: &Span<'_>, seq: u64) -> bool {
        match span.segment {
            Some(segment) => segment.deleted.contains(slot_of(seq, segment.base)),
            None => {
                let place = slot_of(seq, self.tail_base);
                self.tail.get(place).is_none_or(Option::is_none)
            }
        }
    }

    /// The index of a span, if there is one or can be.
    pub(super) fn postings(&self, span: &Span<'_>) -> Option<Arc<Postings>> {
        match span.chunk {
            Some(chunk) => self.chunk(chunk),
            None => span.segment?.index.as_ref()?.postings(),
        }
    }

    /// Makes the index of a chunk that is complete, unless that was done. Its messages stay what they are; those that are
    /// deleted are passed over by who reads it.
    fn chunk(&self, number: u64) -> Option<Arc<Postings>> {
        if let Some(there) = self.chunks.0.lock().by_number.get(&number) {
            return Some(Arc::clone(there));
        }
        let (start, end) = (number * CHUNK, (number + 1) * CHUNK);
        if end > self.last().0 + 1 || self.storage == Storage::File && self.share.is_over() {
            return None;
        }
        let mut subjects = Subjects::default();
        // What of it is in a sealed segment has an index.
        for span in self.spans(start..end).filter(|span| span.chunk.is_some()) {
            let _end = self.walk_span(&span, &FilterSet::all(), &mut 0, &mut |passing| {
                let record = passing.record();
                let slot = u32::try_from(record.seq().0 - start).unwrap_or(u32::MAX);
                subjects.note(record.subject(), slot);
                ControlFlow::Continue(())
            });
        }
        let postings = Arc::new(Postings::of(&subjects.into_table())?);
        let mut made = self.chunks.0.lock();
        made.bytes += postings.bytes() + CHUNK_BYTES;
        made.by_number.insert(number, Arc::clone(&postings));
        Some(postings)
    }

    /// Lets go of indexes that nobody asks for any more, and of all that can be had again when there is no room.
    pub(super) fn tend_chunks(&self) {
        let is_over = self.storage == Storage::File && self.share.is_over();
        if is_over {
            let indexes = self.segments.iter().filter_map(|s| s.index.as_ref());
            indexes.for_each(|index| index.let_go());
        }
        let mut made = self.chunks.0.lock();
        if made.by_number.is_empty() {
            return;
        }
        let is_sealed = |seq: u64| {
            let segment = self.segment_of(Seq(seq)).map(|n| &self.segments[n]);
            seq < self.tail_base.0 && segment.is_none_or(|s| s.index.is_some())
        };
        made.retain(|number| {
            let (start, end) = (number * CHUNK, (number + 1) * CHUNK);
            let is_past = end <= self.state.first_seq.0 || is_sealed(start) && is_sealed(end - 1);
            !is_over && !is_past
        });
    }

    /// Messages of `span` that pass `filter`, which restricts something.
    pub(super) fn count_span(&self, span: &Span<'_>, filter: &FilterSet) -> u64 {
        let Some(postings) = self.postings(span) else {
            return self.count_read(span, filter);
        };
        let base = span.base();
        let gone = Gone {
            is_gone: &|slot| self.is_gone(span, base + u64::from(slot)),
            count: span
                .segment
                .filter(|_| span.chunk.is_none())
                .map(|s| s.deleted.len()),
        };
        let slots = if span.is_whole() && span.chunk.is_none() {
            WHOLE
        } else {
            span.slots(&span.seqs)
        };
        postings.count(filter, &slots, gone)
    }

    /// The same by reading them.
    fn count_read(&self, span: &Span<'_>, filter: &FilterSet) -> u64 {
        let (mut count, mut misses) = (0, 0);
        let _end = self.walk_span(span, filter, &mut misses, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    /// The message of `span` that `find` names when it is told which of its slots are gone.
    fn indexed(
        &self,
        span: &Span<'_>,
        find: impl FnOnce(&dyn Fn(u32) -> bool) -> Option<u32>,
    ) -> Option<u64> {
        let base = span.base();
        let slot = find(&|slot| self.is_gone(span, base + u64::from(slot)))?;
        Some(base + u64::from(slot))
    }

    /// The first message of `seqs`, which are of `span`, that its index says passes `filter`.
    pub(super) fn next_indexed(
        &self,
        (span, postings): (&Span<'_>, &Postings),
        filter: &FilterSet,
        seqs: &Range<u64>,
    ) -> Option<u64> {
        self.indexed(span, |is_gone| postings.next(filter, &span.slots(seqs), is_gone))
    }

    /// The last one.
    pub(super) fn last_indexed(
        &self,
        (span, postings): (&Span<'_>, &Postings),
        filter: &FilterSet,
        seqs: &Range<u64>,
    ) -> Option<u64> {
        self.indexed(span, |is_gone| postings.last(filter, &span.slots(seqs), is_gone))
    }
}
