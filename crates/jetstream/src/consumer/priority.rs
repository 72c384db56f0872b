//! Priority groups: overflow, pinned client, prioritized. Only the first group of a consumer is tracked, as in the peer.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::PriorityPolicy;
use natterjack_jsapi::request::Pull;

use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::Effects;

/// Highest priority number.
const PRIORITY_MAX: i64 = 9;

/// Who is pinned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pin {
    id: String,
    since: GoTime,
    /// When it ends unless refreshed, monotonic.
    until: u64,
}

impl Pin {
    /// Id and since when, as the API shows it.
    pub(crate) fn shown(&self) -> (String, GoTime) {
        (self.id.clone(), self.since)
    }

    pub(crate) fn is_set(&self) -> bool {
        !self.id.is_empty()
    }

    /// When it ends, monotonic.
    pub(crate) fn ends(&self) -> Option<u64> {
        self.is_set().then_some(self.until)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Consumer {
    /// Why a request does not fit the groups of the consumer.
    pub(crate) fn refuse_group(&self, pull: &Pull) -> Option<String> {
        let policy = self.config.priority_policy;
        let bad = |text: &str| Some(format!("400 Bad Request - {text}"));
        let overflow = pull.min_pending != 0 || pull.min_ack_pending != 0;
        if overflow && policy != PriorityPolicy::Overflow {
            return bad("Not a Overflow Priority consumer");
        }
        if !pull.id.is_empty() && policy != PriorityPolicy::PinnedClient {
            return bad("Not a Pinned Client Priority consumer");
        }
        if !(0..=PRIORITY_MAX).contains(&pull.priority) {
            return bad("Priority must be between 0 and 9");
        }
        if policy == PriorityPolicy::None {
            return None;
        }
        if pull.group.is_empty() {
            return bad("Priority Group missing");
        }
        if !self.config.priority_groups.contains(&pull.group) {
            return bad("Invalid Priority Group");
        }
        let other = !pull.id.is_empty() && self.pin.is_set() && self.pin.id != pull.id;
        other.then(|| "423 Nats-Pin-Id mismatch".into())
    }

    /// A request of the pinned client keeps the pin.
    pub(crate) fn pin_on_pull(&mut self, now: Now, pull: &Pull) {
        if self.pin.is_set() && self.pin.id == pull.id {
            self.pin.until = now.mono_ns.saturating_add(self.config.priority_timeout.as_u64());
        }
    }

    /// Whether request `at` names a pin that is not the one there is.
    pub(crate) fn has_stale_pin(&self, at: usize) -> bool {
        let id = &self.waiting[at].id;
        self.config.priority_policy == PriorityPolicy::PinnedClient && !id.is_empty() && *id != self.pin.id
    }

    /// Whether request `at` may be served now.
    pub(crate) fn is_eligible(&self, at: usize) -> bool {
        let w = &self.waiting[at];
        match self.config.priority_policy {
            PriorityPolicy::None | PriorityPolicy::Prioritized => true,
            PriorityPolicy::Overflow => {
                let open = w.min_pending == 0 && w.min_ack_pending == 0;
                open || (w.min_pending > 0 && self.num_pending >= w.min_pending)
                    || (w.min_ack_pending > 0 && self.state.pending.len() as u64 >= w.min_ack_pending)
            }
            PriorityPolicy::PinnedClient => !self.pin.is_set() || w.id == self.pin.id,
        }
    }

    /// Pins the client of request `at` if nobody is pinned; gives the pin id to send along.
    pub(crate) fn pin_for(&mut self, now: Now, at: usize, fx: &mut dyn Effects) -> Option<String> {
        if self.config.priority_policy != PriorityPolicy::PinnedClient {
            return None;
        }
        if !self.pin.is_set() && !self.waiting.get(at).is_some_and(|w| w.grouped) {
            // Served, and told of no pin, as by the peer.
            return Some(String::new());
        }
        if !self.pin.is_set() {
            let id = natterjack_subject::names::nuid(&mut || fx.random());
            self.pin = Pin {
                id,
                since: GoTime(now.wall_ns),
                until: 0,
            };
            self.advise_pinned(now, fx);
        }
        self.pin.until = now.mono_ns.saturating_add(self.config.priority_timeout.as_u64());
        let id = self.pin.id.clone();
        if let Some(w) = self.waiting.get_mut(at) {
            w.id.clone_from(&id);
        }
        Some(id)
    }

    /// Takes the pin away: its time is over, or an administrator asked, who is answered whether there was one or not.
    pub(crate) fn unpin(&mut self, now: Now, reason: &str, fx: &mut dyn Effects) {
        self.advise_unpinned(now, reason, fx);
        self.pin = Pin::default();
        self.runnable = true;
    }

    /// Ends a pin whose time is over; returns when it will be.
    pub(crate) fn pin_deadline(&mut self, now: Now, fx: &mut dyn Effects) -> Option<u64> {
        if !self.pin.is_set() {
            return None;
        }
        if self.pin.until <= now.mono_ns {
            self.unpin(now, "timeout", fx);
            return None;
        }
        Some(self.pin.until)
    }
}
