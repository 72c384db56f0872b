//! Applying committed messages, and the limits that make old ones go.

use bytes::Bytes;
use natterjack_subject::Filter;

use super::{Storage, StreamLog};
use crate::batch::{Committed, EntryBody};
use crate::ids::Seq;
use crate::record::{RecordView, flags};
use crate::traits::{Limits, Purge, Removed};

/// Messages of a subject that are looked for together.
const HISTORY_MAX: u64 = 64;
/// Messages named as lost one by one.
const LOST_MAX: usize = 1 << 20;

impl StreamLog {
    pub(super) fn apply_append(&mut self, entry: &Committed, removed: &mut dyn Removed) {
        self.applied = entry.index;
        let EntryBody::Messages(batch) = &entry.body else {
            return;
        };
        let follows = batch.base_seq == self.last().next();
        for (at, record) in batch.records() {
            if record.seq() > self.last().next() {
                self.give_up(self.last().next(), record.seq());
            }
            if record.seq() != self.last().next() {
                continue;
            }
            self.push(record, batch.body.slice(at..at + record.stride()), removed);
        }
        if follows && self.storage == Storage::File && !self.compress {
            self.wholes.push(batch);
        }
        self.spill_subjects();
        self.relieve_tail();
        self.changed();
    }

    fn push(&mut self, record: RecordView<'_>, bytes: Bytes, removed: &mut dyn Removed) {
        let seq = record.seq();
        self.state.last_seq = seq;
        self.state.last_ts_ns = record.ts_ns();
        self.last_append_ns = record.ts_ns();
        removed.comes(seq);
        // One that nobody wants takes the place of those before it all the same.
        self.roll_up(record, removed);
        if record.flags() & flags::SKIP != 0 {
            if record.flags() & flags::LOST != 0 {
                self.lost.get_mut().insert(seq, 0);
                self.context.damage.lost(self.group, seq);
            }
            self.push_hole();
            return;
        }
        let accounted = self.accounted(record);
        if self.state.msgs == 0 {
            self.state.first_seq = seq;
            self.state.first_ts_ns = record.ts_ns();
        }
        self.state.msgs += 1;
        self.state.bytes += accounted;
        self.tail_bytes += bytes.len() as u64;
        self.bytes_since_checkpoint += bytes.len() as u64;
        let before = self.add_to_subject(record.subject(), seq);
        self.tail.push_back(Some(bytes));
        self.note_ttl(seq, record);
        if let Some(max) = self.limits.max_per_subject
            && let Some(before) = before
            && before.count >= max
        {
            self.trim_subject(record.subject(), before.last, before.count + 1 - max, removed);
        }
        self.enforce(removed);
    }

    /// Removes what a message that rolls up takes the place of.
    fn roll_up(&mut self, record: RecordView<'_>, removed: &mut dyn Removed) {
        if record.flags() & flags::ROLLUP_ALL != 0 {
            self.apply_purge(&Purge::default(), removed);
        } else if record.flags() & flags::ROLLUP_SUBJECT != 0
            && let Ok(filter) = Filter::parse(record.subject())
        {
            self.apply_purge(
                &Purge {
                    filter: Some(filter),
                    ..Purge::default()
                },
                removed,
            );
        }
    }

    /// A sequence without message.
    fn push_hole(&mut self) {
        self.tail.push_back(None);
        if self.state.msgs == 0 {
            self.state.first_seq = self.last().next();
        }
    }

    /// Removes the `excess` oldest messages of `subject`; `last` was its last before the newest.
    fn trim_subject(&mut self, subject: &[u8], last: Seq, excess: u64, removed: &mut dyn Removed) {
        for _ in 0..excess {
            let oldest = if self.limits.max_per_subject == Some(1) && excess == 1 {
                self.exact(subject, last)
            } else {
                self.oldest(subject)
            };
            let Some(seq) = oldest else { return };
            self.apply_remove(seq, false, removed);
        }
    }

    /// `last` if that is a live message of `subject`, else the first that is.
    fn exact(&self, subject: &[u8], last: Seq) -> Option<Seq> {
        let is_it = self.read(last).is_ok_and(|m| m.subject() == subject);
        if is_it {
            Some(last)
        } else {
            self.scan_oldest(subject)
        }
    }

    /// The oldest live message of `subject`.
    fn oldest(&mut self, subject: &[u8]) -> Option<Seq> {
        let known = self.subjects.oldest(subject);
        let is_its = |seq: &Seq| self.read(*seq).is_ok_and(|m| m.subject() == subject);
        known.filter(is_its).or_else(|| self.find_history(subject))
    }

    fn scan_oldest(&self, subject: &[u8]) -> Option<Seq> {
        let filter = natterjack_subject::FilterSet::new(vec![Filter::parse(subject).ok()?]);
        self.find_next(&filter, self.state.first_seq).map(|m| m.seq())
    }

    /// Looks for the messages of `subject`, all if they are few, and has them remembered. Gives the oldest.
    fn find_history(&mut self, subject: &[u8]) -> Option<Seq> {
        let state = self.subject(subject)?;
        let filter = natterjack_subject::FilterSet::new(vec![Filter::parse(subject).ok()?]);
        let wanted = if state.count <= HISTORY_MAX {
            state.count
        } else {
            1
        };
        let (mut found, mut from) = (Vec::new(), state.first_bound);
        while (found.len() as u64) < wanted {
            let is_last_left = !found.is_empty() && found.len() as u64 + 1 == wanted && !state.last_stale;
            let next = if is_last_left {
                Some(state.last)
            } else {
                self.find_next(&filter, from).map(|m| m.seq())
            };
            let Some(seq) = next else { break };
            found.push(seq);
            from = seq.next();
        }
        self.remember_history(subject, &found, found.len() as u64 == state.count);
        found.first().copied()
    }

    /// Removes from the front what the limits do not allow.
    pub(super) fn enforce(&mut self, removed: &mut dyn Removed) {
        while self.state.msgs > 0 {
            let too_many = self.limits.max_msgs.is_some_and(|max| self.state.msgs > max);
            let too_large = self.limits.max_bytes.is_some_and(|max| self.state.bytes > max);
            if !too_many && !too_large {
                return;
            }
            self.apply_remove(self.state.first_seq, false, removed);
        }
    }

    pub(super) fn apply_limits(&mut self, limits: Limits, removed: &mut dyn Removed) {
        let tightened = match (limits.max_per_subject, self.limits.max_per_subject) {
            (Some(new), Some(old)) => new < old,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.limits = limits;
        self.keep_histories();
        if let Some(max) = limits.max_per_subject.filter(|_| tightened) {
            let mut over: Vec<(Vec<u8>, u64)> = Vec::new();
            self.each_subject(&Filter::all(), &mut |text, state| {
                if state.count > max {
                    over.push((text.to_vec(), state.count - max));
                }
                std::ops::ControlFlow::Continue(())
            });
            for (subject, excess) in over {
                self.drop_oldest(&subject, excess, removed);
            }
        }
        self.enforce(removed);
        self.changed();
    }

    /// Removes the `count` oldest messages of `subject`.
    fn drop_oldest(&mut self, subject: &[u8], count: u64, removed: &mut dyn Removed) {
        for _ in 0..count {
            let Some(seq) = self.oldest(subject) else { return };
            self.apply_remove(seq, false, removed);
        }
    }

    /// Histories of subjects are kept exactly where finding the oldest message of a subject is needed all the time. Those of
    /// messages that are there already are learnt at once if there is room for all of them, else one by one when asked for.
    fn keep_histories(&mut self) {
        let wanted = self.limits.max_per_subject.is_some_and(|max| max > 1);
        if !self.subjects.set_histories(wanted) {
            return;
        }
        let msgs = usize::try_from(self.state.msgs).unwrap_or(usize::MAX);
        if !self.subjects.histories_fit(msgs, self.share.histories_max()) {
            return;
        }
        let all = natterjack_subject::FilterSet::all();
        let mut from = self.state.first_seq;
        while let Some(message) = self.find_next(&all, from) {
            if self
                .subjects
                .add_history(message.subject(), message.seq())
                .is_err()
            {
                self.learn_again();
                return;
            }
            from = message.seq().next();
        }
    }

    /// Gives up `from..to`. After damage in the journal entries may be missing: then the messages are lost. Otherwise they
    /// were refused, on a full disk say, and what was decided behind them was not.
    fn give_up(&mut self, from: Seq, to: Seq) {
        if self.context.lossy && self.applied <= self.replay_end {
            let lost = (from.0..to.0).take(LOST_MAX).map(|seq| (Seq(seq), 0));
            self.lost.get_mut().extend(lost);
            self.context.damage.note(format!(
                "group {}: messages {from} to {} are missing from the journal",
                self.group,
                to.previous()
            ));
        }
        self.apply_skip(to.previous(), 0);
    }
}
