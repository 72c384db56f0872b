//! Pull requests: how they are read, refused, kept, served in turn and ended. Status lines are the peer's.

use natterjack_jsapi::Nanos;
use natterjack_jsapi::ack::parse_pull;
use natterjack_jsapi::consumer::PriorityPolicy;
use natterjack_jsapi::request::Pull;

use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::Effects;

/// How long a queue that is full refuses before it is looked through for requests nobody listens for any more.
const DEAF_EVERY_NS: u64 = 1_000_000_000;

/// One request that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) reply: Vec<u8>,
    /// Messages still wanted.
    pub(crate) left: u64,
    /// What statuses show beyond `left`: a request that named no number shows none.
    unnamed: u64,
    /// Bytes still wanted; 0 if not limited.
    pub(crate) bytes: u64,
    bytes_limited: bool,
    /// When it ends, monotonic.
    pub(crate) expires: Option<u64>,
    pub(crate) no_wait: bool,
    pub(crate) delivered: u64,
    heartbeat: u64,
    next_heartbeat: u64,
    pub(crate) min_pending: u64,
    pub(crate) min_ack_pending: u64,
    pub(crate) id: String,
    pub(crate) priority: i64,
    /// Whether it was made for a group. One that is a bare number was not.
    pub(crate) grouped: bool,
}

impl Waiting {
    pub(crate) fn is_expired(&self, now: Now) -> bool {
        self.expires.is_some_and(|at| at <= now.mono_ns)
    }

    /// What is still wanted, as statuses show it; below zero, as in the peer, for one that named no number and got one.
    pub(crate) fn rest(&self) -> String {
        format!(
            "Nats-Pending-Messages: {}\r\nNats-Pending-Bytes: {}\r\n",
            i128::from(self.left) - i128::from(self.unnamed),
            self.bytes
        )
    }
}

pub(crate) fn status(fx: &mut dyn Effects, to: &[u8], line: &str, fields: &str) {
    let block = format!("NATS/1.0 {line}\r\n{fields}\r\n");
    fx.send(to, None, block.as_bytes(), &[]);
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

impl Consumer {
    /// A client asks for messages.
    pub(crate) fn on_pull(&mut self, now: Now, reply: &[u8], body: &[u8], fx: &mut dyn Effects) {
        if self.is_push() {
            status(fx, reply, "409 Consumer is push based", "");
            return;
        }
        self.idle_since = Some(now.mono_ns);
        let pull = match parse_pull(body) {
            Ok(pull) => pull,
            Err(error) => {
                status(fx, reply, &format!("400 Bad Request - {error}"), "");
                return;
            }
        };
        // A bare number says nothing of groups, and the peer does not ask.
        let grouped = body.trim_ascii().starts_with(b"{");
        if let Some(line) = self.refuse_pull(&pull, grouped) {
            status(fx, reply, &line, "");
            return;
        }
        self.end_requests(now, false, fx);
        if pull.no_wait && self.refuse_no_wait(&pull, reply, fx) {
            return;
        }
        let max = usize::try_from(self.config.max_waiting).unwrap_or(0);
        let looked = now.mono_ns.saturating_sub(self.looked_for_deaf);
        if self.waiting.len() >= max && looked > DEAF_EVERY_NS {
            self.drop_deaf(now, fx);
        }
        if self.waiting.len() >= max {
            // A client that asked for heartbeats notices their absence.
            if pull.idle_heartbeat.0 == 0 {
                status(fx, reply, "409 Exceeded MaxWaiting", "");
            }
            return;
        }
        self.pin_on_pull(now, &pull);
        self.waiting.push_back(Waiting {
            reply: reply.to_vec(),
            left: count(pull.batch).max(1),
            unnamed: u64::from(pull.batch <= 0),
            bytes: count(pull.max_bytes),
            bytes_limited: pull.max_bytes > 0,
            // Below zero is over already.
            expires: (pull.expires.0 != 0).then(|| now.mono_ns.saturating_add(pull.expires.as_u64())),
            no_wait: pull.no_wait,
            delivered: 0,
            heartbeat: pull.idle_heartbeat.as_u64(),
            next_heartbeat: now.mono_ns.saturating_add(pull.idle_heartbeat.as_u64()),
            min_pending: count(pull.min_pending),
            min_ack_pending: count(pull.min_ack_pending),
            id: pull.id,
            // A bare number has none and comes last.
            priority: if grouped { pull.priority } else { i64::MAX },
            grouped,
        });
        if self.config.priority_policy == PriorityPolicy::Prioritized {
            self.waiting.make_contiguous().sort_by_key(|w| w.priority);
        }
        // The peer looks with each request it takes; only with the last that fits does it show.
        self.looked_for_deaf = now.mono_ns;
        if self.waiting.len() >= max {
            self.drop_deaf(now, fx);
        }
        self.runnable = true;
    }

    fn refuse_pull(&self, pull: &Pull, grouped: bool) -> Option<String> {
        let config = &self.config;
        // A request that never expires has no time for two heartbeats either, as the peer counts.
        if pull.idle_heartbeat.0 > 0 && pull.idle_heartbeat.0.saturating_mul(2) > pull.expires.0 {
            return Some("400 Bad Request - heartbeat value too large".into());
        }
        if config.max_batch > 0 && pull.batch > config.max_batch {
            return Some(format!("409 Exceeded MaxRequestBatch of {}", config.max_batch));
        }
        if config.max_expires.0 > 0 && pull.expires > config.max_expires {
            return Some(format!(
                "409 Exceeded MaxRequestExpires of {}",
                config.max_expires
            ));
        }
        if config.max_bytes > 0 && pull.max_bytes > config.max_bytes {
            return Some(format!("409 Exceeded MaxRequestMaxBytes of {}", config.max_bytes));
        }
        if grouped { self.refuse_group(pull) } else { None }
    }

    /// Whether a request that will not wait has nothing to wait for; answers it then.
    fn refuse_no_wait(&self, pull: &Pull, reply: &[u8], fx: &mut dyn Effects) -> bool {
        let there = self.num_pending + self.redeliver.len() as u64;
        if there == 0 {
            if pull.expires == Nanos(0) {
                status(fx, reply, "404 No Messages", "");
                return true;
            }
            return false;
        }
        let asked: u64 = self.waiting.iter().map(|w| w.left).sum();
        if there < asked {
            status(fx, reply, "408 Requests Pending", "");
            return true;
        }
        false
    }

    /// Lets go of requests nobody listens for any more.
    pub(crate) fn drop_deaf(&mut self, now: Now, fx: &dyn Effects) {
        self.looked_for_deaf = now.mono_ns;
        self.waiting.retain(|w| fx.has_interest(&w.reply, None));
    }

    /// Ends requests whose time is over; with `end_of_stream` also those that will not wait and were served.
    pub(crate) fn end_requests(&mut self, now: Now, end_of_stream: bool, fx: &mut dyn Effects) {
        self.waiting.retain(|w| {
            if w.is_expired(now) {
                status(fx, &w.reply, "408 Request Timeout", &w.rest());
                return false;
            }
            if end_of_stream && w.no_wait && (w.delivered > 0 || w.expires.is_none()) {
                status(fx, &w.reply, "404 No Messages", "");
                return false;
            }
            true
        });
    }

    /// Ends all requests with a status.
    pub(crate) fn end_all(&mut self, line: &str, with_rest: bool, fx: &mut dyn Effects) {
        for w in self.waiting.drain(..) {
            status(
                fx,
                &w.reply,
                line,
                &if with_rest { w.rest() } else { String::new() },
            );
        }
    }

    /// The request that gets a message of `size` bytes: the first eligible. Ends those that cannot take it.
    pub(crate) fn pick_request(&mut self, now: Now, size: u64, fx: &mut dyn Effects) -> Option<usize> {
        let mut at = 0;
        while at < self.waiting.len() {
            if self.waiting[at].is_expired(now) {
                let w = self.waiting.remove(at)?;
                status(fx, &w.reply, "408 Request Timeout", &w.rest());
                continue;
            }
            if !fx.has_interest(&self.waiting[at].reply, None) {
                self.waiting.remove(at);
                continue;
            }
            if self.has_stale_pin(at) {
                let w = self.waiting.remove(at)?;
                status(fx, &w.reply, "423 Nats-Wrong-Pin-Id", &w.rest());
                continue;
            }
            if !self.is_eligible(at) {
                at += 1;
                continue;
            }
            let w = &self.waiting[at];
            if w.bytes_limited && size > w.bytes {
                let w = self.waiting.remove(at)?;
                status(fx, &w.reply, "409 Message Size Exceeds MaxBytes", &w.rest());
                continue;
            }
            return Some(at);
        }
        None
    }

    /// A message of `size` bytes went to request `at`.
    pub(crate) fn served(&mut self, now: Now, at: usize, size: u64, fx: &mut dyn Effects) {
        let Some(mut w) = self.waiting.remove(at) else {
            return;
        };
        w.left -= 1;
        w.delivered += 1;
        w.next_heartbeat = now.mono_ns.saturating_add(w.heartbeat);
        if w.bytes_limited {
            w.bytes = w.bytes.saturating_sub(size);
        }
        if w.left == 0 || (w.bytes_limited && w.bytes == 0) {
            if w.bytes_limited && w.bytes > 0 {
                status(fx, &w.reply, "409 Batch Completed", &w.rest());
            }
            return;
        }
        // One message a turn: the next goes to the next request.
        if self.config.priority_policy == PriorityPolicy::Prioritized {
            let behind = self.waiting.partition_point(|o| o.priority <= w.priority);
            self.waiting.insert(behind, w);
        } else {
            self.waiting.push_back(w);
        }
    }

    /// Sends heartbeats that are due; returns when the next is.
    pub(crate) fn pull_heartbeats(&mut self, now: Now, fx: &mut dyn Effects) -> Option<u64> {
        let delivered = self.state.delivered();
        let mut next = None;
        for w in self.waiting.iter_mut().filter(|w| w.heartbeat > 0) {
            if w.next_heartbeat <= now.mono_ns {
                let fields = format!(
                    "Nats-Last-Consumer: {}\r\nNats-Last-Stream: {}\r\n",
                    delivered.consumer, delivered.stream
                );
                status(fx, &w.reply, "100 Idle Heartbeat", &fields);
                w.next_heartbeat = now.mono_ns.saturating_add(w.heartbeat);
            }
            next = Some(next.map_or(w.next_heartbeat, |n: u64| n.min(w.next_heartbeat)));
        }
        next
    }

    /// When the first request ends or wants a heartbeat.
    pub(crate) fn pull_deadline(&self) -> Option<u64> {
        let ends = self.waiting.iter().filter_map(|w| w.expires);
        let beats = self
            .waiting
            .iter()
            .filter(|w| w.heartbeat > 0)
            .map(|w| w.next_heartbeat);
        ends.chain(beats).min()
    }
}
