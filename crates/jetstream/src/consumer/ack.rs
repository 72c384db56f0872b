//! Acknowledgements and what they cause.

use natterjack_jsapi::ack::{AckKind, AckSubject};
use natterjack_jsapi::consumer::AckPolicy;

use super::delta::Change;
use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::Effects;

/// What an acknowledgement asks of the group, beyond the consumer's own state.
#[derive(Debug, Default)]
pub struct AckOutcome {
    /// Messages this consumer has let go of: a range of sequences, both ends included.
    pub let_go: Vec<(u64, u64)>,
    /// Whether the sender waits to hear that the effect is durable.
    pub answer: bool,
}

impl Consumer {
    /// A client acknowledges a delivery.
    pub(crate) fn on_ack(
        &mut self,
        now: Now,
        ack: &AckSubject<'_>,
        body: &[u8],
        reply: Option<&[u8]>,
        fx: &mut dyn Effects,
    ) -> AckOutcome {
        let mut outcome = AckOutcome {
            answer: reply.is_some(),
            ..AckOutcome::default()
        };
        self.idle_since = Some(now.mono_ns).filter(|_| !self.is_push() || !self.active);
        match AckKind::parse(body) {
            AckKind::Ack => self.acked(now, ack, true, &mut outcome, fx),
            AckKind::Next(pull) => {
                self.acked(now, ack, true, &mut outcome, fx);
                if let Some(reply) = reply {
                    self.on_pull(now, reply, pull, fx);
                }
                outcome.answer = false;
            }
            AckKind::Nak(delay) => self.nak(now, ack, delay.map(|d| d.as_u64()), fx),
            AckKind::Progress => self.progress(now, ack),
            AckKind::Term(reason) => {
                let reason = String::from_utf8_lossy(reason).into_owned();
                self.term(now, ack, &reason, &mut outcome, fx);
            }
            AckKind::Unknown => {}
        }
        outcome
    }

    /// Whether the message an ack names was delivered, as far as its place in the stream says.
    fn was_delivered(&self, ack: &AckSubject<'_>) -> bool {
        ack.stream_seq < self.state.next_sseq.max(self.nothing_before)
    }

    /// Takes an acknowledgement, or a termination, which counts as one but is not sampled.
    fn acked(
        &mut self,
        now: Now,
        ack: &AckSubject<'_>,
        sampled: bool,
        outcome: &mut AckOutcome,
        fx: &mut dyn Effects,
    ) {
        if !self.was_delivered(ack) {
            outcome.answer = false;
            return;
        }
        let sseq = ack.stream_seq;
        let at_limit = self.is_at_limit();
        match self.config.ack_policy {
            AckPolicy::None => return,
            AckPolicy::Explicit => {
                self.last_acked_wall = Some(natterjack_jsapi::GoTime(now.wall_ns));
                // One delivered as often as allowed is not waited for, but its acknowledgement still counts. One that is
                // not known any more, because the consumer started over behind it, may be what still holds the message.
                if !self.state.pending.contains(sseq) && !self.state.redelivered.contains_key(&sseq) {
                    outcome.let_go.push((sseq, sseq));
                    return;
                }
                if sampled {
                    self.sample_ack(now, (sseq, ack.consumer_seq), ack.delivered, ack.timestamp_ns, fx);
                }
                self.change(Change::Ack { sseq });
                self.forget_redelivery(sseq);
                outcome.let_go.push((sseq, sseq));
            }
            AckPolicy::All | AckPolicy::FlowControl => {
                if ack.consumer_seq <= self.state.floor.consumer || sseq <= self.state.floor.stream {
                    return;
                }
                self.last_acked_wall = Some(natterjack_jsapi::GoTime(now.wall_ns));
                if sseq >= self.state.next_sseq {
                    // It was delivered before a start over and is not there any more: nothing waits up to it.
                    return;
                }
                let floor = self.state.floor.stream;
                // What was delivered too often may lie below the floor.
                let below = self
                    .state
                    .redelivered
                    .range(..=floor.min(sseq))
                    .map(|(s, _)| (*s, *s));
                outcome.let_go.extend(below);
                outcome.let_go.push((floor + 1, sseq));
                // One of before a start over may count further than this one has.
                let cseq = ack.consumer_seq.min(self.state.next_cseq - 1);
                self.change(Change::AckAll { sseq, cseq });
                self.redeliver.retain(|s| *s > sseq);
                self.redeliver_set = self.redeliver_set.split_off(&(sseq + 1));
            }
        }
        self.urgent = true;
        self.runnable |= at_limit || !self.redeliver.is_empty();
    }

    /// Whether as many messages wait for acknowledgement as may.
    pub(crate) fn is_at_limit(&self) -> bool {
        let max = usize::try_from(self.config.max_ack_pending).unwrap_or(0);
        max > 0 && self.acks() && self.state.pending.len() >= max
    }

    pub(crate) fn forget_redelivery(&mut self, sseq: u64) {
        if self.redeliver_set.remove(&sseq) {
            self.redeliver.retain(|s| *s != sseq);
        }
    }

    /// Queues message `sseq` to be delivered again.
    pub(crate) fn queue_redelivery(&mut self, sseq: u64) {
        if self.redeliver_set.insert(sseq) {
            self.redeliver.push_back(sseq);
        }
        self.runnable = true;
    }

    fn nak(&mut self, now: Now, ack: &AckSubject<'_>, delay: Option<u64>, fx: &mut dyn Effects) {
        let sseq = ack.stream_seq;
        let counted =
            self.state.floor.consumer < ack.consumer_seq && ack.consumer_seq <= self.state.next_cseq;
        if !counted || !self.state.pending.contains(sseq) {
            return;
        }
        self.advise_nak(now, (sseq, ack.consumer_seq), ack.delivered, fx);
        match delay {
            Some(delay) => {
                self.forget_redelivery(sseq);
                self.set_due(sseq, now.mono_ns.saturating_add(delay));
            }
            None => self.queue_redelivery(sseq),
        }
    }

    /// Sets when a message is delivered again if it stays unacknowledged.
    pub(crate) fn set_due(&mut self, sseq: u64, due: u64) {
        if let Some(pending) = self.state.pending.get_mut(sseq) {
            pending.due_ns = due;
            self.next_due = self.next_due.min(due);
        }
    }

    fn progress(&mut self, now: Now, ack: &AckSubject<'_>) {
        let wait = self.ack_wait_ns(self.state.count(ack.stream_seq));
        self.set_due(ack.stream_seq, now.mono_ns.saturating_add(wait));
    }

    fn term(
        &mut self,
        now: Now,
        ack: &AckSubject<'_>,
        reason: &str,
        outcome: &mut AckOutcome,
        fx: &mut dyn Effects,
    ) {
        if !self.acks() {
            return;
        }
        self.acked(now, ack, false, outcome, fx);
        // Told whatever came of it, as the peer does.
        let what = (ack.stream_seq, ack.consumer_seq);
        self.advise_term(now, what, ack.delivered, reason, fx);
    }
}
