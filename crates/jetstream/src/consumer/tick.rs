//! What time brings: redeliveries, ended requests, heartbeats, the end of pauses and of consumers nobody uses.

use natterjack_jsapi::consumer::ConsumerConfig;
use natterjack_subject::{Filter, is_subset};

use super::delta::Change;
use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::Effects;

/// Redeliveries are looked for this much later than due, so that those due together go together.
const SLACK_NS: u64 = 1_000_000;

impl Consumer {
    /// Does what is due. Returns whether the consumer is to be deleted: nobody used it for too long.
    pub(crate) fn on_tick(&mut self, now: Now, fx: &mut dyn Effects) -> bool {
        if let Some(until) = self.paused_until
            && until.0 <= now.wall_ns
        {
            self.paused_until = None;
            self.runnable = true;
            self.advise_pause(now, fx);
        }
        if self.next_due <= now.mono_ns {
            self.find_due(now, fx);
        }
        if self.hold_until > 0 && self.hold_until <= now.mono_ns {
            self.hold_until = 0;
            self.runnable = true;
        }
        self.end_requests(now, false, fx);
        self.pull_heartbeats(now, fx);
        self.push_heartbeat(now, fx);
        self.pin_deadline(now, fx);
        self.is_abandoned(now)
    }

    /// Takes another configuration: its wait for acknowledgements holds for what is out already.
    pub(crate) fn rewait(&mut self, config: ConsumerConfig) {
        let known: Vec<(u64, u64)> = self.state.pending.iter().map(|p| (p.sseq, p.due_ns)).collect();
        let counts = known.iter().map(|(sseq, _)| self.state.count(*sseq));
        let counts: Vec<u64> = counts.collect();
        let waits = |c: &Self| counts.iter().map(|n| c.ack_wait_ns(*n)).collect::<Vec<u64>>();
        let before = waits(self);
        self.config = config;
        let after = waits(self);
        for ((sseq, due), (old, new)) in known.into_iter().zip(before.into_iter().zip(after)) {
            if old != new {
                self.set_due(sseq, due.saturating_sub(old).saturating_add(new));
            }
        }
    }

    /// Queues what was not acknowledged in time, ascending.
    fn find_due(&mut self, now: Now, fx: &mut dyn Effects) {
        let mut due: Vec<u64> = Vec::new();
        let mut next = u64::MAX;
        for pending in self.state.pending.iter() {
            if pending.due_ns <= now.mono_ns {
                due.push(pending.sseq);
            } else {
                next = next.min(pending.due_ns);
            }
        }
        let once = self.config.max_deliver == 1;
        for sseq in due {
            let count = self.state.count(sseq);
            if once && !self.redeliver_set.contains(&sseq) {
                // Given up now; where more deliveries are allowed, it is when somebody asks, as in the peer.
                self.runnable |= self.is_at_limit();
                self.exceeded(now, sseq, count, fx);
                continue;
            }
            self.queue_redelivery(sseq);
            let again = now
                .mono_ns
                .saturating_add(self.ack_wait_ns(self.state.count(sseq) + 1));
            if let Some(pending) = self.state.pending.get_mut(sseq) {
                pending.due_ns = again;
                next = next.min(again);
            }
        }
        self.next_due = next;
    }

    fn abandoned_at(&self) -> Option<u64> {
        let threshold = self.config.inactive_threshold.as_u64();
        if threshold == 0 || !self.waiting.is_empty() {
            return None;
        }
        let mut at = self.idle_since?.saturating_add(threshold);
        // Messages still within their time for acknowledgement keep a pull consumer alive.
        if !self.is_push() && !self.state.pending.is_empty() && self.next_due != u64::MAX {
            at = at.max(self.next_due);
        }
        Some(at)
    }

    fn is_abandoned(&self, now: Now) -> bool {
        self.abandoned_at().is_some_and(|at| at <= now.mono_ns)
    }

    /// When something is due next.
    pub(crate) fn deadline(&self, now: Now) -> Option<u64> {
        let due = Some(self.next_due)
            .filter(|n| *n != u64::MAX)
            .map(|n| n.saturating_add(SLACK_NS));
        let hold = Some(self.hold_until).filter(|h| *h > now.mono_ns);
        let pause = self.paused_until.map(|t| {
            let left = u64::try_from(t.0.saturating_sub(now.wall_ns)).unwrap_or(0);
            now.mono_ns.saturating_add(left)
        });
        let beat = Some(self.flow.next_heartbeat)
            .filter(|_| self.is_push() && self.active && self.config.idle_heartbeat.0 > 0);
        let pin = self.pin.ends();
        [
            due,
            hold,
            pause,
            beat,
            pin,
            self.pull_deadline(),
            self.abandoned_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Message `sseq` on `subject` left the stream.
    pub(crate) fn on_removed(
        &mut self,
        now: Now,
        sseq: u64,
        subject: &[u8],
        quiet: bool,
        fx: &mut dyn Effects,
    ) {
        if let Ok(at) = self.last_list.seqs.binary_search(&sseq) {
            self.last_list.seqs.remove(at);
            self.num_pending = self.num_pending.saturating_sub(1);
            return;
        }
        if sseq >= self.cursor() {
            if self.filters.matches(subject) {
                self.num_pending = self.num_pending.saturating_sub(1);
            }
            return;
        }
        let Some(pending) = self.state.pending.get(sseq).copied() else {
            if self.state.redelivered.contains_key(&sseq) {
                self.change(Change::Gone { sseq });
            }
            return;
        };
        let (cseq, count) = (pending.cseq, self.state.count(sseq));
        self.change(Change::Gone { sseq });
        self.forget_redelivery(sseq);
        self.runnable = true;
        self.last_acked_wall = Some(natterjack_jsapi::GoTime(now.wall_ns));
        if !quiet {
            // The peer counts here how often it came again, and once for what never did.
            let count = count.saturating_sub(1).max(1);
            self.advise_term(now, (sseq, cseq), count, "Unacknowledged message was deleted", fx);
        }
    }

    /// What it wants of what lies before `from` has left the stream. A message that is still known there, from before its
    /// filter was edited, can still be acknowledged; the peer forgets it.
    pub(crate) fn pass_over_own(&mut self, from: u64, now: Now) {
        let waiting = self.state.pending.first().map(|p| p.sseq);
        let given_up = self.state.redelivered.keys().next().copied();
        let known = waiting.into_iter().chain(given_up).min();
        self.pass_over(known.map_or(from, |sseq| from.min(sseq)), now);
    }

    /// All that lies before `from` has left the stream and is waited for no more.
    pub(crate) fn pass_over(&mut self, from: u64, now: Now) {
        let waiting = self.state.pending.len();
        self.change(Change::Purged { first: from });
        if self.state.pending.len() < waiting {
            self.last_acked_wall = Some(natterjack_jsapi::GoTime(now.wall_ns));
            self.runnable = true;
        }
        self.redeliver.retain(|s| *s >= from);
        self.redeliver_set = self.redeliver_set.split_off(&from);
        self.last_list.seqs.retain(|s| *s >= from);
    }

    /// Whether every message it wants passes `filter`.
    pub(crate) fn wants_only(&self, filter: &Filter) -> bool {
        let mut own = self.filters.filters().iter();
        filter.is_all() || (!self.filters.is_all() && own.all(|f| is_subset(f.as_bytes(), filter.as_bytes())))
    }

    /// Whether it wants every message that passes `filter`.
    pub(crate) fn wants_all_of(&self, filter: &Filter) -> bool {
        let mut own = self.filters.filters().iter();
        self.filters.is_all() || own.any(|f| is_subset(filter.as_bytes(), f.as_bytes()))
    }
}
