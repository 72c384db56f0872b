//! One task's way into the router: what it touched and must flush, what it looked up, what it counted. A lane belongs to
//! one task and one account; nothing here waits.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_subject::sublist::MatchSet;

use super::sub::SubRef;
use super::trace::Trace;
use crate::account::Account;
use crate::conn::write::Flushed;
use crate::conn::{CloseReason, Conn};
use crate::mailbox::Gate;
use crate::server::Server;

/// Subjects whose receivers are remembered.
const CACHE_MAX: usize = 256;
/// Subjects of which is known that they came lately, once there are more than can be remembered.
const LATELY_MAX: usize = 1024;

type Cache = hashbrown::HashMap<Box<[u8]>, Arc<MatchSet<SubRef>>, foldhash::fast::RandomState>;

/// Traffic since it was last added to the counters.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    /// Messages.
    pub(crate) messages: u64,
    /// Bytes of headers and payload.
    pub(crate) bytes: u64,
}

impl Count {
    /// Counts one message.
    pub(crate) const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// What a task that routes keeps between messages.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The server.
    pub(crate) server: Arc<Server>,
    /// Whose subjects.
    pub(crate) account: Arc<Account>,
    cache: Cache,
    cached_generation: u64,
    /// Hashes of subjects that came lately; empty until the cache has been full for the first time. From then on
    /// only what comes again is remembered: where every subject is another one, remembering costs more than it saves.
    lately: Vec<u64>,
    /// Who gets a message whose subject is not remembered.
    unremembered: Arc<MatchSet<SubRef>>,
    touched: Vec<Arc<Conn>>,
    stalled: Option<Arc<Conn>>,
    /// A full mailbox: its producers should wait.
    pub(crate) gate: Option<Arc<Gate>>,
    /// What happens to the message at hand, when it asks to know.
    pub(crate) trace: Option<Box<Trace>>,
    /// Who was found for a message that is routed once.
    pub(super) found: MatchSet<SubRef>,
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
    /// Delivered to clients.
    pub(crate) sent: Count,
    /// Received from clients.
    pub(crate) received: Count,
    random: u64,
}

impl Lane {
    /// A lane into `account`.
    pub(crate) fn new(server: &Arc<Server>, account: &Arc<Account>) -> Self {
        Self {
            server: Arc::clone(server),
            account: Arc::clone(account),
            cache: Cache::default(),
            cached_generation: 0,
            lately: Vec::new(),
            unremembered: Arc::default(),
            touched: Vec::new(),
            stalled: None,
            gate: None,
            trace: None,
            found: MatchSet::default(),
            head: Vec::new(),
            tail: Vec::new(),
            sent: Count::default(),
            received: Count::default(),
            random: rand::random::<u64>() | 1,
        }
    }

    /// Its producers wait until `gate` opens, unless they wait at another already.
    pub(crate) fn wait_at(&mut self, gate: &Arc<Gate>) {
        self.gate.get_or_insert_with(|| Arc::clone(gate));
    }

    /// A cheap random number: for the choice of queue members, not for secrets.
    pub(crate) const fn random(&mut self) -> u64 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Who gets a message on `subject`.
    pub(crate) fn matches(&mut self, subject: &[u8]) -> Arc<MatchSet<SubRef>> {
        let generation = self.account.generation.load(Ordering::Acquire);
        if generation != self.cached_generation {
            self.cache.clear();
            self.cached_generation = generation;
        }
        if let Some(found) = self.cache.get(subject) {
            return Arc::clone(found);
        }
        if !self.lately.is_empty() && !self.came_lately(subject) {
            return self.match_once(subject);
        }
        let found = self.account.sublist.read().matches(subject);
        if self.cache.len() >= CACHE_MAX {
            self.cache.clear();
            self.lately.resize(LATELY_MAX, 0);
        }
        self.cache.insert(subject.into(), Arc::clone(&found));
        found
    }

    /// Whether `subject` came lately; it has now.
    fn came_lately(&mut self, subject: &[u8]) -> bool {
        let hash = self.cache.hasher().hash_one(subject);
        let place = usize::try_from(hash % LATELY_MAX as u64).unwrap_or(0);
        std::mem::replace(&mut self.lately[place], hash) == hash
    }

    /// Who gets a message on `subject`, without remembering it and, as a rule, without allocating.
    fn match_once(&mut self, subject: &[u8]) -> Arc<MatchSet<SubRef>> {
        if Arc::get_mut(&mut self.unremembered).is_none() {
            self.unremembered = Arc::default();
        }
        if let Some(found) = Arc::get_mut(&mut self.unremembered) {
            found.clear();
            self.account.sublist.read().match_into(subject, found);
        }
        Arc::clone(&self.unremembered)
    }

    /// Notes that `conn` has something to flush.
    pub(crate) fn touch(&mut self, conn: &Arc<Conn>) {
        self.touched.push(Arc::clone(conn));
    }

    /// Notes that `conn` has so much waiting that producers should slow down.
    pub(crate) fn stall(&mut self, conn: &Arc<Conn>) {
        if self.stalled.is_none() {
            self.stalled = Some(Arc::clone(conn));
        }
    }

    /// A connection producers should wait for.
    pub(crate) const fn take_stalled(&mut self) -> Option<Arc<Conn>> {
        self.stalled.take()
    }

    /// Flushes every touched connection once and adds up the counters.
    pub(crate) fn flush(&mut self) {
        for conn in self.touched.drain(..) {
            if conn.outbound.flush(&conn.io) == Flushed::Failed {
                conn.close(CloseReason::WriteError);
            }
        }
        if self.sent.messages > 0 {
            let sent = std::mem::take(&mut self.sent);
            self.server.counters.sent.add(sent);
            self.account.sent.add(sent);
        }
        if self.received.messages > 0 {
            let received = std::mem::take(&mut self.received);
            self.server.counters.received.add(received);
            self.account.received.add(received);
        }
    }
}
