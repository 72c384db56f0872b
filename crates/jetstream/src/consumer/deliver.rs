//! Choosing the next message and handing it over. Redeliveries go first; new messages wait while too many are
//! unacknowledged.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::ack::AckSubject;
use natterjack_store::{Message, MsgStore, Seq};

use super::delta::Change;
use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::{Delivery, Effects, Handed};

/// Messages that came within this time are not held back when they are replayed.
const REPLAY_GAP_NS: u64 = 1_000_000;

/// A header block with nothing in it.
const NO_HEADERS: &[u8] = b"NATS/1.0\r\n\r\n";

/// A message that is next, and how often it will have been delivered then.
struct Next {
    message: Message,
    count: u64,
}

/// Why a consumer stops delivering for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Nothing to do until something happens.
    Idle,
    /// Its share of this round is used up.
    Budget,
}

/// Buffers that are used again for each delivery.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    reply: Vec<u8>,
    extra: Vec<u8>,
}

impl Consumer {
    /// Delivers what may go now, at most `budget` messages.
    pub(crate) fn deliver(
        &mut self,
        now: Now,
        store: &dyn MsgStore,
        fx: &mut dyn Effects,
        scratch: &mut Scratch,
        budget: &mut usize,
    ) -> (Stopped, Vec<(u64, u64)>) {
        let mut let_go = Vec::new();
        loop {
            if *budget == 0 {
                return (Stopped::Budget, let_go);
            }
            let ready = if self.is_push() {
                self.active && !self.flow.is_full()
            } else {
                !self.waiting.is_empty()
            };
            let paused = self.is_paused(now);
            if paused && !self.is_push() {
                // Who does not wait is told that there is nothing.
                self.end_requests(now, true, fx);
            }
            if self.hold_until > now.mono_ns {
                return (Stopped::Idle, let_go);
            }
            if !ready || paused {
                self.replaying &= self.state.next_sseq <= self.replay_end;
                return (Stopped::Idle, let_go);
            }
            let Some(next) = self.next_message(now, store, fx) else {
                let held = self.hold_until > now.mono_ns;
                if !self.is_push() && !self.is_at_limit() && !held {
                    self.end_requests(now, true, fx);
                }
                self.replaying &= held || self.state.next_sseq <= self.replay_end;
                return (Stopped::Idle, let_go);
            };
            let seq = next.message.seq().0;
            if !self.hand_over(now, &next, fx, scratch) {
                return (Stopped::Idle, let_go);
            }
            *budget -= 1;
            if !self.acks() {
                let_go.push((seq, seq));
            }
        }
    }

    fn next_message(&mut self, now: Now, store: &dyn MsgStore, fx: &mut dyn Effects) -> Option<Next> {
        while let Some(sseq) = self.redeliver.front().copied() {
            let count = self.state.count(sseq).max(1) + 1;
            let max = u64::try_from(self.config.max_deliver).unwrap_or(u64::MAX);
            if count > max {
                self.pop_redelivery();
                self.exceeded(now, sseq, count - 1, fx);
                continue;
            }
            let Ok(message) = store.load(Seq(sseq)) else {
                self.pop_redelivery();
                self.change(Change::Gone { sseq });
                continue;
            };
            return Some(Next { message, count });
        }
        if self.is_at_limit() {
            return None;
        }
        self.next_new(now, store)
    }

    pub(crate) fn pop_redelivery(&mut self) {
        if let Some(sseq) = self.redeliver.pop_front() {
            self.redeliver_set.remove(&sseq);
        }
    }

    pub(crate) fn exceeded(&mut self, now: Now, sseq: u64, count: u64, fx: &mut dyn Effects) {
        if self.state.pending.contains(sseq) {
            self.advise_max_deliver(now, sseq, count, fx);
        }
        self.change(Change::Exceeded { sseq, count });
        self.urgent = true;
    }

    fn next_new(&mut self, now: Now, store: &dyn MsgStore) -> Option<Next> {
        while let Some(sseq) = self.last_list.seqs.front().copied() {
            if let Ok(message) = store.load(Seq(sseq)) {
                return Some(Next { message, count: 1 });
            }
            self.last_list.seqs.pop_front();
            self.num_pending = self.num_pending.saturating_sub(1);
        }
        let from = self.looked_to();
        let found = store.next(&self.filters, Seq(from));
        let Some(message) = found else {
            // The peer does not show that it looked.
            self.nothing_before = store.state().last_seq.0 + 1;
            self.num_pending = 0;
            return None;
        };
        if self.replaying
            && let Some(before) = self.replay_from
        {
            let gap = u64::try_from(message.ts_ns().saturating_sub(before)).unwrap_or(0);
            self.replay_from = None;
            if gap > REPLAY_GAP_NS {
                self.hold_until = now.mono_ns.saturating_add(gap);
                self.held_pending = Some(self.num_pending.saturating_sub(1));
                return None;
            }
        }
        Some(Next { message, count: 1 })
    }

    /// The ack subject of a delivery.
    fn write_reply(&self, next: &Next, pending: u64, out: &mut Vec<u8>) {
        out.clear();
        let ack = AckSubject {
            domain: None,
            account: None,
            stream: &[],
            consumer: &[],
            delivered: next.count,
            stream_seq: next.message.seq().0,
            consumer_seq: self.state.next_cseq,
            timestamp_ns: next.message.ts_ns(),
            pending,
        };
        ack.encode_behind(&self.ack_prefix, out);
    }

    /// Hands a message to whoever is next; `false` when nobody takes it.
    fn hand_over(&mut self, now: Now, next: &Next, fx: &mut dyn Effects, scratch: &mut Scratch) -> bool {
        let message = &next.message;
        let fresh = next.count == 1;
        let pending = if fresh {
            let behind = self.num_pending.saturating_sub(1);
            self.held_pending.take().map_or(behind, |then| then.min(behind))
        } else {
            self.num_pending
        };
        self.write_reply(next, pending, &mut scratch.reply);
        let headers_only = self.config.headers_only;
        scratch.extra.clear();
        if headers_only {
            let size = message.payload().len().to_string();
            crate::stream::push_header(&mut scratch.extra, "Nats-Msg-Size", size.as_bytes());
        }
        let body = if headers_only {
            // What goes out in place of the payload counts.
            message.headers().len().max(NO_HEADERS.len()) + scratch.extra.len()
        } else {
            message.body().len()
        };
        let size = (message.subject().len() + scratch.reply.len() + body) as u64;
        let request = if self.is_push() {
            if self.is_over_rate(now, size) {
                // It counts what is behind it when it begins to wait.
                self.held_pending = Some(pending).filter(|_| fresh);
                return false;
            }
            None
        } else {
            let Some(at) = self.pick_request(now, size, fx) else {
                // Who does not wait for messages does not wait to be eligible either.
                self.end_requests(now, true, fx);
                return false;
            };
            if let Some(pin) = self.pin_for(now, at, fx) {
                crate::stream::push_header(&mut scratch.extra, "Nats-Pin-Id", pin.as_bytes());
            }
            Some(at)
        };
        let to = request.map_or(self.config.deliver_subject.as_bytes(), |at| {
            &self.waiting[at].reply
        });
        let group = Some(self.config.deliver_group.as_bytes()).filter(|g| !g.is_empty());
        let delivery = Delivery {
            to,
            group,
            message,
            reply: &scratch.reply,
            extra_headers: &scratch.extra,
            headers_only,
        };
        let handed = fx.deliver(&delivery);
        if handed == Handed::NoInterest {
            match request {
                Some(at) => {
                    self.waiting.remove(at);
                    self.runnable = true;
                }
                None => self.on_interest(now, false),
            }
            return false;
        }
        self.account_for(now, next, request, size, fx);
        true
    }

    fn account_for(
        &mut self,
        now: Now,
        next: &Next,
        request: Option<usize>,
        size: u64,
        fx: &mut dyn Effects,
    ) {
        let sseq = next.message.seq().0;
        let cseq = self.state.next_cseq;
        if next.count == 1 {
            self.num_pending = self.num_pending.saturating_sub(1);
            if self.last_list.seqs.front() == Some(&sseq) {
                self.last_list.seqs.pop_front();
            }
        } else {
            self.pop_redelivery();
        }
        self.change(Change::Deliver {
            sseq,
            cseq,
            count: next.count,
        });
        self.last_delivered_wall = Some(GoTime(now.wall_ns));
        if self.acks() {
            let due = now.mono_ns.saturating_add(self.ack_wait_ns(next.count));
            self.set_due(sseq, due);
        }
        if self.replaying {
            self.replay_from = Some(next.message.ts_ns());
        }
        match request {
            Some(at) => {
                self.idle_since = Some(now.mono_ns);
                self.served(now, at, size, fx);
            }
            None => self.pushed(now, size, fx),
        }
    }
}
