//! Why connections end, in the words monitoring uses.

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client went.
    ClientClosed,
    /// No credentials in time.
    AuthenticationTimeout,
    /// Credentials refused.
    AuthenticationFailure,
    /// Too much waits for it.
    SlowConsumerPendingBytes,
    /// It did not read in time.
    SlowConsumerWriteDeadline,
    /// The socket failed while writing.
    WriteError,
    /// The socket failed while reading.
    ReadError,
    /// What it sent makes no sense.
    ParseError,
    /// It did not answer pings.
    StaleConnection,
    /// It broke the rules of the protocol.
    ProtocolViolation,
    /// It speaks a protocol that does not exist.
    BadClientProtocolVersion,
    /// The server has enough connections.
    MaxConnectionsExceeded,
    /// The account has enough connections.
    MaxAccountConnectionsExceeded,
    /// A message was too large.
    MaxPayloadExceeded,
    /// A line was too long.
    MaxControlLineExceeded,
    /// The server stops.
    ServerShutdown,
    /// An administrator sent it away.
    Kicked,
    /// Headers without having agreed on them.
    MessageHeaderViolation,
    /// Asked for no-responders without headers.
    NoRespondersRequiresHeaders,
}

impl CloseReason {
    /// The text in `/connz` and events.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::ClientClosed => "Client Closed",
            Self::AuthenticationTimeout => "Authentication Timeout",
            Self::AuthenticationFailure => "Authentication Failure",
            Self::SlowConsumerPendingBytes => "Slow Consumer (Pending Bytes)",
            Self::SlowConsumerWriteDeadline => "Slow Consumer (Write Deadline)",
            Self::WriteError => "Write Error",
            Self::ReadError => "Read Error",
            Self::ParseError => "Parse Error",
            Self::StaleConnection => "Stale Connection",
            Self::ProtocolViolation => "Protocol Violation",
            Self::BadClientProtocolVersion => "Bad Client Protocol Version",
            Self::MaxConnectionsExceeded => "Maximum Connections Exceeded",
            Self::MaxAccountConnectionsExceeded => "Maximum Account Connections Exceeded",
            Self::MaxPayloadExceeded => "Maximum Message Payload Exceeded",
            Self::MaxControlLineExceeded => "Maximum Control Line Exceeded",
            Self::ServerShutdown => "Server Shutdown",
            Self::Kicked => "Kicked",
            Self::MessageHeaderViolation => "Message Header Violation",
            Self::NoRespondersRequiresHeaders => "No Responders Requires Headers",
        }
    }

    /// Whether the client was too slow.
    pub(crate) const fn is_slow(self) -> bool {
        matches!(
            self,
            Self::SlowConsumerPendingBytes | Self::SlowConsumerWriteDeadline
        )
    }
}
