//! One consumer: where it is, who waits for its messages, what is due when. Inputs come through the files beside this one;
//! everything here is data and the few things all of them need.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, ReplayPolicy};
use natterjack_store::{MsgStore, Seq};
use natterjack_subject::{Filter, FilterSet};

use super::config::{filters, sample_percent};
use super::delta::Change;
use super::pull::Waiting;
use super::push::Flow;
use super::start::LastList;
use super::state::State;
use crate::clock::Now;

/// What the stream tells its consumers about itself.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Stream.
    pub stream: String,
    /// JetStream domain.
    pub domain: String,
    /// Account.
    pub account: String,
    /// `<domain>.<hash of the account>` where ack and flow control subjects have the second form.
    pub long_form: Option<String>,
}

impl Names {
    /// What ack subjects of a consumer begin with, and where in it its stream's name stands.
    fn ack_prefix(&self, consumer: &str) -> (Vec<u8>, usize) {
        let mut prefix = "$JS.ACK.".to_owned();
        if let Some(long) = &self.long_form {
            prefix.push_str(long);
            prefix.push('.');
        }
        let at = prefix.len();
        prefix.push_str(&self.stream);
        prefix.push('.');
        prefix.push_str(consumer);
        (prefix.into_bytes(), at)
    }
}

/// One consumer.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, in every combination"
)]
pub struct Consumer {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) config: ConsumerConfig,
    pub(crate) created: GoTime,
    pub(crate) filters: FilterSet,
    pub(crate) state: State,
    pub(crate) last_list: LastList,
    /// Where it is.
    pub(crate) names: Arc<Names>,
    /// Begins its ack subjects.
    pub(crate) ack_prefix: Vec<u8>,
    /// Where in it `<stream>.<consumer>` begins.
    pub(crate) path_at: usize,
    pub(crate) num_pending: u64,
    /// Messages to deliver again, first come first.
    pub(crate) redeliver: VecDeque<u64>,
    pub(crate) redeliver_set: BTreeSet<u64>,
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) flow: Flow,
    /// Push: whether somebody listens.
    pub(crate) active: bool,
    /// Since when nobody uses it, monotonic; `None` while somebody does.
    pub(crate) idle_since: Option<u64>,
    pub(crate) last_delivered_wall: Option<GoTime>,
    pub(crate) last_acked_wall: Option<GoTime>,
    pub(crate) paused_until: Option<GoTime>,
    /// Earliest time the next message may go (replay and rate limit), monotonic.
    pub(crate) hold_until: u64,
    /// Between the cursor and here no message matches. Only saves looking again.
    pub(crate) nothing_before: u64,
    /// When the bytes sent so far would have gone out at exactly the rate limit, monotonic.
    pub(crate) rate_mark: u64,
    /// Whether the message that is held back by the rate limit is counted in that already.
    pub(crate) rate_paid: bool,
    /// Replay: whether messages keep their distances still, the time stamp of the one before, and from where on it ends
    /// once there is nothing to deliver.
    pub(crate) replaying: bool,
    pub(crate) replay_from: Option<i64>,
    pub(crate) replay_end: u64,
    /// Replay and rate limit: how many messages were to come behind the one that is held back, when it was its turn.
    pub(crate) held_pending: Option<u64>,
    /// When it was last looked for requests nobody listens for, monotonic.
    pub(crate) looked_for_deaf: u64,
    pub(crate) sample: u8,
    pub(crate) pin: super::priority::Pin,
    pub(crate) deltas: Vec<u8>,
    /// Whether `deltas` has something that answers or removals wait for.
    pub(crate) urgent: bool,
    /// Whether it may have something to deliver.
    pub(crate) runnable: bool,
    /// Whether it is in the list of those that may.
    pub(crate) queued: bool,
    /// Whether it is in the list of those with changes.
    pub(crate) listed: bool,
    /// Earliest pending expiry, a lower bound; monotonic.
    pub(crate) next_due: u64,
    /// The deadline under which it is registered.
    pub(crate) registered: Option<u64>,
}

/// Everything a new consumer is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) config: ConsumerConfig,
    pub(crate) created: GoTime,
    pub(crate) state: State,
    pub(crate) last_list: LastList,
    pub(crate) replay_end: u64,
}

pub(crate) fn filter_set(config: &ConsumerConfig) -> FilterSet {
    FilterSet::new(
        filters(config)
            .iter()
            .filter_map(|f| Filter::parse(f.as_bytes()).ok())
            .collect(),
    )
}

impl Consumer {
    pub(crate) fn new(parts: Parts, names: &Arc<Names>, store: &mut dyn MsgStore, now: Now) -> Self {
        let config = parts.config;
        let (ack_prefix, path_at) = names.ack_prefix(&parts.name);
        let mut consumer = Self {
            id: parts.id,
            name: parts.name,
            filters: filter_set(&config),
            sample: sample_percent(&config.sample_freq).unwrap_or(0),
            paused_until: config.pause_until.filter(|t| t.0 > now.wall_ns),
            flow: Flow::new(&config),
            created: parts.created,
            state: parts.state,
            last_list: parts.last_list,
            names: Arc::clone(names),
            ack_prefix,
            path_at,
            num_pending: 0,
            redeliver: VecDeque::new(),
            redeliver_set: BTreeSet::new(),
            waiting: VecDeque::new(),
            active: false,
            idle_since: Some(now.mono_ns),
            last_delivered_wall: None,
            last_acked_wall: None,
            hold_until: 0,
            rate_mark: 0,
            rate_paid: false,
            nothing_before: 0,
            replaying: config.replay_policy == ReplayPolicy::Original,
            replay_from: None,
            replay_end: parts.replay_end,
            held_pending: None,
            looked_for_deaf: now.mono_ns,
            pin: super::priority::Pin::default(),
            deltas: Vec::new(),
            urgent: false,
            runnable: false,
            queued: false,
            listed: false,
            next_due: 0,
            registered: None,
            config,
        };
        consumer.recount(store);
        consumer.rearm(now);
        consumer
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn is_push(&self) -> bool {
        !self.config.deliver_subject.is_empty()
    }

    pub(crate) fn acks(&self) -> bool {
        self.config.ack_policy != AckPolicy::None
    }

    /// Makes a change and notes it for the log.
    pub(crate) fn change(&mut self, change: Change) {
        self.state.apply(self.config.ack_policy, change);
        change.encode(&mut self.deltas);
    }

    /// Messages from here on have still to be looked at.
    pub(crate) fn cursor(&self) -> u64 {
        self.state.next_sseq.max(self.last_list.resume)
    }

    /// Where to look for the next message: behind those that were looked at and did not match.
    pub(crate) fn looked_to(&self) -> u64 {
        self.cursor().max(self.nothing_before)
    }

    /// Counts anew how many messages are to come.
    pub(crate) fn recount(&mut self, store: &mut dyn MsgStore) {
        self.nothing_before = 0;
        let from = Seq(self.cursor());
        let behind = store.num_pending(&self.filters, from, false).count;
        let listed = self
            .last_list
            .seqs
            .iter()
            .filter(|s| **s < from.0 && store.load(Seq(**s)).is_ok())
            .count();
        self.num_pending = behind + listed as u64;
    }

    /// Other filters: what is still listed and no longer wanted is not delivered.
    pub(crate) fn refiltered(&mut self, store: &mut dyn MsgStore) {
        let filters = &self.filters;
        let wanted = |s: &u64| store.load(Seq(*s)).is_ok_and(|m| filters.matches(m.subject()));
        self.last_list.seqs.retain(wanted);
        self.recount(store);
    }

    /// After a restart: messages may have left whose leaving was not written down for the consumer. Returns whether it
    /// waits for one that its filters do not let through.
    pub(crate) fn forget_gone(&mut self, store: &dyn MsgStore) -> bool {
        let pending = self.state.pending.iter().map(|p| p.sseq);
        let known: BTreeSet<u64> = pending.chain(self.state.redelivered.keys().copied()).collect();
        let mut strayed = false;
        for sseq in known {
            match store.load(Seq(sseq)) {
                Ok(message) => strayed |= !self.filters.matches(message.subject()),
                Err(_) => self.change(Change::Gone { sseq }),
            }
        }
        self.last_list.seqs.retain(|s| store.load(Seq(*s)).is_ok());
        strayed
    }

    /// After a restart: everything that waits for an acknowledgement gets its full time again.
    pub(crate) fn rearm(&mut self, now: Now) {
        let wait = self.ack_wait_ns(1);
        for pending in self.state.pending.iter_mut() {
            pending.due_ns = now.mono_ns.saturating_add(wait);
        }
        self.next_due = if self.state.pending.is_empty() {
            u64::MAX
        } else {
            now.mono_ns.saturating_add(wait)
        };
    }

    /// How long the `count`-th delivery may stay unacknowledged.
    pub(crate) fn ack_wait_ns(&self, count: u64) -> u64 {
        let at = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
        let steps = &self.config.backoff;
        let step = steps.get(at).or_else(|| steps.last()).filter(|step| step.0 > 0);
        match step.unwrap_or(&self.config.ack_wait).as_u64() {
            // No wait at all means that nothing comes again by itself, as in the peer.
            0 => u64::MAX,
            wait => wait,
        }
    }

    /// Whether the consumer has a say in whether message `seq` on `subject` may go, and has not let go of it.
    pub(crate) fn needs(&self, seq: u64, subject: &[u8]) -> bool {
        if !self.filters.matches(subject) {
            return false;
        }
        let coming = seq >= self.cursor() || self.last_list.seqs.binary_search(&seq).is_ok();
        // What was given up is not let go of by that.
        let held = self.state.pending.contains(seq) || self.state.redelivered.contains_key(&seq);
        coming || (self.acks() && held)
    }

    pub(crate) fn is_paused(&self, now: Now) -> bool {
        self.paused_until.is_some_and(|t| t.0 > now.wall_ns)
    }
}
