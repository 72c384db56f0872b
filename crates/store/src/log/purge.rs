//! Taking many messages away: those of a filter, those before a point, or all.

use natterjack_subject::{Filter, FilterSet};

use super::StreamLog;
use crate::ids::Seq;
use crate::traits::{Purge, Removed};

impl StreamLog {
    pub(super) fn apply_purge(&mut self, purge: &Purge, removed: &mut dyn Removed) -> u64 {
        let filter = purge.filter.as_ref().filter(|f| !f.is_all());
        let end = purge
            .up_to
            .unwrap_or_else(|| self.last().next())
            .min(self.last().next());
        let is_whole = filter.is_none() && purge.keep == 0 && end > self.last();
        let count = match filter {
            None if is_whole && !removed.listens() => self.purge_whole(),
            None => self.purge_front(end, purge.keep, removed),
            Some(filter) => self.purge_filtered(filter, end, purge.keep, removed),
        };
        if let Some(up_to) = purge.up_to.filter(|_| filter.is_none()) {
            // The peer moves on to a sequence that is still to come.
            if up_to > self.last().next() && self.state.msgs == 0 {
                self.apply_skip(up_to.previous(), 0);
            }
        }
        count
    }

    fn purge_front(&mut self, end: Seq, keep: u64, removed: &mut dyn Removed) -> u64 {
        let before = self.state.msgs;
        while self.state.msgs > keep && self.state.first_seq < end {
            let first = self.state.first_seq;
            if !self.apply_remove(first, false, removed) {
                break;
            }
        }
        before - self.state.msgs
    }

    /// Lets everything go at once: nobody wants to hear of each message.
    fn purge_whole(&mut self) -> u64 {
        let count = self.state.msgs;
        if count == 0 {
            return 0;
        }
        for n in (0..self.segments.len()).rev() {
            // Nothing more is placed there: what cannot be written, because the disk is full, is given up only where nothing
            // else waits for it.
            self.segments[n].sealed = true;
            if self.drop_segment(n) {
                continue;
            }
            // Something is still written to it, or the tail has places in it.
            let segment = &mut self.segments[n];
            for slot in 0..segment.slots {
                segment.deleted.insert(slot);
            }
            segment.live_bytes = 0;
        }
        self.tail.iter_mut().for_each(|record| *record = None);
        self.tail_bytes = 0;
        self.subjects.reset(&self.context.worker);
        self.ttl.clear();
        self.mortal.clear();
        self.lost.get_mut().clear();
        (self.state.msgs, self.state.bytes) = (0, 0);
        self.advance_first(self.last().next());
        self.changed();
        count
    }

    fn purge_filtered(&mut self, filter: &Filter, end: Seq, keep: u64, removed: &mut dyn Removed) -> u64 {
        let set = FilterSet::new(vec![filter.clone()]);
        let mut left = if keep > 0 {
            self.count_pending(&set, Seq(1), false).count
        } else {
            0
        };
        let mut from = self.state.first_seq;
        if filter.is_literal() {
            let Some(state) = self.subject(filter.as_bytes()) else {
                return 0;
            };
            from = from.max(state.first_bound);
        }
        let mut count = 0;
        while let Some(message) = self.find_next(&set, from) {
            if message.seq() >= end || (keep > 0 && left <= keep) {
                break;
            }
            from = message.seq().next();
            if self.apply_remove(message.seq(), false, removed) {
                count += 1;
                left = left.saturating_sub(1);
            }
            // All there is of a single subject may be gone long before the end of the stream.
            if filter.is_literal() && self.subject(filter.as_bytes()).is_none() {
                break;
            }
        }
        count
    }
}
