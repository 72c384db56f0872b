//! What a table in memory holds, in pieces that are copied when they change while somebody else has them: a copy of a
//! large table is had at once, stays as it is, and costs what changes before it is let go of. Nothing large is ever moved.

use std::sync::Arc;

use super::SubjectState;
use super::block::Known;
use super::texts::{TextAt, Texts, extend, number, own, place};
use crate::ids::Seq;
use crate::order;

/// Entries of a piece.
const PIECE: usize = 512;
/// A history gets room in multiples of this, bytes: what grows to a bound is moved a few times only.
const HISTORY_ROOM: u16 = 8;

#[derive(Debug, Clone)]
struct Entry {
    last: u64,
    first_bound: u64,
    text: TextAt,
    /// Half of the hash of its text.
    hash: u32,
    count: u32,
    /// The count that the layers below say.
    below: u32,
    text_len: u16,
    last_stale: bool,
    /// Not in the table any more.
    dead: bool,
}

const _: () = assert!(size_of::<Entry>() == 40);

/// Where the history of an entry lies among the texts, and the room there is for it.
#[derive(Debug, Clone, Copy, Default)]
struct HistoryAt {
    text: TextAt,
    len: u16,
    room: u16,
}

impl Entry {
    fn text_len(&self) -> usize {
        usize::from(self.text_len)
    }
}

/// Entries under numbers that stay theirs, and their texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pieces: Vec<Arc<Vec<Entry>>>,
    texts: Texts,
    /// Histories of the entries of a piece each; of those behind its end there are none.
    histories: Vec<Arc<Vec<HistoryAt>>>,
    /// Numbers given.
    given: usize,
    /// Entries that the pieces have room for.
    room: usize,
    /// Entries that are not dead.
    live: usize,
    /// Bytes of texts of dead ones, and of histories that have been moved.
    texts_dead: usize,
}

/// Counts beyond four thousand million are not told apart.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Rows {
    fn entry(&self, n: u32) -> &Entry {
        &self.pieces[place(n) / PIECE][place(n) % PIECE]
    }

    fn entry_mut(&mut self, n: u32) -> &mut Entry {
        &mut own(&mut self.pieces[place(n) / PIECE])[place(n) % PIECE]
    }

    fn text_of(&self, entry: &Entry) -> &[u8] {
        self.texts.at(entry.text, entry.text_len())
    }

    /// Entries that are not dead.
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    pub(super) fn text(&self, n: u32) -> &[u8] {
        self.text_of(self.entry(n))
    }

    /// Whether entry `n` is of `subject`, which has this half of a hash.
    pub(super) fn is_of(&self, n: u32, subject: &[u8], hash: u32) -> bool {
        let entry = self.entry(n);
        entry.hash == hash && self.text_of(entry) == subject
    }

    pub(super) fn hash(&self, n: u32) -> u32 {
        self.entry(n).hash
    }

    pub(super) fn is_dead(&self, n: u32) -> bool {
        self.entry(n).dead
    }

    pub(super) fn known(&self, n: u32) -> Known {
        let entry = self.entry(n);
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
        let entry = self.entry_mut(n);
        entry.count = narrow(state.count);
        entry.last = state.last.0;
        entry.last_stale = state.last_stale;
        entry.first_bound = state.first_bound.0;
    }

    /// Adds an entry under a number that was given before and is free, or under a new one; gives the number.
    pub(super) fn insert(
        &mut self,
        free: Option<u32>,
        (subject, hash): (&[u8], u32),
        state: SubjectState,
        below: u64,
    ) -> u32 {
        let entry = Entry {
            last: state.last.0,
            first_bound: state.first_bound.0,
            text: self.texts.push(subject),
            hash,
            count: narrow(state.count),
            below: narrow(below),
            text_len: u16::try_from(subject.len()).unwrap_or(u16::MAX),
            last_stale: state.last_stale,
            dead: false,
        };
        self.live += 1;
        if let Some(n) = free {
            *self.entry_mut(n) = entry;
            return n;
        }
        if self.given.is_multiple_of(PIECE) {
            self.pieces.push(Arc::default());
        }
        if let Some(piece) = self.pieces.last_mut() {
            self.room += extend(own(piece), &[entry], PIECE);
        }
        self.given += 1;
        number(self.given - 1)
    }

    /// Marks an entry as dead.
    pub(super) fn forget(&mut self, n: u32) {
        let entry = self.entry_mut(n);
        entry.dead = true;
        let len = entry.text_len();
        self.texts_dead += len;
        self.live -= 1;
        if let Some(history) = self.history_mut(n) {
            let room = std::mem::take(history).room;
            self.texts_dead += usize::from(room);
        }
    }

    fn history_mut(&mut self, n: u32) -> Option<&mut HistoryAt> {
        let piece = self.histories.get_mut(place(n) / PIECE)?;
        own(piece).get_mut(place(n) % PIECE)
    }

    /// All sequences of an entry's subject, if they are known.
    pub(super) fn history(&self, n: u32) -> &[u8] {
        let piece = self.histories.get(place(n) / PIECE);
        let history = piece.and_then(|piece| piece.get(place(n) % PIECE));
        let history = history.copied().unwrap_or_default();
        self.texts.at(history.text, usize::from(history.len))
    }

    /// Replaces them. Gives whether they were moved.
    pub(super) fn set_history(&mut self, n: u32, history: &[u8]) -> bool {
        if history.is_empty() && self.histories.len() <= place(n) / PIECE {
            return false;
        }
        while self.histories.len() <= place(n) / PIECE {
            self.histories.push(Arc::new(vec![HistoryAt::default(); PIECE]));
        }
        let Some(there) = self.history_mut(n) else {
            return false;
        };
        let len = u16::try_from(history.len()).unwrap_or(0);
        let before = *there;
        there.len = len;
        if len <= before.room {
            self.texts.set(before.text, &history[..usize::from(len)]);
            return false;
        }
        let room = len.next_multiple_of(HISTORY_ROOM);
        let mut bytes = [history, &[0; HISTORY_ROOM as usize]].concat();
        bytes.truncate(usize::from(room));
        let text = self.texts.push(&bytes);
        if let Some(there) = self.history_mut(n) {
            *there = HistoryAt { text, len, room };
        }
        self.texts_dead += usize::from(before.room);
        true
    }

    /// Bytes of texts, and how many of them are of dead entries.
    pub(super) const fn text_bytes(&self) -> (usize, usize) {
        (self.texts.bytes, self.texts_dead)
    }

    /// Moves the texts of `order`, which are all the entries that are not dead, together in this order.
    pub(super) fn move_together(&mut self, order: &[u32]) {
        let mut texts = Texts::default();
        for n in order {
            let text = texts.push(self.text(*n));
            self.entry_mut(*n).text = text;
            let history = texts.push(self.history(*n));
            if let Some(there) = self.history_mut(*n) {
                // No room beyond what is in use: it is given again when it is needed.
                *there = HistoryAt {
                    text: history,
                    room: there.len,
                    ..*there
                };
            }
        }
        self.texts = texts;
        self.texts_dead = 0;
    }

    /// All entries that are not dead, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let entries = self.pieces.iter().flat_map(|piece| piece.iter());
        let numbered = entries.enumerate().filter(|(_, entry)| !entry.dead);
        numbered.map(|(n, _)| number(n))
    }

    /// Those at and behind `from` in order of their texts.
    pub(super) fn ordered_from(&self, from: &[u8]) -> Vec<u32> {
        let mut list: Vec<u32> = self.iter().filter(|n| self.text(*n) >= from).collect();
        order::sort_by_text(&mut list, |n| self.text(n));
        list
    }

    /// Bytes that sorting takes while it lasts.
    pub(super) const fn sorting_bytes(&self) -> usize {
        self.live * order::ITEM_BYTES
    }

    /// Sum of [`Known::gain`] of the subjects that start with `prefix`.
    pub(super) fn gain(&self, prefix: &[u8]) -> i64 {
        self.iter()
            .filter(|n| self.text(*n).starts_with(prefix))
            .map(|n| self.known(n).gain())
            .sum()
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        let histories = self.histories.len() * PIECE * size_of::<HistoryAt>();
        self.texts.room + self.room * size_of::<Entry>() + histories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::texts::TEXTS_BYTES;

    fn state(count: u64) -> SubjectState {
        SubjectState {
            count,
            last: Seq(count),
            last_stale: false,
            first_bound: Seq(1),
        }
    }

    #[test]
    fn a_copy_stays_as_it_is() {
        let mut rows = Rows::default();
        let count = u32::try_from(3 * PIECE).unwrap();
        for n in 0..count {
            let text = format!("subject.{n:060}");
            assert_eq!(rows.insert(None, (text.as_bytes(), n), state(1), 0), n);
        }
        let copy = rows.clone();
        let shared = || rows.pieces.iter().zip(&copy.pieces);
        assert!(shared().all(|(a, b)| Arc::ptr_eq(a, b)), "nothing was copied");
        assert!(rows.texts.pieces.len() > 1);
        assert!(rows.memory_bytes() < place(count) * (size_of::<Entry>() + 69) + TEXTS_BYTES);
        rows.set(7, state(9));
        rows.forget(8);
        rows.insert(Some(8), (b"another", 8), state(5), 0);
        rows.insert(None, (b"one more", count), state(6), 0);
        let order: Vec<u32> = rows.ordered_from(b"");
        rows.move_together(&order);
        assert_eq!((rows.len(), copy.len()), (place(count) + 1, place(count)));
        assert_eq!((rows.known(7).state, copy.known(7).state), (state(9), state(1)));
        assert_eq!(rows.text(8), b"another");
        for n in copy.iter() {
            assert_eq!(copy.text(n), format!("subject.{n:060}").as_bytes());
            assert_eq!(copy.known(n).state, state(1));
        }
        let kept = rows
            .pieces
            .iter()
            .zip(&copy.pieces)
            .filter(|(a, b)| Arc::ptr_eq(a, b));
        let room = rows.pieces.iter().map(|piece| piece.capacity()).sum();
        assert_eq!(rows.room, room, "a copied piece has as much room");
        assert_eq!(kept.count(), 0, "texts moved, so all entries changed");
    }

    #[test]
    fn a_change_copies_one_piece() {
        let mut rows = Rows::default();
        for n in 0..u32::try_from(4 * PIECE).unwrap() {
            rows.insert(None, (&n.to_be_bytes(), n), state(1), 0);
        }
        let copy = rows.clone();
        rows.set(0, state(2));
        rows.set(1, state(2));
        let kept = rows
            .pieces
            .iter()
            .zip(&copy.pieces)
            .filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(kept.count(), 3);
    }
}
