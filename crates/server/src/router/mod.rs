//! Routing: one message to everybody it concerns, in this task, without waiting.

pub(crate) mod lane;
pub(crate) mod message;
pub(crate) mod sub;
pub(crate) mod trace;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_proto::encode;
use natterjack_subject::sublist::{MatchSet, QueueMatch};

use crate::conn::write::{Parts, Queued};
use crate::conn::{CloseReason, Conn};
use lane::Lane;
use message::Routed;
use sub::{Sub, SubRef, Target};
use trace::Undelivered;

/// Begins the subjects clients make for answers.
const INBOX: &[u8] = b"_INBOX.";

/// A message as it goes to clients with and without headers, made when first needed.
#[derive(Debug, Default)]
struct Encoded {
    head: Vec<u8>,
    tail: Vec<u8>,
    with_headers: Option<bool>,
}

impl Encoded {
    fn make(&mut self, message: &Routed<'_>, with_headers: bool) {
        if self.with_headers == Some(with_headers) {
            return;
        }
        self.with_headers = Some(with_headers);
        self.head.clear();
        self.tail.clear();
        encode::msg_head(&mut self.head, message.subject, with_headers);
        let (headers, total) = if with_headers {
            (Some(message.headers_len), message.body.len())
        } else {
            (None, message.payload().len())
        };
        encode::msg_tail(&mut self.tail, message.reply, headers, total);
    }
}

impl Lane {
    /// Routes `message` on its own subject. Returns whether anybody took it.
    pub(crate) fn route(&mut self, message: &Routed<'_>) -> bool {
        if message.subject.starts_with(INBOX) {
            return self.route_once(message);
        }
        self.route_to(message.subject, None, message)
    }

    /// Routes `message` on a subject that hardly comes again, such as the answer to one request: who listens is looked up
    /// and forgotten.
    pub(crate) fn route_once(&mut self, message: &Routed<'_>) -> bool {
        let mut found = std::mem::take(&mut self.found);
        self.account
            .sublist
            .read()
            .match_into(message.subject, &mut found);
        let taken = self.hand_out(&found, None, message);
        found.clear();
        self.found = found;
        taken
    }

    /// Routes `message` to those who listen on `to`; with `group` only to one member of that queue group.
    pub(crate) fn route_to(&mut self, to: &[u8], group: Option<&[u8]>, message: &Routed<'_>) -> bool {
        let found = self.matches(to);
        self.hand_out(&found, group, message)
    }

    fn hand_out(&mut self, found: &MatchSet<SubRef>, group: Option<&[u8]>, message: &Routed<'_>) -> bool {
        if found.is_empty() {
            return false;
        }
        let mut encoded = Encoded {
            head: std::mem::take(&mut self.head),
            tail: std::mem::take(&mut self.tail),
            with_headers: None,
        };
        let mut taken = false;
        if group.is_none() {
            for sub in &found.plain {
                taken |= self.hand(&sub.0, message, &mut encoded);
            }
        }
        for queue in &found.queues {
            if group.is_none_or(|g| *g == *queue.name) {
                taken |= self.hand_to_queue(queue, message, &mut encoded);
            }
        }
        self.head = encoded.head;
        self.tail = encoded.tail;
        taken
    }

    /// Hands `message` to one subscription.
    pub(crate) fn route_to_one(&mut self, sub: &Arc<Sub>, message: &Routed<'_>) -> bool {
        let mut encoded = Encoded::default();
        self.hand(sub, message, &mut encoded)
    }

    fn hand_to_queue(
        &mut self,
        queue: &QueueMatch<SubRef>,
        message: &Routed<'_>,
        encoded: &mut Encoded,
    ) -> bool {
        let count = queue.members.len();
        let start = usize::try_from(self.random() % (count.max(1) as u64)).unwrap_or(0);
        (0..count).any(|n| {
            let member = &queue.members[(start + n) % count].0;
            self.hand(member, message, encoded)
        })
    }

    fn hand(&mut self, sub: &Arc<Sub>, message: &Routed<'_>, encoded: &mut Encoded) -> bool {
        match &sub.target {
            Target::Client(conn) => {
                let outcome = self.hand_to_client(sub, conn, message, encoded);
                if let Some(trace) = &mut self.trace {
                    trace.delivered(conn, sub, outcome);
                }
                outcome.is_ok()
            }
            Target::Service(service) if self.trace.is_some() => self.hand_traced(service, message),
            Target::Service(service) => service.on_message(message, self),
        }
    }

    fn hand_to_client(
        &mut self,
        sub: &Arc<Sub>,
        conn: &Arc<Conn>,
        message: &Routed<'_>,
        encoded: &mut Encoded,
    ) -> Result<(), Undelivered> {
        if let Some(from) = message.from
            && Arc::ptr_eq(from, conn)
            && !conn.echo()
        {
            return Err(Undelivered::NoEcho);
        }
        if sub.filtered.load(Ordering::Relaxed) && !conn.may_receive(message.subject, sub.queue.as_deref()) {
            return Err(Undelivered::SubscriptionDenied);
        }
        if sub.closed.load(Ordering::Relaxed) {
            return Err(Undelivered::SubscriptionClosed);
        }
        if conn.is_closed() {
            return Err(Undelivered::ClientClosed);
        }
        if self.trace.as_ref().is_some_and(|trace| trace.only) {
            return Ok(());
        }
        let max = sub.max.load(Ordering::Relaxed);
        let count = sub.delivered.fetch_add(1, Ordering::Relaxed) + 1;
        if max > 0 && count > max {
            return Err(Undelivered::AutoUnsubscribed);
        }
        let with_headers = message.headers_len > 0 && conn.headers();
        encoded.make(message, with_headers);
        let parts = Parts {
            head: &encoded.head,
            sid: &sub.sid,
            tail: &encoded.tail,
            body: if with_headers {
                message.body
            } else {
                message.payload()
            },
            shared: message
                .shared
                .filter(|_| with_headers || message.headers_len == 0),
        };
        let (queued, stall) = conn.outbound.queue_message(&parts);
        if stall {
            self.stall(conn);
        }
        match queued {
            Queued::Claimed => self.touch(conn),
            Queued::Joined => {}
            Queued::Closed => return Err(Undelivered::ClientClosed),
            Queued::TooSlow => {
                conn.close(CloseReason::SlowConsumerPendingBytes);
                return Err(Undelivered::ClientClosed);
            }
        }
        conn.trace_out(&parts);
        if let Some(reply) = message.reply {
            conn.note_request(reply);
        }
        self.sent.add(parts.body.len());
        if max > 0 && count == max {
            conn.drop_sub(sub);
        }
        Ok(())
    }
}
