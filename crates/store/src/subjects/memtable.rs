//! The newest layer of what is known of subjects, in memory: rows, and a hash table of their numbers that finds them; about
//! 75 bytes a subject beside its text. For filters with wildcards the subjects are kept in order: one sorted list, and the few
//! added since, merged when a filter asks.

use hashbrown::HashTable;

use super::SubjectState;
use super::block::Known;
use super::rows::Rows;
use crate::order;

/// Texts are moved together once this share of them is dead.
const TEXTS_SLACK: usize = 2;
const TEXTS_BYTES_MIN: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Memtable {
    rows: Rows,
    free: Vec<u32>,
    table: HashTable<u32>,
    /// Numbers in order of their texts; may hold dead ones.
    sorted: Vec<u32>,
    /// Numbers added since `sorted` was made.
    recent: Vec<u32>,
}

/// The half of a hash that is kept.
fn half(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// What the hash table is given for it: that takes bits from both ends.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

impl Memtable {
    /// What it holds.
    pub(super) const fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(super) fn text(&self, n: u32) -> &[u8] {
        self.rows.text(n)
    }

    pub(super) fn known(&self, n: u32) -> Known {
        self.rows.known(n)
    }

    pub(super) fn find(&self, subject: &[u8], hash: u64) -> Option<u32> {
        let half = half(hash);
        let is_it = |n: &u32| self.rows.is_of(*n, subject, half);
        self.table.find(spread(half), is_it).copied()
    }

    /// Replaces what is said of an entry's subject.
    pub(super) fn set(&mut self, n: u32, state: SubjectState) {
        self.rows.set(n, state);
    }

    /// Adds a subject that is not in it, which the layers below know with this count.
    pub(super) fn insert(&mut self, subject: &[u8], hash: u64, state: SubjectState, below: u64) -> u32 {
        if self.table.len() == self.table.capacity() {
            self.grow();
        }
        let half = half(hash);
        let n = self.rows.insert(self.free.pop(), (subject, half), state, below);
        let rows = &self.rows;
        self.table
            .insert_unique(spread(half), n, |n| spread(rows.hash(*n)));
        self.recent.push(n);
        n
    }

    /// All sequences of an entry's subject, if they are known.
    pub(super) fn history(&self, n: u32) -> &[u8] {
        self.rows.history(n)
    }

    /// Replaces them.
    pub(super) fn set_history(&mut self, n: u32, history: &[u8]) {
        if self.rows.set_history(n, history) {
            self.relieve();
        }
    }

    /// Fills a larger hash table in the order of the rows, which is much faster than in the order of the smaller one.
    fn grow(&mut self) {
        let mut table = HashTable::with_capacity(self.table.len() * 2);
        let rows = &self.rows;
        for n in rows.iter() {
            table.insert_unique(spread(rows.hash(n)), n, |n| spread(rows.hash(*n)));
        }
        self.table = table;
    }

    /// Takes an entry away, so that the layers below are heard again.
    pub(super) fn forget(&mut self, n: u32, hash: u64) {
        if let Ok(found) = self.table.find_entry(spread(half(hash)), |m| *m == n) {
            found.remove();
        }
        self.rows.forget(n);
        self.relieve();
    }

    /// Moves texts together once many of them are dead.
    fn relieve(&mut self) {
        let (all, dead) = self.rows.text_bytes();
        if dead > TEXTS_BYTES_MIN && dead * TEXTS_SLACK > all {
            self.merge();
            self.rows.move_together(&self.sorted);
        }
    }

    /// Brings the ordered list up to date.
    pub(super) fn sort(&mut self) {
        if !self.recent.is_empty() {
            self.merge();
        }
    }

    /// Makes one ordered list, without the dead, whose numbers may be given again.
    fn merge(&mut self) {
        let mut list = std::mem::take(&mut self.sorted);
        order::sort_by_text(&mut self.recent, |n| self.rows.text(n));
        list.append(&mut self.recent);
        let (mut live, dead): (Vec<u32>, Vec<u32>) = list.into_iter().partition(|n| !self.rows.is_dead(*n));
        self.free.extend(dead);
        // Two sorted runs: the standard sort finds them and merges.
        live.sort_by(|a, b| self.text(*a).cmp(self.text(*b)));
        live.dedup();
        self.sorted = live;
    }

    /// The entries at and behind `from` in order, as of the last [`Self::sort`].
    pub(super) fn sorted_from(&self, from: &[u8]) -> impl Iterator<Item = u32> {
        let start = self.sorted.partition_point(|n| self.text(*n) < from);
        self.sorted[start..]
            .iter()
            .copied()
            .filter(|n| !self.rows.is_dead(*n))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes()
            + (self.sorted.capacity() + self.recent.capacity() + self.free.capacity()) * 4
            + self.table.allocation_size()
    }
}
