//! A group as a mirror or a stream with sources, and as an origin of others: what to ask, what to take, what to answer.

use std::ops::ControlFlow;

use natterjack_jsapi::ApiError;
use natterjack_store::{EntryBody, Seq};
use natterjack_subject::names::name_hash;

use super::{Group, Ticket, Waits};
use crate::clock::Now;
use crate::command::Command;
use crate::source::{Ask, Next, Page, Start};
use crate::stream::Sourced;

/// Messages of a page.
const PAGE_MESSAGES_MAX: usize = 256;
/// Bytes of a page, unless a single message is larger.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Another look when there is no room at the moment, nanoseconds.
const BUSY_NS: u64 = 5_000_000;

impl Group {
    /// The origins that are followed, by their keys.
    pub fn upstream_keys(&self) -> impl Iterator<Item = &str> {
        self.stream.upstreams.iter().map(|u| u.key.as_str())
    }

    /// What to do next for the origin `key`.
    #[must_use]
    pub fn ask_upstream(&self, key: &str, now: Now) -> Next {
        let Some(upstream) = self.stream.upstreams.iter().find(|u| u.key == key) else {
            return Next::Gone;
        };
        if self.batch_is_full() || self.stream.config.sealed {
            return Next::Wait(BUSY_NS);
        }
        upstream.ask(now)
    }

    /// The origin `key` is not there.
    pub fn upstream_missing(&mut self, key: &str, now: Now) {
        if let Some(upstream) = self.stream.upstreams.iter_mut().find(|u| u.key == key) {
            upstream.on_missing(now);
        }
    }

    /// Whether a mirror has nearly all that its origin has.
    #[must_use]
    pub fn is_close_to_origin(&self) -> bool {
        self.stream.upstreams.iter().any(|u| u.is_mirror && u.is_close())
    }

    /// The origin `key` answered.
    pub fn take_page(&mut self, key: &str, now: Now, page: &Page) {
        let Some(n) = self.stream.upstreams.iter().position(|u| u.key == key) else {
            return;
        };
        // Taken out for the time being, so that it can be asked while the stream is changed.
        let mut upstream = self.stream.upstreams.swap_remove(n);
        if upstream.on_page(now, page) {
            for message in &page.messages {
                if message.seq().0 <= upstream.at.seq {
                    continue;
                }
                let done = if upstream.is_mirror {
                    let renamed = upstream.rename(message.subject(), now.mono_ns);
                    self.take_mirrored(message, renamed.as_deref())
                } else {
                    match self.stream.take_in(now, &upstream, message, &mut self.batch) {
                        Sourced::Full(error) => Err(error),
                        Sourced::Done | Sourced::Gap(_) => Ok(()),
                    }
                };
                if let Err(error) = done {
                    upstream.fail(now, error);
                    break;
                }
                upstream.took(message.seq().0);
            }
        }
        self.stream.upstreams.push(upstream);
        let last = self.stream.upstreams.len() - 1;
        self.stream.upstreams.swap(n, last);
    }

    fn take_mirrored(
        &mut self,
        message: &natterjack_store::Message,
        renamed: Option<&[u8]>,
    ) -> Result<(), ApiError> {
        for _ in 0..2 {
            match self.stream.mirror(message, renamed, &mut self.batch) {
                Sourced::Done => return Ok(()),
                Sourced::Full(error) => return Err(error),
                Sourced::Gap(last) => self.give_up(last, message.ts_ns()),
            }
        }
        Ok(())
    }

    /// Gives up sequences behind what is in the open batch.
    pub(super) fn give_up(&mut self, last: Seq, ts_ns: i64) {
        let command = Command::Skip { last: last.0, ts_ns };
        self.propose_in_order(&command, None);
        self.stream.took(last, ts_ns);
    }

    /// Puts `command` behind all messages that were decided before, and before all that come after.
    pub(super) fn propose_in_order(&mut self, command: &Command, ticket: Option<Ticket>) {
        self.close_batch();
        let waits = Waits {
            ticket,
            ..Waits::default()
        };
        self.closed
            .push_back((EntryBody::Command(command.encode()), waits));
    }

    /// What comes next goes to an entry of its own.
    pub(super) fn close_batch(&mut self) {
        if !self.batch.is_empty() {
            let body = EntryBody::Messages(self.batch.finish());
            self.closed.push_back((body, std::mem::take(&mut self.open)));
        }
    }

    /// Which stream this is: another after it was deleted and made again under the same name.
    #[must_use]
    pub fn identity(&self) -> String {
        name_hash(&format!("{} {}", self.names.stream, self.stream.created.0), 8)
    }

    /// What of the origin `key` was taken in, and up to where that is safe; `None` when it is not an origin any more.
    #[must_use]
    pub fn followed(&self, key: &str) -> Option<(u64, u64)> {
        let upstream = self.stream.upstreams.iter().find(|u| u.key == key)?;
        Some((upstream.at.seq, self.stream.safe_up_to(upstream)))
    }

    /// These messages, as far as they are there, for another stream that `pending` more wait for. `taken` is the last
    /// that it took when they were asked for; 0 for none.
    pub fn page_of(&mut self, seqs: &[u64], pending: u64, taken: u64) -> Page {
        let found = seqs
            .iter()
            .filter_map(|seq| self.stream.store.load(Seq(*seq)).ok());
        let messages = found.collect();
        Page {
            start: (taken > 0).then_some(Start::Seq(taken + 1)),
            identity: self.identity(),
            messages,
            pending,
        }
    }

    /// Something is wrong with the origin `key`; it is tried again later.
    pub fn upstream_failed(&mut self, key: &str, error: ApiError, now: Now) {
        if let Some(upstream) = self.stream.upstreams.iter_mut().find(|u| u.key == key) {
            upstream.fail(now, error);
        }
    }

    /// Answers what another stream asks of this one.
    pub fn read_page(&mut self, ask: &Ask) -> Page {
        let identity = self.identity();
        let mut from = match ask.start {
            _ if !ask.identity.is_empty() && ask.identity != identity => Seq(u64::MAX),
            Start::Seq(seq) => Seq(seq),
            Start::Time(ts) => self.stream.store.seq_at_time(ts),
        };
        let mut page = Page {
            start: Some(ask.start),
            identity,
            ..Page::default()
        };
        let last = self.stream.store.state().last_seq;
        let mut bytes = 0;
        let mut is_full = false;
        self.stream.store.scan(&ask.filters, from, &mut |passing| {
            let message = passing.message();
            from = message.seq().next();
            bytes += message.body().len();
            page.messages.push(message);
            is_full = page.messages.len() >= PAGE_MESSAGES_MAX || bytes >= PAGE_BYTES_MAX;
            if is_full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if is_full && from <= last {
            page.pending = self.stream.store.num_pending(&ask.filters, from, false).count;
        }
        page
    }
}
