//! One group: a stream with its consumers, driven by one task. Everything that changes it is proposed, written to the log,
//! and applied when it is committed; several entries may be on their way at a time.
//!
//! ```text
//!   publish ─▶ decide ─▶ open batch ─▶ take_proposal ─▶ (log) ─▶ apply ─▶ acks, consumers
//!   API call ─▶ propose ─▶ command ───▶ take_proposal ─▶ (log) ─▶ apply ─▶ answer
//! ```

mod admit;
mod apply;
mod backup;
mod calls;
mod checkpoint;
mod fast;
mod log;
mod publish;
mod refusal;
mod upstream;

pub use admit::{Admitted, Form, check_form};
pub use backup::pack_messages;

use std::collections::VecDeque;

use natterjack_jsapi::stream::{StreamConfig, StreamInfo, StreamState};
use natterjack_jsapi::{GoTime, versioning};
use natterjack_store::{BatchBuilder, Committed, EntryBody, LogIndex, MsgStore, Seq};

use crate::batching::BatchLimits;
use crate::clock::Now;
use crate::command::Command;
use crate::consumer::{Consumers, Names};
use crate::effect::Effects;
use crate::stream::Stream;
use crate::usage::Charge;

/// Name of the call that waits for a command: chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// So many messages were purged.
    Purged(u64),
    /// A consumer was made, changed or paused.
    Consumer(u32),
    /// A consumer is gone.
    ConsumerGone(String),
    /// The log did not take it.
    Failed(String),
}

/// An entry for the log.
#[derive(Debug)]
pub struct Proposal {
    /// What goes to the log.
    pub body: EntryBody,
    /// Whether it need not be forced to disk by itself: nobody waits for it, or the stream is told to persist later.
    pub relaxed: bool,
    waits: Waits,
}

/// Who waits for an entry.
#[derive(Debug, Default)]
struct Waits {
    /// Publishers: reply subjects one behind the other, and what to tell each.
    replies: Vec<u8>,
    acks: Vec<Ack>,
    /// Senders of acknowledgements who want to hear of the effect.
    answers: Vec<Vec<u8>>,
    ticket: Option<Ticket>,
    /// What came of commands is told once what they let go of is gone.
    held: Vec<(Ticket, Outcome)>,
}

#[derive(Debug)]
struct Ack {
    reply_end: usize,
    seq: Seq,
    extra: Extra,
}

/// What a publisher is told beside the sequence.
#[derive(Debug)]
enum Extra {
    None,
    /// The id was seen before.
    Duplicate,
    /// The new value of a counter.
    Value(Box<str>),
    /// The batch that was stored, and how many messages it had.
    Batch(Box<str>, u64),
    /// A fast batch of one message, whose id was seen before.
    SeenBatch(Box<str>),
    /// A fast batch has come so far; the next is told after so many messages.
    Flow(u64),
}

/// A stream with its consumers.
#[derive(Debug)]
pub struct Group {
    stream: Stream,
    consumers: Consumers,
    names: Names,
    batch: BatchBuilder,
    open: Waits,
    /// Entries that come before the open batch.
    closed: VecDeque<(EntryBody, Waits)>,
    commands: VecDeque<(Command, Option<Ticket>)>,
    in_flight: VecDeque<(LogIndex, EntryBody, Waits)>,
    /// Answers to acknowledgements that wait for the next entry with changes.
    answers: Vec<Vec<u8>>,
    /// Messages consumers have let go of, to be removed with the next entry.
    remove: Vec<(u64, u64)>,
    /// What came of commands by which some of these can go; told when they are gone, as whoever hears of it may look.
    held: Vec<(Ticket, Outcome)>,
    /// What is to be told now.
    ripe: Vec<(Ticket, Outcome)>,
    /// Of these, what the log refused, on a full disk say: asked for again with the next entry, or at this time.
    remove_again: Vec<(u64, u64)>,
    remove_again_due: Option<u64>,
    changes_due: Option<u64>,
    /// Why the log refused messages whose followers are still on their way.
    refusal: Option<String>,
    applied: LogIndex,
    /// The last message on its way whose publisher is not told when it is stored; zero for none.
    unheard: Seq,
    json: Vec<u8>,
    restoring: bool,
}

impl Group {
    /// A group over an empty store.
    #[must_use]
    pub fn new(config: StreamConfig, created: GoTime, store: Box<dyn MsgStore>, names: Names) -> Self {
        let mut group = Self::without_limits(config, created, store, names);
        group.limit();
        group
    }

    /// Has the store keep the limits of the configuration, and begin where it says.
    fn limit(&mut self) {
        let stream = &mut self.stream;
        let limits = Stream::limits(stream.config());
        let first_seq = stream.config().first_seq;
        stream.store.set_limits(limits, &mut natterjack_store::Unheard);
        if first_seq > 1 && stream.store.state().last_seq == Seq::ZERO {
            stream.store.skip_to(Seq(first_seq - 1), 0);
            stream.reset_overlay();
        }
    }

    fn without_limits(config: StreamConfig, created: GoTime, store: Box<dyn MsgStore>, names: Names) -> Self {
        Self {
            stream: Stream::new(config, created, store),
            consumers: Consumers::new(names.clone()),
            names,
            batch: BatchBuilder::default(),
            open: Waits::default(),
            closed: VecDeque::new(),
            commands: VecDeque::new(),
            in_flight: VecDeque::new(),
            answers: Vec::new(),
            remove: Vec::new(),
            held: Vec::new(),
            ripe: Vec::new(),
            remove_again: Vec::new(),
            remove_again_due: None,
            changes_due: None,
            refusal: None,
            applied: LogIndex(0),
            unheard: Seq::ZERO,
            json: Vec::new(),
            restoring: false,
        }
    }

    /// From now on its batches take no more than this.
    pub fn set_batch_limits(&mut self, limits: BatchLimits) {
        self.stream.batch_limits = limits;
    }

    /// From now on it counts against these limits.
    pub fn set_charge(&mut self, charge: Charge) {
        self.stream.charge = charge;
        self.stream.recharge();
    }

    /// Applies an entry read back from the log.
    pub fn replay(&mut self, entry: &Committed, now: Now, fx: &mut dyn Effects) {
        self.apply_entry(entry, now, fx);
    }

    /// Everything was read back.
    pub fn restored(&mut self, now: Now) {
        self.restoring = false;
        self.stream.reset_overlay();
        self.stream.resume_upstreams();
        self.consumers.restored(self.stream.store.as_mut(), now);
        // A consumer may have gone, or changed, and what it held back not yet.
        self.release_all();
    }

    /// Last entry applied.
    #[must_use]
    pub const fn applied(&self) -> LogIndex {
        self.applied
    }

    /// Whether nothing is on its way or waiting to be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_idle() && self.commands.is_empty()
    }

    /// The message a reader has to wait for. One whose publisher is told when it is stored is not there before; of any
    /// other, a republished one say, nobody knows when it is, and who published it may ask for it at once.
    #[must_use]
    pub fn awaited(&self) -> Option<Seq> {
        let waits = self.unheard != Seq::ZERO && !self.is_there(self.unheard);
        waits.then_some(self.unheard)
    }

    /// Whether nothing up to `seq` is on its way.
    #[must_use]
    pub fn is_there(&self, seq: Seq) -> bool {
        self.is_idle() || self.stream.store.state().last_seq >= seq
    }

    /// Whether no message is on its way.
    fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.batch.is_empty() && self.closed.is_empty()
    }

    /// The stream.
    #[must_use]
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The stream's store.
    pub fn store(&mut self) -> &mut dyn MsgStore {
        self.stream.store.as_mut()
    }

    /// The consumers.
    pub const fn consumers(&mut self) -> &mut Consumers {
        &mut self.consumers
    }

    /// Gives the store back, for its removal.
    #[must_use]
    pub fn into_store(self) -> Box<dyn MsgStore> {
        self.stream.store
    }

    /// What the stream holds.
    #[must_use]
    pub fn state(&self) -> StreamState {
        self.stream.state(self.consumers.shown() as u64)
    }

    /// All about the stream.
    #[must_use]
    pub fn info(&self, now: Now) -> StreamInfo {
        let mut config = self.stream.config().clone();
        versioning::set_shown(&mut config.metadata);
        let upstreams = self.stream.upstreams.iter();
        StreamInfo {
            config,
            created: self.stream.created,
            state: self.state(),
            domain: self.names.domain.clone(),
            mirror: upstreams.clone().find(|u| u.is_mirror).map(|u| u.info(now)),
            sources: upstreams.filter(|u| !u.is_mirror).map(|u| u.info(now)).collect(),
            ts: GoTime(now.wall_ns),
            ..StreamInfo::default()
        }
    }
}

#[cfg(test)]
mod tests;
