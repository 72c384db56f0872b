//! A client connection as everybody else sees it: where to write, what it listens to, what it may hear. Its own task is in
//! `task.rs`; nothing here waits.

mod chunks;
pub(crate) mod close;
mod connect;
#[cfg(test)]
mod counts;
pub(crate) mod io;
mod keepalive;
mod parts;
mod publish;
mod read;
mod refresh;
mod session;
mod subscribe;
mod task;
pub(crate) mod write;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use natterjack_auth::Permissions;
use natterjack_jsapi::GoTime;
use natterjack_proto::{Connect, Info};
use parking_lot::Mutex;

pub(crate) use close::CloseReason;
use io::Io;
pub(crate) use task::serve;
use write::{Flushed, Outbound, Parts, Queued};

use crate::account::Account;
use crate::clock;
use crate::router::sub::Sub;

/// Requests remembered for permission to answer them.
const REQUESTS_MAX: usize = 4096;
/// Subscriptions that a connection keeps room for once it has had them.
const SUBS_KEPT: usize = 1024;
/// Room for each subscription beyond which it is given back.
const SUBS_SPARSE: usize = 8;

/// What monitoring and other tasks may look at.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Its CONNECT.
    pub(crate) connect: Connect,
    /// Its account.
    pub(crate) account: Arc<Account>,
    /// Its user.
    pub(crate) user: Option<String>,
    /// What it may do.
    pub(crate) permissions: Option<Arc<Permissions>>,
    /// What it listens to, by its own names.
    pub(crate) subs: HashMap<Box<[u8]>, Arc<Sub>>,
    requests: HashMap<Box<[u8]>, (Instant, i64)>,
    /// Why it ended.
    pub(crate) reason: Option<CloseReason>,
    /// When it ended.
    pub(crate) stopped: Option<GoTime>,
}

/// One client connection.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Number, from 1.
    pub(crate) id: u64,
    /// The socket.
    pub(crate) io: Io,
    /// What waits for it.
    pub(crate) outbound: Outbound,
    /// Where it comes from.
    pub(crate) address: SocketAddr,
    /// Where a proxy says it comes from.
    pub(crate) proxied: OnceLock<SocketAddr>,
    /// When it came.
    pub(crate) started: GoTime,
    /// Facts.
    pub(crate) facts: Mutex<Facts>,
    echo: AtomicBool,
    headers: AtomicBool,
    answers: AtomicBool,
    closed: AtomicBool,
    /// Whether it belongs to an account by its own CONNECT.
    pub(crate) joined: AtomicBool,
    /// Whether it is told of changes by INFO.
    pub(crate) informed: AtomicBool,
    /// Messages received.
    pub(crate) received_messages: AtomicU64,
    /// Bytes received.
    pub(crate) received_bytes: AtomicU64,
    /// When it last sent or was sent something, wall clock nanoseconds.
    pub(crate) last_activity_ns: AtomicI64,
    /// Round trip, nanoseconds; 0 unknown.
    pub(crate) round_trip_ns: AtomicI64,
    /// Times its producers were made to wait.
    pub(crate) stalls: AtomicU64,
}

impl Conn {
    pub(crate) fn new(
        id: u64,
        io: Io,
        address: SocketAddr,
        account: Arc<Account>,
        (pending_max, write_retry): (usize, bool),
    ) -> Self {
        let started = clock::wall();
        Self {
            id,
            io,
            outbound: Outbound::new(pending_max, write_retry),
            address,
            proxied: OnceLock::new(),
            started,
            facts: Mutex::new(Facts {
                connect: Connect::default(),
                account,
                user: None,
                permissions: None,
                subs: HashMap::new(),
                requests: HashMap::new(),
                reason: None,
                stopped: None,
            }),
            echo: AtomicBool::new(true),
            headers: AtomicBool::new(false),
            answers: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            informed: AtomicBool::new(false),
            received_messages: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            last_activity_ns: AtomicI64::new(started.0),
            round_trip_ns: AtomicI64::new(0),
            stalls: AtomicU64::new(0),
        }
    }

    /// How log lines name it.
    pub(crate) fn label(&self) -> String {
        format!("{} - cid:{}", self.address, self.id)
    }

    /// Where the client is, as far as is known.
    pub(crate) fn client(&self) -> SocketAddr {
        *self.proxied.get().unwrap_or(&self.address)
    }

    /// Whether it hears its own messages.
    pub(crate) fn echo(&self) -> bool {
        self.echo.load(Ordering::Relaxed)
    }

    /// Whether it understands headers.
    pub(crate) fn headers(&self) -> bool {
        self.headers.load(Ordering::Relaxed)
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Ends it: its task writes what is queued and goes. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        {
            let mut facts = self.facts.lock();
            if facts.reason.is_some() {
                return;
            }
            facts.reason = Some(reason);
            facts.stopped = Some(clock::wall());
        }
        self.closed.store(true, Ordering::Release);
        self.outbound.close();
    }

    /// Whether a message on `subject` may reach its subscription in `queue`.
    pub(crate) fn may_receive(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        let facts = self.facts.lock();
        facts
            .permissions
            .as_ref()
            .is_none_or(|p| p.can_deliver(subject, queue))
    }

    /// Notes that it was sent a request it may answer.
    pub(crate) fn note_request(&self, reply: &[u8]) {
        if !self.answers.load(Ordering::Relaxed) {
            return;
        }
        let mut facts = self.facts.lock();
        let Some(rules) = facts.permissions.as_ref().and_then(|p| p.responses) else {
            return;
        };
        let now = Instant::now();
        if facts.requests.len() >= REQUESTS_MAX {
            let expires = u128::from(rules.expires_ns.unsigned_abs());
            facts
                .requests
                .retain(|_, (at, _)| rules.expires_ns < 0 || now.duration_since(*at).as_nanos() < expires);
        }
        if facts.requests.len() < REQUESTS_MAX {
            facts.requests.insert(reply.into(), (now, rules.max));
        }
    }

    /// Whether it may publish on `subject` because it was asked to; uses the permission up.
    pub(crate) fn may_answer(&self, subject: &[u8]) -> bool {
        if !self.answers.load(Ordering::Relaxed) {
            return false;
        }
        let mut facts = self.facts.lock();
        let Some(rules) = facts.permissions.as_ref().and_then(|p| p.responses) else {
            return false;
        };
        let Some((at, left)) = facts.requests.get_mut(subject) else {
            return false;
        };
        let late =
            rules.expires_ns >= 0 && at.elapsed().as_nanos() > u128::from(rules.expires_ns.unsigned_abs());
        if late || *left == 0 {
            facts.requests.remove(subject);
            return false;
        }
        *left -= 1;
        true
    }

    /// Takes one of its subscriptions away.
    pub(crate) fn drop_sub(&self, sub: &Arc<Sub>) {
        let account = {
            let mut facts = self.facts.lock();
            if facts.subs.get(&sub.sid).is_some_and(|s| s.id == sub.id) {
                facts.subs.remove(&sub.sid);
                let held = facts.subs.len();
                if facts.subs.capacity() / SUBS_SPARSE > held.max(SUBS_KEPT) {
                    facts.subs.shrink_to(held.max(SUBS_KEPT));
                }
            }
            Arc::clone(&facts.account)
        };
        account.unsubscribe(sub);
    }

    /// Takes it out of everything after its task has failed.
    pub(crate) fn abandon(&self) {
        self.close(CloseReason::ProtocolViolation);
        let (account, subs) = {
            let mut facts = self.facts.lock();
            let subs: Vec<_> = facts.subs.drain().map(|(_, sub)| sub).collect();
            (Arc::clone(&facts.account), subs)
        };
        account.unsubscribe_all(&subs);
        self.io.shutdown();
        self.outbound.discard();
    }

    /// Sends it an INFO that it did not ask for.
    pub(crate) fn inform(&self, info: &Info) {
        let mut out = Vec::new();
        info.encode(&mut out);
        let claimed = self.outbound.queue_protocol(&out) == Queued::Claimed;
        if claimed && self.outbound.flush(&self.io) == Flushed::Failed {
            self.close(CloseReason::WriteError);
        }
    }

    /// Logs what is sent, when traffic is logged.
    pub(crate) fn trace_out(&self, parts: &Parts<'_>) {
        if crate::log::traces() {
            let line = [parts.head, parts.sid, parts.tail].concat();
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            tracing::trace!("{} - ->> [{text}]", self.label());
        }
    }
}
