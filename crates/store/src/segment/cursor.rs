//! Reading the records of a segment one after the other: what they lie in is looked up once, not for each.

use std::ops::Range;

use bytes::Bytes;

use super::Segment;
use super::data::Data;
use crate::record::{Message, RecordView};

/// A message as a scan passes it: borrowed for as long as it takes to look at it.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    view: RecordView<'a>,
    /// What it lies in, and where.
    run: &'a Bytes,
    at: usize,
}

impl<'a> Passing<'a> {
    /// A checked record at the start of `record`.
    pub(crate) fn trusted(record: &'a Bytes) -> Self {
        Self {
            view: RecordView::trusted(record),
            run: record,
            at: 0,
        }
    }

    /// Its record.
    #[must_use]
    pub const fn record(&self) -> RecordView<'a> {
        self.view
    }

    /// The message, to be kept: pins what it lies in.
    #[must_use]
    pub fn message(&self) -> Message {
        Message::trusted(self.run.slice(self.at..))
    }
}

/// Goes over the slots of a segment.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    segment: &'a Segment,
    slots: Range<usize>,
    /// Bytes that hold records, and the place of the first of them.
    run: Bytes,
    run_at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(segment: &'a Segment, slots: Range<usize>) -> Self {
        let run = match &segment.data {
            Data::Plain(bytes) => bytes.clone(),
            Data::Blocks(_) => Bytes::new(),
        };
        Self {
            segment,
            slots,
            run,
            run_at: 0,
        }
    }

    /// Over all of them.
    pub(crate) fn whole(segment: &'a Segment) -> Self {
        Self::new(segment, 0..segment.slots)
    }

    /// The slot from which on it looks for the next.
    pub(crate) const fn slot(&self) -> usize {
        self.slots.start
    }

    /// Leaves out what is before `slot`.
    pub(crate) fn leap(&mut self, slot: usize) {
        self.slots.start = self.slots.start.max(slot);
    }

    /// The next live slot, and what is in it; nothing when that is damaged.
    pub(crate) fn step(&mut self) -> Option<(usize, Option<Passing<'_>>)> {
        let slot = self
            .segment
            .deleted
            .next_absent(self.slots.start, self.slots.end)?;
        self.slots.start = slot + 1;
        let Some(place) = self.segment.offset(slot) else {
            return Some((slot, None));
        };
        if place < self.run_at || place - self.run_at >= self.run.len() {
            self.run = self.segment.data.from(place).unwrap_or_default();
            self.run_at = place;
        }
        let at = place - self.run_at;
        let view = self.run.get(at..).and_then(RecordView::check);
        let expected = self.segment.base.0 + slot as u64;
        let found = view.filter(|v| v.seq().0 == expected).map(|view| Passing {
            view,
            run: &self.run,
            at,
        });
        Some((slot, found))
    }
}
