//! What a server says before it refuses: the exact `-ERR` texts, and which of them close the connection.
//!
//! Texts are those of the peer (nats-server 2.15.1), asked by running it.

use crate::quote::quote;

/// A refusal with the peer's text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError {
    /// The parser met a byte that no verb has.
    UnknownProtocolOperation,
    /// Arguments longer than `max_control_line`.
    MaximumControlLine,
    /// Declared size above `max_payload`.
    MaximumPayload,
    /// Bad credentials, a missing CONNECT, or the retired account fields.
    AuthorizationViolation,
    /// No CONNECT in time.
    AuthenticationTimeout,
    /// The user's validity ended.
    UserAuthenticationExpired,
    /// The user was revoked.
    UserAuthenticationRevoked,
    /// The account's validity ended.
    AccountAuthenticationExpired,
    /// Too many unanswered PINGs.
    StaleConnection,
    /// `max_connections` of the server reached.
    MaximumConnections,
    /// `max_connections` of the account reached.
    MaximumAccountConnections,
    /// A plain client on a TLS port.
    TlsRequired,
    /// CONNECT asked for a protocol version that does not exist.
    InvalidClientProtocol,
    /// CONNECT asked for no-responders without headers.
    NoRespondersRequiresHeaders,
    /// The account could not be bound; the connection stays.
    FailedAccountRegistration,
    /// `max_subscriptions` reached.
    MaximumSubscriptions,
    /// SUB with a bad subject.
    InvalidSubject,
    /// Pedantic PUB with a bad subject.
    InvalidPublishSubject,
    /// Publish not allowed.
    PublishDenied {
        /// The subject.
        subject: Vec<u8>,
    },
    /// Publish with a reserved reply subject.
    PublishReplyDenied {
        /// The reply subject.
        reply: Vec<u8>,
    },
    /// Subscription not allowed.
    SubscribeDenied {
        /// The subject.
        subject: Vec<u8>,
        /// The queue group asked for.
        queue: Option<Vec<u8>>,
    },
    /// Subscription taken away by a changed configuration.
    SubscriptionRevoked {
        /// The subject.
        subject: Vec<u8>,
        /// The subscription id.
        sid: Vec<u8>,
    },
    /// More tokens than `max_subscription_tokens`.
    SubscribeTooManyTokens {
        /// The subject.
        subject: Vec<u8>,
    },
}

impl ServerError {
    /// The text between the quotes of `-ERR '…'`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::UnknownProtocolOperation => "Unknown Protocol Operation".into(),
            Self::MaximumControlLine => "maximum control line exceeded".into(),
            Self::MaximumPayload => "Maximum Payload Violation".into(),
            Self::AuthorizationViolation => "Authorization Violation".into(),
            Self::AuthenticationTimeout => "Authentication Timeout".into(),
            Self::UserAuthenticationExpired => "User Authentication Expired".into(),
            Self::UserAuthenticationRevoked => "User Authentication Revoked".into(),
            Self::AccountAuthenticationExpired => "Account Authentication Expired".into(),
            Self::StaleConnection => "Stale Connection".into(),
            Self::MaximumConnections => "maximum connections exceeded".into(),
            Self::MaximumAccountConnections => "maximum account active connections exceeded".into(),
            Self::TlsRequired => "Secure Connection - TLS Required".into(),
            Self::InvalidClientProtocol => "invalid client protocol".into(),
            Self::NoRespondersRequiresHeaders => "no responders requires headers support".into(),
            Self::FailedAccountRegistration => "Failed Account Registration".into(),
            Self::MaximumSubscriptions => "maximum subscriptions exceeded".into(),
            Self::InvalidSubject => "Invalid Subject".into(),
            Self::InvalidPublishSubject => "Invalid Publish Subject".into(),
            Self::PublishDenied { subject } => {
                format!("Permissions Violation for Publish to {}", quote(subject))
            }
            Self::PublishReplyDenied { reply } => {
                format!("Permissions Violation for Publish with Reply of {}", quote(reply))
            }
            Self::SubscribeDenied { subject, queue: None } => {
                format!("Permissions Violation for Subscription to {}", quote(subject))
            }
            Self::SubscribeDenied {
                subject,
                queue: Some(queue),
            } => {
                format!(
                    "Permissions Violation for Subscription to {} using queue {}",
                    quote(subject),
                    quote(queue)
                )
            }
            Self::SubscriptionRevoked { subject, sid } => {
                format!(
                    "Permissions Violation for Subscription to {} (sid {})",
                    quote(subject),
                    quote(sid)
                )
            }
            Self::SubscribeTooManyTokens { subject } => {
                format!(
                    "Permissions Violation for Subscription to {}, too many tokens",
                    quote(subject)
                )
            }
        }
    }

    /// Whether the connection is closed after the text.
    #[must_use]
    pub const fn closes(&self) -> bool {
        !matches!(
            self,
            Self::FailedAccountRegistration
                | Self::MaximumSubscriptions
                | Self::InvalidSubject
                | Self::InvalidPublishSubject
                | Self::PublishDenied { .. }
                | Self::PublishReplyDenied { .. }
                | Self::SubscribeDenied { .. }
                | Self::SubscriptionRevoked { .. }
                | Self::SubscribeTooManyTokens { .. }
        )
    }
}
