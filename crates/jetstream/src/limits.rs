//! Bounds of the machines: sizes, counts and times, and how they hang together. Holds no logic.

/// Longest description of a stream or consumer, bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 4 * 1024;
/// Longest metadata, keys and values together, bytes.
pub const METADATA_BYTES_MAX: usize = 128 * 1024;
/// Most copies of a stream.
pub const REPLICAS_MAX: i64 = 5;
/// Longest header block of a stored message, bytes.
pub const HEADER_BYTES_MAX: usize = 65_535;
/// Longest subject of a stored message, bytes: what a record can hold.
pub const SUBJECT_BYTES_MAX: usize = 65_535;

/// One entry of the log carries at most so many messages.
pub const ENTRY_MESSAGES_MAX: u32 = 4096;
/// An entry of messages is closed when it has grown to this, bytes: the disk has something to do while the rest of a bunch is
/// decided on. One message may be larger and then goes alone.
pub const ENTRY_BYTES: usize = 128 * 1024;
/// Entries that may wait for their commit.
pub const IN_FLIGHT_ENTRIES_MAX: usize = 64;

/// Default window in which message ids are remembered, nanoseconds.
pub const DUPLICATE_WINDOW_NS: i64 = 120_000_000_000;
/// Shortest duplicate window and shortest maximum age, nanoseconds.
pub const WINDOW_NS_MIN: i64 = 100_000_000;
/// Shortest life of a delete marker and of a message with its own, nanoseconds.
pub const TTL_NS_MIN: i64 = 1_000_000_000;
/// Longest id of a batch, bytes.
pub const BATCH_ID_BYTES_MAX: usize = 64;
/// Messages of an atomic batch.
pub const BATCH_MESSAGES_MAX: u64 = 1_000;
/// Atomic batches of a stream that gather at a time.
pub const BATCHES_MAX: usize = 50;
/// Atomic batches of the server that gather at a time.
pub const BATCHES_TOTAL_MAX: usize = 1_000;
/// Bytes that all batches of a stream may hold while they gather.
pub const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Fast batches of a stream on their way at a time.
pub const FAST_BATCHES_MAX: usize = 1_000;
/// Fast batches of the server on their way at a time.
pub const FAST_BATCHES_TOTAL_MAX: usize = 50_000;
/// Messages between acknowledgements of a fast batch that does not say how many.
pub const FAST_FLOW: u64 = 10;
/// The most of them.
pub const FAST_FLOW_MAX: u64 = 500;
/// How long a batch may stand still, nanoseconds.
pub const BATCH_TIMEOUT_NS: u64 = 10_000_000_000;
/// Subjects a stream information may list in one page.
pub const INFO_SUBJECTS_MAX: u64 = 100_000;
/// Subjects a direct get of several last messages may yield.
pub const MULTI_LAST_MAX: usize = 1_024;
/// What a consumer with a rate limit sends at once before the limit holds, bytes: the largest payload by default.
pub(crate) const RATE_BURST_BYTES: u64 = 1024 * 1024;

// The default window is one that may be asked for.
const _: () = assert!(DUPLICATE_WINDOW_NS > WINDOW_NS_MIN);
// What one stream may take, the server has.
const _: () = assert!(BATCHES_MAX <= BATCHES_TOTAL_MAX && FAST_BATCHES_MAX <= FAST_BATCHES_TOTAL_MAX);
/// Damaged messages that the state of a stream names.
pub(crate) const LOST_MAX: usize = 1_000;
