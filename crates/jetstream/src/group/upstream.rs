//! A group as a mirror or a stream with sources, and as an origin of others: what to ask, what to take, what to answer.

use std::ops::ControlFlow;

use natterjack_jsapi::ApiError;
use natterjack_store::{EntryBody, Message, Seq};
use natterjack_subject::names::name_hash;

use super::publish::interest_in;
use super::{Group, Ticket, Waits};
use crate::clock::Now;
use crate::command::Command;
use crate::consumer::starting_point;
use crate::source::{Ask, Next, Page, Start, Upstream, consumer_start};
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
            if upstream.is_mirror {
                self.skip_what_is_gone(&mut upstream, page);
            }
            for message in &page.messages {
                if message.seq().0 <= upstream.at.seq {
                    continue;
                }
                match self.take_one(now, &upstream, message) {
                    Sourced::Full(error) => {
                        upstream.fail(now, error);
                        break;
                    }
                    done => upstream.took(message.seq().0, done == Sourced::Done),
                }
            }
        }
        self.stream.upstreams.push(upstream);
        let last = self.stream.upstreams.len() - 1;
        self.stream.upstreams.swap(n, last);
    }

    /// A mirror begins where its origin does: what is gone there is not waited for.
    fn skip_what_is_gone(&mut self, upstream: &mut Upstream, page: &Page) {
        if let Some(behind) = page
            .behind
            .filter(|behind| *behind > self.stream.overlay.last_seq)
        {
            self.give_up(behind, self.stream.overlay.last_ts_ns);
            upstream.at.seq = behind.0;
        }
    }

    fn take_one(&mut self, now: Now, upstream: &Upstream, message: &Message) -> Sourced {
        let renamed = upstream.rename(message.subject(), now.mono_ns);
        let done = self.try_one(now, upstream, message, renamed.as_deref());
        let Sourced::Gap(last) = done else {
            return done;
        };
        self.give_up(last, message.ts_ns());
        self.try_one(now, upstream, message, renamed.as_deref())
    }

    fn try_one(
        &mut self,
        now: Now,
        upstream: &Upstream,
        message: &Message,
        renamed: Option<&[u8]>,
    ) -> Sourced {
        let interest = &mut interest_in(self.stream.config.retention, &mut self.consumers);
        let batch = &mut self.batch;
        if upstream.is_mirror {
            self.stream.mirror(now, message, renamed, interest, batch)
        } else {
            self.stream
                .take_in(now, upstream, (message, renamed), interest, batch)
        }
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
        // What was passed over leaves no trace: when nothing is on its way, all that was taken is safe.
        let safe = if self.is_settled() {
            upstream.at.seq
        } else {
            self.stream.safe_up_to(upstream)
        };
        Some((upstream.at.seq, safe))
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
        let behind = ask.begins.then(|| {
            let stream = &mut self.stream;
            let (state, _) = starting_point(&consumer_start(ask), &stream.config, stream.store.as_mut());
            Seq(state.delivered().stream)
        });
        let mut page = Page {
            start: Some(ask.start),
            identity,
            behind,
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
