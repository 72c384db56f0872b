//! Accounts: who shares subjects with whom. Holds the routing table of each account; never decides who may connect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use natterjack_subject::sublist::Sublist;
use parking_lot::{Mutex, RwLock};

use crate::router::sub::Sub;

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

/// One account: a space of subjects.
#[derive(Debug)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Who listens on what.
    pub(crate) sublist: RwLock<Sublist<Arc<Sub>>>,
    /// Changes with every change of `sublist`; lets match caches check themselves without the lock.
    pub(crate) generation: Arc<AtomicU64>,
    /// Subject mappings, if any are configured.
    pub(crate) mappings: RwLock<Arc<Vec<natterjack_subject::transform::Mapping>>>,
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
            mappings: RwLock::default(),
            clients: AtomicI64::new(0),
            clients_total: AtomicU64::new(0),
            sent: Traffic::default(),
            received: Traffic::default(),
            slow_consumers: AtomicU64::new(0),
            limits: Mutex::default(),
        }
    }

    /// Whether anybody listens on `subject`.
    pub(crate) fn has_interest(&self, subject: &[u8]) -> bool {
        self.sublist.read().has_interest(subject)
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

    /// The account called `name`, made if missing.
    pub(crate) fn get_or_create(&self, name: &str, cache: bool) -> Arc<Account> {
        if let Some(account) = self.get(name) {
            return account;
        }
        let mut map = self.by_name.write();
        if let Some(account) = map.get(name) {
            return Arc::clone(account);
        }
        let account = Arc::new(Account::new(name, cache));
        map.insert(Arc::clone(&account.name), Arc::clone(&account));
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
