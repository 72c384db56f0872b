//! What the log knows of subjects, exact whatever becomes of the files it is kept in: where one does not verify, the
//! messages are asked, and everything is learnt from them again.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use natterjack_subject::{Filter, FilterSet};

use super::{Storage, StreamLog};
use crate::ids::Seq;
use crate::segment::Segment;
use crate::segment::postings::is_prefix;
use crate::store::Context;
use crate::subjects::{Damaged, Place, SpillError, SubjectState, Subjects};

/// After a failed write it is tried again this much later, nanoseconds.
const RETRY_NS: i64 = 1_000_000_000;
/// While a stream is opened, what the worker has finished is looked for after so many messages.
const LEARN_STEP: u64 = 4096;

/// What a time to live takes in memory, or a lost message, bytes: two numbers, in nodes that are half full.
const TIMED_BYTES: usize = 32;

/// No subjects; for a stream on disk they go to its folder when they take much memory.
pub(super) fn no_subjects(context: &Context, dir: &Path, storage: Storage) -> Subjects {
    let place = || {
        let (memory, vault) = (Arc::clone(&context.memory), context.pool.vault.clone());
        Place::new(&context.disk, dir, memory, vault)
    };
    Subjects::new((storage == Storage::File).then(place))
}

impl StreamLog {
    /// State of `subject`, if it has live messages.
    pub(super) fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        self.subjects
            .get(subject)
            .unwrap_or_else(|Damaged| self.look_for(subject))
    }

    /// What the messages say of `subject`.
    fn look_for(&self, subject: &[u8]) -> Option<SubjectState> {
        let filter = FilterSet::new(vec![Filter::parse(subject).ok()?]);
        let first = self.find_next(&filter, self.state.first_seq)?.seq();
        Some(SubjectState {
            count: self.count_from(&filter, first),
            last: self.find_last(&filter, self.last())?,
            last_stale: false,
            first_bound: first,
        })
    }

    /// Counts message `seq`, which is not there yet; returns the state before.
    pub(super) fn add_to_subject(&mut self, subject: &[u8], seq: Seq) -> Option<SubjectState> {
        self.subjects.add(subject, seq).unwrap_or_else(|Damaged| {
            self.learn_again();
            self.subjects.add(subject, seq).unwrap_or_else(|Damaged| {
                self.subjects.stay_in_memory();
                self.learn_again();
                self.subjects.add(subject, seq).unwrap_or_default()
            })
        })
    }

    /// Counts the removal of message `seq`, which is gone already.
    pub(super) fn take_from_subject(&mut self, subject: &[u8], seq: Seq) {
        if self.subjects.remove(subject, seq).is_err() {
            self.learn_again();
        }
    }

    /// Records what a search found to be the last message of `subject`.
    pub(super) fn set_last_of_subject(&mut self, subject: &[u8], last: Seq) {
        if self.subjects.set_last(subject, last).is_err() {
            self.learn_again();
        }
    }

    /// Records what a search found to be the oldest of `subject`, or with `is_all` all of its messages.
    pub(super) fn remember_history(&mut self, subject: &[u8], seqs: &[Seq], is_all: bool) {
        if self.subjects.set_history(subject, seqs, is_all).is_err() {
            self.learn_again();
        }
    }

    /// Calls `each` for every subject that passes `filter`, in order.
    pub(super) fn each_subject(
        &mut self,
        filter: &Filter,
        each: &mut dyn FnMut(&[u8], SubjectState) -> ControlFlow<()>,
    ) {
        self.each_subject_behind(filter, b"", each);
    }

    /// The same for those behind `after`.
    pub(super) fn each_subject_behind(
        &mut self,
        filter: &Filter,
        after: &[u8],
        each: &mut dyn FnMut(&[u8], SubjectState) -> ControlFlow<()>,
    ) {
        let mut told = after.to_vec();
        let outcome = self.subjects.for_each(filter, after, &mut |text, state| {
            told.clear();
            told.extend_from_slice(text);
            each(text, state)
        });
        if outcome.is_err() {
            self.learn_again();
            let _in_memory = self.subjects.for_each(filter, &told, each);
        }
    }

    /// Messages of the subjects that pass `filter`.
    pub(super) fn count_of_subjects(&mut self, filter: &Filter) -> u64 {
        if let Some(count) = self.count_at_once(filter) {
            return count;
        }
        let mut total = 0;
        self.each_subject(filter, &mut |_, state| {
            total += state.count;
            ControlFlow::Continue(())
        });
        total
    }

    /// The same where no subject has to be looked at for it but those at the ends.
    pub(super) fn count_at_once(&mut self, filter: &Filter) -> Option<u64> {
        if filter.is_literal() {
            let state = self.subjects.get(filter.as_bytes()).ok()?;
            return Some(state.map_or(0, |state| state.count));
        }
        if !is_prefix(filter) {
            return None;
        }
        self.subjects.count_prefix(filter.literal_prefix()).ok()
    }

    /// Forgets what is known of subjects and asks all messages. Takes as long as there are messages: only after damage.
    pub(super) fn learn_again(&mut self) {
        self.context.damage.trouble(format!(
            "group {}: an index of subjects does not verify and is made anew",
            self.group
        ));
        self.subjects.reset(&self.context.worker);
        if self.learn_messages().is_err() {
            // What was just written does not read back.
            self.subjects.reset(&self.context.worker);
            self.subjects.stay_in_memory();
            let _in_memory = self.learn_messages();
        }
        self.changed();
    }

    fn learn_messages(&mut self) -> Result<(), Damaged> {
        let all = FilterSet::all();
        let mut from = self.state.first_seq;
        while let Some(message) = self.find_next(&all, from) {
            self.learn_subject(message.subject(), message.seq())?;
            from = message.seq().next();
        }
        Ok(())
    }

    /// Bytes of messages that are not in segments yet.
    pub(super) fn tail_memory_bytes(&self) -> usize {
        let slots = self.tail.capacity() * size_of::<Option<Bytes>>();
        slots + usize::try_from(self.tail_bytes).unwrap_or(usize::MAX / 2)
    }

    /// Bytes of what is known of where messages lie and when they end.
    pub(super) fn place_memory_bytes(&self) -> usize {
        let segments: usize = self.segments.iter().map(Segment::memory_bytes).sum();
        let timed = self.ttl.len() * TIMED_BYTES + self.mortal.len() * size_of::<u64>();
        segments + timed + self.chunks.memory_bytes() + self.lost.lock().len() * TIMED_BYTES
    }

    /// Notes what the stream takes of the memory all share: what is known of subjects, and messages that are not in segments
    /// yet. Gives whether the table should go to disk.
    pub(super) fn account(&mut self) -> bool {
        if self.storage == Storage::Memory {
            return false;
        }
        let others = self.subjects.other_bytes() + self.tail_memory_bytes() + self.places_bytes;
        self.share.set(self.subjects.table_bytes(), others)
    }

    /// Counts anew what is known of where messages lie. It changes slowly, and there may be thousands of segments.
    pub(super) fn account_places(&mut self) {
        self.places_bytes = self.place_memory_bytes();
    }

    /// Whether the table is full and the one before it is still on its way to disk: then no more subjects should come.
    pub(super) fn is_spilling(&self) -> bool {
        self.subjects.is_being_written() && self.share.is_too_much(self.subjects.table_bytes())
    }

    /// Has the table written to disk when it takes too much memory.
    pub(super) fn spill_subjects(&mut self) {
        let too_much = self.account();
        if too_much && self.subjects.may_freeze() && !self.context.journal.is_full() {
            self.subjects.freeze(&self.context.worker);
        }
    }

    /// Installs what was written, and has more written.
    pub(super) fn tend_subjects(&mut self, now_ns: i64) {
        self.tend_chunks();
        self.account_places();
        self.spill_subjects();
        if now_ns < self.subjects_retry_ns || self.context.journal.is_full() {
            return;
        }
        let outcome = self.subjects.collect(&self.context.worker);
        // What was installed takes another amount.
        self.account();
        self.jobs.garbage.extend(self.subjects.take_gone());
        match outcome {
            Ok(()) => {}
            Err(SpillError::Damaged) => self.learn_again(),
            Err(SpillError::Write(error)) => {
                // It is all in memory still.
                self.subjects_retry_ns = now_ns.saturating_add(RETRY_NS);
                self.subjects_not_written(&error);
            }
        }
    }

    /// Counts message `seq` while the stream is opened. The worker writes and merges meanwhile; never more than two tables
    /// are in memory.
    pub(super) fn learn_subject(&mut self, subject: &[u8], seq: Seq) -> Result<(), Damaged> {
        self.subjects.add(subject, seq)?;
        let too_much = self.account();
        if !too_much && !seq.0.is_multiple_of(LEARN_STEP) {
            return Ok(());
        }
        let worker = &self.context.worker;
        let mut outcome = self.subjects.collect(worker);
        while too_much && outcome.is_ok() && self.subjects.is_frozen() {
            worker.drain();
            outcome = self.subjects.collect(worker);
        }
        match outcome {
            Ok(()) if too_much && self.subjects.may_freeze() => self.subjects.freeze(worker),
            Ok(()) => {}
            Err(SpillError::Damaged) => return Err(Damaged),
            Err(SpillError::Write(error)) => {
                self.subjects.stay_in_memory();
                self.subjects_not_written(&error);
            }
        }
        Ok(())
    }

    fn subjects_not_written(&self, error: &std::io::Error) {
        self.context.damage.trouble(format!(
            "group {}: writing an index of subjects failed: {error}",
            self.group
        ));
    }
}
