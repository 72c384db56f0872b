//! Messages that go to the log together, as final bytes. Encoded once.

use bytes::Bytes;

use crate::disk::{DIRECT_BYTES, LENT_BYTES_MIN, direct_start};
use crate::ids::{LogIndex, Seq};
use crate::journal::BODY_AT;
use crate::record::{self, NewRecord, RecordView};

/// Records with consecutive sequences, ready for the journal.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The records, one behind the other.
    pub body: Bytes,
    /// Sequence of the first.
    pub base_seq: Seq,
    /// How many.
    pub count: u32,
    /// They were made by a [`BatchBuilder`] and have been in memory since: there is nothing to check.
    is_made: bool,
}

impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        (self.base_seq, self.count, &self.body) == (other.base_seq, other.count, &other.body)
    }
}

impl Eq for Batch {}

impl Batch {
    /// Records that were read back.
    pub(crate) const fn read(body: Bytes, base_seq: Seq, count: u32) -> Self {
        Self {
            body,
            base_seq,
            count,
            is_made: false,
        }
    }

    /// The records with their offsets; of those that were read back as far as they are intact.
    pub fn records(&self) -> impl Iterator<Item = (usize, RecordView<'_>)> {
        let view = if self.is_made {
            RecordView::frame
        } else {
            RecordView::check
        };
        record::iterate_by(&self.body, view)
    }
}

/// Whether `body` is where [`BatchBuilder`] puts a long one, so that it can be written from there.
pub(crate) fn is_lent(body: &[u8]) -> bool {
    body.len() >= LENT_BYTES_MIN + DIRECT_BYTES && direct_start(body) == DIRECT_BYTES - BODY_AT
}

/// What a long batch lets expect of the next shrinks by one part in so many with every one that is shorter.
const EXPECTED_SHARE: usize = 8;

/// Collects records into a [`Batch`].
#[derive(Debug, Default)]
pub struct BatchBuilder {
    body: Vec<u8>,
    /// Nothing yet, so many bytes: the records begin behind it.
    lead: usize,
    base_seq: Seq,
    count: u32,
    /// Bytes of the longest batch of late: the next may be as long, and growing step by step would copy it twice over.
    expected: usize,
}

impl BatchBuilder {
    /// Appends a record; `false` when a part of it is too long to be written. Sequences must be consecutive.
    pub fn push(&mut self, record: &NewRecord<'_>) -> bool {
        assert!(
            self.count == 0 || record.seq.0 == self.base_seq.0 + u64::from(self.count),
            "sequence {} in a batch from {} of {}",
            record.seq,
            self.base_seq,
            self.count
        );
        if self.body.capacity() == 0 {
            self.begin();
        }
        if record::encode(record, &mut self.body).is_none() {
            return false;
        }
        if self.count == 0 {
            self.base_seq = record.seq;
        }
        self.count += 1;
        true
    }

    /// Takes the memory of a batch. A long one begins where the journal can write it from as it is: behind the head of a frame
    /// that begins with a page.
    fn begin(&mut self) {
        if self.expected < LENT_BYTES_MIN {
            self.body.reserve(self.expected);
            return;
        }
        self.body.reserve(self.expected + DIRECT_BYTES);
        self.lead = (direct_start(&self.body) + BODY_AT) % DIRECT_BYTES;
        self.body.resize(self.lead, 0);
    }

    /// Takes over all records of `other`, which must come right behind, and leaves it empty.
    pub fn append(&mut self, other: &mut Self) {
        if other.count == 0 {
            return;
        }
        assert!(
            self.count == 0 || other.base_seq.0 == self.base_seq.0 + u64::from(self.count),
            "sequence {} in a batch from {} of {}",
            other.base_seq,
            self.base_seq,
            self.count
        );
        if self.count == 0 {
            self.base_seq = other.base_seq;
        }
        if self.body.capacity() == 0 {
            self.begin();
        }
        self.body.extend_from_slice(&other.body[other.lead..]);
        self.count += std::mem::take(&mut other.count);
        other.body.truncate(other.lead);
    }

    /// Records so far.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() - self.lead
    }

    /// The batch, leaving the builder empty.
    pub fn finish(&mut self) -> Batch {
        let mut body = std::mem::take(&mut self.body);
        let lead = std::mem::take(&mut self.lead);
        let before = self.expected - self.expected / EXPECTED_SHARE;
        self.expected = (body.len() - lead).max(before);
        // It stays in memory for a while: no more of it than it needs.
        if body.capacity() / 2 > body.len() {
            body.shrink_to_fit();
        }
        let batch = Batch {
            body: Bytes::from(body).slice(lead..),
            base_seq: self.base_seq,
            count: self.count,
            is_made: true,
        };
        self.count = 0;
        batch
    }
}

/// What an entry of a log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// Messages.
    Messages(Batch),
    /// A command in the owner's own encoding.
    Command(Bytes),
}

/// An entry that is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the group's log.
    pub index: LogIndex,
    /// What it holds.
    pub body: EntryBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(builder: &mut BatchBuilder, seq: u64, payload: &[u8]) {
        let record = NewRecord {
            seq: Seq(seq),
            subject: b"a",
            payload,
            ..NewRecord::default()
        };
        assert!(builder.push(&record));
    }

    #[test]
    fn a_long_batch_begins_where_the_journal_can_write_it_from() {
        let payload = vec![7; LENT_BYTES_MIN];
        let (mut builder, mut other) = (BatchBuilder::default(), BatchBuilder::default());
        for n in 1..4 {
            push(&mut builder, n, &payload);
            push(&mut other, n + 1, &payload);
            builder.append(&mut other);
            assert_eq!((other.len(), other.bytes()), (0, 0));
            let bytes = builder.bytes();
            let batch = builder.finish();
            assert_eq!(batch.body.len(), bytes);
            assert_eq!(
                direct_start(&batch.body) == DIRECT_BYTES - BODY_AT,
                n > 1,
                "the first is unexpected"
            );
            let read: Vec<_> = batch
                .records()
                .map(|(_, r)| (r.seq().0, r.payload() == payload))
                .collect();
            assert_eq!(read, [(n, true), (n + 1, true)]);
        }
    }
}
