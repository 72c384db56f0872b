//! API levels: which server a configuration needs, and the metadata that says so (ADR-44).

use std::collections::BTreeMap;

use crate::consumer::{AckPolicy, ConsumerConfig, PriorityPolicy};
use crate::stream::{PersistMode, StreamConfig};

/// The level of this implementation.
pub const API_LEVEL: i64 = 5;
/// Version of the peer whose API this is.
pub const PEER_VERSION: &str = "2.15.1";

/// Metadata key: level the asset needs.
pub const REQUIRED_LEVEL_KEY: &str = "_nats.req.level";
/// Metadata key: version of the answering server.
pub const SERVER_VERSION_KEY: &str = "_nats.ver";
/// Metadata key: level of the answering server.
pub const SERVER_LEVEL_KEY: &str = "_nats.level";

/// The level a stream configuration needs.
#[must_use]
pub fn stream_level(config: &StreamConfig) -> i64 {
    if config.allow_batched {
        return 4;
    }
    if config.allow_msg_counter
        || config.allow_atomic
        || config.allow_msg_schedules
        || config.persist_mode == PersistMode::Async
    {
        return 2;
    }
    i64::from(config.allow_msg_ttl || config.subject_delete_marker_ttl.0 > 0)
}

/// The level a consumer configuration needs.
#[must_use]
pub fn consumer_level(config: &ConsumerConfig) -> i64 {
    if config.ack_policy == AckPolicy::FlowControl {
        return 4;
    }
    let paused = config.pause_until.is_some_and(|t| !t.is_zero());
    let grouped = config.priority_policy != PriorityPolicy::None || !config.priority_groups.is_empty();
    // Below zero counts too: it is corrected only afterwards.
    i64::from(paused || grouped || config.priority_timeout.0 != 0)
}

/// Sets the required level, taking the answering server's keys away: the form that is stored.
pub fn set_stored(metadata: &mut BTreeMap<String, String>, level: i64) {
    clear_shown(metadata);
    metadata.insert(REQUIRED_LEVEL_KEY.into(), level.to_string());
}

/// Adds the answering server's keys: the form that is shown.
pub fn set_shown(metadata: &mut BTreeMap<String, String>) {
    metadata.insert(SERVER_VERSION_KEY.into(), PEER_VERSION.into());
    metadata.insert(SERVER_LEVEL_KEY.into(), API_LEVEL.to_string());
}

/// Takes the answering server's keys away again: lists show what is stored.
pub fn clear_shown(metadata: &mut BTreeMap<String, String>) {
    metadata.remove(SERVER_VERSION_KEY);
    metadata.remove(SERVER_LEVEL_KEY);
}

/// Takes all versioning keys away, for comparing configurations.
pub fn strip(metadata: &mut BTreeMap<String, String>) {
    metadata.retain(|key, _| !key.starts_with("_nats."));
}
