//! What goes to the log and what comes back: messages gathered in a batch, commands, changes of consumers; who waits for
//! each. Decides only; the driver writes.

use natterjack_jsapi::stream::PersistMode;
use natterjack_store::{Committed, EntryBody, LogIndex, Seq};

use super::{Group, Outcome, Proposal, Ticket, Waits};
use crate::clock::Now;
use crate::command::Command;
use crate::effect::Effects;
use crate::limits::{ENTRY_BYTES, ENTRY_MESSAGES_MAX, IN_FLIGHT_ENTRIES_MAX};

/// Deliveries are written down this much later, so that many go together, nanoseconds.
const CHANGES_DELAY_NS: u64 = 10_000_000;
/// What the log refused to remove is asked for again this much later, nanoseconds.
const AGAIN_DELAY_NS: u64 = 1_000_000_000;

impl Group {
    /// Whether another publish fits before a proposal has to be taken.
    #[must_use]
    pub fn batch_is_full(&self) -> bool {
        self.batch.len() >= ENTRY_MESSAGES_MAX || self.batch.bytes() >= ENTRY_BYTES
    }

    /// What should go to the log next, if anything.
    pub fn take_proposal(&mut self, now: Now) -> Option<Proposal> {
        if self.in_flight.len() >= IN_FLIGHT_ENTRIES_MAX || self.refusal.is_some() {
            return None;
        }
        // A command among messages counts on those before it: the log may still refuse them, and take the command.
        let is_command = |entry: &(EntryBody, Waits)| matches!(entry.0, EntryBody::Command(_));
        if self.closed.front().is_some_and(is_command) && !self.in_flight.is_empty() {
            return None;
        }
        let relaxed = self.stream.config().persist_mode == PersistMode::Async;
        if let Some((body, waits)) = self.closed.pop_front() {
            return Some(Proposal {
                relaxed: relaxed && matches!(body, EntryBody::Messages(_)),
                body,
                waits,
            });
        }
        if !self.batch.is_empty() {
            let body = EntryBody::Messages(self.batch.finish());
            return Some(Proposal {
                body,
                relaxed,
                waits: std::mem::take(&mut self.open),
            });
        }
        if let Some((command, ticket)) = self.commands.pop_front() {
            let waits = Waits {
                ticket,
                ..Waits::default()
            };
            return Some(Proposal {
                body: EntryBody::Command(command.encode()),
                relaxed: false,
                waits,
            });
        }
        self.take_changes(now)
    }

    fn take_changes(&mut self, now: Now) -> Option<Proposal> {
        self.take_again(now);
        let urgent =
            self.consumers.has_urgent_changes() || !self.remove.is_empty() || !self.answers.is_empty();
        if !urgent {
            if !self.consumers.has_changes() {
                self.changes_due = None;
                return None;
            }
            let due = *self
                .changes_due
                .get_or_insert_with(|| now.mono_ns.saturating_add(CHANGES_DELAY_NS));
            if due > now.mono_ns {
                return None;
            }
        } else if !self.in_flight.is_empty() {
            // What gathers while an entry is on its way goes with the next.
            return None;
        }
        self.changes_due = None;
        let changes = self.consumers.take_changes();
        let mut remove = std::mem::take(&mut self.remove);
        remove.append(&mut self.remove_again);
        self.remove_again_due = None;
        let waits = Waits {
            answers: std::mem::take(&mut self.answers),
            held: std::mem::take(&mut self.held),
            ..Waits::default()
        };
        let command = Command::Consumers { changes, remove };
        Some(Proposal {
            body: EntryBody::Command(command.encode()),
            relaxed: !urgent,
            waits,
        })
    }

    /// Asks again for removals that were refused, once it is time.
    fn take_again(&mut self, now: Now) {
        if self.remove_again.is_empty() {
            return;
        }
        let due = *self
            .remove_again_due
            .get_or_insert_with(|| now.mono_ns.saturating_add(AGAIN_DELAY_NS));
        if due <= now.mono_ns {
            self.remove.append(&mut self.remove_again);
            self.remove_again_due = None;
        }
    }

    /// The log took a proposal under `index`.
    pub fn proposed(&mut self, index: LogIndex, proposal: Proposal) {
        self.in_flight.push_back((index, proposal.body, proposal.waits));
    }

    /// Entry `index` is durable: applies it and tells those who wait.
    pub fn committed(
        &mut self,
        index: LogIndex,
        now: Now,
        fx: &mut dyn Effects,
    ) -> Option<(Ticket, Outcome)> {
        // Entries become durable in order; one that failed is not there any more.
        if self.in_flight.front().is_none_or(|(first, ..)| *first != index) {
            return None;
        }
        let (_, body, mut waits) = self.in_flight.pop_front()?;
        let entry = Committed { index, body };
        let is_early = self.may_tell_early(&entry.body);
        if is_early {
            self.tell(&waits, fx);
            fx.flush();
        }
        let outcome = self.apply_entry(&entry, now, fx);
        if !is_early {
            self.tell(&waits, fx);
        }
        self.take_back(fx);
        if self.is_idle() {
            self.stream.overlay.subjects.clear();
            self.stream.overlay.counters.clear();
            (self.stream.overlay.msgs, self.stream.overlay.bytes) = (0, 0);
        }
        if self.awaited().is_none() {
            self.unheard = Seq::ZERO;
        }
        self.stream.recharge();
        self.ripe.append(&mut waits.held);
        let told = waits.ticket.map(|t| (t, outcome));
        let lets_go = matches!(told, Some((_, Outcome::Consumer(_) | Outcome::ConsumerGone(_))));
        if lets_go && !self.remove.is_empty() {
            self.held.extend(told);
            return None;
        }
        told
    }

    /// What came of commands whose effect is complete by now.
    pub fn take_ripe(&mut self) -> Vec<(Ticket, Outcome)> {
        std::mem::take(&mut self.ripe)
    }

    /// Whether publishers may hear that `body` is stored while it is put in its place: they go on meanwhile, and what they
    /// ask of the stream comes behind. Not where messages are republished, which come before the word; and not where so
    /// little may still be held that somebody could miss what these messages drive out.
    fn may_tell_early(&self, body: &EntryBody) -> bool {
        let EntryBody::Messages(batch) = body else {
            return false;
        };
        self.stream.republish.is_none() && self.stream.has_room(2 * batch.body.len() as u64)
    }
}
