//! Streams on the wire: configuration, state, information. Data only; rules are in the `jetstream` crate.

use std::collections::BTreeMap;

use crate::cluster::ClusterInfo;
use crate::error::ApiError;
use crate::go_time::{GoTime, Nanos};
use crate::json::parse::cannot;
use crate::json::write::{ObjectWriter, decode_named};
use crate::json::{self, GoFields, Json, go_enum, go_struct};

fn no_compression(json: &Json<'_>) -> String {
    match json {
        Json::Null | Json::Text { .. } => "unknown compression algorithm".into(),
        other => format!(
            "json: cannot unmarshal {} into Go value of type string",
            other.kind()
        ),
    }
}

go_enum! {
    /// What keeps a message in the stream.
    pub enum Retention: "server.RetentionPolicy", refuse cannot, {
        /// Only the limits.
        Limits => "limits",
        /// Consumers that have not acknowledged it.
        Interest => "interest",
        /// The one consumer that will take it.
        WorkQueue => "workqueue",
    }
}

go_enum! {
    /// What gives way when a limit is reached.
    pub enum Discard: "server.DiscardPolicy", refuse cannot, {
        /// The oldest messages.
        Old => "old",
        /// The new one.
        New => "new",
    }
}

go_enum! {
    /// Where messages are kept.
    pub enum Storage: "server.StorageType", refuse cannot, {
        /// On disk.
        File => "file",
        /// In memory.
        Memory => "memory",
    }
}

go_enum! {
    /// Compression of stored messages.
    pub enum Compression: "server.StoreCompression", refuse no_compression, {
        /// None.
        None => "none",
        /// S2.
        S2 => "s2",
    }
}

go_enum! {
    /// When a stored message is on disk.
    pub enum PersistMode: "server.PersistModeType", refuse cannot, {
        /// Before it is acknowledged.
        Default => "default" | "",
        /// Some time later.
        Async => "async",
    }
}

go_struct! {
    /// Where a stream may live.
    pub struct Placement: "server.Placement" {
        /// Cluster name.
        cluster: String => "cluster", omit;
        /// Tags a server must have.
        tags: Vec<String> => "tags", omit;
        /// Server that should lead.
        preferred: String => "preferred", omit;
    }
}

go_struct! {
    /// A subject transform.
    pub struct SubjectTransform: "server.SubjectTransformConfig" {
        /// Source filter.
        src: String => "src", keep;
        /// Destination.
        dest: String => "dest", keep;
    }
}

go_struct! {
    /// Republishing of stored messages.
    pub struct Republish: "server.RePublish" {
        /// Source filter.
        src: String => "src", omit;
        /// Destination.
        dest: String => "dest", keep;
        /// Without payload.
        headers_only: bool => "headers_only", omit;
    }
}

go_struct! {
    /// How to reach a stream in another account or domain.
    pub struct External: "server.ExternalStream" {
        /// API prefix.
        api: String => "api", keep;
        /// Delivery prefix.
        deliver: String => "deliver", keep;
    }
}

go_struct! {
    /// A pre-created consumer that feeds a mirror or source.
    pub struct SourceConsumer: "server.StreamConsumerSource" {
        /// Its name.
        name: String => "name", omit;
        /// Where it delivers.
        deliver_subject: String => "deliver_subject", omit;
    }
}

go_struct! {
    /// The origin of a mirror, or one source.
    pub struct StreamSource: "server.StreamSource" {
        /// Name of the origin stream.
        name: String => "name", keep;
        /// First sequence wanted.
        opt_start_seq: u64 => "opt_start_seq", omit;
        /// First time wanted.
        opt_start_time: Option<GoTime> => "opt_start_time", omit;
        /// Only these subjects.
        filter_subject: String => "filter_subject", omit;
        /// Filters with new names.
        subject_transforms: Vec<SubjectTransform> => "subject_transforms", omit;
        /// Another account or domain.
        external: Option<External> => "external", omit;
        /// A consumer made beforehand.
        consumer: Option<SourceConsumer> => "consumer", omit;
    }
}

go_struct! {
    /// Defaults and limits for consumers of a stream.
    pub struct ConsumerLimits: "server.StreamConsumerLimits" {
        /// Longest inactivity of a consumer.
        inactive_threshold: Nanos => "inactive_threshold", omit;
        /// Most unacknowledged messages.
        max_ack_pending: i64 as "int" => "max_ack_pending", omit;
    }
}

go_struct! {
    /// Configuration of a stream.
    pub struct StreamConfig: "server.StreamConfig" {
        /// Its name.
        name: String => "name", keep;
        /// Free text.
        description: String => "description", omit;
        /// Subjects it keeps.
        subjects: Vec<String> => "subjects", omit;
        /// What keeps a message.
        retention: Retention => "retention", keep;
        /// Most consumers; -1 is unlimited.
        max_consumers: i64 as "int" => "max_consumers", keep;
        /// Most messages; -1 is unlimited.
        max_msgs: i64 => "max_msgs", keep;
        /// Most bytes; -1 is unlimited.
        max_bytes: i64 => "max_bytes", keep;
        /// Greatest age; 0 is unlimited.
        max_age: Nanos => "max_age", keep;
        /// Most messages of one subject; -1 is unlimited.
        max_msgs_per_subject: i64 => "max_msgs_per_subject", keep;
        /// Largest message, headers included; -1 is unlimited.
        max_msg_size: i32 => "max_msg_size", omit;
        /// What gives way.
        discard: Discard => "discard", keep;
        /// File or memory.
        storage: Storage => "storage", keep;
        /// Copies.
        num_replicas: i64 as "int" => "num_replicas", keep;
        /// Do not acknowledge publishes.
        no_ack: bool => "no_ack", omit;
        /// How long message ids are remembered.
        duplicate_window: Nanos => "duplicate_window", omit;
        /// Where it may live.
        placement: Option<Placement> => "placement", omit;
        /// Origin it mirrors.
        mirror: Option<StreamSource> => "mirror", omit;
        /// Streams it copies from.
        sources: Vec<StreamSource> => "sources", omit;
        /// Compression.
        compression: Compression => "compression", keep;
        /// Sequence of the first message.
        first_seq: u64 => "first_seq", omit;
        /// Renames subjects on the way in.
        subject_transform: Option<SubjectTransform> => "subject_transform", omit;
        /// Publishes stored messages again.
        republish: Option<Republish> => "republish", omit;
        /// Answer direct gets.
        allow_direct: bool => "allow_direct", keep;
        /// Answer direct gets of the origin.
        mirror_direct: bool => "mirror_direct", keep;
        /// Discard new also per subject.
        discard_new_per_subject: bool => "discard_new_per_subject", omit;
        /// Nothing may change any more.
        sealed: bool => "sealed", keep;
        /// Messages may not be deleted.
        deny_delete: bool => "deny_delete", keep;
        /// The stream may not be purged.
        deny_purge: bool => "deny_purge", keep;
        /// Publishers may roll up.
        allow_rollup_hdrs: bool => "allow_rollup_hdrs", keep;
        /// Limits for consumers.
        consumer_limits: ConsumerLimits => "consumer_limits", keep;
        /// Messages may carry their own time to live.
        allow_msg_ttl: bool => "allow_msg_ttl", keep;
        /// Time to live of the markers left for expired subjects.
        subject_delete_marker_ttl: Nanos => "subject_delete_marker_ttl", omit;
        /// Messages are counters.
        allow_msg_counter: bool => "allow_msg_counter", omit;
        /// Atomic batches.
        allow_atomic: bool => "allow_atomic", omit;
        /// Scheduled messages.
        allow_msg_schedules: bool => "allow_msg_schedules", omit;
        /// When a message is on disk.
        persist_mode: PersistMode => "persist_mode", omit;
        /// Fast ingest batches.
        allow_batched: bool => "allow_batched", omit;
        /// Free key-value pairs.
        metadata: BTreeMap<String, String> => "metadata", omit;
    }
}

go_struct! {
    /// Messages known to be damaged.
    pub struct LostData: "server.LostStreamData" {
        /// Sequences.
        msgs: Option<Vec<u64>> => "msgs", keep;
        /// Bytes.
        bytes: u64 => "bytes", keep;
    }
}

go_struct! {
    /// What a stream holds.
    pub struct StreamState: "server.StreamState" {
        /// Messages.
        messages: u64 => "messages", keep;
        /// Bytes, as the peer accounts them.
        bytes: u64 => "bytes", keep;
        /// First sequence.
        first_seq: u64 => "first_seq", keep;
        /// Time of the first message.
        first_ts: GoTime => "first_ts", keep;
        /// Last sequence.
        last_seq: u64 => "last_seq", keep;
        /// Time of the last message.
        last_ts: GoTime => "last_ts", keep;
        /// Distinct subjects.
        num_subjects: u64 as "int" => "num_subjects", omit;
        /// Messages by subject, when asked for.
        subjects: BTreeMap<String, u64> => "subjects", omit;
        /// Sequences deleted between first and last.
        num_deleted: u64 as "int" => "num_deleted", omit;
        /// Those sequences, when asked for.
        deleted: Vec<u64> => "deleted", omit;
        /// Damage.
        lost: Option<LostData> => "lost", omit;
        /// Consumers.
        consumer_count: u64 as "int" => "consumer_count", keep;
    }
}

go_struct! {
    /// Another stream that has the same messages.
    pub struct StreamAlternate: "server.StreamAlternate" {
        /// Its name.
        name: String => "name", keep;
        /// Its domain.
        domain: String => "domain", omit;
        /// Its cluster.
        cluster: String => "cluster", keep;
    }
}

go_struct! {
    /// How a mirror or source is doing.
    pub struct SourceInfo: "server.StreamSourceInfo" {
        /// Name of the origin.
        name: String => "name", keep;
        /// Another account or domain.
        external: Option<External> => "external", omit;
        /// Messages behind.
        lag: u64 => "lag", keep;
        /// Last sequence of the origin seen.
        seq: u64 => "seq", omit;
        /// Since the last sign of life; -1 is never.
        active: Nanos => "active", keep;
        /// What is wrong.
        error: Option<ApiErrorJson> => "error", omit;
        /// Filter in force.
        filter_subject: String => "filter_subject", omit;
        /// Transforms in force.
        subject_transforms: Vec<SubjectTransform> => "subject_transforms", omit;
    }
}

go_struct! {
    /// An [`ApiError`] as a field.
    pub struct ApiErrorJson: "server.ApiError" {
        /// HTTP-like status.
        code: i64 as "int" => "code", keep;
        /// Which error.
        err_code: i64 as "uint16" => "err_code", keep;
        /// Text.
        description: String => "description", keep;
    }
}

go_struct! {
    /// What any answer says when it is a refusal.
    pub struct Refusal: "server.ApiResponse" {
        /// Why.
        error: Option<ApiErrorJson> => "error", omit;
    }
}

impl From<ApiErrorJson> for ApiError {
    fn from(error: ApiErrorJson) -> Self {
        Self {
            code: u16::try_from(error.code).unwrap_or_default(),
            err_code: u16::try_from(error.err_code).unwrap_or_default(),
            description: error.description.into(),
        }
    }
}

impl From<&ApiError> for ApiErrorJson {
    fn from(error: &ApiError) -> Self {
        Self {
            code: i64::from(error.code),
            err_code: i64::from(error.err_code),
            description: error.description.clone().into_owned(),
        }
    }
}

go_struct! {
    /// All about a stream.
    pub struct StreamInfo: "server.StreamInfo" {
        /// Configuration.
        config: StreamConfig => "config", keep;
        /// When it was made.
        created: GoTime => "created", keep;
        /// What it holds.
        state: StreamState => "state", keep;
        /// JetStream domain.
        domain: String => "domain", omit;
        /// Where it runs.
        cluster: Option<ClusterInfo> => "cluster", omit;
        /// How the mirror is doing.
        mirror: Option<SourceInfo> => "mirror", omit;
        /// How the sources are doing.
        sources: Vec<SourceInfo> => "sources", omit;
        /// Other streams with the same messages.
        alternates: Vec<StreamAlternate> => "alternates", omit;
        /// Time of the answer.
        ts: GoTime => "ts", keep;
    }
}

/// Body of STREAM.CREATE and STREAM.UPDATE.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamRequest {
    /// The configuration.
    pub config: StreamConfig,
    /// Refuse instead of correcting.
    pub pedantic: bool,
}

impl GoFields for StreamRequest {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        object.embed(&self.config);
        object.omit("pedantic", &self.pedantic);
    }

    fn decode_field(&mut self, name: &str, value: &Json<'_>, cx: &mut json::Decoding) -> bool {
        if json::is_name(name, "pedantic") {
            decode_named(&mut self.pedantic, name, value, cx, "bool");
            return true;
        }
        self.config.decode_field(name, value, cx)
    }
}
