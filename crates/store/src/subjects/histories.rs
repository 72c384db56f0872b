//! All sequences of a subject, for streams that bound how many messages a subject keeps to more than one: which message is
//! the oldest of a subject is asked there with every new one. A cache of bounded size: what is in it is complete, and what
//! is not is put together from the messages when it is asked for. Subjects are told apart by two hashes of 64 bits with seeds
//! of this process; who removes a message by what is found here looks whether it is of the subject.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::HashMap;

use super::{Damaged, Hasher, SubjectState, Subjects, live};
use crate::ids::Seq;

/// Ascending; never empty.
type History = VecDeque<u64>;

/// What a place in the table takes, bytes.
const ENTRY_BYTES: usize = size_of::<((u64, u64), History)>() + 1;

/// Subjects used lately. When there are too many, those not used since the last time are forgotten.
#[derive(Debug, Default)]
pub(super) struct Histories {
    second: Hasher,
    young: HashMap<(u64, u64), History, Hasher>,
    old: HashMap<(u64, u64), History, Hasher>,
    /// Bytes of the sequences in both.
    young_bytes: usize,
    old_bytes: usize,
}

fn bytes_of(history: &History) -> usize {
    history.capacity() * size_of::<u64>()
}

impl Histories {
    /// What histories of `subjects` with `msgs` messages take when none is to be forgotten, at most: tables and queues have
    /// room for twice what is in them, and forgetting begins at half of what there may be.
    pub(super) const fn bytes_of_all(subjects: usize, msgs: usize) -> usize {
        let kept = subjects.saturating_mul(ENTRY_BYTES + 4 * size_of::<u64>());
        kept.saturating_add(msgs.saturating_mul(size_of::<u64>()))
            .saturating_mul(4)
    }

    fn key(&self, subject: &[u8], hash: u64) -> (u64, u64) {
        (hash, self.second.hash_one(subject))
    }

    /// The history under `key`, which counts as used.
    fn used(&mut self, key: (u64, u64)) -> Option<&mut History> {
        if let Some(history) = self.old.remove(&key) {
            self.old_bytes -= bytes_of(&history);
            self.young_bytes += bytes_of(&history);
            self.young.insert(key, history);
        }
        self.young.get_mut(&key)
    }

    /// Adds a new last sequence; `is_first` if the subject had none.
    pub(super) fn push(&mut self, subject: &[u8], hash: u64, seq: Seq, is_first: bool) {
        let key = self.key(subject, hash);
        if is_first {
            self.forget(key);
            self.put(key, History::from([seq.0]));
            return;
        }
        let Some(history) = self.used(key) else { return };
        let before = bytes_of(history);
        history.push_back(seq.0);
        let after = bytes_of(history);
        self.young_bytes += after - before;
    }

    fn put(&mut self, key: (u64, u64), history: History) {
        self.young_bytes += bytes_of(&history);
        self.young.insert(key, history);
    }

    fn forget(&mut self, key: (u64, u64)) {
        if self.used(key).is_some()
            && let Some(history) = self.young.remove(&key)
        {
            self.young_bytes -= bytes_of(&history);
        }
    }

    /// Takes in all sequences of a subject, ascending.
    pub(super) fn fill(&mut self, subject: &[u8], hash: u64, seqs: &[Seq]) {
        let key = self.key(subject, hash);
        self.forget(key);
        if !seqs.is_empty() {
            self.put(key, seqs.iter().map(|seq| seq.0).collect());
        }
    }

    pub(super) fn remove(&mut self, subject: &[u8], hash: u64, seq: Seq) {
        let key = self.key(subject, hash);
        let Some(history) = self.used(key) else { return };
        if let Ok(at) = history.binary_search(&seq.0) {
            history.remove(at);
        }
        if history.is_empty() {
            self.forget(key);
        }
    }

    /// The oldest of a subject, if its history is there.
    pub(super) fn oldest(&self, subject: &[u8], hash: u64) -> Option<Seq> {
        let key = self.key(subject, hash);
        let history = self.young.get(&key).or_else(|| self.old.get(&key))?;
        history.front().copied().map(Seq)
    }

    /// Forgets what was not used lately, if all of it takes more than `bytes_max`.
    pub(super) fn shrink(&mut self, bytes_max: usize) {
        let young = self.young.allocation_size() + self.young_bytes;
        if young > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
        if self.memory_bytes() > bytes_max {
            self.old = HashMap::default();
            self.old_bytes = 0;
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.young.allocation_size() + self.old.allocation_size() + self.young_bytes + self.old_bytes
    }
}

impl Subjects {
    /// The oldest live message of `subject`, where that is remembered.
    pub(crate) fn oldest(&self, subject: &[u8]) -> Option<Seq> {
        let histories = self.histories.as_ref()?;
        histories.oldest(subject, self.hasher.hash_one(subject))
    }

    /// Starts or stops remembering the sequences of subjects. Whether that is a change.
    pub(crate) fn set_histories(&mut self, keep: bool) -> bool {
        let is_change = keep != self.histories.is_some();
        if is_change {
            self.histories = keep.then(Histories::default);
        }
        is_change
    }

    /// Whether the histories of all `msgs` messages would surely be kept within this, bytes.
    pub(crate) fn histories_fit(&self, msgs: usize, bytes_max: usize) -> bool {
        Histories::bytes_of_all(self.live, msgs) <= bytes_max
    }

    /// Adds a live sequence. All of a stream come one after the other, ascending, or none.
    pub(crate) fn add_history(&mut self, subject: &[u8], seq: Seq) {
        let hash = self.hasher.hash_one(subject);
        if let Some(histories) = &mut self.histories {
            let is_first = histories.oldest(subject, hash).is_none();
            histories.push(subject, hash, seq, is_first);
        }
    }

    /// Records what a search found: the oldest message of `subject`, and with `is_all` all of them, ascending.
    pub(crate) fn set_history(&mut self, subject: &[u8], seqs: &[Seq], is_all: bool) -> Result<(), Damaged> {
        let hash = self.hasher.hash_one(subject);
        if let Some(histories) = self.histories.as_mut().filter(|_| is_all) {
            histories.fill(subject, hash, seqs);
        }
        let found = self.table.find(subject, hash);
        let before = match found {
            Some(n) => live(self.table.known(n)),
            None => self.below(subject, hash)?,
        };
        let (Some(before), Some(first)) = (before, seqs.first()) else {
            return Ok(());
        };
        let state = SubjectState {
            first_bound: *first,
            ..before
        };
        match found {
            Some(n) => self.table.set(n, state),
            None => self.table.insert(subject, hash, state, before.count),
        }
        Ok(())
    }

    /// Keeps histories from taking more than this, bytes.
    pub(crate) fn shrink_histories(&mut self, bytes_max: usize) {
        if let Some(histories) = &mut self.histories {
            histories.shrink(bytes_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        RemoveOldest(u8),
        Fill(u8),
        Shrink(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..30).prop_map(Step::Push),
            2 => (0u8..30).prop_map(Step::RemoveOldest),
            1 => (0u8..30).prop_map(Step::Fill),
            1 => (0usize..8000).prop_map(Step::Shrink),
        ]
    }

    proptest! {
        /// What is there is right, however little may be there.
        #[test]
        fn what_is_remembered_is_right(steps in proptest::collection::vec(step(), 0..300)) {
            let (mut histories, mut model) = (Histories::default(), BTreeMap::<u8, Vec<Seq>>::new());
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(subject) => {
                        let list = model.entry(subject).or_default();
                        histories.push(&[subject], u64::from(subject), Seq(n as u64), list.is_empty());
                        list.push(Seq(n as u64));
                    }
                    Step::RemoveOldest(subject) => {
                        let list = model.entry(subject).or_default();
                        if !list.is_empty() {
                            histories.remove(&[subject], u64::from(subject), list.remove(0));
                        }
                    }
                    Step::Fill(subject) => {
                        histories.fill(&[subject], u64::from(subject), model.entry(subject).or_default());
                    }
                    Step::Shrink(bytes) => {
                        histories.shrink(bytes);
                        prop_assert!(histories.memory_bytes() <= bytes, "{} of {bytes}", histories.memory_bytes());
                    }
                }
                for (subject, list) in &model {
                    let known = histories.oldest(&[*subject], u64::from(*subject));
                    prop_assert!(known.is_none() || known == list.first().copied(), "{known:?} of {list:?}");
                }
                let counted: usize = histories.young.values().chain(histories.old.values()).map(bytes_of).sum();
                prop_assert_eq!(counted, histories.young_bytes + histories.old_bytes);
            }
        }
    }
}
