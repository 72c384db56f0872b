//! What a stream's machines know of the server and the account they run in. Values only, replaced as a whole when the
//! server is reconfigured.

use natterjack_jsapi::account::Limits as AccountLimits;
use natterjack_subject::names::name_hash;

use crate::allowance::Allowances;

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
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            duplicate_window_ns: 0,
            max_request_batch: 0,
            max_ack_pending: 0,
            default_max_consumers: 1_000,
        }
    }
}

/// The server and account around a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Its hash as it stands in ack subjects of the second form.
    pub account_hash: String,
    /// JetStream domain, empty for none.
    pub domain: String,
    /// Whether JetStream runs clustered.
    pub clustered: bool,
    /// Limits of the server.
    pub limits: ServerLimits,
    /// Limits of the account.
    pub allowances: Allowances,
}

impl Environment {
    /// An environment without limits on a single server.
    #[must_use]
    pub fn new(account: &str) -> Self {
        Self {
            account_hash: name_hash(account, 8),
            domain: String::new(),
            clustered: false,
            limits: ServerLimits::default(),
            allowances: Allowances::of_all(AccountLimits::unlimited()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_hash_is_the_peers() {
        assert_eq!(Environment::new("$G").account_hash, "szMpdrwD");
    }
}
