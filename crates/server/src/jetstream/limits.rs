//! What accounts and their streams may take: limits out of the configuration, and whether there is room for more.

use std::iter::Sum;
use std::sync::Arc;

use natterjack_config::options::AccountJetStream;
use natterjack_jetstream::consumer::Limits as ConsumerLimits;
use natterjack_jetstream::environment::ServerLimits;
use natterjack_jetstream::{Allowances, BatchLimits, Environment};
use natterjack_jsapi::account::Limits;
use natterjack_jsapi::stream::{Storage, StreamConfig};
use natterjack_jsapi::{ApiError, errors};

use super::inbox::Room;
use super::{JetStream, JsAccount};
use crate::account::GLOBAL_ACCOUNT;
use crate::server::Server;

/// What batches may take, as configured.
pub(super) fn batch_limits(server: &Server) -> BatchLimits {
    let live = server.live.load();
    let options = &live.options.jetstream;
    BatchLimits {
        messages_max: options.max_batch_size as u64,
        timeout_ns: options.batch_timeout_ns,
        ..BatchLimits::default()
    }
    .with_rooms(
        options.max_batch_inflight_per_stream,
        options.max_batch_inflight_total,
    )
}

/// What may wait for a stream, as configured.
pub(super) fn room(server: &Server) -> Room {
    let options = &server.options.jetstream;
    Room {
        messages: options.max_buffered_messages.unwrap_or(usize::MAX),
        bytes: options.max_buffered_bytes.unwrap_or(usize::MAX),
    }
}

fn account_limits(limits: &AccountJetStream) -> Limits {
    Limits {
        max_memory: limits.max_memory_bytes,
        max_storage: limits.max_store_bytes,
        max_streams: limits.max_streams,
        max_consumers: limits.max_consumers,
        max_ack_pending: limits.max_ack_pending,
        memory_max_stream_bytes: limits.memory_max_stream_bytes,
        storage_max_stream_bytes: limits.disk_max_stream_bytes,
        max_bytes_required: limits.max_bytes_required,
    }
}

/// Limits of the server that its configuration sets for streams and consumers.
pub(super) fn server_limits(jetstream: &JetStream) -> ServerLimits {
    let live = jetstream.server.live.load();
    let options = &live.options.jetstream;
    ServerLimits {
        duplicate_window_ns: i64::try_from(options.max_duplicate_window_ns).unwrap_or(i64::MAX),
        max_request_batch: options.max_request_batch,
        max_ack_pending: options.max_ack_pending,
        default_max_consumers: options.default_max_consumers,
    }
}

/// Bytes that accounts are promised, in memory and on disk.
#[derive(Debug, Clone, Copy, Default)]
struct Promised {
    memory: u128,
    store: u128,
}

impl Promised {
    /// What `allowances` promise; what has no limit is promised nothing.
    fn of(allowances: &Allowances) -> Self {
        let bytes = |n: i64| u128::try_from(n).unwrap_or(0);
        let limits = allowances.each().map(|(_, limits)| Self {
            memory: bytes(limits.max_memory),
            store: bytes(limits.max_storage),
        });
        limits.sum()
    }

    /// The rest, where `part` is a part of it.
    fn without(self, part: Self) -> Self {
        Self {
            memory: self.memory.saturating_sub(part.memory),
            store: self.store.saturating_sub(part.store),
        }
    }
}

impl Sum for Promised {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            memory: sum.memory.saturating_add(one.memory),
            store: sum.store.saturating_add(one.store),
        })
    }
}

fn not_enough(error: &ApiError) -> String {
    format!(
        "Error enabling jetstream on configured accounts: {} ({})",
        error.description, error.err_code
    )
}

impl JetStream {
    /// Whether the server has what accounts are promised.
    ///
    /// # Errors
    /// 10028 or 10047.
    fn check_promised(&self, promised: Promised) -> Result<(), ApiError> {
        if promised.memory > self.memory_max().into() {
            return Err(errors::MEMORY_RESOURCES_EXCEEDED);
        }
        if promised.store > self.store_max().into() {
            return Err(errors::STORAGE_RESOURCES_EXCEEDED);
        }
        Ok(())
    }

    /// Whether the server has what all its accounts are promised.
    ///
    /// # Errors
    /// The text for the log.
    pub(super) fn check_reserved(&self) -> Result<(), String> {
        let accounts = self.accounts();
        let allowances = accounts
            .iter()
            .filter_map(|a| self.allowances_of(&a.account.name));
        let promised = allowances.map(|a| Promised::of(&a)).sum();
        self.check_promised(promised).map_err(|error| not_enough(&error))
    }

    /// Puts the limits that the configuration says now in force.
    pub(crate) fn reconfigure(&self) {
        self.take_room();
        let limits = {
            let mut held = self.batch_limits.lock();
            *held = batch_limits(&self.server).in_place_of(&held);
            held.clone()
        };
        for account in self.accounts() {
            account.change(|environment| environment.limits = server_limits(self));
            for stream in account.held() {
                let limits = limits.clone();
                stream.call(move |owner| owner.group.set_batch_limits(limits));
            }
        }
        self.reconfigure_accounts();
    }

    /// Room for streams, as far as the configuration names it; the rest was measured at the start.
    fn take_room(&self) {
        let live = self.server.live.load();
        let options = &live.options.jetstream;
        for (usage, max) in self
            .usage
            .iter()
            .zip([options.max_store_bytes, options.max_memory_bytes])
        {
            if max.is_some() {
                usage.limit(max);
            }
        }
    }

    /// Lets accounts use what the configuration says now. One that is promised more than there is keeps what it had
    /// (jetstream.go `configAllJetStreamAccounts`, which stops there; which account comes first is random). One that the
    /// configuration does not name goes on with what it has.
    fn reconfigure_accounts(&self) {
        let live = self.server.live.load();
        let accounts = self.accounts();
        let mut promised: Promised = accounts.iter().map(|a| a.promised()).sum();
        for account in &accounts {
            let name = &*account.account.name;
            let others = promised.without(account.promised());
            let Some(allowances) = self.allowances_of(name) else {
                if live.options.accounts.iter().any(|a| a.name == name) {
                    account.switch(false);
                    promised = others;
                }
                continue;
            };
            let wanted = [others, Promised::of(&allowances)].into_iter().sum();
            match self.check_promised(wanted) {
                Ok(()) => {
                    account.allow(allowances);
                    account.switch(true);
                    promised = wanted;
                }
                Err(error) => tracing::error!("{}", not_enough(&error)),
            }
        }
    }

    /// What an account may use; `None` when JetStream is not on for it.
    pub(super) fn allowances_of(&self, name: &str) -> Option<Allowances> {
        let live = self.server.live.load();
        let accounts = &live.options.accounts;
        if let Some(account) = accounts.iter().find(|a| a.name == name) {
            let limits = account.jetstream.as_ref().map(account_limits);
            return limits.map(Allowances::of_all);
        }
        (name == GLOBAL_ACCOUNT && accounts.is_empty()).then(|| Allowances::of_all(Limits::unlimited()))
    }
}

impl JsAccount {
    /// What it is promised while JetStream is on for it.
    fn promised(&self) -> Promised {
        if self.is_enabled() {
            Promised::of(&self.environment.load().allowances)
        } else {
            Promised::default()
        }
    }

    /// From here on the account may use so much. What it holds already stays.
    fn allow(&self, allowances: Allowances) {
        for (tier, limits) in allowances.each() {
            let Some(usage) = self.usage.get(tier) else {
                continue;
            };
            for (usage, max) in usage.iter().zip([limits.max_storage, limits.max_memory]) {
                usage.limit(u64::try_from(max).ok());
            }
        }
        self.change(|environment| environment.allowances = allowances);
    }

    /// Changes what its streams are told of where they are.
    fn change(&self, change: impl FnOnce(&mut Environment)) {
        let mut environment = (*self.environment.load_full()).clone();
        change(&mut environment);
        self.environment.store(Arc::new(environment));
    }

    /// Limits that concern the consumers of a stream.
    ///
    /// # Errors
    /// The peer's, when the account has no limits for streams of so many copies.
    pub(super) fn consumer_limits(&self, of: &StreamConfig) -> Result<ConsumerLimits, ApiError> {
        let environment = self.environment.load();
        let server = &environment.limits;
        let account = environment.allowances.limits(of.num_replicas)?;
        let first = |a: i64, b: i64| if a > 0 { a } else { b };
        Ok(ConsumerLimits {
            max_ack_pending: first(account.max_ack_pending, server.max_ack_pending),
            max_request_batch: server.max_request_batch,
            max_consumers: first(account.max_consumers, server.default_max_consumers),
        })
    }

    /// Whether account and server have room for a stream of this configuration, beside those that there are.
    ///
    /// # Errors
    /// The peer's.
    pub(super) fn check_room(&self, config: &StreamConfig) -> Result<(), ApiError> {
        self.environment
            .load()
            .allowances
            .check_reserved(config, &self.configs())?;
        let (most, error) = match config.storage {
            Storage::File => (self.jetstream.store_max(), errors::STORAGE_RESOURCES_EXCEEDED),
            Storage::Memory => (self.jetstream.memory_max(), errors::MEMORY_RESOURCES_EXCEEDED),
        };
        let same = |other: &StreamConfig, own: bool| own && other.name == config.name;
        let accounts = self.jetstream.accounts();
        let held = accounts.iter().flat_map(|account| {
            let own = account.account.name == self.account.name;
            let streams = account.held().into_iter().map(|s| s.config());
            streams.filter(move |other| other.storage == config.storage && !same(other, own))
        });
        let held = held
            .map(|other| other.max_bytes.max(0))
            .fold(0, i64::saturating_add);
        if held.saturating_add(config.max_bytes.max(1)) > i64::try_from(most).unwrap_or(i64::MAX) {
            return Err(error);
        }
        Ok(())
    }
}
