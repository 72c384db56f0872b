//! Accounts: who shares subjects with whom. Holds the routing table of each account; never decides who may connect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use natterjack_config::options::MessageTrace;
use natterjack_subject::sublist::Sublist;
use natterjack_subject::transform::Mapping;
use parking_lot::{Mutex, RwLock};

use crate::router::lane::Count;
use crate::router::sub::{Sub, SubRef};

/// Name of the account of everybody who has no other.
pub(crate) const GLOBAL_ACCOUNT: &str = "$G";
/// Name of the system account.
pub(crate) const SYSTEM_ACCOUNT: &str = "$SYS";

/// Counters of one direction of an account's traffic.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Messages.
    pub(crate) messages: AtomicU64,
    /// Payload bytes.
    pub(crate) bytes: AtomicU64,
}

impl Traffic {
    /// Adds what a lane has counted.
    pub(crate) fn add(&self, count: Count) {
        self.messages.fetch_add(count.messages, Ordering::Relaxed);
        self.bytes.fetch_add(count.bytes, Ordering::Relaxed);
    }

    /// Messages and bytes so far.
    pub(crate) fn get(&self) -> (u64, u64) {
        (
            self.messages.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}

/// Wants to know whether anybody listens on a subject.
pub(crate) trait Watcher: Send + Sync + std::fmt::Debug {
    /// Somebody who could be listening came or went.
    fn on_change(&self);
}

/// A watcher and the key by which it ends.
type Watching = (u64, Arc<dyn Watcher>);

/// One account: a space of subjects.
#[derive(Debug)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Who listens on what.
    pub(crate) sublist: RwLock<Sublist<SubRef>>,
    /// Changes with every change of `sublist`; lets match caches check themselves without the lock.
    pub(crate) generation: Arc<AtomicU64>,
    /// Who wants to know of listeners, by literal subject.
    watchers: Mutex<HashMap<Box<[u8]>, Vec<Watching>>>,
    watched: AtomicU64,
    /// Subject mappings.
    mappings: ArcSwap<Vec<Mapping>>,
    /// Whether there are any: what is asked for each message.
    mapped: AtomicBool,
    /// Where messages are traced to that ask for it in the way of other systems.
    pub(crate) trace: ArcSwapOption<MessageTrace>,
    /// Connected clients.
    pub(crate) clients: AtomicI64,
    /// Clients connected since the start.
    pub(crate) clients_total: AtomicU64,
    /// Sent to clients of the account.
    pub(crate) sent: Traffic,
    /// Received from clients of the account.
    pub(crate) received: Traffic,
    /// Clients dropped for being too slow.
    pub(crate) slow_consumers: AtomicU64,
    /// Limits of connections and what they may ask.
    pub(crate) limits: Mutex<AccountLimits>,
}

/// Limits of an account; `None` is unlimited.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountLimits {
    /// Client connections at a time.
    pub(crate) max_connections: Option<u64>,
    /// Subscriptions per connection.
    pub(crate) max_subscriptions: Option<u64>,
    /// Bytes of headers and payload of a message.
    pub(crate) max_payload: Option<usize>,
}

impl Account {
    /// An account without subscriptions.
    pub(crate) fn new(name: &str, cache: bool) -> Self {
        let sublist = Sublist::with_cache(cache);
        let generation = sublist.generation_handle();
        Self {
            name: name.into(),
            sublist: RwLock::new(sublist),
            generation,
            watchers: Mutex::default(),
            watched: AtomicU64::new(0),
            mappings: ArcSwap::default(),
            mapped: AtomicBool::new(false),
            trace: ArcSwapOption::empty(),
            clients: AtomicI64::new(0),
            clients_total: AtomicU64::new(0),
            sent: Traffic::default(),
            received: Traffic::default(),
            slow_consumers: AtomicU64::new(0),
            limits: Mutex::default(),
        }
    }

    /// The mappings, or `None` when there are none.
    pub(crate) fn mappings(&self) -> Option<Arc<Vec<Mapping>>> {
        self.mapped
            .load(Ordering::Relaxed)
            .then(|| self.mappings.load_full())
    }

    /// Puts `mappings` in place of those there were.
    pub(crate) fn set_mappings(&self, mappings: Vec<Mapping>) {
        let any = !mappings.is_empty();
        self.mappings.store(Arc::new(mappings));
        self.mapped.store(any, Ordering::Relaxed);
    }

    /// Whether anybody listens on `subject`; with `group` in that queue group.
    pub(crate) fn has_interest(&self, subject: &[u8], group: Option<&[u8]>) -> bool {
        let sublist = self.sublist.read();
        let Some(group) = group else {
            return sublist.has_interest(subject);
        };
        let found = sublist.matches(subject);
        found.queues.iter().any(|q| *q.name == *group)
    }

    /// Adds a subscription. `false` when its subject is not valid.
    pub(crate) fn subscribe(&self, sub: &Arc<Sub>) -> bool {
        let added = self.sublist.write().insert(SubRef(Arc::clone(sub))).is_ok();
        if added {
            self.notify(&sub.subject);
        }
        added
    }

    /// Takes a subscription away.
    pub(crate) fn unsubscribe(&self, sub: &Arc<Sub>) {
        sub.closed.store(true, Ordering::Relaxed);
        if self.sublist.write().remove(&SubRef(Arc::clone(sub))) {
            self.notify(&sub.subject);
        }
    }

    /// Takes many subscriptions away at once.
    pub(crate) fn unsubscribe_all(&self, subs: &[Arc<Sub>]) {
        let refs: Vec<SubRef> = subs.iter().map(|s| SubRef(Arc::clone(s))).collect();
        for sub in subs {
            sub.closed.store(true, Ordering::Relaxed);
        }
        self.sublist.write().remove_batch(&refs);
        for sub in subs {
            self.notify(&sub.subject);
        }
    }

    /// Tells `watcher` whenever listeners on the literal `subject` may have come or gone, until [`Self::unwatch`] with `key`.
    pub(crate) fn watch(&self, subject: &[u8], key: u64, watcher: Arc<dyn Watcher>) {
        let mut watchers = self.watchers.lock();
        watchers.entry(subject.into()).or_default().push((key, watcher));
        self.watched.fetch_add(1, Ordering::Release);
    }

    /// Ends [`Self::watch`].
    pub(crate) fn unwatch(&self, subject: &[u8], key: u64) {
        let mut watchers = self.watchers.lock();
        let Some(list) = watchers.get_mut(subject) else {
            return;
        };
        let before = list.len();
        list.retain(|(k, _)| *k != key);
        self.watched
            .fetch_sub((before - list.len()) as u64, Ordering::Release);
        if list.is_empty() {
            watchers.remove(subject);
        }
    }

    fn notify(&self, subject: &[u8]) {
        if self.watched.load(Ordering::Acquire) == 0 {
            return;
        }
        let watchers = self.watchers.lock();
        if natterjack_subject::is_literal(subject) {
            for (_, watcher) in watchers.get(subject).into_iter().flatten() {
                watcher.on_change();
            }
            return;
        }
        let concerned = watchers
            .iter()
            .filter(|(s, _)| natterjack_subject::matches(s, subject));
        for (_, watcher) in concerned.flat_map(|(_, list)| list) {
            watcher.on_change();
        }
    }

    /// Number of subscriptions.
    pub(crate) fn subscriptions(&self) -> usize {
        self.sublist.read().len()
    }
}

/// All accounts of the server.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_name: RwLock<HashMap<Arc<str>, Arc<Account>>>,
}

impl Accounts {
    /// The account called `name`, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Account>> {
        self.by_name.read().get(name).cloned()
    }

    /// Adds an account.
    pub(crate) fn add(&self, account: Account) -> Arc<Account> {
        let account = Arc::new(account);
        let name = Arc::clone(&account.name);
        self.by_name.write().insert(name, Arc::clone(&account));
        account
    }

    /// Every account, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.by_name.read().values().cloned().collect()
    }

    /// Subscriptions of all accounts.
    pub(crate) fn subscriptions(&self) -> usize {
        self.by_name.read().values().map(|a| a.subscriptions()).sum()
    }

    /// Adds one connected client to `account`'s counters.
    pub(crate) fn client_joined(account: &Account) {
        account.clients.fetch_add(1, Ordering::Relaxed);
        account.clients_total.fetch_add(1, Ordering::Relaxed);
    }
}
