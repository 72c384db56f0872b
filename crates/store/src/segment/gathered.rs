//! The subjects of a segment while it is being filled with large messages, so that its index can be made without reading
//! all of it back. Of small messages there are too many to be remembered for that.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;
use parking_lot::Mutex;

use super::RECORDS_AT;
use super::index::SubjectSlots;
use crate::ids::Seq;
use crate::record::Message;

/// Records that are on average at least this long are large, bytes.
const LARGE_BYTES: u64 = 1024;

/// Whether so many records of `total` bytes are large.
pub(super) const fn are_large(count: usize, total: u64) -> bool {
    total / LARGE_BYTES >= count as u64
}

/// Subjects with their slots.
#[derive(Debug, Default)]
pub(crate) struct Subjects(BTreeMap<Vec<u8>, SubjectSlots>);

impl Subjects {
    /// Notes that the record in `slot` has this subject. Slots ascend.
    pub(super) fn note(&mut self, subject: &[u8], slot: u32) {
        if let Some(known) = self.0.get_mut(subject) {
            known.count += 1;
            known.last = slot;
            return;
        }
        if let Entry::Vacant(entry) = self.0.entry(subject.to_vec()) {
            entry.insert(SubjectSlots {
                count: 1,
                first: slot,
                last: slot,
            });
        }
    }

    /// In order.
    pub(super) fn into_table(self) -> Vec<(Vec<u8>, SubjectSlots)> {
        self.0.into_iter().collect()
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
    /// Notes records that were written at `at`, of a segment that begins with `base`.
    pub(super) fn note(&self, base: Seq, at: u64, records: &[Bytes], total: u64) {
        let mut progress = self.0.lock();
        if progress.end != at || !are_large(records.len(), total) {
            return;
        }
        for record in records {
            let message = Message::trusted(record.clone());
            let slot = u32::try_from(message.seq().0.saturating_sub(base.0)).unwrap_or(u32::MAX);
            progress.subjects.note(message.subject(), slot);
        }
        progress.end += total;
    }

    /// The subjects of all records up to `len`, if all were gathered. Gives them away.
    pub(super) fn take(&self, len: u64) -> Option<Vec<(Vec<u8>, SubjectSlots)>> {
        let progress = std::mem::take(&mut *self.0.lock());
        (progress.end == len).then(|| progress.subjects.into_table())
    }
}
