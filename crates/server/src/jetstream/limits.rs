//! What accounts and their streams may take: limits out of the configuration, and whether there is room for more.

use natterjack_config::options::AccountJetStream;
use natterjack_jetstream::consumer::Limits as ConsumerLimits;
use natterjack_jetstream::environment::ServerLimits;
use natterjack_jetstream::{Allowances, BatchLimits};
use natterjack_jsapi::account::Limits;
use natterjack_jsapi::stream::{Storage, StreamConfig};
use natterjack_jsapi::{ApiError, errors};

use super::inbox::Room;
use super::{JetStream, JsAccount};
use crate::account::GLOBAL_ACCOUNT;
use crate::server::Server;

/// What batches may take, as configured.
pub(super) fn batch_limits(server: &Server) -> BatchLimits {
    let options = &server.options.jetstream;
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
    let options = &jetstream.server.options;
    ServerLimits {
        duplicate_window_ns: i64::try_from(options.jetstream.max_duplicate_window_ns).unwrap_or(i64::MAX),
        max_request_batch: options.jetstream.max_request_batch,
        max_ack_pending: options.jetstream.max_ack_pending,
        default_max_consumers: options.jetstream.default_max_consumers,
    }
}

impl JetStream {
    /// Whether the server has what its accounts are promised.
    ///
    /// # Errors
    /// The text for the log.
    pub(super) fn check_reserved(&self) -> Result<(), String> {
        let accounts = self.accounts();
        let allowances: Vec<Allowances> = accounts
            .iter()
            .filter_map(|a| self.allowances_of(&a.account.name))
            .collect();
        let limits: Vec<&Limits> = allowances.iter().flat_map(|a| a.each().map(|(_, l)| l)).collect();
        let promised = |of: fn(&Limits) -> i64| {
            let all = limits.iter().filter_map(|l| u64::try_from(of(l)).ok());
            all.fold(0, u64::saturating_add)
        };
        let checks = [
            (
                promised(|l| l.max_memory),
                self.memory_max,
                errors::MEMORY_RESOURCES_EXCEEDED,
            ),
            (
                promised(|l| l.max_storage),
                self.store_max,
                errors::STORAGE_RESOURCES_EXCEEDED,
            ),
        ];
        match checks.iter().find(|(promised, has, _)| promised > has) {
            None => Ok(()),
            Some((.., error)) => Err(format!(
                "Error enabling jetstream on configured accounts: {} ({})",
                error.description, error.err_code
            )),
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
    /// Limits that concern the consumers of a stream.
    ///
    /// # Errors
    /// The peer's, when the account has no limits for streams of so many copies.
    pub(super) fn consumer_limits(&self, of: &StreamConfig) -> Result<ConsumerLimits, ApiError> {
        let server = &self.environment.limits;
        let account = self.environment.allowances.limits(of.num_replicas)?;
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
            .allowances
            .check_reserved(config, &self.configs())?;
        let (most, error) = match config.storage {
            Storage::File => (self.jetstream.store_max, errors::STORAGE_RESOURCES_EXCEEDED),
            Storage::Memory => (self.jetstream.memory_max, errors::MEMORY_RESOURCES_EXCEEDED),
        };
        let same = |other: &StreamConfig, own: bool| own && other.name == config.name;
        let accounts = self.jetstream.accounts();
        let held = accounts.iter().flat_map(|account| {
            let own = account.account.name == self.account.name;
            let streams = account.streams().into_iter().map(|s| s.config());
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
