//! What administrators ask of a consumer: pauses, pins taken away, starts over.

use natterjack_jsapi::{GoTime, versioning};
use natterjack_store::MsgStore;

use super::start::LastList;
use super::{Consumers, delta};
use crate::clock::Now;
use crate::effect::Effects;

impl Consumers {
    /// Pauses a consumer until then, or resumes it.
    pub fn apply_pause(&mut self, id: u32, until: Option<GoTime>, now: Now, fx: &mut dyn Effects) {
        let Some(consumer) = self.get_mut(id) else { return };
        if consumer.config.pause_until == until {
            return;
        }
        consumer.config.pause_until = until;
        let level = versioning::consumer_level(&consumer.config);
        versioning::set_stored(&mut consumer.config.metadata, level);
        consumer.paused_until = until.filter(|t| t.0 > now.wall_ns);
        consumer.runnable = true;
        consumer.advise_pause(now, fx);
        self.touch(id, now);
    }

    /// Says that a consumer is paused, if it is.
    pub fn advise_paused(&self, id: u32, now: Now, fx: &mut dyn Effects) {
        if let Some(consumer) = self.get(id).filter(|c| c.is_paused(now)) {
            consumer.advise_pause(now, fx);
        }
    }

    /// Takes the pin of a priority group away.
    pub fn unpin(&mut self, id: u32, now: Now, fx: &mut dyn Effects) {
        if let Some(consumer) = self.get_mut(id) {
            consumer.unpin(now, "admin", fx);
        }
        self.touch(id, now);
    }

    /// Starts a consumer over at `next`.
    pub fn reset(&mut self, id: u32, next: u64, store: &mut dyn MsgStore, now: Now) {
        let Some(consumer) = self.get_mut(id) else { return };
        consumer.change(delta::Change::Reset { next });
        consumer.last_delivered_wall = None;
        consumer.last_acked_wall = None;
        consumer.last_list = LastList::default();
        consumer.held_pending = None;
        consumer.redeliver.clear();
        consumer.redeliver_set.clear();
        consumer.recount(store);
        consumer.rearm(now);
        consumer.urgent = true;
        consumer.runnable = true;
        self.touch(id, now);
    }
}
