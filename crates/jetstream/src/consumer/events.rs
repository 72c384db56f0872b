//! What happens to consumers: messages stored and gone, pulls, acknowledgements, subscribers coming and going.

use natterjack_jsapi::ack::AckSubject;
use natterjack_store::{MsgStore, Seq};
use natterjack_subject::{Filter, FilterSet};

use super::{AckOutcome, Consumers};
use crate::clock::Now;
use crate::effect::Effects;

impl Consumers {
    /// A message was stored.
    pub fn on_stored(&mut self, seq: Seq, subject: &[u8]) {
        let (slots, runnable) = (&mut self.slots, &mut self.runnable);
        #[cfg(test)]
        let looks = &mut self.looks;
        let mut wake = |id: u32| {
            #[cfg(test)]
            {
                *looks += 1;
            }
            let slot = slots.get_mut(id as usize).and_then(Option::as_deref_mut);
            let Some(consumer) = slot else { return };
            // One that starts in the future, or was reset there, is not concerned yet.
            if seq.0 < consumer.cursor() {
                return;
            }
            consumer.num_pending += 1;
            consumer.runnable = true;
            if !consumer.queued {
                consumer.queued = true;
                runnable.push_back(id);
            }
        };
        self.unfiltered.iter().copied().for_each(&mut wake);
        self.filtered.for_each_match(subject, wake);
    }

    /// A message left the stream.
    pub fn on_removed(&mut self, now: Now, seq: Seq, subject: &[u8], quiet: bool, fx: &mut dyn Effects) {
        if self.is_empty() {
            return;
        }
        let mut concerned = self.unfiltered.clone();
        self.filtered.for_each_match(subject, |id| concerned.push(id));
        for id in std::mem::take(&mut self.strayed) {
            let Some(consumer) = self.get(id) else { continue };
            let waits = !consumer.state.pending.is_empty() || !consumer.state.redelivered.is_empty();
            if waits && !consumer.filters.matches(subject) {
                concerned.push(id);
            }
            if waits {
                self.strayed.insert(id);
            }
        }
        for id in concerned {
            #[cfg(test)]
            {
                self.looks += 1;
            }
            if let Some(consumer) = self.get_mut(id) {
                consumer.on_removed(now, seq.0, subject, quiet, fx);
                self.touch(id, now);
            }
        }
    }

    /// The stream was purged, of messages on the subjects of `purged` or of all.
    pub fn on_purged(&mut self, purged: Option<&Filter>, store: &mut dyn MsgStore, now: Now) {
        let state = store.state();
        let left = purged.map(|filter| {
            let only = FilterSet::new(vec![filter.clone()]);
            let next = store.next(&only, state.first_seq);
            next.map_or(state.last_seq.0 + 1, |m| m.seq().0)
        });
        let ids: Vec<u32> = self.ids().collect();
        for id in ids {
            let Some(consumer) = self.get_mut(id) else {
                continue;
            };
            match (purged, left) {
                (Some(purged), Some(left)) if consumer.wants_only(purged) => {
                    consumer.pass_over_own(left, now)
                }
                // Whose filter only overlaps with what is purged stays where it is, as on the peer.
                (Some(purged), _) if !consumer.wants_all_of(purged) => {}
                _ => consumer.pass_over(state.first_seq.0, now),
            }
            consumer.recount(store);
            consumer.runnable = true;
            self.touch(id, now);
        }
    }

    /// Message `seq` took the place of all before it: of those on `subject`, or of all there were. `first` is what the
    /// stream begins with.
    pub fn on_rolled_up(&mut self, seq: Seq, subject: Option<&[u8]>, first: Seq, now: Now) {
        let mut concerned = self.unfiltered.clone();
        match subject {
            Some(subject) => self.filtered.for_each_match(subject, |id| concerned.push(id)),
            None => concerned = self.ids().collect(),
        }
        for id in concerned {
            let Some(consumer) = self.get_mut(id) else {
                continue;
            };
            let own = subject.is_some_and(|s| consumer.filters.filters().iter().all(|f| f.as_bytes() == s));
            let whole = own && !consumer.filters.is_all();
            let from = if whole { seq.0 } else { first.0 };
            if from > consumer.state.floor.stream + 1 {
                consumer.pass_over_own(from, now);
                self.touch(id, now);
            }
        }
    }

    /// A client asks for messages.
    pub fn on_pull(&mut self, id: u32, now: Now, reply: &[u8], body: &[u8], fx: &mut dyn Effects) {
        if let Some(consumer) = self.get_mut(id) {
            consumer.on_pull(now, reply, body, fx);
        }
        self.touch(id, now);
    }

    /// A client acknowledges a delivery.
    pub fn on_ack(
        &mut self,
        id: u32,
        now: Now,
        ack: &AckSubject<'_>,
        (body, reply): (&[u8], Option<&[u8]>),
        fx: &mut dyn Effects,
    ) -> AckOutcome {
        let outcome = self
            .get_mut(id)
            .map(|c| c.on_ack(now, ack, body, reply, fx))
            .unwrap_or_default();
        self.touch(id, now);
        outcome
    }

    /// A client answers a flow control request.
    pub fn on_flow_reply(&mut self, id: u32, subject: &[u8], now: Now) {
        if let Some(consumer) = self.get_mut(id) {
            consumer.on_flow_reply(subject);
        }
        self.touch(id, now);
    }

    /// Forgets requests that nobody listens for any more.
    pub fn drop_deaf(&mut self, id: u32, now: Now, fx: &dyn Effects) {
        if let Some(consumer) = self.get_mut(id) {
            consumer.drop_deaf(now, fx);
        }
        self.touch(id, now);
    }

    /// Somebody begins or ceases to listen to a push consumer.
    pub fn on_interest(&mut self, id: u32, now: Now, has: bool) {
        if let Some(consumer) = self.get_mut(id) {
            consumer.on_interest(now, has);
        }
        self.touch(id, now);
    }

    /// Whether any consumer wants messages on `subject`.
    pub fn interest_in(&mut self, subject: &[u8]) -> bool {
        let mut any = !self.unfiltered.is_empty();
        self.filtered.for_each_match(subject, |_| any = true);
        any
    }

    /// Whether any consumer still needs message `seq` on `subject`.
    pub fn needed(&mut self, seq: u64, subject: &[u8]) -> bool {
        let mut concerned = self.unfiltered.clone();
        self.filtered.for_each_match(subject, |id| concerned.push(id));
        concerned
            .iter()
            .any(|id| self.get(*id).is_some_and(|c| c.needs(seq, subject)))
    }
}
