//! What a stream's machines know of the server and the account they run in. Values only, replaced as a whole when the
//! server is reconfigured.

use natterjack_jsapi::account::Limits as AccountLimits;
use natterjack_jsapi::stream::StreamConfig;
use natterjack_subject::names::name_hash;

/// Limits of the server that concern streams and consumers; 0 is unlimited where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Longest duplicate window, nanoseconds.
    pub duplicate_window_ns: i64,
    /// Largest pull batch.
    pub max_request_batch: i64,
    /// Most unacknowledged messages of a consumer.
    pub max_ack_pending: i64,
    /// Consumers of a stream when neither stream nor account set a limit.
    pub default_max_consumers: i64,
    /// Largest message a client may publish, bytes.
    pub max_payload_bytes: usize,
    /// Bytes a direct get sends at most when it sets no limit: the server's `max_pending`.
    pub max_pending_bytes: usize,
    /// Messages of an atomic batch.
    pub batch_messages: u64,
    /// Atomic batches of a stream at a time.
    pub batches_per_stream: usize,
    /// Fast batches of a stream at a time.
    pub fast_batches_per_stream: usize,
    /// How long a batch may stand still, nanoseconds.
    pub batch_timeout_ns: u64,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            duplicate_window_ns: 0,
            max_request_batch: 0,
            max_ack_pending: 0,
            default_max_consumers: 1_000,
            max_payload_bytes: 1024 * 1024,
            max_pending_bytes: 64 * 1024 * 1024,
            batch_messages: 1_000,
            batches_per_stream: 50,
            fast_batches_per_stream: 1_000,
            batch_timeout_ns: 10_000_000_000,
        }
    }
}

/// The server and account around a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Account name.
    pub account: String,
    /// Its hash as it stands in ack subjects of the second form.
    pub account_hash: String,
    /// JetStream domain, empty for none.
    pub domain: String,
    /// Name of this server.
    pub server: String,
    /// Whether JetStream runs clustered.
    pub clustered: bool,
    /// Send ack and flow control subjects of the second form (`js_ack_fc_v2`).
    pub ack_v2: bool,
    /// Limits of the server.
    pub limits: ServerLimits,
    /// Limits of the account, those of the stream's tier where tiers are in force.
    pub account_limits: AccountLimits,
}

impl Environment {
    /// An environment without limits on a single server.
    #[must_use]
    pub fn new(account: &str, server: &str) -> Self {
        Self {
            account: account.to_owned(),
            account_hash: name_hash(account, 8),
            domain: String::new(),
            server: server.to_owned(),
            clustered: false,
            ack_v2: false,
            limits: ServerLimits::default(),
            account_limits: AccountLimits::unlimited(),
        }
    }
}

/// A stream as its consumers see it when they are created or changed.
#[derive(Debug, Clone, Copy)]
pub struct StreamContext<'a> {
    /// The stream's configuration.
    pub config: &'a StreamConfig,
    /// Where it runs.
    pub environment: &'a Environment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_hash_is_the_peers() {
        assert_eq!(Environment::new("$G", "s").account_hash, "szMpdrwD");
    }
}
