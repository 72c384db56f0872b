//! Connections that have not said who they are and must: how many there are, and from where. Refuses nobody by itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use natterjack_config::options::Limits;
use parking_lot::Mutex;

use crate::server::Server;

/// How many strangers there are, by address. Bounded by the number of connections.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: u64,
    by_address: HashMap<IpAddr, u64>,
}

impl Strangers {
    /// Whether one more from `address` is within `limits`.
    pub(crate) fn fits(&self, address: IpAddr, limits: &Limits) -> bool {
        let below = |held: u64, most: u64| most == 0 || held < most;
        let counts = self.0.lock();
        let held = counts.by_address.get(&address).copied().unwrap_or(0);
        below(counts.all, limits.pre_auth_connections_max)
            && below(held, limits.pre_auth_connections_per_address_max)
    }
}

/// A place among the strangers, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    server: Arc<Server>,
    address: IpAddr,
}

impl Place {
    /// Takes one.
    pub(crate) fn take(server: &Arc<Server>, address: IpAddr) -> Self {
        let mut counts = server.strangers.0.lock();
        counts.all += 1;
        *counts.by_address.entry(address).or_default() += 1;
        drop(counts);
        Self {
            server: Arc::clone(server),
            address,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.server.strangers.0.lock();
        counts.all -= 1;
        if let Some(held) = counts.by_address.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}
