//! What the API shows of a consumer.

use natterjack_jsapi::consumer::{ConsumerInfo, PriorityGroupState, PriorityPolicy, SequenceInfo};
use natterjack_jsapi::{GoTime, Nanos, versioning};

use super::machine::{Consumer, Names};
use super::state::Pair;
use crate::clock::Now;

impl Consumer {
    /// How many messages and requests are taken for a message that is held back: it has its turn and its request already.
    fn held(&self, now: Now) -> (u64, usize) {
        let ready = if self.is_push() {
            self.active && !self.flow.is_full()
        } else {
            !self.waiting.is_empty()
        };
        if !ready || self.hold_until <= now.mono_ns || self.num_pending == 0 {
            return (0, 0);
        }
        let last = self.waiting.front().is_some_and(|w| w.left == 1);
        (1, usize::from(last))
    }

    /// All about the consumer, as the API shows it.
    pub(crate) fn info(&self, names: &Names, now: Now) -> ConsumerInfo {
        let pair = |p: Pair, at: Option<GoTime>| SequenceInfo {
            consumer_seq: p.consumer,
            stream_seq: p.stream,
            last_active: at,
        };
        let mut config = self.config.clone();
        versioning::set_shown(&mut config.metadata);
        let remaining = self
            .paused_until
            .map_or(0, |t| t.0.saturating_sub(now.wall_ns))
            .max(0);
        let (held, taken) = self.held(now);
        let waiting = self.waiting.iter().filter(|w| !w.is_expired(now)).count();
        let waiting = waiting.saturating_sub(taken);
        let once = self.config.max_deliver == 1;
        ConsumerInfo {
            stream_name: names.stream.clone(),
            name: self.name.clone(),
            created: self.created,
            config,
            delivered: pair(self.state.delivered(), self.last_delivered_wall),
            ack_floor: pair(self.state.floor, self.last_acked_wall),
            num_ack_pending: i64::try_from(self.state.pending.len()).unwrap_or(i64::MAX),
            num_redelivered: if once {
                0
            } else {
                i64::try_from(self.state.redelivered.len()).unwrap_or(i64::MAX)
            },
            num_waiting: i64::try_from(waiting).unwrap_or(i64::MAX),
            num_pending: self.num_pending - held,
            cluster: None,
            push_bound: self.is_push() && self.active,
            paused: remaining > 0,
            pause_remaining: Nanos(remaining),
            ts: GoTime(now.wall_ns),
            priority_groups: self.groups(),
        }
    }

    fn groups(&self) -> Vec<PriorityGroupState> {
        if self.config.priority_policy == PriorityPolicy::None {
            return Vec::new();
        }
        let Some(group) = self.config.priority_groups.first() else {
            return Vec::new();
        };
        let (id, since) = self.pin.shown();
        vec![PriorityGroupState {
            group: group.clone(),
            pinned_client_id: id,
            pinned_ts: since,
        }]
    }
}
