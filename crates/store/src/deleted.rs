//! Which slots of a segment are no longer live: one bit each. Never shrinks.

use std::sync::Arc;

/// A set of slot numbers. A clone shares the bits until one of both changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SlotSet {
    words: Arc<Vec<u64>>,
    len: usize,
}

impl SlotSet {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    pub(crate) fn contains(&self, slot: usize) -> bool {
        self.words
            .get(slot / 64)
            .is_some_and(|w| w >> (slot % 64) & 1 == 1)
    }

    /// Adds a slot; `false` if it was there.
    pub(crate) fn insert(&mut self, slot: usize) -> bool {
        if self.contains(slot) {
            return false;
        }
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        let words = Arc::make_mut(&mut self.words);
        if word >= words.len() {
            words.resize(word + 1, 0);
        }
        words[word] |= bit;
        self.len += 1;
        true
    }

    /// How many slots at or behind `from` and below `end` are in the set.
    pub(crate) fn count(&self, from: usize, end: usize) -> usize {
        let mut count = 0;
        for n in from / 64..end.div_ceil(64).min(self.words.len()) {
            let behind = u64::MAX << from.saturating_sub(n * 64).min(63);
            let before = u64::MAX >> (64 - (end - n * 64).min(64));
            count += (self.words[n] & behind & before).count_ones() as usize;
        }
        count
    }

    /// Forgets slots from `end` on.
    pub(crate) fn truncate(&mut self, end: usize) {
        let words = Arc::make_mut(&mut self.words);
        words.truncate(end.div_ceil(64));
        if let Some(word) = words.get_mut(end / 64) {
            *word &= (1 << (end % 64)) - 1;
        }
        self.len = words.iter().map(|w| w.count_ones() as usize).sum();
    }

    /// The first slot at or behind `from` and below `end` that is not in the set.
    pub(crate) fn next_absent(&self, from: usize, end: usize) -> Option<usize> {
        let mut slot = from;
        while slot < end {
            let Some(word) = self.words.get(slot / 64) else {
                return Some(slot);
            };
            let free = !word >> (slot % 64);
            if free != 0 {
                let found = slot + free.trailing_zeros() as usize;
                return (found < end).then_some(found);
            }
            slot = (slot / 64 + 1) * 64;
        }
        None
    }

    /// The last slot at or before `from` that is not in the set.
    pub(crate) fn previous_absent(&self, from: usize) -> Option<usize> {
        let mut slot = from;
        loop {
            let Some(word) = self.words.get(slot / 64) else {
                return Some(slot);
            };
            let shift = 63 - slot % 64;
            let free = !word << shift;
            if free != 0 {
                return Some(slot - free.leading_zeros() as usize);
            }
            slot = (slot / 64 * 64).checked_sub(1)?;
        }
    }

    /// Runs of slots in the set, as (first, count).
    pub(crate) fn runs(&self) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for (n, word) in self.words.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                let slot = u32::try_from(n * 64).unwrap_or(u32::MAX) + bit;
                match runs.last_mut() {
                    Some((first, count)) if *first + *count == slot => *count += 1,
                    _ => runs.push((slot, 1)),
                }
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_set(slots in proptest::collection::vec(0usize..300, 0..200), from in 0usize..320, end in 0usize..320) {
            let mut set = SlotSet::default();
            let mut model = BTreeSet::new();
            for slot in slots {
                prop_assert_eq!(set.insert(slot), model.insert(slot));
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.count(from, end), model.iter().filter(|s| (from..end).contains(*s)).count());
            prop_assert_eq!(set.next_absent(from, 310), (from..310).find(|s| !model.contains(s)));
            prop_assert_eq!(set.previous_absent(from), (0..=from).rev().find(|s| !model.contains(s)));
            let from_runs: BTreeSet<usize> =
                set.runs().iter().flat_map(|(f, n)| *f as usize..(*f + *n) as usize).collect();
            prop_assert_eq!(from_runs, model);
        }
    }
}
