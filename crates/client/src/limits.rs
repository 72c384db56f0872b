//! Limits of the client and the relations among them. Constants, nothing else.

use std::time::Duration;

/// Messages a subscription keeps for its reader unless told otherwise.
pub const SUBSCRIPTION_MESSAGES: usize = 64 * 1024;
/// Bytes waiting for the socket before a publisher has to wait.
pub const OUTBOUND_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes kept while there is no connection, unless told otherwise.
pub const RECONNECT_BUFFER_BYTES: usize = 8 * 1024 * 1024;
/// Bytes asked from the socket at once.
pub const READ_BYTES: usize = 64 * 1024;
/// Turns given to others between two reads while a queue is more than half full. The runtime lets a reader take 128
/// messages a turn, and one read may bring some 5000.
pub const YIELDS_WHEN_CROWDED: usize = 64;
/// Longest a server may take to say hello.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest a request waits unless told otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which the client asks whether the server is there.
pub const PING_INTERVAL: Duration = Duration::from_secs(120);
/// Unanswered pings after which a connection counts as lost.
pub const PINGS_OUT_MAX: usize = 2;
/// First wait between two attempts to connect again; doubles up to [`RECONNECT_WAIT_MAX`].
pub const RECONNECT_WAIT_MIN: Duration = Duration::from_millis(20);
/// Longest wait between two attempts to connect again.
pub const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Attempts to connect again before the client gives up, unless told otherwise.
pub const RECONNECT_ATTEMPTS: usize = 120;
/// Longest a closing connection may take to write what it still has.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Servers remembered, given and learnt.
pub const SERVERS_MAX: usize = 64;
/// Events kept for a slow observer.
pub const EVENTS: usize = 256;
/// Publishes of JetStream that may wait for their acknowledgement, unless told otherwise.
pub const PUBLISHES_IN_FLIGHT: usize = 4096;

const _: () = assert!(READ_BYTES < OUTBOUND_BYTES_MAX && OUTBOUND_BYTES_MAX <= RECONNECT_BUFFER_BYTES);
