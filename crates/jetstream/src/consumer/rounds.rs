//! Rounds over the consumers that have something to do: deliveries in turns, timers, changes to write down.

use natterjack_store::MsgStore;

use super::Consumers;
use super::deliver::Stopped;
use super::delta;
use super::start::LastList;
use crate::clock::Now;
use crate::effect::Effects;

/// Messages one consumer may deliver before it is the next one's turn.
const TURN_MESSAGES: usize = 64;

impl Consumers {
    /// Brings the lists of who can run, has changes and has something due up to date for one consumer.
    pub(super) fn touch(&mut self, id: u32, now: Now) {
        let Some(consumer) = self.slots.get_mut(id as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        if consumer.runnable && !consumer.queued {
            consumer.queued = true;
            self.runnable.push_back(id);
        }
        if !consumer.deltas.is_empty() && !consumer.listed {
            consumer.listed = true;
            self.dirty.push(id);
        }
        let deadline = consumer.deadline(now);
        if deadline != consumer.registered {
            if let Some(old) = consumer.registered {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, id));
            }
            consumer.registered = deadline;
        }
    }

    /// Lets consumers deliver, in turns, until nothing can go or `budget` messages went. Returns whether there is more to
    /// do, and adds to `let_go` what consumers without acknowledgements have delivered.
    pub fn run(
        &mut self,
        now: Now,
        store: &dyn MsgStore,
        fx: &mut dyn Effects,
        budget: usize,
        let_go: &mut Vec<(u64, u64)>,
    ) -> bool {
        let mut left = budget;
        while left > 0 {
            let Some(id) = self.runnable.pop_front() else {
                return false;
            };
            let Some(consumer) = self.slots.get_mut(id as usize).and_then(Option::as_deref_mut) else {
                continue;
            };
            #[cfg(test)]
            {
                self.looks += 1;
            }
            consumer.runnable = false;
            consumer.queued = false;
            let mut turn = TURN_MESSAGES.min(left);
            let before = turn;
            let (stopped, gone) = consumer.deliver(now, store, fx, &mut self.scratch, &mut turn);
            let_go.extend(gone);
            left -= before - turn;
            if stopped == Stopped::Budget {
                consumer.runnable = true;
            }
            self.touch(id, now);
        }
        !self.runnable.is_empty()
    }

    /// Does what is due. Returns consumers nobody used for too long, to be deleted.
    pub fn on_tick(&mut self, now: Now, fx: &mut dyn Effects) -> Vec<u32> {
        let mut abandoned = Vec::new();
        while let Some((_, id)) = self
            .deadlines
            .first()
            .copied()
            .filter(|(at, _)| *at <= now.mono_ns)
        {
            self.deadlines.pop_first();
            #[cfg(test)]
            {
                self.looks += 1;
            }
            let Some(consumer) = self.get_mut(id) else {
                continue;
            };
            consumer.registered = None;
            if consumer.on_tick(now, fx) {
                // Asked again only if the deletion does not go through.
                consumer.idle_since = Some(now.mono_ns);
                abandoned.push(id);
            }
            self.touch(id, now);
        }
        abandoned
    }

    /// When something is due next, monotonic.
    #[must_use]
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Whether something changed that answers or removals wait for.
    #[must_use]
    pub fn has_urgent_changes(&self) -> bool {
        self.dirty
            .iter()
            .any(|id| self.get(*id).is_some_and(|c| c.urgent))
    }

    /// Whether anything changed since the last [`Self::take_changes`].
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// What changed, by consumer.
    pub fn take_changes(&mut self) -> Vec<(u32, Vec<u8>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty
            .into_iter()
            .filter_map(|id| {
                let consumer = self.get_mut(id)?;
                consumer.urgent = false;
                consumer.listed = false;
                Some((id, std::mem::take(&mut consumer.deltas)))
            })
            .filter(|(_, changes)| !changes.is_empty())
            .collect()
    }

    /// Applies changes read back from the log.
    pub fn apply_changes(&mut self, id: u32, changes: &[u8]) {
        let Some(consumer) = self.get_mut(id) else { return };
        for change in delta::iterate(changes) {
            consumer.state.apply(consumer.config.ack_policy, change);
            match change {
                delta::Change::Deliver { sseq, .. } => consumer.last_list.seqs.retain(|s| *s != sseq),
                delta::Change::Reset { .. } => consumer.last_list = LastList::default(),
                _ => {}
            }
        }
    }

    /// After everything was read back: counts anew and arms timers.
    pub fn restored(&mut self, store: &mut dyn MsgStore, now: Now) {
        let ids: Vec<u32> = self.ids().collect();
        for id in ids {
            if let Some(consumer) = self.get_mut(id) {
                let strayed = consumer.forget_gone(store);
                consumer.recount(store);
                consumer.rearm(now);
                consumer.runnable = true;
                if strayed {
                    self.strayed.insert(id);
                }
            }
            self.touch(id, now);
        }
    }
}
