//! What becomes of what the log did not take: who waited is told, and everything that was decided on top of it is taken
//! back, so that the next message gets the sequence of the first that was refused. Applies nothing.
//!
//! The log refuses all messages behind a refused one until it is told to resume, and the driver does that once nothing is
//! on its way any more. Until then nothing more is proposed.

use natterjack_jsapi::{errors, headers};
use natterjack_store::{EntryBody, LogIndex};

use super::{Group, Outcome, Proposal, Ticket, Waits};
use crate::command::Command;
use crate::effect::Effects;
use crate::stream::header;

impl Group {
    /// The log refused a proposal: everybody who waits is told.
    pub fn refused(
        &mut self,
        proposal: Proposal,
        why: &str,
        fx: &mut dyn Effects,
    ) -> Option<(Ticket, Outcome)> {
        let Proposal { body, waits, .. } = proposal;
        let outcome = self.fail(&body, waits, why, fx);
        self.take_back(fx);
        outcome
    }

    /// The log failed entry `index`.
    pub fn failed(&mut self, index: LogIndex, why: &str, fx: &mut dyn Effects) -> Option<(Ticket, Outcome)> {
        let at = self.in_flight.iter().position(|(i, ..)| *i == index)?;
        let (_, body, waits) = self.in_flight.remove(at)?;
        let outcome = self.fail(&body, waits, why, fx);
        self.take_back(fx);
        outcome
    }

    fn fail(
        &mut self,
        body: &EntryBody,
        mut waits: Waits,
        why: &str,
        fx: &mut dyn Effects,
    ) -> Option<(Ticket, Outcome)> {
        self.ripe.append(&mut waits.held);
        match body {
            EntryBody::Messages(batch) => {
                for (_, record) in batch.records() {
                    if let Some(id) = header(record.headers(), headers::MSG_ID) {
                        self.stream.dedup.remove(id, record.seq());
                    }
                }
                self.refusal.get_or_insert_with(|| why.to_owned());
            }
            EntryBody::Command(bytes) => match Command::decode(bytes) {
                // What is due stays due.
                Some(Command::Expire { .. }) => self.stream.expiring = false,
                // What was decided behind it counts on the sequences it gives up.
                Some(Command::Skip { .. } | Command::Purge { .. }) => {
                    self.refusal.get_or_insert_with(|| why.to_owned());
                }
                // Nobody says again that these can go.
                Some(Command::Consumers { remove, .. }) => self.remove_again.extend(remove),
                _ => {}
            },
        }
        let error = errors::stream_store_failed(why);
        let mut start = 0;
        for ack in &waits.acks {
            self.refuse_publish(&waits.replies[start..ack.reply_end], &error, fx);
            start = ack.reply_end;
        }
        waits.ticket.map(|t| (t, Outcome::Failed(why.to_owned())))
    }

    /// Once nothing is on its way any more: refuses what was decided behind a refused message as well, and forgets that it
    /// was decided.
    pub(super) fn take_back(&mut self, fx: &mut dyn Effects) {
        if !self.in_flight.is_empty() {
            return;
        }
        let Some(why) = self.refusal.take() else { return };
        self.close_batch();
        let mut kept = Vec::new();
        for (body, waits) in std::mem::take(&mut self.closed) {
            match &body {
                EntryBody::Messages(_) => drop(self.fail(&body, waits, &why, fx)),
                EntryBody::Command(bytes) => kept.extend(Command::decode(bytes).map(|c| (c, waits.ticket))),
            }
        }
        self.refusal = None;
        self.stream.rewind();
        for (command, ticket) in kept {
            // What lies between messages of an origin is given up when they come again.
            if ticket.is_some() || !matches!(command, Command::Skip { .. }) {
                self.propose(command, ticket);
            }
        }
    }
}
