//! One stream's messages: a tail of recent records in memory and segments behind it. One owner calls it; the disk is
//! touched only by the worker, reads of mapped segments aside.
//!
//! Every live sequence is in exactly one place to read from: the tail covers `tail_base` up to the last sequence, segments
//! cover what is before. Records of the tail that are on their way to a segment stay readable in the tail until they are
//! there.

mod append;
mod checkpoint;
mod drain;
mod ends;
mod expiry;
mod lasts;
mod learn;
mod open;
mod place;
mod purge;
mod read;
mod reindex;
mod remove;
mod salvage;
mod scan;
mod snapshot;
mod spans;
mod subjects;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::path::PathBuf;

use bytes::Bytes;
use natterjack_subject::{Filter, FilterSet};
use parking_lot::Mutex;

use crate::batch::Committed;
use crate::ids::{GroupId, LogIndex, Seq};
use crate::memory::Share;
use crate::record::{Message, RecordView};
use crate::segment::{Segment, cursor::Passing};
use crate::store::Context;
use crate::subjects::{SubjectState, Subjects};
use crate::traits::{Due, Limits, LoadError, MsgStore, PendingCount, Purge, Removed, State, TooMany, Upkeep};
use std::sync::Arc;

pub(crate) use checkpoint::{Checkpoint, Copies, SegmentEntry};
pub(crate) use open::{Replay, StreamFiles};
pub use snapshot::Snapshot;

/// Where a stream keeps its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// On disk.
    #[default]
    File,
    /// In memory.
    Memory,
}

/// Settings of one stream.
#[derive(Debug, Clone, Default)]
pub struct StreamOptions {
    /// Where messages are kept.
    pub storage: Storage,
    /// Size at which a segment is full, bytes; 0 is the default.
    pub segment_bytes: u64,
    /// Owner's text kept beside the messages, so that the stream can be told without anything else.
    pub label: Bytes,
}

/// Default size of a segment, bytes.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Smallest size of a segment, bytes.
const SEGMENT_BYTES_MIN: u64 = 4 * 1024;
/// The tail is copied to a segment at this size, bytes.
const DRAIN_BYTES: u64 = 1024 * 1024;
/// And at this one while all streams together take too much memory, bytes.
const DRAIN_SMALL_BYTES: u64 = 64 * 1024;
/// With more than this in the tail no more messages should come, bytes.
const TAIL_BYTES_MAX: u64 = 8 * DRAIN_BYTES;
/// While a stream is opened it is waited for that the tail is copied once it has more than this, bytes.
const REPLAY_BYTES_MAX: u64 = 2 * DRAIN_BYTES;
/// The tail is copied to a segment when nothing came for so long, nanoseconds.
const DRAIN_IDLE_NS: i64 = 1_000_000_000;
/// A checkpoint is asked for after so many bytes: files of the journal that are written again and again soon are few then.
const CHECKPOINT_BYTES: u64 = 32 * 1024 * 1024;
/// And after so many times the bytes of the table of subjects in memory, which it writes down: what checkpoints write is
/// little beside what is appended.
const CHECKPOINT_TABLES: u64 = 4;
/// A checkpoint is asked for when changes are this old, nanoseconds.
const CHECKPOINT_AGE_NS: i64 = 60_000_000_000;
/// A segment is rewritten when less than one part in so many is live.
const COMPACT_SHARE: u64 = 2;
/// And at least this much would come free, bytes.
const COMPACT_BYTES_MIN: u64 = 1024 * 1024;

const _: () = assert!(DRAIN_BYTES < SEGMENT_BYTES && SEGMENT_BYTES < CHECKPOINT_BYTES);
const _: () = assert!(SEGMENT_BYTES < u32::MAX as u64);

/// One stream's store.
#[derive(Debug)]
pub(crate) struct StreamLog {
    context: Arc<Context>,
    group: GroupId,
    dir: PathBuf,
    storage: Storage,
    segment_bytes: u64,
    /// What is written from now on is compressed.
    compress: bool,
    label: Bytes,
    segments: VecDeque<Segment>,
    /// Generation of segments to be made.
    generation: u32,
    tail: VecDeque<Option<Bytes>>,
    wholes: place::Wholes,
    tail_base: Seq,
    tail_bytes: u64,
    /// Records at the front of the tail that already have a place in a segment.
    tail_placed: usize,
    subjects: Subjects,
    /// Subjects of what is not sealed.
    chunks: spans::Chunks,
    /// What the stream takes of the memory that all share.
    share: Share,
    /// Bytes of what is known of where messages lie, as of the last upkeep.
    places_bytes: usize,
    /// A failed write of them is not tried again before, nanoseconds.
    subjects_retry_ns: i64,
    state: State,
    limits: Limits,
    ttl: BTreeSet<(i64, Seq)>,
    /// Pages of sequences in which messages have, or had, a time to live of their own.
    mortal: BTreeSet<u64>,
    /// Messages that never expire and are older than the age limit: looked at already.
    age_cursor: Seq,
    /// Damaged messages and their bytes; reading may find more.
    lost: Mutex<BTreeMap<Seq, u64>>,
    /// Entries up to here come from the journal when the stream is opened.
    replay_end: LogIndex,
    jobs: drain::Jobs,
    pins: snapshot::Pins,
    verify: verify::Verify,
    bytes_since_checkpoint: u64,
    dirty_since_ns: Option<i64>,
    last_append_ns: i64,
    applied: LogIndex,
}

impl StreamLog {
    /// Bytes of a message as the peer accounts them.
    fn accounted(&self, record: RecordView<'_>) -> u64 {
        accounted(
            self.storage,
            record.subject().len(),
            record.headers().len(),
            record.payload().len(),
        )
    }

    fn last(&self) -> Seq {
        self.state.last_seq
    }

    /// Index of `seq` in the tail.
    fn tail_slot(&self, seq: Seq) -> Option<usize> {
        usize::try_from(seq.0.checked_sub(self.tail_base.0)?)
            .ok()
            .filter(|n| *n < self.tail.len())
    }

    /// Index of the segment that covers `seq`.
    fn segment_of(&self, seq: Seq) -> Option<usize> {
        let n = self.segments.partition_point(|s| s.end() <= seq);
        self.segments.get(n).filter(|s| s.base <= seq).map(|_| n)
    }

    fn changed(&mut self) {
        self.dirty_since_ns.get_or_insert(self.last_append_ns);
    }
}

/// Bytes of a message as the peer accounts them: file and memory differ.
#[must_use]
pub fn accounted(storage: Storage, subject: usize, headers: usize, payload: usize) -> u64 {
    let size = match storage {
        Storage::File => 30 + subject + if headers > 0 { 4 + headers } else { 0 } + payload,
        Storage::Memory => 16 + subject + headers + payload,
    };
    size as u64
}

impl MsgStore for StreamLog {
    fn append(&mut self, entry: &Committed, removed: &mut dyn Removed) {
        self.apply_append(entry, removed);
    }

    fn remove(&mut self, seq: Seq, erase: bool, removed: &mut dyn Removed) -> bool {
        self.apply_remove(seq, erase, removed)
    }

    fn purge(&mut self, purge: &Purge, removed: &mut dyn Removed) -> u64 {
        self.apply_purge(purge, removed)
    }

    fn skip_to(&mut self, last: Seq, ts_ns: i64) {
        self.apply_skip(last, ts_ns);
    }

    fn truncate(&mut self, last: Seq) {
        self.apply_truncate(last);
    }

    fn set_limits(&mut self, limits: Limits, removed: &mut dyn Removed) {
        self.apply_limits(limits, removed);
    }

    fn set_compression(&mut self, on: bool) {
        let changed = std::mem::replace(&mut self.compress, on) != on;
        if changed && self.storage == Storage::File {
            self.seal_last();
        }
    }

    fn state(&self) -> State {
        let mut state = self.state;
        state.num_subjects = self.subjects.len() as u64;
        let lost = self.lost.lock();
        state.lost_msgs = lost.len() as u64;
        state.lost_bytes = lost.values().sum();
        drop(lost);
        if state.msgs == 0 {
            state.first_ts_ns = 0;
        }
        state.num_deleted = (state.last_seq.0 + 1)
            .saturating_sub(state.first_seq.0)
            .saturating_sub(state.msgs);
        state
    }

    fn load(&self, seq: Seq) -> Result<Message, LoadError> {
        self.read(seq)
    }

    fn next(&self, filter: &FilterSet, from: Seq) -> Option<Message> {
        self.find_next(filter, from)
    }

    fn scan(&self, filter: &FilterSet, from: Seq, each: &mut dyn FnMut(Passing<'_>) -> ControlFlow<()>) {
        self.walk(filter, from, each);
    }

    fn last_matching(&self, filter: &FilterSet, up_to: Seq) -> Option<Seq> {
        self.find_last(filter, up_to)
    }

    fn last_for(&mut self, subject: &[u8]) -> Option<Seq> {
        self.last_of_subject(subject)
    }

    fn subject_state(&self, subject: &[u8]) -> Option<SubjectState> {
        self.subject(subject)
    }

    fn first_for(&self, subject: &[u8]) -> Option<Seq> {
        self.first_of_subject(subject)
    }

    fn multi_last(&mut self, filter: &FilterSet, up_to: Seq, max: usize) -> Result<Vec<Seq>, TooMany> {
        self.last_of_each(filter, up_to, max)
    }

    fn num_pending(&mut self, filter: &FilterSet, from: Seq, last_per_subject: bool) -> PendingCount {
        self.count_pending(filter, from, last_per_subject)
    }

    fn subjects(&mut self, filter: &Filter, each: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) {
        self.each_subject(filter, &mut |text, state| each(text, state.count));
    }

    fn seq_at_time(&self, ts_ns: i64) -> Seq {
        self.find_time(ts_ns)
    }

    fn deleted(&self, max: usize) -> Vec<(Seq, u64)> {
        self.deleted_runs(max)
    }

    fn next_expiry_ns(&mut self) -> Option<i64> {
        self.next_due()
    }

    fn due(&mut self, now_ns: i64, max: usize) -> Vec<Due> {
        self.find_due(now_ns, max)
    }

    fn upkeep(&mut self, now_ns: i64) -> Upkeep {
        self.run_upkeep(now_ns)
    }

    fn is_behind(&self) -> bool {
        self.tail_bytes > TAIL_BYTES_MAX && self.is_draining() || self.is_spilling()
    }

    fn checkpoint(&mut self, applied: LogIndex, owner_state: Bytes) {
        self.start_checkpoint(applied, &owner_state);
    }

    fn snapshot(&mut self, applied: LogIndex, owner_state: Bytes) -> Snapshot {
        self.pin(applied, owner_state)
    }

    fn lost(&self, max: usize) -> Vec<Seq> {
        self.lost.lock().keys().take(max).copied().collect()
    }

    fn label(&self) -> &Bytes {
        &self.label
    }

    fn set_label(&mut self, label: Bytes) {
        self.label = label;
        self.changed();
    }

    fn memory_bytes(&self) -> usize {
        let held: u64 = match self.storage {
            Storage::File => 0,
            Storage::Memory => self.segments.iter().map(|s| s.data.end()).sum(),
        };
        let held = usize::try_from(held).unwrap_or(usize::MAX);
        self.subjects.memory_bytes() + self.tail_memory_bytes() + self.place_memory_bytes() + held
    }

    fn destroy(self: Box<Self>) {
        self.context.journal.release(self.group, None);
        if self.storage == Storage::File {
            let (disk, dir) = (Arc::clone(&self.context.disk), self.dir.clone());
            let _outcome = self.context.worker.submit(move || {
                // A folder left behind is removed at the next start, when nobody asks for its group.
                let _left = disk.remove_dir_all(&dir);
            });
        }
    }
}
