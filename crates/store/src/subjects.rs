//! What the stream knows of each subject: how many messages, which was last, and for bounded histories all of them.
//!
//! Texts lie in one arena, states in one table, a hash table of indices finds them: about 65 bytes a subject beside its
//! text. For filters with wildcards the subjects are kept in order: one sorted run, and the few added since, merged when
//! a filter asks.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::ops::ControlFlow;

use hashbrown::{HashMap, HashTable};
use natterjack_subject::Filter;

use crate::ids::Seq;

/// State of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectState {
    /// Live messages.
    pub count: u64,
    /// The last live one; unless `last_stale`, exact.
    pub last: Seq,
    /// Whether `last` was removed and has to be looked for before it.
    pub last_stale: bool,
    /// No live one is before this.
    pub first_bound: Seq,
}

#[derive(Debug)]
struct Entry {
    text_at: u64,
    last: u64,
    first_bound: u64,
    count: u32,
    text_len: u16,
    last_stale: bool,
}

/// Texts are moved together once this share of the arena is dead.
const ARENA_SLACK: usize = 2;
const ARENA_BYTES_MIN: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Subjects {
    entries: Vec<Entry>,
    free: Vec<u32>,
    table: HashTable<u32>,
    arena: Vec<u8>,
    arena_dead: usize,
    hasher: foldhash::fast::RandomState,
    /// Indices in order of their texts; may hold freed ones.
    sorted: Vec<u32>,
    /// Indices added since `sorted` was made.
    recent: Vec<u32>,
    /// All sequences of a subject, kept only where a history longer than one is bounded.
    histories: HashMap<u32, VecDeque<u64>, foldhash::fast::RandomState>,
    keep_histories: bool,
}

fn slot(n: u32) -> usize {
    n as usize
}

impl Subjects {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    fn text(&self, n: u32) -> &[u8] {
        let entry = &self.entries[slot(n)];
        let at = usize::try_from(entry.text_at).unwrap_or(usize::MAX);
        self.arena
            .get(at..at + usize::from(entry.text_len))
            .unwrap_or_default()
    }

    fn find(&self, subject: &[u8]) -> Option<u32> {
        self.table
            .find(self.hasher.hash_one(subject), |n| self.text(*n) == subject)
            .copied()
    }

    /// State of `subject`, if it has live messages.
    pub(crate) fn get(&self, subject: &[u8]) -> Option<SubjectState> {
        self.find(subject).map(|n| self.state(n))
    }

    fn state(&self, n: u32) -> SubjectState {
        let entry = &self.entries[slot(n)];
        SubjectState {
            count: u64::from(entry.count),
            last: Seq(entry.last),
            last_stale: entry.last_stale,
            first_bound: Seq(entry.first_bound),
        }
    }

    /// Counts a new last message of `subject`; returns the state before.
    pub(crate) fn add(&mut self, subject: &[u8], seq: Seq) -> Option<SubjectState> {
        let found = self.find(subject);
        let (n, before) = match found {
            Some(n) => (n, Some(self.state(n))),
            None => (self.create(subject, seq), None),
        };
        let entry = &mut self.entries[slot(n)];
        entry.count += 1;
        // A last that was removed may be behind: sequences that were taken back are given again.
        entry.last = if entry.last_stale {
            seq.0
        } else {
            entry.last.max(seq.0)
        };
        entry.last_stale = false;
        if self.keep_histories {
            self.histories.entry(n).or_default().push_back(seq.0);
        }
        before
    }

    fn create(&mut self, subject: &[u8], seq: Seq) -> u32 {
        let entry = Entry {
            text_at: self.arena.len() as u64,
            text_len: u16::try_from(subject.len()).unwrap_or(u16::MAX),
            count: 0,
            last: 0,
            first_bound: seq.0,
            last_stale: false,
        };
        self.arena.extend_from_slice(subject);
        let n = match self.free.pop() {
            Some(n) => {
                self.entries[slot(n)] = entry;
                n
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let (hasher, entries, arena) = (&self.hasher, &self.entries, &self.arena);
        let text_of = |n: &u32| {
            let e: &Entry = &entries[slot(*n)];
            let at = usize::try_from(e.text_at).unwrap_or(0);
            hasher.hash_one(&arena[at..at + usize::from(e.text_len)])
        };
        self.table.insert_unique(hasher.hash_one(subject), n, text_of);
        self.recent.push(n);
        n
    }

    /// Counts the removal of message `seq` of `subject`.
    pub(crate) fn remove(&mut self, subject: &[u8], seq: Seq) {
        let Some(n) = self.find(subject) else { return };
        let entry = &mut self.entries[slot(n)];
        entry.count = entry.count.saturating_sub(1);
        if entry.count == 0 {
            self.forget(n);
            return;
        }
        if entry.last == seq.0 {
            entry.last_stale = true;
        }
        if entry.first_bound == seq.0 {
            entry.first_bound = seq.0 + 1;
        }
        if let Some(history) = self.histories.get_mut(&n)
            && let Ok(at) = history.binary_search(&seq.0)
        {
            history.remove(at);
        }
    }

    fn forget(&mut self, n: u32) {
        let hash = self.hasher.hash_one(self.text(n));
        if let Ok(found) = self.table.find_entry(hash, |m| *m == n) {
            found.remove();
        }
        self.histories.remove(&n);
        self.arena_dead += usize::from(self.entries[slot(n)].text_len);
        // The slot is used again only after the ordered list has let go of it.
        self.entries[slot(n)].count = 0;
        if self.arena_dead > ARENA_BYTES_MIN && self.arena_dead * ARENA_SLACK > self.arena.len() {
            self.tidy();
        }
    }

    /// Records what a search found to be the last message of `subject`.
    pub(crate) fn set_last(&mut self, subject: &[u8], last: Seq) {
        if let Some(n) = self.find(subject) {
            let entry = &mut self.entries[slot(n)];
            entry.last = last.0;
            entry.last_stale = false;
        }
    }

    /// The oldest live message of `subject`, where histories are kept.
    pub(crate) fn oldest(&self, subject: &[u8]) -> Option<Seq> {
        self.histories.get(&self.find(subject)?)?.front().map(|s| Seq(*s))
    }

    /// Whether all sequences of each subject are kept.
    pub(crate) const fn keeps_histories(&self) -> bool {
        self.keep_histories
    }

    /// Starts or stops keeping them; starting needs them fed again by [`Self::add_history`].
    pub(crate) fn set_histories(&mut self, keep: bool) {
        self.keep_histories = keep;
        self.histories.clear();
    }

    /// Adds a live sequence, ascending, after [`Self::set_histories`].
    pub(crate) fn add_history(&mut self, subject: &[u8], seq: Seq) {
        if let Some(n) = self.find(subject) {
            self.histories.entry(n).or_default().push_back(seq.0);
        }
    }

    /// Moves the live texts together, in order, and drops what is dead.
    fn tidy(&mut self) {
        self.merge();
        let mut arena = Vec::with_capacity(self.arena.len() - self.arena_dead);
        for n in &self.sorted {
            let text = {
                let entry = &self.entries[slot(*n)];
                let at = usize::try_from(entry.text_at).unwrap_or(0);
                at..at + usize::from(entry.text_len)
            };
            let at = arena.len() as u64;
            arena.extend_from_slice(&self.arena[text]);
            self.entries[slot(*n)].text_at = at;
        }
        self.arena = arena;
        self.arena_dead = 0;
    }

    /// Brings the ordered list up to date.
    fn merge(&mut self) {
        let mut list = std::mem::take(&mut self.sorted);
        list.append(&mut self.recent);
        let (live, dead): (Vec<u32>, Vec<u32>) =
            list.into_iter().partition(|n| self.entries[slot(*n)].count > 0);
        self.free.extend(dead);
        let mut live = live;
        // Two sorted runs, nearly: the standard sort finds them and merges.
        live.sort_by(|a, b| self.text(*a).cmp(self.text(*b)));
        live.dedup();
        self.sorted = live;
    }

    /// Calls `each` for every subject that passes `filter`, in order.
    pub(crate) fn for_each(
        &mut self,
        filter: &Filter,
        each: &mut dyn FnMut(&[u8], SubjectState) -> ControlFlow<()>,
    ) {
        if filter.is_literal() {
            if let Some(state) = self.get(filter.as_bytes()) {
                let _done = each(filter.as_bytes(), state);
            }
            return;
        }
        if !self.recent.is_empty() {
            self.merge();
        }
        let prefix = filter.literal_prefix();
        let start = self.sorted.partition_point(|n| self.text(*n) < prefix);
        for n in &self.sorted[start..] {
            let text = self.text(*n);
            if !text.starts_with(prefix) {
                break;
            }
            if self.entries[slot(*n)].count > 0
                && filter.matches(text)
                && each(text, self.state(*n)).is_break()
            {
                break;
            }
        }
    }

    /// Bytes of memory in use, near enough for accounting.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.arena.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + (self.sorted.capacity() + self.recent.capacity()) * 4
            + self.table.capacity() * 5
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec(("[ab](\\.[abc]){0,2}", any::<bool>()), 0..150), filter in prop_oneof![Just(">"), Just("a.*"), Just("a.>"), Just("*.b"), Just("a.b")]) {
            let mut subjects = Subjects::default();
            subjects.set_histories(true);
            let mut model: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for (n, (subject, add)) in steps.into_iter().enumerate() {
                let seq = n as u64 + 1;
                if add {
                    subjects.add(subject.as_bytes(), Seq(seq));
                    model.entry(subject.clone()).or_default().push(seq);
                } else if let Some(list) = model.get_mut(&subject) {
                    subjects.remove(subject.as_bytes(), Seq(list.remove(0)));
                    if list.is_empty() {
                        model.remove(&subject);
                    }
                }
                prop_assert_eq!(subjects.len(), model.len());
                prop_assert_eq!(subjects.oldest(subject.as_bytes()).map(|s| s.0), model.get(&subject).map(|l| l[0]));
            }
            let filter = Filter::parse(filter.as_bytes()).unwrap();
            let mut got = Vec::new();
            subjects.for_each(&filter, &mut |text, state| {
                got.push((String::from_utf8(text.to_vec()).unwrap(), state.count));
                ControlFlow::Continue(())
            });
            let expected: Vec<(String, u64)> = model.iter().filter(|(s, _)| filter.matches(s.as_bytes())).map(|(s, l)| (s.clone(), l.len() as u64)).collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn dead_texts_are_moved_out() {
        let mut subjects = Subjects::default();
        for n in 0..20_000u64 {
            let text = format!("subject.with.a.longer.name.{n}");
            subjects.add(text.as_bytes(), Seq(n + 1));
            if n >= 100 {
                let old = format!("subject.with.a.longer.name.{}", n - 100);
                subjects.remove(old.as_bytes(), Seq(n - 99));
            }
        }
        assert_eq!(subjects.len(), 100);
        assert!(subjects.arena.len() < 400_000, "{}", subjects.arena.len());
    }
}
