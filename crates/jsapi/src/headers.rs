//! Names of the headers JetStream reads and writes. Looked up byte by byte.

/// Message id for deduplication.
pub const MSG_ID: &str = "Nats-Msg-Id";
/// Name the stream must have.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
/// Last sequence the stream must have.
pub const EXPECTED_LAST_SEQ: &str = "Nats-Expected-Last-Sequence";
/// Last sequence the subject must have.
pub const EXPECTED_LAST_SUBJECT_SEQ: &str = "Nats-Expected-Last-Subject-Sequence";
/// Another subject for that check.
pub const EXPECTED_LAST_SUBJECT_SEQ_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
/// Message id the last message must have.
pub const EXPECTED_LAST_MSG_ID: &str = "Nats-Expected-Last-Msg-Id";
/// Begins all expectations.
pub const EXPECTED_PREFIX: &str = "Nats-Expected-";
/// Replaces what was there before: `sub` or `all`.
pub const ROLLUP: &str = "Nats-Rollup";
/// Time to live.
pub const TTL: &str = "Nats-TTL";
/// Counter increment.
pub const INCREMENT: &str = "Nats-Incr";
/// Sums by source of a counter.
pub const COUNTER_SOURCES: &str = "Nats-Counter-Sources";
/// Id of an atomic batch.
pub const BATCH_ID: &str = "Nats-Batch-Id";
/// Place in an atomic batch.
pub const BATCH_SEQ: &str = "Nats-Batch-Sequence";
/// Ends an atomic batch.
pub const BATCH_COMMIT: &str = "Nats-Batch-Commit";
/// Begins all batch headers.
pub const BATCH_PREFIX: &str = "Nats-Batch-";
/// When to publish.
pub const SCHEDULE: &str = "Nats-Schedule";
/// Where to publish.
pub const SCHEDULE_TARGET: &str = "Nats-Schedule-Target";
/// What to publish.
pub const SCHEDULE_SOURCE: &str = "Nats-Schedule-Source";
/// Time to live of what is published.
pub const SCHEDULE_TTL: &str = "Nats-Schedule-TTL";
/// Rollup of what is published.
pub const SCHEDULE_ROLLUP: &str = "Nats-Schedule-Rollup";
/// Time zone of a cron schedule.
pub const SCHEDULE_TIME_ZONE: &str = "Nats-Schedule-Time-Zone";
/// On what is published: the schedule it comes from.
pub const SCHEDULER: &str = "Nats-Scheduler";
/// On what is published: when the next one comes, or `purge`.
pub const SCHEDULE_NEXT: &str = "Nats-Schedule-Next";
/// Where a sourced message comes from.
pub const STREAM_SOURCE: &str = "Nats-Stream-Source";
/// Which stream a new consumer is of: another word for each life of a stream of this name.
pub const STREAM_IDENTITY: &str = "Nats-Stream-Identity";
/// API level a request needs.
pub const REQUIRED_API_LEVEL: &str = "Nats-Required-Api-Level";
/// Why a marker was left.
pub const MARKER_REASON: &str = "Nats-Marker-Reason";
/// Operation of a key-value store.
pub const KV_OPERATION: &str = "KV-Operation";
/// On messages read back: the stream.
pub const STREAM: &str = "Nats-Stream";
/// On messages read back: the subject.
pub const SUBJECT: &str = "Nats-Subject";
/// On messages read back: the sequence.
pub const SEQUENCE: &str = "Nats-Sequence";
/// On messages read back: when it was stored.
pub const TIME_STAMP: &str = "Nats-Time-Stamp";
/// On messages read back: the sequence before.
pub const LAST_SEQUENCE: &str = "Nats-Last-Sequence";
/// On batches read back: how many follow.
pub const NUM_PENDING: &str = "Nats-Num-Pending";
/// On batches read back: the sequence they are as of.
pub const UP_TO_SEQUENCE: &str = "Nats-UpTo-Sequence";
/// Size of a payload that was left out.
pub const MSG_SIZE: &str = "Nats-Msg-Size";
/// On statuses: messages still wanted.
pub const PENDING_MESSAGES: &str = "Nats-Pending-Messages";
/// On statuses: bytes still wanted.
pub const PENDING_BYTES: &str = "Nats-Pending-Bytes";
/// On heartbeats: last consumer sequence.
pub const LAST_CONSUMER: &str = "Nats-Last-Consumer";
/// On heartbeats: last stream sequence.
pub const LAST_STREAM: &str = "Nats-Last-Stream";
/// On heartbeats: the flow control request that stalls.
pub const CONSUMER_STALLED: &str = "Nats-Consumer-Stalled";
/// On deliveries to a pinned client.
pub const PIN_ID: &str = "Nats-Pin-Id";
/// Who asks, added to requests that cross accounts.
pub const REQUEST_INFO: &str = "Nats-Request-Info";
