//! A stream as it was at one moment, for whoever wants to read all of it while it goes on: a backup, or a replica that
//! starts from nothing.
//!
//! A snapshot shares with the stream what both read from: mappings of segments, their indexes, records that are not in
//! segments yet. None of these is ever changed in place (see [`Segment::pinned`]); what the stream deletes, rewrites or
//! takes back, it does to its own view. Files it removes meanwhile stay on the disk without a name for as long as they are
//! mapped, and go with the last snapshot that reads them, or with the process.
//!
//! Secure erase is the one thing that reaches into a snapshot: bytes that are to be gone are not handed out again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::RwLock;

use super::spans::slot_of;
use super::{Storage, StreamLog};
use crate::damage::Damage;
use crate::ids::{GroupId, LogIndex, Seq};
use crate::memory::Taken;
use crate::record::Message;
use crate::segment::Segment;
use crate::segment::cursor::{Cursor, Passing};
use crate::traits::{LoadError, MsgStore as _, State};

/// Who is shown the messages of a snapshot.
type Each<'a> = dyn FnMut(Seq, Result<Passing<'_>, LoadError>) -> ControlFlow<()> + 'a;
/// Messages of a snapshot that were erased since.
type Erased = RwLock<BTreeSet<Seq>>;

/// A stream as it was when it was pinned, made by [`MsgStore::snapshot`](crate::MsgStore::snapshot).
///
/// It reads the same whatever the stream does: appends, deletes, purges, takes back, rewrites, or is destroyed; only
/// messages that are securely erased since are deleted here as well. What it keeps from being let go of is let go of when it
/// is dropped: records that were not in segments yet, some MiB, and space on the disk of segments that the stream has
/// removed since.
#[derive(Debug)]
pub struct Snapshot {
    group: GroupId,
    applied: LogIndex,
    owner_state: Bytes,
    label: Bytes,
    state: State,
    segments: Vec<Segment>,
    /// The sequence of the first of the tail.
    tail_base: Seq,
    tail: Vec<Option<Bytes>>,
    erased: Arc<Erased>,
    damage: Arc<Damage>,
    _taken: Option<Taken>,
}

/// The snapshots of a stream that are still there.
#[derive(Debug, Default)]
pub(super) struct Pins(Vec<Pin>);

#[derive(Debug)]
struct Pin {
    erased: Weak<Erased>,
    /// Up to here its messages are the stream's.
    shared: Seq,
}

impl Pins {
    fn add(&mut self, erased: &Arc<Erased>, last: Seq) {
        self.0.retain(|pin| pin.erased.strong_count() > 0);
        self.0.push(Pin {
            erased: Arc::downgrade(erased),
            shared: last,
        });
    }

    /// Message `seq` is not to be handed out any more. Comes before its bytes are overwritten.
    pub(super) fn erase(&self, seq: Seq) {
        for pin in self.0.iter().filter(|pin| seq <= pin.shared) {
            if let Some(erased) = pin.erased.upgrade() {
                erased.write().insert(seq);
            }
        }
    }

    /// What comes behind `last` from now on is not what snapshots have there.
    pub(super) fn truncate(&mut self, last: Seq) {
        self.0
            .iter_mut()
            .for_each(|pin| pin.shared = pin.shared.min(last));
    }
}

impl StreamLog {
    pub(super) fn pin(&mut self, applied: LogIndex, owner_state: Bytes) -> Snapshot {
        let state = self.state();
        let erased = Arc::new(Erased::default());
        self.pins.add(&erased, state.last_seq);
        let of_file = self.storage == Storage::File;
        let bytes = usize::try_from(self.tail_bytes).unwrap_or(usize::MAX);
        // What is placed in a segment but not written yet is read from the tail.
        let segments = self.segments.iter().filter(|s| s.base < self.tail_base);
        Snapshot {
            group: self.group,
            applied,
            owner_state,
            label: self.label.clone(),
            state,
            segments: segments.map(Segment::pinned).collect(),
            tail_base: self.tail_base,
            tail: self.tail.iter().cloned().collect(),
            erased,
            damage: Arc::clone(&self.context.damage),
            _taken: of_file.then(|| self.context.memory.take(bytes)),
        }
    }
}

impl Snapshot {
    /// The last entry that is in it, as the owner told.
    #[must_use]
    pub const fn applied(&self) -> LogIndex {
        self.applied
    }

    /// The owner's state as of then.
    #[must_use]
    pub const fn owner_state(&self) -> &Bytes {
        &self.owner_state
    }

    /// The label the stream had.
    #[must_use]
    pub const fn label(&self) -> &Bytes {
        &self.label
    }

    /// What the stream held. Messages that were erased since count as they did.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`LoadError`]; what was erased since is deleted.
    pub fn load(&self, seq: Seq) -> Result<Message, LoadError> {
        if seq < self.state.first_seq || seq > self.state.last_seq {
            return Err(LoadError::NotFound);
        }
        // Held until it is read: half overwritten, it would look damaged.
        let erased = self.erased.read_recursive();
        if erased.contains(&seq) {
            return Err(LoadError::Deleted);
        }
        if seq >= self.tail_base {
            let record = self.tail.get(slot_of(seq.0, self.tail_base));
            let record = record.and_then(Clone::clone);
            return record.map(Message::trusted).ok_or(LoadError::Deleted);
        }
        let n = self.segments.partition_point(|s| s.end() <= seq);
        let segment = self.segments.get(n).filter(|s| s.base <= seq);
        let found = segment.and_then(|s| Some(s.read(s.slot(seq)?)));
        match found {
            None | Some(Ok(None)) => Err(LoadError::Deleted),
            Some(Ok(Some(message))) => Ok(message),
            Some(Err(())) => Err(self.lost(seq)),
        }
    }

    /// Shows `each` the messages from `from` on, in order, until it has seen enough. One that is damaged comes as
    /// [`LoadError::Lost`], and those behind it follow. A secure erase waits while `each` looks at a message: it must not
    /// wait for the stream's owner.
    pub fn scan(&self, from: Seq, each: &mut Each<'_>) {
        let from = from.max(self.state.first_seq);
        let first = self.segments.partition_point(|s| s.end() <= from);
        for segment in &self.segments[first..] {
            if self.scan_segment(segment, from, each).is_break() {
                return;
            }
        }
        let slot = slot_of(from.0, self.tail_base);
        for (n, record) in self.tail.iter().enumerate().skip(slot) {
            let seq = Seq(self.tail_base.0 + n as u64);
            let found = record.as_ref().map(|record| Ok(Passing::trusted(record)));
            if found.is_some_and(|found| self.show(seq, found, each).is_break()) {
                return;
            }
        }
    }

    fn scan_segment(&self, segment: &Segment, from: Seq, each: &mut Each<'_>) -> ControlFlow<()> {
        let end = segment.end().min(self.tail_base);
        let mut cursor = Cursor::new(
            segment,
            slot_of(from.0, segment.base)..slot_of(end.0, segment.base),
        );
        while let Some((slot, found)) = cursor.step() {
            let seq = Seq(segment.base.0 + slot as u64);
            self.show(seq, found.ok_or(LoadError::Lost), each)?;
        }
        ControlFlow::Continue(())
    }

    /// Shows a message unless it was erased, which cannot happen meanwhile.
    fn show(&self, seq: Seq, found: Result<Passing<'_>, LoadError>, each: &mut Each<'_>) -> ControlFlow<()> {
        let erased = self.erased.read_recursive();
        if erased.contains(&seq) {
            return ControlFlow::Continue(());
        }
        each(seq, found.map_err(|_| self.lost(seq)))
    }

    fn lost(&self, seq: Seq) -> LoadError {
        self.damage.lost(self.group, seq);
        LoadError::Lost
    }
}
