//! Messages that go to the log together, as final bytes. Encoded once.

use bytes::Bytes;

use crate::ids::{LogIndex, Seq};
use crate::record::{self, NewRecord, RecordView};

/// Records with consecutive sequences, ready for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The records, one behind the other.
    pub body: Bytes,
    /// Sequence of the first.
    pub base_seq: Seq,
    /// How many.
    pub count: u32,
}

impl Batch {
    /// The records with their offsets.
    pub fn records(&self) -> impl Iterator<Item = (usize, RecordView<'_>)> {
        record::iterate(&self.body)
    }
}

/// What a long batch lets expect of the next shrinks by one part in so many with every one that is shorter.
const EXPECTED_SHARE: usize = 8;

/// Collects records into a [`Batch`].
#[derive(Debug, Default)]
pub struct BatchBuilder {
    body: Vec<u8>,
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
            self.body.reserve(self.expected);
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
        self.body.append(&mut other.body);
        self.count += std::mem::take(&mut other.count);
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
        self.body.len()
    }

    /// The batch, leaving the builder empty.
    pub fn finish(&mut self) -> Batch {
        let mut body = std::mem::take(&mut self.body);
        let before = self.expected - self.expected / EXPECTED_SHARE;
        self.expected = body.len().max(before);
        // It stays in memory for a while: no more of it than it needs.
        if body.capacity() / 2 > body.len() {
            body.shrink_to_fit();
        }
        let batch = Batch {
            body: body.into(),
            base_seq: self.base_seq,
            count: self.count,
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
