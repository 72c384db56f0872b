//! The subjects of a segment while it is being filled with large messages, so that its index can be made without reading
//! all of it back. Of small messages there are too many to be remembered for that.

use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::HashTable;
use parking_lot::Mutex;

use super::RECORDS_AT;
use super::heads::Head;
use crate::ids::Seq;
use crate::order;
use crate::record::{self, RecordView};

/// Records that are on average at least this long are large, bytes.
const LARGE_BYTES: u64 = 1024;

/// Whether so many records of `total` bytes are large.
pub(crate) const fn are_large(count: usize, total: u64) -> bool {
    total / LARGE_BYTES >= count as u64
}

/// Subjects with their slots.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    texts: Vec<u8>,
    entries: Vec<Entry>,
    /// Entry and slot of each record.
    records: Vec<(u32, u32)>,
    /// Of the first records, as far as they are known.
    heads: Vec<Head>,
    /// Numbers of entries.
    table: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    text_at: u32,
    text_len: u32,
    /// Records.
    count: u32,
}

/// The text of entry `n`. A segment has fewer bytes than a number of 32 bits can tell.
fn text<'a>(texts: &'a [u8], entries: &[Entry], n: u32) -> &'a [u8] {
    let entry = entries[n as usize];
    let at = entry.text_at as usize;
    &texts[at..at + entry.text_len as usize]
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Subjects {
    /// Notes the record in `slot`, with what is kept of it. Slots ascend.
    fn note_record(&mut self, record: RecordView<'_>, slot: u32) {
        let entry = self.note(record.subject(), slot);
        self.heads.extend(Head::of(record, entry));
    }

    /// Notes that the record in `slot` has this subject; returns the entry of that. Slots ascend.
    pub(crate) fn note(&mut self, subject: &[u8], slot: u32) -> u32 {
        let (texts, entries, hasher) = (&self.texts, &self.entries, &self.hasher);
        let hash = hasher.hash_one(subject);
        let found = self.table.find(hash, |n| text(texts, entries, *n) == subject);
        if let Some(n) = found.copied() {
            self.entries[n as usize].count += 1;
            self.records.push((n, slot));
            return n;
        }
        let n = narrow(entries.len());
        self.table
            .insert_unique(hash, n, |n| hasher.hash_one(text(texts, entries, *n)));
        self.records.push((n, slot));
        self.entries.push(Entry {
            text_at: narrow(self.texts.len()),
            text_len: narrow(subject.len()),
            count: 1,
        });
        self.texts.extend_from_slice(subject);
        n
    }

    pub(crate) fn into_table(self) -> SubjectTable {
        let mut order: Vec<u32> = (0..narrow(self.entries.len())).collect();
        order::sort_by_text(&mut order, |n| text(&self.texts, &self.entries, n));
        SubjectTable {
            order,
            subjects: self,
        }
    }
}

/// Subjects with their slots, in order.
#[derive(Debug)]
pub(crate) struct SubjectTable {
    order: Vec<u32>,
    subjects: Subjects,
}

impl SubjectTable {
    pub(super) const fn len(&self) -> usize {
        self.order.len()
    }

    /// Bytes of all texts.
    pub(super) const fn text_bytes(&self) -> usize {
        self.subjects.texts.len()
    }

    /// Records of all of them.
    pub(super) const fn slots(&self) -> usize {
        self.subjects.records.len()
    }

    /// Subjects with how many records they have.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let Subjects { texts, entries, .. } = &self.subjects;
        let entry = |n: &u32| (text(texts, entries, *n), entries[*n as usize].count as usize);
        self.order.iter().map(entry)
    }

    /// What is kept of each record, with its slot; nothing unless it is kept of all.
    pub(super) fn heads(&self) -> Vec<(u32, Head)> {
        let Subjects {
            entries,
            records,
            heads,
            ..
        } = &self.subjects;
        if heads.len() != records.len() {
            return Vec::new();
        }
        let mut ranks = vec![0; entries.len()];
        for (rank, n) in (0..).zip(&self.order) {
            ranks[*n as usize] = rank;
        }
        let ranked = |(record, head): (&(u32, u32), &Head)| {
            let subject = ranks[head.subject as usize];
            (record.1, Head { subject, ..*head })
        };
        records.iter().zip(heads).map(ranked).collect()
    }

    /// The slots of the first subject, ascending, then those of the next.
    pub(super) fn list(&self) -> Vec<u32> {
        let Subjects { entries, records, .. } = &self.subjects;
        let mut places = vec![0; entries.len()];
        let mut place = 0;
        for n in &self.order {
            places[*n as usize] = place;
            place += entries[*n as usize].count as usize;
        }
        let mut list = vec![0; records.len()];
        for (n, slot) in records {
            let place = &mut places[*n as usize];
            list[*place] = *slot;
            *place += 1;
        }
        list
    }
}

/// What was gathered so far; shared by the stream's owner and the worker.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Mutex<Progress>);

#[derive(Debug)]
struct Progress {
    subjects: Subjects,
    /// The place up to which all records are known.
    end: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            subjects: Subjects::default(),
            end: RECORDS_AT,
        }
    }
}

impl Gathered {
    /// Notes the records among `parts`, which were written at `at` one behind the other.
    pub(super) fn note(&self, base: Seq, at: u64, parts: &[Bytes]) {
        let mut progress = self.0.lock();
        if progress.end != at {
            return;
        }
        for part in parts {
            for (_, record) in record::iterate_by(part, RecordView::frame) {
                let slot = u32::try_from(record.seq().0.saturating_sub(base.0)).unwrap_or(u32::MAX);
                progress.subjects.note_record(record, slot);
            }
            progress.end += part.len() as u64;
        }
    }

    /// The subjects of all records up to `len`, if all were gathered. Gives them away.
    pub(super) fn take(&self, len: u64) -> Option<SubjectTable> {
        let progress = std::mem::take(&mut *self.0.lock());
        (progress.end == len).then(|| progress.subjects.into_table())
    }
}
