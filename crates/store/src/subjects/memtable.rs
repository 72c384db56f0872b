//! The newest layer of what is known of subjects, in memory. Texts lie in one arena, states in one table, a hash table of
//! indices finds them: about 75 bytes a subject beside its text. For filters with wildcards the subjects are kept in
//! order: one sorted list, and the few added since, merged when a filter asks.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::block::Known;
use super::{Hasher, SubjectState};
use crate::ids::Seq;

#[derive(Debug, Clone)]
struct Entry {
    text_at: u64,
    last: u64,
    first_bound: u64,
    count: u32,
    /// The count that the layers below say.
    below: u32,
    text_len: u16,
    last_stale: bool,
    /// Its place may be used again once the ordered list has let go of it.
    dead: bool,
}

/// Texts are moved together once this share of the arena is dead.
const ARENA_SLACK: usize = 2;
const ARENA_BYTES_MIN: usize = 64 * 1024;
/// A history gets room in multiples of this, bytes.
const HISTORY_ROOM: u16 = 8;

/// Where in the arena an entry's history is, and the room there is for it.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    at: u64,
    len: u16,
    room: u16,
}

impl Place {
    fn range(self) -> std::ops::Range<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX / 2);
        at..at + usize::from(self.len)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Memtable {
    entries: Vec<Entry>,
    free: Vec<u32>,
    table: HashTable<u32>,
    arena: Vec<u8>,
    arena_dead: usize,
    /// Histories of entries; of those behind its end there are none.
    histories: Vec<Place>,
    hasher: Hasher,
    /// Indices in order of their texts; may hold dead ones.
    sorted: Vec<u32>,
    /// Indices added since `sorted` was made.
    recent: Vec<u32>,
}

/// An entry to be sorted: bytes of its text, read as a number, and which it is. Most comparisons need no more than the number,
/// and so do not leave the list that is sorted.
type Keyed = (u128, u32);

/// The first bytes of a text, such that numbers compare as the bytes do.
fn key_of(text: &[u8]) -> u128 {
    let mut key = [0; 16];
    let len = text.len().min(key.len());
    key[..len].copy_from_slice(&text[..len]);
    u128::from_be_bytes(key)
}

fn slot(n: u32) -> usize {
    n as usize
}

fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Counts beyond four thousand million are not told apart.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Memtable {
    pub(super) fn new(hasher: Hasher) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            arena: Vec::new(),
            arena_dead: 0,
            histories: Vec::new(),
            hasher,
            sorted: Vec::new(),
            recent: Vec::new(),
        }
    }

    /// Subjects in it, those among them that are gone as well.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn text(&self, n: u32) -> &[u8] {
        let entry = &self.entries[slot(n)];
        let at = usize::try_from(entry.text_at).unwrap_or(usize::MAX);
        self.arena
            .get(at..at + usize::from(entry.text_len))
            .unwrap_or_default()
    }

    pub(super) fn find(&self, subject: &[u8], hash: u64) -> Option<u32> {
        self.table.find(hash, |n| self.text(*n) == subject).copied()
    }

    pub(super) fn known(&self, n: u32) -> Known {
        let entry = &self.entries[slot(n)];
        Known {
            state: SubjectState {
                count: u64::from(entry.count),
                last: Seq(entry.last),
                last_stale: entry.last_stale,
                first_bound: Seq(entry.first_bound),
            },
            below: u64::from(entry.below),
        }
    }

    /// Replaces what is said of an entry's subject.
    pub(super) fn set(&mut self, n: u32, state: SubjectState) {
        let entry = &mut self.entries[slot(n)];
        entry.count = narrow(state.count);
        entry.last = state.last.0;
        entry.last_stale = state.last_stale;
        entry.first_bound = state.first_bound.0;
    }

    /// Adds a subject that is not in it, which the layers below know with this count.
    pub(super) fn insert(&mut self, subject: &[u8], hash: u64, state: SubjectState, below: u64) -> u32 {
        let entry = Entry {
            text_at: self.arena.len() as u64,
            text_len: u16::try_from(subject.len()).unwrap_or(u16::MAX),
            count: narrow(state.count),
            below: narrow(below),
            last: state.last.0,
            first_bound: state.first_bound.0,
            last_stale: state.last_stale,
            dead: false,
        };
        self.arena.extend_from_slice(subject);
        let n = match self.free.pop() {
            Some(n) => {
                self.entries[slot(n)] = entry;
                n
            }
            None => {
                self.entries.push(entry);
                index(self.entries.len() - 1)
            }
        };
        let (hasher, entries, arena) = (&self.hasher, &self.entries, &self.arena);
        let hash_of = |n: &u32| {
            let e: &Entry = &entries[slot(*n)];
            let at = usize::try_from(e.text_at).unwrap_or(0);
            hasher.hash_one(&arena[at..at + usize::from(e.text_len)])
        };
        self.table.insert_unique(hash, n, hash_of);
        self.recent.push(n);
        n
    }

    /// All sequences of an entry's subject, if they are known.
    pub(super) fn history(&self, n: u32) -> &[u8] {
        let place = self.histories.get(slot(n)).copied().unwrap_or_default();
        self.arena.get(place.range()).unwrap_or_default()
    }

    /// Replaces them.
    pub(super) fn set_history(&mut self, n: u32, history: &[u8]) {
        if self.histories.len() <= slot(n) {
            if history.is_empty() {
                return;
            }
            self.histories.resize(slot(n) + 1, Place::default());
        }
        let place = &mut self.histories[slot(n)];
        let len = u16::try_from(history.len()).unwrap_or(0);
        if len > place.room {
            self.arena_dead += usize::from(place.room);
            // Room for some more: what grows to a bound is moved a few times only.
            let room = len.next_multiple_of(HISTORY_ROOM);
            *place = Place {
                at: self.arena.len() as u64,
                len,
                room,
            };
            self.arena.resize(self.arena.len() + usize::from(room), 0);
        }
        place.len = len;
        let range = place.range();
        self.arena[range].copy_from_slice(&history[..usize::from(len)]);
        self.relieve();
    }

    /// Takes an entry away, so that the layers below are heard again.
    pub(super) fn forget(&mut self, n: u32, hash: u64) {
        if let Ok(found) = self.table.find_entry(hash, |m| *m == n) {
            found.remove();
        }
        let entry = &mut self.entries[slot(n)];
        entry.dead = true;
        self.arena_dead += usize::from(entry.text_len);
        if let Some(place) = self.histories.get_mut(slot(n)) {
            self.arena_dead += usize::from(place.room);
            *place = Place::default();
        }
        self.relieve();
    }

    /// Moves things together once much of the arena is dead.
    fn relieve(&mut self) {
        if self.arena_dead > ARENA_BYTES_MIN && self.arena_dead * ARENA_SLACK > self.arena.len() {
            self.tidy();
        }
    }

    /// Moves the live texts together, in order, and drops what is dead.
    fn tidy(&mut self) {
        self.merge();
        let mut arena = Vec::with_capacity(self.arena.len().saturating_sub(self.arena_dead));
        for n in &self.sorted {
            let text = {
                let entry = &self.entries[slot(*n)];
                let at = usize::try_from(entry.text_at).unwrap_or(0);
                at..at + usize::from(entry.text_len)
            };
            let at = arena.len() as u64;
            arena.extend_from_slice(&self.arena[text]);
            self.entries[slot(*n)].text_at = at;
            if let Some(place) = self.histories.get_mut(slot(*n)) {
                let at = arena.len() as u64;
                arena.extend_from_slice(&self.arena[place.range()]);
                // No room beyond what is in use: it is given again when it is needed.
                *place = Place {
                    at,
                    room: place.len,
                    ..*place
                };
            }
        }
        self.arena = arena;
        self.arena_dead = 0;
    }

    /// Brings the ordered list up to date.
    pub(super) fn sort(&mut self) {
        if !self.recent.is_empty() {
            self.merge();
        }
    }

    fn merge(&mut self) {
        let mut list = std::mem::take(&mut self.sorted);
        list.append(&mut self.recent);
        let (mut live, dead): (Vec<u32>, Vec<u32>) =
            list.into_iter().partition(|n| !self.entries[slot(*n)].dead);
        self.free.extend(dead);
        // Two sorted runs, nearly: the standard sort finds them and merges.
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
            .filter(|n| !self.entries[slot(*n)].dead)
    }

    /// All entries at and behind `from` in order, whatever was added since.
    pub(super) fn ordered_from(&self, from: &[u8]) -> Vec<u32> {
        let mut keyed: Vec<Keyed> = Vec::with_capacity(self.table.len());
        let behind = |n: &&u32| self.text(**n) >= from;
        keyed.extend(self.table.iter().filter(behind).map(|n| (0, *n)));
        let common = self.common_prefix(&keyed);
        for (key, n) in &mut keyed {
            *key = key_of(self.text(*n).get(common..).unwrap_or_default());
        }
        let texts = |a: &Keyed, b: &Keyed| self.text(a.1).cmp(self.text(b.1));
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| texts(a, b)));
        keyed.into_iter().map(|(_, n)| n).collect()
    }

    /// Bytes that sorting takes while it lasts.
    pub(super) fn sorting_bytes(&self) -> usize {
        self.table.len() * (size_of::<Keyed>() + size_of::<u32>())
    }

    /// How many bytes all of these start with alike.
    fn common_prefix(&self, list: &[Keyed]) -> usize {
        let Some((_, first)) = list.first() else { return 0 };
        let first = self.text(*first);
        list.iter().fold(first.len(), |common, (_, n)| {
            let pairs = first[..common].iter().zip(self.text(*n));
            pairs.take_while(|(a, b)| a == b).count()
        })
    }

    /// Sum of [`Known::gain`] of the subjects that start with `prefix`.
    pub(super) fn gain(&self, prefix: &[u8]) -> i64 {
        self.table
            .iter()
            .filter(|n| self.text(**n).starts_with(prefix))
            .map(|n| self.known(*n).gain())
            .sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.arena.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.histories.capacity() * size_of::<Place>()
            + (self.sorted.capacity() + self.recent.capacity() + self.free.capacity()) * 4
            + self.table.allocation_size()
    }

    /// Bytes in use, whatever is set aside beyond them.
    pub(super) fn used_bytes(&self) -> usize {
        let entries = self.table.len() * (size_of::<Entry>() + 9);
        self.arena.len() + entries + self.histories.len() * size_of::<Place>()
    }
}
