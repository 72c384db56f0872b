//! One stream: its configuration, what may be published to it, and what applying its log does. Knows nothing of consumers
//! beyond what their group tells it.

mod atomic;
mod check;
pub mod config;
mod counter;
mod dedup;
pub(crate) mod fast;
mod gather;
mod id_ring;
mod marker;
mod publish;
mod republish;
mod schedule;
mod sourced;
pub mod template;
mod text;

use std::collections::BTreeMap;

use crate::limits::LOST_MAX;
use natterjack_jsapi::GoTime;
use natterjack_jsapi::stream::{Compression, Discard, LostData, StreamConfig, StreamState};
use natterjack_store::{Limits, LogIndex, MsgStore, Removed, Seq};
use natterjack_subject::transform::Transform;

use crate::batching::BatchLimits;
use crate::source::{Position, Upstream};
use crate::usage::Charge;

pub use config::{Alone, Context, Create, Streams, check_create, check_restore, check_update};
pub(crate) use counter::Counted;
pub(crate) use dedup::Dedup;
pub(crate) use gather::{Abandoned, Batches, Gathered, Held};
pub use publish::{Incoming, Verdict};
pub(crate) use sourced::Sourced;
pub use text::has_api_level;
pub(crate) use text::{header, push_header, value, without_api_level};

/// What is on its way to the log and not applied yet.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// The last sequence given.
    pub(crate) last_seq: Seq,
    /// Time stamp of the last message.
    pub(crate) last_ts_ns: i64,
    /// Messages on their way.
    pub(crate) msgs: u64,
    /// Their bytes, as accounted.
    pub(crate) bytes: u64,
    /// Their subjects: last sequence and how many.
    pub(crate) subjects: hashbrown::HashMap<Box<[u8]>, (Seq, u64), foldhash::fast::RandomState>,
    /// Counters among them, with what they will count.
    pub(crate) counters: hashbrown::HashMap<Box<[u8]>, Counted, foldhash::fast::RandomState>,
}

/// A stream.
#[derive(Debug)]
pub struct Stream {
    pub(crate) config: StreamConfig,
    pub(crate) created: GoTime,
    pub(crate) store: Box<dyn MsgStore>,
    pub(crate) transform: Option<Transform>,
    pub(crate) republish: Option<Transform>,
    pub(crate) overlay: Overlay,
    pub(crate) dedup: Dedup,
    /// Atomic batches that gather.
    pub(crate) batches: Batches,
    /// Whether it starts at one because it was made or purged so, not just at the beginning: that shows while it is empty.
    pub(crate) starts_at_one: bool,
    /// What batches may take.
    pub(crate) batch_limits: BatchLimits,
    /// Fast batches on their way.
    pub(crate) flows: fast::Flows,
    /// When messages are to be published by themselves.
    pub(crate) schedules: schedule::Schedules,
    /// What it takes of the limits of the account and the server.
    pub(crate) charge: Charge,
    /// Where messages are copied from.
    pub(crate) upstreams: Vec<Upstream>,
    /// How far each origin was followed, by what is applied.
    pub(crate) origins: BTreeMap<String, Position>,
    pub(crate) applied: LogIndex,
    /// Whether messages whose time is over are on their way out.
    pub(crate) expiring: bool,
}

/// A transform that passed the checks of the configuration.
fn transform(src: &str, dest: &str) -> Option<Transform> {
    if dest.is_empty() {
        None
    } else {
        Transform::new(src, dest).ok()
    }
}

impl Stream {
    pub(crate) fn new(config: StreamConfig, created: GoTime, store: Box<dyn MsgStore>) -> Self {
        let mut stream = Self {
            config: StreamConfig::default(),
            created,
            store,
            transform: None,
            republish: None,
            overlay: Overlay::default(),
            dedup: Dedup::default(),
            batches: Batches::default(),
            starts_at_one: config.first_seq == 1,
            batch_limits: BatchLimits::default(),
            flows: fast::Flows::default(),
            schedules: schedule::Schedules::default(),
            charge: Charge::default(),
            upstreams: Vec::new(),
            origins: BTreeMap::new(),
            applied: LogIndex(0),
            expiring: false,
        };
        stream.derive(config);
        stream.reset_overlay();
        stream
    }

    /// Takes a configuration over with what follows from it, but not what it means for stored messages.
    fn derive(&mut self, config: StreamConfig) {
        self.transform = config
            .subject_transform
            .as_ref()
            .and_then(|t| transform(&t.src, &t.dest));
        self.republish = config.republish.as_ref().and_then(|r| transform(&r.src, &r.dest));
        self.dedup.set_window(config.duplicate_window.0);
        if !config.allow_atomic {
            self.batches.clear();
        }
        if !config.allow_batched {
            self.flows.clear();
        }
        self.store.set_compression(config.compression == Compression::S2);
        self.config = config;
        self.derive_upstreams();
    }

    /// Its configuration in the stored form.
    #[must_use]
    pub const fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// The limits the store keeps. Where new messages are refused instead, nothing is evicted for them, not even when a
    /// limit is lowered below what is there.
    pub(crate) fn limits(config: &StreamConfig) -> Limits {
        let positive = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
        let evicts = config.discard == Discard::Old;
        Limits {
            max_msgs: positive(config.max_msgs).filter(|_| evicts),
            max_bytes: positive(config.max_bytes).filter(|_| evicts),
            max_per_subject: positive(config.max_msgs_per_subject)
                .filter(|_| evicts || !config.discard_new_per_subject),
            max_age_ns: positive(config.max_age.0),
        }
    }

    /// Applies another configuration; what its limits evict is reported to `removed`.
    pub(crate) fn apply_config(&mut self, config: StreamConfig, removed: &mut dyn Removed) {
        let limits = Self::limits(&config);
        self.derive(config);
        self.store.set_limits(limits, removed);
    }

    /// Forgets what was on its way: nothing is any more.
    pub(crate) fn reset_overlay(&mut self) {
        let state = self.store.state();
        self.overlay = Overlay {
            last_seq: state.last_seq,
            last_ts_ns: state.last_ts_ns,
            ..Overlay::default()
        };
    }

    /// Messages that were decided on did not make it into the log, and nothing is on its way: goes on as if they had never
    /// come. Fast batches cannot go on without theirs, origins and schedules are asked again.
    pub(crate) fn rewind(&mut self) {
        self.reset_overlay();
        self.flows.clear();
        self.schedules.rewind();
        let last = self.overlay.last_seq;
        let id = self.store.load(last).ok().and_then(|message| {
            let id = header(message.headers(), natterjack_jsapi::headers::MSG_ID)?;
            Some((Box::from(id), last))
        });
        self.dedup.set_last(id);
        for upstream in &mut self.upstreams {
            upstream.at.seq = 0;
        }
        self.resume_upstreams();
        self.recharge();
    }

    /// Counts what it holds and what is on its way.
    pub(crate) fn recharge(&mut self) {
        self.charge.set(self.store.state().bytes + self.overlay.bytes);
    }

    /// Whether so many bytes more would be allowed.
    pub(crate) fn has_room(&self, more: u64) -> bool {
        self.charge.check(more).is_ok()
    }

    /// What it holds, as the API shows it.
    pub(crate) fn state(&self, consumers: u64) -> StreamState {
        let state = self.store.state();
        let time = |ns: i64| if ns == 0 { GoTime::ZERO } else { GoTime(ns) };
        // A stream that never had a message starts at zero, unless it was told to start at one.
        let unused = state.msgs == 0 && state.last_seq == Seq::ZERO && !self.starts_at_one;
        StreamState {
            messages: state.msgs,
            bytes: state.bytes,
            first_seq: if unused { 0 } else { state.first_seq.0 },
            first_ts: time(state.first_ts_ns),
            last_seq: state.last_seq.0,
            last_ts: time(state.last_ts_ns),
            num_subjects: state.num_subjects,
            num_deleted: state.num_deleted,
            lost: (state.lost_msgs > 0).then(|| LostData {
                msgs: Some(self.store.lost(LOST_MAX).iter().map(|seq| seq.0).collect()),
                bytes: state.lost_bytes,
            }),
            consumer_count: consumers,
            ..StreamState::default()
        }
    }
}
