//! What goes to the log and what comes back: messages gathered in a batch, commands, changes of consumers; who waits for
//! each. Decides only; the driver writes.

use natterjack_jsapi::errors;
use natterjack_jsapi::pub_ack;
use natterjack_store::{Committed, EntryBody, LogIndex};

use super::{Group, Outcome, Proposal, Ticket, Waits};
use crate::clock::Now;
use crate::command::Command;
use crate::effect::Effects;
use crate::limits::{ENTRY_BYTES, ENTRY_MESSAGES_MAX, IN_FLIGHT_ENTRIES_MAX};

/// Deliveries are written down this much later, so that many go together, nanoseconds.
const CHANGES_DELAY_NS: u64 = 10_000_000;

impl Group {
    /// Whether another publish fits before a proposal has to be taken.
    #[must_use]
    pub fn batch_is_full(&self) -> bool {
        self.batch.len() >= ENTRY_MESSAGES_MAX || self.batch.bytes() >= ENTRY_BYTES
    }

    /// What should go to the log next, if anything.
    pub fn take_proposal(&mut self, now: Now) -> Option<Proposal> {
        if self.in_flight.len() >= IN_FLIGHT_ENTRIES_MAX {
            return None;
        }
        if let Some((body, waits)) = self.closed.pop_front() {
            return Some(Proposal {
                body,
                relaxed: false,
                waits,
            });
        }
        if !self.batch.is_empty() {
            let body = EntryBody::Messages(self.batch.finish());
            return Some(Proposal {
                body,
                relaxed: false,
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
        let remove = std::mem::take(&mut self.remove);
        let waits = Waits {
            answers: std::mem::take(&mut self.answers),
            ..Waits::default()
        };
        let command = Command::Consumers { changes, remove };
        Some(Proposal {
            body: EntryBody::Command(command.encode()),
            relaxed: !urgent,
            waits,
        })
    }

    /// The log took a proposal under `index`.
    pub fn proposed(&mut self, index: LogIndex, proposal: Proposal) {
        self.in_flight.push_back((index, proposal.body, proposal.waits));
    }

    /// The log refused a proposal, or failed to make it durable: everybody who waits is told.
    pub fn refused(
        &mut self,
        proposal: Proposal,
        why: &str,
        fx: &mut dyn Effects,
    ) -> Option<(Ticket, Outcome)> {
        let Proposal { body, waits, .. } = proposal;
        self.fail(&body, waits, why, fx)
    }

    fn fail(
        &mut self,
        body: &EntryBody,
        waits: Waits,
        why: &str,
        fx: &mut dyn Effects,
    ) -> Option<(Ticket, Outcome)> {
        if let EntryBody::Messages(batch) = body {
            for (_, record) in batch.records() {
                if let Some(id) = crate::stream::header(record.headers(), natterjack_jsapi::headers::MSG_ID) {
                    self.stream.dedup.remove(id, record.seq());
                }
            }
        }
        let error = errors::stream_store_failed(why);
        self.json.clear();
        pub_ack::refused(&mut self.json, &self.names.stream, &error);
        let mut start = 0;
        for ack in &waits.acks {
            fx.send(&waits.replies[start..ack.reply_end], None, &[], &self.json);
            start = ack.reply_end;
        }
        if self.is_idle() {
            self.stream.reset_overlay();
        }
        waits.ticket.map(|t| (t, Outcome::Failed(why.to_owned())))
    }

    /// The log failed entry `index`.
    pub fn failed(&mut self, index: LogIndex, why: &str, fx: &mut dyn Effects) -> Option<(Ticket, Outcome)> {
        let at = self.in_flight.iter().position(|(i, ..)| *i == index)?;
        let (_, body, waits) = self.in_flight.remove(at)?;
        self.fail(&body, waits, why, fx)
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
        let (_, body, waits) = self.in_flight.pop_front()?;
        let entry = Committed { index, body };
        let outcome = self.apply_entry(&entry, now, fx);
        self.tell(&waits, fx);
        if self.is_idle() {
            self.stream.overlay.subjects.clear();
            self.stream.overlay.counters.clear();
            (self.stream.overlay.msgs, self.stream.overlay.bytes) = (0, 0);
        }
        self.stream.recharge();
        waits.ticket.map(|t| (t, outcome))
    }
}
