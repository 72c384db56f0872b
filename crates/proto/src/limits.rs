//! Limits of the client protocol. Constants and the relations among them, nothing else.

/// Longest argument part of a control line, bytes, unless configured otherwise (`max_control_line`).
pub const CONTROL_LINE_BYTES_MAX: usize = 4096;
/// Longest headers plus payload of one message, bytes, unless configured otherwise (`max_payload`).
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Above this a configured `max_payload` deserves a warning, bytes.
pub const PAYLOAD_BYTES_WARN: usize = 8 * 1024 * 1024;
/// Longest text behind a verb that ignores it (`PING`, `PONG`, `+OK`), bytes.
pub const BARE_LINE_BYTES_MAX: usize = 64 * 1024;
/// Digits of a size in `PUB`, `HPUB` and `MSG`; the peer refuses longer ones.
pub const SIZE_DIGITS_MAX: usize = 9;
const SIZE_MAX: u64 = 999_999_999;
/// Most arguments any client verb takes (`HPUB subject reply header-size total-size`).
pub const ARGS_MAX: usize = 4;

// A size that passes the digit limit always fits, also on a 32-bit machine.
const _: () = assert!(SIZE_MAX < u32::MAX as u64 && SIZE_MAX.ilog10() as usize + 1 == SIZE_DIGITS_MAX);
const _: () = assert!(CONTROL_LINE_BYTES_MAX < PAYLOAD_BYTES_MAX);
const _: () = assert!(PAYLOAD_BYTES_MAX <= PAYLOAD_BYTES_WARN);
