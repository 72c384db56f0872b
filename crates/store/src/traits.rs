//! What a stream's owner asks of its store. One implementation serves files and memory; changes are applied in log order,
//! cannot fail and depend on nothing but what was applied before.

use std::fmt::Debug;
use std::ops::ControlFlow;

use bytes::Bytes;
use natterjack_subject::{Filter, FilterSet};

use crate::batch::Committed;
use crate::ids::{LogIndex, Seq};
use crate::log::Snapshot;
use crate::record::Message;
use crate::segment::cursor::Passing;
use crate::subjects::SubjectState;

/// What a stream holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Live messages.
    pub msgs: u64,
    /// Their bytes, as the peer accounts them.
    pub bytes: u64,
    /// The first live message, or the one behind the last when there is none.
    pub first_seq: Seq,
    /// When the first was stored, nanoseconds; 0 when there is none.
    pub first_ts_ns: i64,
    /// The last sequence ever given.
    pub last_seq: Seq,
    /// When the last was stored, nanoseconds.
    pub last_ts_ns: i64,
    /// Distinct subjects.
    pub num_subjects: u64,
    /// Sequences between first and last that are gone.
    pub num_deleted: u64,
    /// Messages that are damaged.
    pub lost_msgs: u64,
    /// Bytes of damaged messages.
    pub lost_bytes: u64,
}

/// Limits that evict old messages; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages.
    pub max_msgs: Option<u64>,
    /// Bytes.
    pub max_bytes: Option<u64>,
    /// Messages of one subject.
    pub max_per_subject: Option<u64>,
    /// Age, nanoseconds; only reported by [`MsgStore::due`], never enforced by itself.
    pub max_age_ns: Option<u64>,
}

/// What to purge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purge {
    /// Only these subjects.
    pub filter: Option<Filter>,
    /// Only before this sequence.
    pub up_to: Option<Seq>,
    /// Leave so many, the newest.
    pub keep: u64,
}

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Outside of what the stream ever held.
    #[error("no message found")]
    NotFound,
    /// It was deleted.
    #[error("deleted message")]
    Deleted,
    /// It is damaged.
    #[error("message is damaged")]
    Lost,
}

/// Hears of every message that leaves.
pub trait Removed {
    /// Message `seq` on `subject` is gone.
    fn removed(&mut self, seq: Seq, subject: &[u8]);

    /// Message `seq` of an entry comes; what is removed until the next one comes leaves because of it.
    fn comes(&mut self, _seq: Seq) {}

    /// Whether it wants to hear of each message. If not, all that a purge takes may leave without a word.
    fn listens(&self) -> bool {
        true
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unheard;

impl Removed for Unheard {
    fn removed(&mut self, _seq: Seq, _subject: &[u8]) {}

    fn listens(&self) -> bool {
        false
    }
}

impl<F: FnMut(Seq, &[u8])> Removed for F {
    fn removed(&mut self, seq: Seq, subject: &[u8]) {
        self(seq, subject);
    }
}

/// A message whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its sequence.
    pub seq: Seq,
    /// Whether its own time to live ended, not the stream's age limit.
    pub ttl: bool,
}

/// Messages a filter still has to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingCount {
    /// How many.
    pub count: u64,
    /// As of this sequence.
    pub up_to: Seq,
}

/// More results than were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many results")]
pub struct TooMany;

/// What upkeep asks of the owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// A checkpoint should be made.
    pub wants_checkpoint: bool,
    /// Something is going on; call again soon.
    pub busy: bool,
}

/// A stream's messages.
pub trait MsgStore: Send + Debug {
    /// Applies committed messages. What limits evict is reported to `removed`.
    fn append(&mut self, entry: &Committed, removed: &mut dyn Removed);
    /// Removes a message; `erase` also overwrites its bytes. `false` if it was not there.
    fn remove(&mut self, seq: Seq, erase: bool, removed: &mut dyn Removed) -> bool;
    /// Removes messages; returns how many.
    fn purge(&mut self, purge: &Purge, removed: &mut dyn Removed) -> u64;
    /// Gives up sequences: the next message gets the one behind `last`.
    fn skip_to(&mut self, last: Seq, ts_ns: i64);
    /// Takes everything behind `last` back.
    fn truncate(&mut self, last: Seq);
    /// Sets limits and enforces them.
    fn set_limits(&mut self, limits: Limits, removed: &mut dyn Removed);
    /// Whether segments written from now on are compressed; those there are stay as they are. Without effect in memory.
    fn set_compression(&mut self, on: bool);

    /// What the stream holds.
    fn state(&self) -> State;
    /// Reads a message.
    ///
    /// # Errors
    /// [`LoadError`].
    fn load(&self, seq: Seq) -> Result<Message, LoadError>;
    /// The first message at or behind `from` that passes `filter`.
    fn next(&self, filter: &FilterSet, from: Seq) -> Option<Message>;
    /// Shows `each` the messages at or behind `from` that pass `filter`, in order, until it has seen enough. Much cheaper than
    /// as many calls of [`MsgStore::next`].
    fn scan(&self, filter: &FilterSet, from: Seq, each: &mut dyn FnMut(Passing<'_>) -> ControlFlow<()>);
    /// The last message at or before `up_to` that passes `filter`.
    fn last_matching(&self, filter: &FilterSet, up_to: Seq) -> Option<Seq>;
    /// The last message of a literal subject.
    fn last_for(&mut self, subject: &[u8]) -> Option<Seq>;
    /// What is known of a literal subject.
    fn subject_state(&self, subject: &[u8]) -> Option<SubjectState>;
    /// The oldest message of a literal subject.
    fn first_for(&self, subject: &[u8]) -> Option<Seq>;
    /// The last message of each matching subject, ascending, as of `up_to`.
    ///
    /// # Errors
    /// [`TooMany`] beyond `max`.
    fn multi_last(&mut self, filter: &FilterSet, up_to: Seq, max: usize) -> Result<Vec<Seq>, TooMany>;
    /// How many messages from `from` on pass `filter`; with `last_per_subject` only the last of each subject count.
    fn num_pending(&mut self, filter: &FilterSet, from: Seq, last_per_subject: bool) -> PendingCount;
    /// Subjects that pass `filter`, in order, with their number of messages.
    fn subjects(&mut self, filter: &Filter, each: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>);
    /// The first message stored at or after `ts_ns`, or the sequence behind the last.
    fn seq_at_time(&self, ts_ns: i64) -> Seq;
    /// Runs of sequences between first and last that are gone, as (first, count), up to `max` sequences in all.
    fn deleted(&self, max: usize) -> Vec<(Seq, u64)>;
    /// When the next message is due, wall clock nanoseconds.
    fn next_expiry_ns(&mut self) -> Option<i64>;
    /// Messages whose time has come, ascending, up to `max`. They stay until the owner removes them.
    fn due(&mut self, now_ns: i64, max: usize) -> Vec<Due>;

    /// Starts and collects background work. Never waits for the disk.
    fn upkeep(&mut self, now_ns: i64) -> Upkeep;
    /// Whether messages come in faster than they can be copied to where they stay: the owner should wait with more, and do
    /// upkeep meanwhile. Not so when copying fails: what is in memory is in the journal as well.
    fn is_behind(&self) -> bool;
    /// Makes everything applied up to `applied`, and the owner's state as of then, durable in the background.
    fn checkpoint(&mut self, applied: LogIndex, owner_state: Bytes);
    /// Pins the stream as it is now, which is as of `applied`, with the owner's state as of then: the [`Snapshot`] reads the
    /// same whatever the stream does afterwards, from any thread. Takes time by the number of segments, reads and copies no
    /// message.
    fn snapshot(&mut self, applied: LogIndex, owner_state: Bytes) -> Snapshot;
    /// Sequences of damaged messages, at most `max` of them.
    fn lost(&self, max: usize) -> Vec<Seq>;
    /// The label given when the stream was made.
    fn label(&self) -> &Bytes;
    /// Replaces the label; kept with the next checkpoint.
    fn set_label(&mut self, label: Bytes);
    /// Bytes of memory in use, near enough.
    fn memory_bytes(&self) -> usize;
    /// Removes all data.
    fn destroy(self: Box<Self>);
}
