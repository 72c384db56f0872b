//! Ids in the order they came, found by their text: about 32 bytes an id beside the text. They lie in chunks, so that
//! neither growing nor forgetting moves any.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use natterjack_store::Seq;

/// Ids of a chunk.
const CHUNK: usize = 1024;

#[derive(Debug)]
struct Entry {
    ts_ns: i64,
    seq: Seq,
    /// Where its text ends in the chunk; it begins where the one before ends.
    text_end: u32,
    /// It was taken away.
    gone: bool,
}

/// Entries that came one after the other; all chunks but the last are full.
#[derive(Debug, Default)]
struct Chunk {
    entries: Vec<Entry>,
    texts: Vec<u8>,
}

impl Chunk {
    fn text(&self, at: usize) -> &[u8] {
        let end = |entry: Option<&Entry>| entry.map_or(0, |e| e.text_end as usize);
        let start = end(at.checked_sub(1).and_then(|before| self.entries.get(before)));
        self.texts
            .get(start..end(self.entries.get(at)))
            .unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct IdRing {
    chunks: VecDeque<Chunk>,
    /// Entries of the first chunk that were forgotten.
    forgotten: usize,
    /// Chunks that were forgotten, modulo 2³²: numbers of entries start behind them.
    chunks_before: u32,
    /// Numbers of entries, modulo 2³².
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    id_bytes: usize,
}

/// Number of the entry `at` in the `chunk`-th chunk there is.
fn number(chunks_before: u32, chunk: usize, at: usize) -> u32 {
    let entries = u32::try_from(chunk * CHUNK + at).unwrap_or(u32::MAX);
    chunks_before
        .wrapping_mul(u32::try_from(CHUNK).unwrap_or(u32::MAX))
        .wrapping_add(entries)
}

/// Chunk, among those there are, and place in it of the entry with this number.
fn place(chunks_before: u32, n: u32) -> (usize, usize) {
    let behind = n.wrapping_sub(number(chunks_before, 0, 0)) as usize;
    (behind / CHUNK, behind % CHUNK)
}

fn text_of(chunks: &VecDeque<Chunk>, chunks_before: u32, n: u32) -> &[u8] {
    let (chunk, at) = place(chunks_before, n);
    chunks.get(chunk).map_or(&[], |chunk| chunk.text(at))
}

impl IdRing {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes of the texts.
    pub(super) const fn id_bytes(&self) -> usize {
        self.id_bytes
    }

    fn find(&self, id: &[u8]) -> Option<u32> {
        let is_it = |n: &u32| text_of(&self.chunks, self.chunks_before, *n) == id;
        self.table.find(self.hasher.hash_one(id), is_it).copied()
    }

    pub(super) fn get(&self, id: &[u8]) -> Option<Seq> {
        let (chunk, at) = place(self.chunks_before, self.find(id)?);
        Some(self.chunks.get(chunk)?.entries.get(at)?.seq)
    }

    /// Adds an id that is not in it.
    pub(super) fn push(&mut self, id: &[u8], seq: Seq, ts_ns: i64) {
        if self.chunks.back().is_none_or(|c| c.entries.len() == CHUNK) {
            self.chunks.push_back(Chunk::default());
        }
        let last = self.chunks.len() - 1;
        let chunk = &mut self.chunks[last];
        chunk.texts.extend_from_slice(id);
        chunk.entries.push(Entry {
            ts_ns,
            seq,
            text_end: u32::try_from(chunk.texts.len()).unwrap_or(u32::MAX),
            gone: false,
        });
        let n = number(self.chunks_before, last, chunk.entries.len() - 1);
        if chunk.entries.len() == CHUNK {
            chunk.texts.shrink_to_fit();
        }
        self.id_bytes += id.len();
        let (chunks, before, hasher) = (&self.chunks, self.chunks_before, &self.hasher);
        self.table.insert_unique(hasher.hash_one(id), n, |n| {
            hasher.hash_one(text_of(chunks, before, *n))
        });
    }

    /// Takes an id away.
    pub(super) fn remove(&mut self, id: &[u8]) {
        let (chunks, before) = (&self.chunks, self.chunks_before);
        let is_it = |n: &u32| text_of(chunks, before, *n) == id;
        let Ok(found) = self.table.find_entry(self.hasher.hash_one(id), is_it) else {
            return;
        };
        let (n, _) = found.remove();
        let (chunk, at) = place(before, n);
        if let Some(entry) = self.chunks.get_mut(chunk).and_then(|c| c.entries.get_mut(at)) {
            entry.gone = true;
            self.id_bytes -= id.len();
        }
        if self.table.is_empty() {
            // A ring of nothing but what was taken away is not kept.
            self.chunks.clear();
            (self.forgotten, self.chunks_before) = (0, 0);
        }
    }

    /// When the oldest came.
    pub(super) fn first_ts_ns(&self) -> Option<i64> {
        let first = self.chunks.front()?.entries.get(self.forgotten)?;
        Some(first.ts_ns)
    }

    /// Forgets the oldest.
    pub(super) fn pop(&mut self) {
        let Some(first) = self.chunks.front() else { return };
        let Some(entry) = first.entries.get(self.forgotten) else {
            return;
        };
        if !entry.gone {
            let text = first.text(self.forgotten);
            self.id_bytes -= text.len();
            let n = number(self.chunks_before, 0, self.forgotten);
            if let Ok(found) = self
                .table
                .find_entry(self.hasher.hash_one(text), |known| *known == n)
            {
                found.remove();
            }
        }
        self.forgotten += 1;
        if self.forgotten == first.entries.len() {
            self.chunks.pop_front();
            self.forgotten = 0;
            self.chunks_before = self.chunks_before.wrapping_add(1);
            self.give_back();
        }
    }

    /// A table that was large once does not stay so.
    fn give_back(&mut self) {
        if self.table.len() * 8 < self.table.capacity() {
            let (chunks, before, hasher) = (&self.chunks, self.chunks_before, &self.hasher);
            self.table.shrink_to(self.table.len() * 2, |n| {
                hasher.hash_one(text_of(chunks, before, *n))
            });
        }
    }

    /// All ids in the order they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Seq, i64)> {
        let places = self.chunks.iter().enumerate().flat_map(move |(n, chunk)| {
            let start = if n == 0 { self.forgotten } else { 0 };
            (start..chunk.entries.len()).map(move |at| (chunk, at))
        });
        places.filter_map(|(chunk, at)| {
            let entry = &chunk.entries[at];
            (!entry.gone).then(|| (chunk.text(at), entry.seq, entry.ts_ns))
        })
    }

    /// Bytes of memory in use, near enough.
    #[cfg(test)]
    fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.iter();
        let chunks = chunks.map(|c| c.entries.capacity() * size_of::<Entry>() + c.texts.capacity());
        chunks.sum::<usize>() + self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(u16),
        Remove(u16),
        Pop(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (0u16..4000).prop_map(Step::Push),
            3 => (0u16..4000).prop_map(Step::Remove),
            1 => (0u16..60).prop_map(Step::Pop),
        ]
    }

    fn id(n: u16) -> Vec<u8> {
        format!("id-{n}").into_bytes()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec(step(), 0..4000)) {
            let (mut ring, mut model) = (IdRing::default(), Vec::<(u16, u64)>::new());
            // Numbers of entries wrap on the way.
            ring.chunks_before = u32::MAX - 1;
            for (n, step) in (1u64..).zip(steps) {
                match step {
                    Step::Push(k) if model.iter().all(|(known, _)| *known != k) => {
                        ring.push(&id(k), Seq(n), n.cast_signed());
                        model.push((k, n));
                    }
                    Step::Push(k) => prop_assert!(ring.get(&id(k)).is_some()),
                    Step::Remove(k) => {
                        ring.remove(&id(k));
                        model.retain(|(known, _)| *known != k);
                    }
                    Step::Pop(count) => {
                        let end = model.get(usize::from(count)).map_or(i64::MAX, |(_, n)| n.cast_signed());
                        while ring.first_ts_ns().is_some_and(|ts| ts < end) {
                            ring.pop();
                        }
                        model.drain(..usize::from(count).min(model.len()));
                    }
                }
            }
            let expected: Vec<_> = model.iter().map(|(k, n)| (id(*k), Seq(*n), n.cast_signed())).collect();
            let got: Vec<_> = ring.iter().map(|(id, seq, ts)| (id.to_vec(), seq, ts)).collect();
            prop_assert_eq!(got, expected);
            prop_assert_eq!(ring.len(), model.len());
            prop_assert_eq!(ring.id_bytes(), model.iter().map(|(k, _)| id(*k).len()).sum::<usize>());
            for (k, n) in &model {
                prop_assert_eq!(ring.get(&id(*k)), Some(Seq(*n)));
            }
        }
    }

    #[test]
    fn an_id_takes_little_memory() {
        let mut ring = IdRing::default();
        for n in 0..200_000u64 {
            ring.push(format!("{n:032x}").as_bytes(), Seq(n), 0);
        }
        let bytes = ring.memory_bytes() / ring.len();
        assert!(bytes < 75, "{bytes}");
        while ring.first_ts_ns().is_some() {
            ring.pop();
        }
        assert!(ring.memory_bytes() < 64 * 1024, "{}", ring.memory_bytes());
    }
}
