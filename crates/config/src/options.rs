//! What a server can be told, typed and with defaults. Holds no rule about files or flags.

use std::collections::BTreeMap;
use std::sync::Arc;

use natterjack_auth::{Permissions, User};
use natterjack_subject::transform::Mapping;

const SECOND_NS: u64 = 1_000_000_000;

/// Logging.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub struct Logging {
    /// Log debug lines.
    pub debug: bool,
    /// Log protocol traffic.
    pub trace: bool,
    /// Log traffic of the system account too.
    pub trace_verbose: bool,
    /// Log headers only of traced messages.
    pub trace_headers: bool,
    /// Put the time before each line.
    pub time: bool,
    /// In UTC.
    pub time_utc: bool,
    /// File instead of standard error.
    pub file: Option<String>,
    /// Rotate beyond this size, bytes; 0 never.
    pub size_limit_bytes: u64,
    /// Rotated files kept; 0 keeps all.
    pub max_files: u64,
    /// Longest payload shown in traces, bytes; 0 shows all.
    pub max_traced_message_bytes: usize,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            debug: false,
            trace: false,
            trace_verbose: false,
            trace_headers: false,
            time: true,
            time_utc: false,
            file: None,
            size_limit_bytes: 0,
            max_files: 0,
            max_traced_message_bytes: 0,
        }
    }
}

/// Limits of client connections.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Client connections; 0 is unlimited.
    pub max_connections: u64,
    /// Subscriptions of a connection; 0 is unlimited.
    pub max_subscriptions: u64,
    /// Tokens of a subscription's subject; 0 is unlimited.
    pub max_subscription_tokens: usize,
    /// Arguments of a control line, bytes.
    pub max_control_line_bytes: usize,
    /// Headers plus payload of a message, bytes.
    pub max_payload_bytes: usize,
    /// Bytes waiting for a slow client before it is dropped.
    pub max_pending_bytes: usize,
    /// How long writing what waits may take, nanoseconds.
    pub write_deadline_ns: u64,
    /// Whether the deadline begins anew whenever a client takes something: `write_timeout: retry`.
    pub write_retry: bool,
    /// Between pings, nanoseconds.
    pub ping_interval_ns: u64,
    /// Pings that may go unanswered.
    pub ping_max: u32,
    /// Closed connections remembered for monitoring.
    pub max_closed_clients: usize,
    /// How long lame duck mode spreads disconnects, nanoseconds.
    pub lame_duck_duration_ns: u64,
    /// How long lame duck mode waits first, nanoseconds.
    pub lame_duck_grace_ns: u64,
    /// Bytes an unauthenticated connection may send. Ours.
    pub pre_auth_bytes_max: usize,
    /// Unauthenticated connections at a time. Ours; 0 is unlimited.
    pub pre_auth_connections_max: u64,
    /// The same from one address; 0 is no limit.
    pub pre_auth_connections_per_address_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 65_536,
            max_subscriptions: 0,
            max_subscription_tokens: 0,
            max_control_line_bytes: 4_096,
            max_payload_bytes: 1024 * 1024,
            max_pending_bytes: 64 * 1024 * 1024,
            write_deadline_ns: 10 * SECOND_NS,
            write_retry: false,
            ping_interval_ns: 120 * SECOND_NS,
            ping_max: 2,
            max_closed_clients: 10_000,
            lame_duck_duration_ns: 120 * SECOND_NS,
            lame_duck_grace_ns: 10 * SECOND_NS,
            pre_auth_bytes_max: 16 * 1024,
            pre_auth_connections_max: 0,
            pre_auth_connections_per_address_max: 0,
        }
    }
}

/// Who may connect, outside of accounts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Authorization {
    /// Whether the file has the block at all.
    pub is_configured: bool,
    /// The single user.
    pub user: Option<String>,
    /// The single user's password.
    pub password: Option<String>,
    /// The token.
    pub token: Option<String>,
    /// How long a client may take to authenticate, nanoseconds; 0 is the default.
    pub timeout_ns: u64,
    /// Users.
    pub users: Vec<User>,
    /// Permissions of users that have none.
    pub default_permissions: Option<Arc<Permissions>>,
}

/// JetStream limits of an account; -1 is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountJetStream {
    /// Memory, bytes.
    pub max_memory_bytes: i64,
    /// Disk, bytes.
    pub max_store_bytes: i64,
    /// Streams.
    pub max_streams: i64,
    /// Consumers.
    pub max_consumers: i64,
    /// Streams must set `max_bytes`.
    pub max_bytes_required: bool,
    /// Bytes of one memory stream.
    pub memory_max_stream_bytes: i64,
    /// Bytes of one file stream.
    pub disk_max_stream_bytes: i64,
    /// Unacknowledged messages of a consumer.
    pub max_ack_pending: i64,
}

impl Default for AccountJetStream {
    fn default() -> Self {
        Self {
            max_memory_bytes: -1,
            max_store_bytes: -1,
            max_streams: -1,
            max_consumers: -1,
            max_bytes_required: false,
            memory_max_stream_bytes: -1,
            disk_max_stream_bytes: -1,
            max_ack_pending: -1,
        }
    }
}

/// Where an account's messages are traced to when their `traceparent` asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTrace {
    /// The subject traces go to.
    pub dest: String,
    /// Share of those messages that is traced, percent.
    pub sampling: u8,
}

/// One account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Users; each carries the account's name.
    pub users: Vec<User>,
    /// JetStream, if enabled for it.
    pub jetstream: Option<AccountJetStream>,
    /// Permissions of users that have none.
    pub default_permissions: Option<Arc<Permissions>>,
    /// Subject mappings.
    pub mappings: Vec<Mapping>,
    /// Where messages are traced to.
    pub trace: Option<MessageTrace>,
    /// Connections at a time.
    pub max_connections: Option<u64>,
    /// Subscriptions of a connection.
    pub max_subscriptions: Option<u64>,
    /// Headers plus payload of a message, bytes.
    pub max_payload_bytes: Option<usize>,
}

/// When written data is forced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Before it is acknowledged; writers share a sync. Our default.
    #[default]
    Always,
    /// Every so many nanoseconds, as the peer does by default.
    Interval(u64),
}

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Cipher for data at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cipher {
    /// ChaCha20-Poly1305.
    #[default]
    ChaCha,
    /// AES-GCM.
    Aes,
}

/// JetStream of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct JetStream {
    /// Whether it is on.
    pub enabled: bool,
    /// Refuse unknown JSON fields in requests.
    pub strict: bool,
    /// Folder under which `jetstream/` is made.
    pub store_dir: Option<String>,
    /// Memory for streams, bytes; `None` is three quarters of the machine's.
    pub max_memory_bytes: Option<u64>,
    /// Disk for streams, bytes; `None` is three quarters of what is free.
    pub max_store_bytes: Option<u64>,
    /// When data is forced to disk.
    pub sync: Sync,
    /// Domain.
    pub domain: String,
    /// Key for encryption at rest; an empty one is none.
    pub key: Option<Secret>,
    /// The key before.
    pub previous_key: Option<Secret>,
    /// How data is encrypted.
    pub cipher: Cipher,
    /// Bytes of memory for indexes; `None` is a fraction of the machine's. Ours.
    pub memory_budget_bytes: Option<u64>,
    /// Unacknowledged messages of a consumer, at most; 0 is unlimited.
    pub max_ack_pending: i64,
    /// Replicated streams and consumers of the server; 0 is unlimited. A server alone has none.
    pub max_ha_assets: i64,
    /// Largest pull batch; 0 is unlimited.
    pub max_request_batch: i64,
    /// Longest duplicate window, nanoseconds; 0 is unlimited.
    pub max_duplicate_window_ns: u64,
    /// Consumers of a stream that sets no limit.
    pub default_max_consumers: i64,
    /// Messages waiting to be stored, per stream; beyond it they are refused. Without it publishers wait.
    pub max_buffered_messages: Option<usize>,
    /// Bytes waiting to be stored, per stream; as above.
    pub max_buffered_bytes: Option<usize>,
    /// API requests waiting; at it they are dropped. Without it those who ask wait.
    pub request_queue_limit: Option<usize>,
    /// Information requests waiting; without it the limit of all requests.
    pub info_queue_limit: Option<usize>,
    /// Atomic batches of a stream at a time.
    pub max_batch_inflight_per_stream: Option<usize>,
    /// Atomic batches of the server at a time.
    pub max_batch_inflight_total: Option<usize>,
    /// Messages of an atomic batch.
    pub max_batch_size: usize,
    /// How long a batch may stand still, nanoseconds.
    pub batch_timeout_ns: u64,
    /// Tag that sets replicas apart.
    pub unique_tag: String,
    /// Whether leaf nodes extend it: for clusters. Has no effect here.
    pub extension_hint: String,
    /// Bytes on their way to replicas that catch up, 0 for what is usual. Has no effect here.
    pub max_catchup_bytes: i64,
    /// Reads and writes of files at a time. Has no effect here: few threads do them all.
    pub concurrent_io_max: i64,
}

impl Default for JetStream {
    fn default() -> Self {
        Self {
            enabled: false,
            strict: true,
            store_dir: None,
            max_memory_bytes: None,
            max_store_bytes: None,
            sync: Sync::Always,
            domain: String::new(),
            key: None,
            previous_key: None,
            cipher: Cipher::default(),
            memory_budget_bytes: None,
            max_ack_pending: 0,
            max_ha_assets: 0,
            max_request_batch: 0,
            max_duplicate_window_ns: 0,
            default_max_consumers: 1_000,
            max_buffered_messages: None,
            max_buffered_bytes: None,
            request_queue_limit: None,
            info_queue_limit: None,
            max_batch_inflight_per_stream: None,
            max_batch_inflight_total: None,
            max_batch_size: 1_000,
            batch_timeout_ns: 10 * SECOND_NS,
            unique_tag: String::new(),
            extension_hint: String::new(),
            max_catchup_bytes: 0,
            concurrent_io_max: 4_096,
        }
    }
}

/// A key that is understood, but whose feature is not here yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The key, with its section.
    pub key: String,
    /// Where it stands.
    pub place: String,
}

/// Everything a server is told.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub struct Options {
    /// Name; the id if empty.
    pub server_name: String,
    /// Listen address.
    pub host: String,
    /// Listen port; -1 takes a free one.
    pub port: i32,
    /// Address told to clients.
    pub client_advertise: String,
    /// Monitoring address; the listen address if empty.
    pub http_host: String,
    /// Monitoring port; 0 is off, -1 takes a free one.
    pub http_port: i32,
    /// Prefix of monitoring paths.
    pub http_base_path: String,
    /// Logging.
    pub logging: Logging,
    /// File for the process id.
    pub pid_file: Option<String>,
    /// Folder for the ports file.
    pub ports_file_dir: Option<String>,
    /// Limits.
    pub limits: Limits,
    /// Do not offer headers.
    pub no_header_support: bool,
    /// Do not cache routing results.
    pub no_sublist_cache: bool,
    /// Expect a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Do not slow producers down.
    pub no_fast_producer_stall: bool,
    /// Who may connect.
    pub authorization: Authorization,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Mappings of the global account.
    pub mappings: Vec<Mapping>,
    /// User of connections without credentials.
    pub no_auth_user: Option<String>,
    /// Name of the system account; empty is the built-in one.
    pub system_account: String,
    /// No system account.
    pub no_system_account: bool,
    /// JetStream.
    pub jetstream: JetStream,
    /// Whose JetStream is in which domain: what those accounts ask of the API goes there.
    pub default_domains: BTreeMap<String, String>,
    /// Top-level storage folder.
    pub store_dir: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
    /// Feature flags set in the configuration.
    pub feature_flags: BTreeMap<String, bool>,
    /// Keys whose features are not here yet.
    pub unsupported: Vec<Unsupported>,
    /// The configuration file, if any.
    pub config_file: Option<String>,
    /// Its digest.
    pub config_digest: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_name: String::new(),
            host: "0.0.0.0".into(),
            port: 4222,
            client_advertise: String::new(),
            http_host: String::new(),
            http_port: 0,
            http_base_path: "/".into(),
            logging: Logging::default(),
            pid_file: None,
            ports_file_dir: None,
            limits: Limits::default(),
            no_header_support: false,
            no_sublist_cache: false,
            proxy_protocol: false,
            no_fast_producer_stall: false,
            authorization: Authorization::default(),
            accounts: Vec::new(),
            mappings: Vec::new(),
            no_auth_user: None,
            system_account: String::new(),
            no_system_account: false,
            jetstream: JetStream::default(),
            default_domains: BTreeMap::new(),
            store_dir: None,
            tags: Vec::new(),
            metadata: BTreeMap::new(),
            feature_flags: BTreeMap::new(),
            unsupported: Vec::new(),
            config_file: None,
            config_digest: String::new(),
        }
    }
}

impl Options {
    /// How long a client may take to authenticate, nanoseconds.
    #[must_use]
    pub const fn auth_timeout_ns(&self) -> u64 {
        if self.authorization.timeout_ns == 0 {
            2 * SECOND_NS
        } else {
            self.authorization.timeout_ns
        }
    }

    /// Whether the system account is the only one that is named, and nothing is said about who may connect: then everybody
    /// may, to the account of those who have no other, as in the peer.
    #[must_use]
    pub fn names_only_the_system_account(&self) -> bool {
        let auth = &self.authorization;
        let said = auth.is_configured || auth.user.is_some() || auth.token.is_some();
        let system = match self.system_account.as_str() {
            "" => "$SYS",
            name => name,
        };
        let only = self.accounts.len() == 1 && self.accounts[0].name == system;
        only && !said && self.no_auth_user.is_none() && !self.no_system_account
    }

    /// Folder for storage: JetStream's own, or the top-level one.
    #[must_use]
    pub fn storage(&self) -> Option<&str> {
        self.jetstream.store_dir.as_deref().or(self.store_dir.as_deref())
    }
}
