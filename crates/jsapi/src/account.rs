//! Accounts on the wire: limits and use. Data only.

use std::collections::BTreeMap;

use crate::json::go_struct;

go_struct! {
    /// Limits of an account or tier; -1 is unlimited.
    pub struct Limits: "server.JetStreamAccountLimits" {
        /// Memory, bytes.
        max_memory: i64 => "max_memory", keep;
        /// Disk, bytes.
        max_storage: i64 => "max_storage", keep;
        /// Streams.
        max_streams: i64 as "int" => "max_streams", keep;
        /// Consumers of a stream.
        max_consumers: i64 as "int" => "max_consumers", keep;
        /// Unacknowledged messages of a consumer.
        max_ack_pending: i64 as "int" => "max_ack_pending", keep;
        /// Bytes of one memory stream.
        memory_max_stream_bytes: i64 => "memory_max_stream_bytes", keep;
        /// Bytes of one file stream.
        storage_max_stream_bytes: i64 => "storage_max_stream_bytes", keep;
        /// Streams must set `max_bytes`.
        max_bytes_required: bool => "max_bytes_required", keep;
    }
}

impl Limits {
    /// No limits.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            max_memory: -1,
            max_storage: -1,
            max_streams: -1,
            max_consumers: -1,
            max_ack_pending: -1,
            memory_max_stream_bytes: -1,
            storage_max_stream_bytes: -1,
            max_bytes_required: false,
        }
    }
}

go_struct! {
    /// Use of the API.
    pub struct ApiStats: "server.JetStreamAPIStats" {
        /// API level.
        level: i64 as "int" => "level", keep;
        /// Requests.
        total: u64 => "total", keep;
        /// Requests refused.
        errors: u64 => "errors", keep;
        /// Requests being worked on.
        inflight: u64 => "inflight", omit;
    }
}

go_struct! {
    /// Use and limits of one tier.
    pub struct Tier: "server.JetStreamTier" {
        /// Memory in use, bytes.
        memory: u64 => "memory", keep;
        /// Disk in use, bytes.
        storage: u64 => "storage", keep;
        /// Memory reserved by `max_bytes`, bytes.
        reserved_memory: u64 => "reserved_memory", keep;
        /// Disk reserved by `max_bytes`, bytes.
        reserved_storage: u64 => "reserved_storage", keep;
        /// Streams.
        streams: u64 as "int" => "streams", keep;
        /// Consumers.
        consumers: u64 as "int" => "consumers", keep;
        /// Limits.
        limits: Limits => "limits", keep;
    }
}

go_struct! {
    /// Use and limits of an account.
    pub struct AccountInfo: "server.JetStreamAccountStats" {
        /// Memory in use, bytes.
        memory: u64 => "memory", keep;
        /// Disk in use, bytes.
        storage: u64 => "storage", keep;
        /// Memory reserved by `max_bytes`, bytes.
        reserved_memory: u64 => "reserved_memory", keep;
        /// Disk reserved by `max_bytes`, bytes.
        reserved_storage: u64 => "reserved_storage", keep;
        /// Streams.
        streams: u64 as "int" => "streams", keep;
        /// Consumers.
        consumers: u64 as "int" => "consumers", keep;
        /// Limits.
        limits: Limits => "limits", keep;
        /// JetStream domain.
        domain: String => "domain", omit;
        /// Use of the API.
        api: ApiStats => "api", keep;
        /// Use and limits by tier.
        tiers: BTreeMap<String, Tier> => "tiers", omit;
    }
}
