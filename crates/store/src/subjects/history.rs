//! All sequences of a subject, for streams that bound how many messages a subject keeps to more than one: which message is
//! the oldest of a subject is asked there with every new one. They are part of what a layer says of a subject, in the table
//! and in runs alike, so that they go to disk with it and are there again with what else is known. What is there is
//! complete; of a subject that has too many, or had messages before histories were kept, nothing is, and the messages are
//! asked.

use std::hash::BuildHasher;

use super::block::{put, take};
use super::{Damaged, SubjectState, Subjects};
use crate::ids::Seq;

/// Subjects with more messages than this have no history.
const MESSAGES_MAX: u64 = 64;
/// What a subject and one of its messages take in a table, bytes, near enough to tell whether all would fit.
const SUBJECT_BYTES: usize = 200;
const MESSAGE_BYTES: usize = 16;

/// The sequences of a history, ascending: the first, then what each is behind the one before, seven bits a byte.
pub(super) fn seqs(mut history: &[u8]) -> impl Iterator<Item = u64> {
    let mut last = 0u64;
    std::iter::from_fn(move || {
        let behind = take(&mut history)?;
        last = last.wrapping_add(behind);
        Some(last)
    })
}

fn encode(list: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    out.clear();
    let mut last = 0;
    for seq in list {
        put(out, seq.wrapping_sub(last));
        last = seq;
    }
}

/// Adds a last sequence to the history of a subject that had `count` messages. Empty where that cannot be told.
fn push(history: &mut Vec<u8>, count: u64, seq: u64) {
    let (mut known, mut last) = (0, 0);
    for before in seqs(history) {
        (known, last) = (known + 1, before);
    }
    if known == count && count < MESSAGES_MAX && last < seq {
        put(history, seq - last);
    } else {
        history.clear();
    }
}

/// Takes a sequence out. One that is not there tells that the history is not right.
fn remove(history: &mut Vec<u8>, seq: u64) {
    if history.is_empty() {
        return;
    }
    let before = std::mem::take(history);
    if seqs(&before).any(|known| known == seq) {
        encode(seqs(&before).filter(|known| *known != seq), history);
    }
}

impl Subjects {
    /// The history after `seq` was added to that of a subject with `count` messages.
    pub(super) fn with_added(&self, history: &mut Vec<u8>, count: u64, seq: Seq) {
        if self.keeps_histories {
            push(history, count, seq.0);
        } else {
            history.clear();
        }
    }

    /// The history after `seq` was taken out, and what it says of the first that is left.
    pub(super) fn with_removed(&self, history: &mut Vec<u8>, seq: Seq, state: &mut SubjectState) {
        if self.keeps_histories {
            remove(history, seq.0);
        } else {
            history.clear();
        }
        if let Some(first) = seqs(history).next() {
            state.first_bound = Seq(first);
        }
    }

    /// The oldest live message of `subject`, where that is remembered.
    pub(crate) fn oldest(&self, subject: &[u8]) -> Option<Seq> {
        if !self.keeps_histories {
            return None;
        }
        let mut history = Vec::new();
        let hash = self.hasher.hash_one(subject);
        match self.table.find(subject, hash) {
            Some(n) => seqs(self.table.history(n)).next(),
            None => {
                self.below(subject, hash, &mut history).ok()?;
                seqs(&history).next()
            }
        }
        .map(Seq)
    }

    /// Starts or stops remembering the sequences of subjects. Whether those of what is there have to be learnt.
    pub(crate) const fn set_histories(&mut self, keep: bool) -> bool {
        let starts = keep && !self.keeps_histories;
        self.keeps_histories = keep;
        // What a checkpoint says has them if they were kept then.
        let known = std::mem::replace(&mut self.has_histories, keep);
        starts && !known && self.live > 0
    }

    /// Whether the histories of all `msgs` messages would surely be kept within this, bytes.
    pub(crate) const fn histories_fit(&self, msgs: usize, bytes_max: usize) -> bool {
        let subjects = self.live.saturating_mul(SUBJECT_BYTES);
        subjects.saturating_add(msgs.saturating_mul(MESSAGE_BYTES)) <= bytes_max
    }

    /// Adds a live sequence that is counted already. All of a stream come one after the other, ascending, or none.
    pub(crate) fn add_history(&mut self, subject: &[u8], seq: Seq) -> Result<(), Damaged> {
        self.change(subject, |state, history| {
            // One that was known all the time is right.
            let is_there = seqs(history).any(|known| known == seq.0);
            if state.count <= MESSAGES_MAX && !is_there {
                push(history, seqs(history).count() as u64, seq.0);
            }
        })
    }

    /// Records what a search found: the oldest message of `subject`, and with `is_all` all of them, ascending.
    pub(crate) fn set_history(&mut self, subject: &[u8], found: &[Seq], is_all: bool) -> Result<(), Damaged> {
        let keep = self.keeps_histories && is_all;
        self.change(subject, |state, history| {
            history.clear();
            if keep && state.count <= MESSAGES_MAX {
                encode(found.iter().map(|seq| seq.0), history);
            }
            if let Some(first) = found.first() {
                state.first_bound = *first;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is there is right, however it was changed.
        #[test]
        fn what_is_remembered_is_right(steps in proptest::collection::vec((any::<bool>(), 0usize..100, 1u64..1 << 40), 0..200)) {
            let (mut history, mut model, mut last) = (Vec::new(), Vec::new(), 0);
            for (add, nth, behind) in steps {
                if add || model.is_empty() {
                    last += behind;
                    push(&mut history, model.len() as u64, last);
                    model.push(last);
                } else {
                    let seq = model.remove(nth % model.len());
                    remove(&mut history, seq);
                }
                prop_assert!(history.is_empty() || seqs(&history).eq(model.iter().copied()));
                prop_assert!(!history.is_empty() || model.is_empty() || model.len() as u64 >= MESSAGES_MAX / 2, "given up");
                if history.is_empty() {
                    // As a search finds them.
                    encode(model.iter().copied(), &mut history);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_remembered() {
        let mut history = Vec::new();
        encode([5, 9].into_iter(), &mut history);
        let whole = history.clone();
        remove(&mut history, 7);
        assert!(history.is_empty(), "7 was never there");
        history.clone_from(&whole);
        push(&mut history, 3, 12);
        assert!(history.is_empty(), "one is not known");
        history.clone_from(&whole);
        push(&mut history, 2, 9);
        assert!(history.is_empty(), "given twice");
        history.clone_from(&whole);
        push(&mut history, 2, 12);
        assert_eq!(seqs(&history).collect::<Vec<_>>(), [5, 9, 12]);
    }
}
