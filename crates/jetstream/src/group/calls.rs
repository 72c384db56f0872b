//! What clients ask of consumers, what time brings, and what the API asks of the stream.

use natterjack_jsapi::ack::AckSubject;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy};
use natterjack_jsapi::stream::{Retention, Storage};
use natterjack_jsapi::{ApiError, errors, headers};
use natterjack_store::Seq;

use super::apply::push_range;
use super::publish::interest_in;
use super::{Group, Ticket};
use bytes::Bytes;

use crate::clock::Now;
use crate::command::Command;
use crate::consumer::AckOutcome;
use crate::effect::Effects;
use crate::stream::value;

/// Messages that expire in one entry.
const EXPIRE_MAX: usize = 10_000;

impl Group {
    /// A client asks a consumer for messages.
    pub fn on_pull(&mut self, id: u32, now: Now, reply: &[u8], body: &[u8], fx: &mut dyn Effects) {
        self.consumers.on_pull(id, now, reply, body, fx);
    }

    /// A client acknowledges a delivery.
    pub fn on_ack(
        &mut self,
        id: u32,
        now: Now,
        ack: &AckSubject<'_>,
        (body, reply): (&[u8], Option<&[u8]>),
        fx: &mut dyn Effects,
    ) {
        let outcome = self.consumers.on_ack(id, now, ack, (body, reply), fx);
        let AckOutcome { let_go, answer } = outcome;
        for range in let_go {
            self.let_go(range);
        }
        if let Some(reply) = reply.filter(|_| answer) {
            self.answers.push(reply.to_vec());
        }
    }

    /// A client answered the flow control request `subject`; its headers may acknowledge what came before.
    pub fn on_flow_reply(&mut self, id: u32, now: Now, subject: &[u8], block: &[u8], fx: &mut dyn Effects) {
        self.consumers.on_flow_reply(id, subject, now);
        let number = |name| std::str::from_utf8(value(block, name)?).ok()?.parse::<u64>().ok();
        let told = (number(headers::LAST_CONSUMER), number(headers::LAST_STREAM));
        let policy = self.consumers.config(id).map(|c| c.ack_policy);
        if let (Some(AckPolicy::FlowControl), (Some(consumer_seq), Some(stream_seq))) = (policy, told) {
            let ack = AckSubject {
                domain: None,
                account: None,
                stream: &[],
                consumer: &[],
                delivered: 1,
                stream_seq,
                consumer_seq,
                timestamp_ns: now.wall_ns,
                pending: 0,
            };
            self.on_ack(id, now, &ack, (&[], None), fx);
        }
    }

    /// A consumer has let go of messages: by retention they may leave.
    fn let_go(&mut self, (first, last): (u64, u64)) {
        match self.stream.config.retention {
            Retention::Limits => {}
            Retention::WorkQueue | Retention::Interest => {
                for seq in first..=last {
                    let Ok(message) = self.stream.store.load(Seq(seq)) else {
                        continue;
                    };
                    if !self.consumers.needed(seq, message.subject()) {
                        push_range(&mut self.remove, seq);
                    }
                }
            }
        }
    }

    /// Lets consumers deliver at most `budget` messages. Returns whether there is more.
    pub fn run(&mut self, now: Now, fx: &mut dyn Effects, budget: usize) -> bool {
        let mut let_go = Vec::new();
        let more = self
            .consumers
            .run(now, self.stream.store.as_ref(), fx, budget, &mut let_go);
        if self.stream.config.retention != Retention::Limits {
            for range in let_go {
                self.let_go(range);
            }
        }
        more
    }

    /// Does what is due: redeliveries, heartbeats, expired messages, consumers nobody uses.
    pub fn on_tick(&mut self, now: Now, fx: &mut dyn Effects) {
        for id in self.consumers.on_tick(now, fx) {
            self.commands.push_back((Command::ConsumerDelete { id }, None));
        }
        self.stream.dedup.expire(now.wall_ns);
        self.expire_batches(now, fx);
        self.fire_schedules(now);
        self.expire_messages(now);
    }

    /// Publishes what schedules are due.
    fn fire_schedules(&mut self, now: Now) {
        let retention = self.stream.config.retention;
        while !self.batch_is_full() {
            if !self.stream.fire(
                now,
                &mut self.batch,
                &mut interest_in(retention, &mut self.consumers),
            ) {
                return;
            }
        }
    }

    /// Messages whose time has come leave, or are replaced by a marker of their subject.
    fn expire_messages(&mut self, now: Now) {
        if self.stream.expiring {
            return;
        }
        let due = self.stream.store.due(now.wall_ns, EXPIRE_MAX);
        if due.is_empty() {
            return;
        }
        let marks = self.stream.config.subject_delete_marker_ttl.0 > 0;
        let mut ranges = Vec::new();
        for item in due {
            if marks {
                // What does not fit this time is still due the next time.
                if self.batch_is_full() {
                    break;
                }
                let keeps = self
                    .stream
                    .store
                    .load(item.seq)
                    .is_ok_and(|m| self.wanted(m.subject()));
                if keeps && self.stream.mark(now, &item, &mut self.batch) {
                    continue;
                }
            }
            push_range(&mut ranges, item.seq.0);
        }
        self.stream.expiring = true;
        self.commands.push_back((Command::Expire { ranges }, None));
    }

    /// When something is due next, monotonic.
    pub fn next_deadline_ns(&mut self, now: Now) -> Option<u64> {
        let expiry = if self.stream.expiring {
            None
        } else {
            self.stream.store.next_expiry_ns()
        };
        let scheduled = self.stream.schedules.next_ns();
        let expiry = expiry.into_iter().chain(scheduled).min();
        let expiry = expiry.map(|at| {
            let left = u64::try_from(at.saturating_sub(now.wall_ns)).unwrap_or(0);
            now.mono_ns.saturating_add(left)
        });
        let batches = self.stream.batches.next_deadline_ns(&self.stream.batch_limits);
        let flows = self.stream.flows.next_deadline_ns(&self.stream.batch_limits);
        [
            self.consumers.next_deadline_ns(),
            self.changes_due,
            self.remove_again_due,
            expiry,
            batches,
            flows,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Queues a command; its outcome comes with `ticket`.
    pub fn propose(&mut self, command: Command, ticket: Option<Ticket>) {
        if let Some(last) = self.jump_of(&command) {
            self.propose_in_order(&command, ticket);
            self.stream.overlay.last_seq = last;
            return;
        }
        self.commands.push_back((command, ticket));
    }

    /// The last sequence that `command` gives up, if it moves on beyond the last one given: what is decided after it gets
    /// what comes behind.
    fn jump_of(&self, command: &Command) -> Option<Seq> {
        let last = match command {
            Command::Purge { filter, up_to, .. } if filter.is_empty() => up_to.checked_sub(1)?,
            Command::Skip { last, .. } => *last,
            _ => return None,
        };
        (last > self.stream.overlay.last_seq.0).then_some(Seq(last))
    }

    /// Whether a message may be deleted.
    ///
    /// # Errors
    /// The peer's.
    pub fn check_delete(&self, seq: u64) -> Result<(), ApiError> {
        if self.stream.config.sealed {
            return Err(errors::STREAM_SEALED);
        }
        if self.stream.config.deny_delete {
            return Err(errors::stream_msg_delete_failed("message delete not permitted"));
        }
        if self.stream.store.load(Seq(seq)).is_err() {
            return Err(self.not_there(seq));
        }
        Ok(())
    }

    /// What a delete is told about a sequence that has no message: in files the peer tells before, between and behind
    /// apart.
    fn not_there(&self, seq: u64) -> ApiError {
        let state = self.stream.store.state();
        if self.stream.config.storage == Storage::Memory {
            errors::sequence_not_found(seq)
        } else if seq > state.last_seq.0 {
            errors::stream_msg_delete_failed("stream store EOF")
        } else if seq < state.first_seq.0.max(1) {
            errors::stream_msg_delete_failed("no message found")
        } else {
            errors::sequence_not_found(seq)
        }
    }

    /// Whether the stream may be purged.
    ///
    /// # Errors
    /// The peer's.
    pub fn check_purge(&self) -> Result<(), ApiError> {
        if self.stream.config.sealed {
            return Err(errors::STREAM_SEALED);
        }
        if self.stream.config.deny_purge {
            return Err(errors::stream_purge_failed("stream purge not permitted"));
        }
        Ok(())
    }

    /// All about a consumer.
    #[must_use]
    pub fn consumer_info(&self, id: u32, now: Now) -> Option<ConsumerInfo> {
        self.consumers.info(id, now)
    }

    /// Checks and lays out a new consumer.
    pub fn prepare_consumer(&mut self, name: String, config: ConsumerConfig, now: Now) -> Command {
        let stream = &mut self.stream;
        let created = self
            .consumers
            .prepare(name, config, &stream.config, stream.store.as_mut(), now);
        Command::ConsumerCreate(Box::new(created))
    }

    /// Starts a consumer over.
    pub fn reset_consumer(&mut self, id: u32, next: u64, now: Now) {
        self.consumers.reset(id, next, self.stream.store.as_mut(), now);
    }

    /// The whole group goes: those who wait are told.
    pub fn end(&mut self, line: &str, fx: &mut dyn Effects) {
        let ids: Vec<u32> = self.consumers.ids().collect();
        for id in ids {
            self.consumers.apply_delete(id, line, fx);
        }
    }

    /// The server stops: those who wait are told.
    pub fn stop(&mut self, fx: &mut dyn Effects) {
        self.consumers.end_requests("409 Server Shutdown", fx);
    }

    /// The label under which the store keeps the stream.
    #[must_use]
    pub fn label(&self) -> Bytes {
        self.stream.store.label().clone()
    }

    /// Where a consumer would start over: behind its ack floor, or at `seq` where its deliver policy lets it.
    ///
    /// # Errors
    /// The peer's.
    pub fn check_reset(&self, id: u32, seq: u64) -> Result<u64, ApiError> {
        let consumer = self.consumers.get(id).ok_or(errors::CONSUMER_NOT_FOUND)?;
        if seq == 0 {
            return Ok(consumer.state.floor.stream + 1);
        }
        let config = &consumer.config;
        match config.deliver_policy {
            DeliverPolicy::All => Ok(seq),
            DeliverPolicy::ByStartSequence if seq < config.opt_start_seq => {
                Err(errors::consumer_invalid_reset("below start seq"))
            }
            DeliverPolicy::ByStartSequence => Ok(seq),
            DeliverPolicy::ByStartTime => {
                let first = config
                    .opt_start_time
                    .map_or(Seq(1), |t| self.stream.store.seq_at_time(t.0));
                if seq < first.0 {
                    return Err(errors::consumer_invalid_reset("below start time"));
                }
                Ok(seq)
            }
            _ => Err(errors::consumer_invalid_reset("not allowed")),
        }
    }
}
