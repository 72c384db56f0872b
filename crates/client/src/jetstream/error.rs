//! What can go wrong with JetStream, one enum per operation. An error of the API keeps its code, its `err_code` and the
//! server's text.

use std::time::Duration;

use natterjack_jsapi::ApiError;

use crate::error::{PublishError as SendError, RequestError, SubscribeError};

/// Why a call of the API failed; each operation's own enum is made from it.
#[derive(Debug)]
pub(crate) enum CallError {
    Name(String),
    Request(RequestError),
    Api(ApiError),
    Answer(String),
}

macro_rules! call_errors {
    ($( $(#[$meta:meta])* $name:ident )*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, thiserror::Error)]
            #[non_exhaustive]
            pub enum $name {
                /// A stream or consumer name that cannot be.
                #[error("invalid name {0:?}")]
                Name(String),
                /// The request was not answered.
                #[error(transparent)]
                Request(#[from] RequestError),
                /// The server said no.
                #[error(transparent)]
                Api(#[from] ApiError),
                /// The answer cannot be read.
                #[error("unreadable answer: {0}")]
                Answer(String),
            }

            impl $name {
                /// The server's error, if it is one.
                #[must_use]
                pub const fn api(&self) -> Option<&ApiError> {
                    match self {
                        Self::Api(error) => Some(error),
                        Self::Name(_) | Self::Request(_) | Self::Answer(_) => None,
                    }
                }
            }

            impl From<CallError> for $name {
                fn from(error: CallError) -> Self {
                    match error {
                        CallError::Name(name) => Self::Name(name),
                        CallError::Request(error) => Self::Request(error),
                        CallError::Api(error) => Self::Api(error),
                        CallError::Answer(text) => Self::Answer(text),
                    }
                }
            }
        )*
    };
}

call_errors! {
    /// Why an account's use is not known.
    AccountInfoError
    /// Why a stream was not made.
    CreateStreamError
    /// Why a stream was not changed.
    UpdateStreamError
    /// Why a stream's information is not known.
    StreamInfoError
    /// Why a stream was not deleted.
    DeleteStreamError
    /// Why a stream was not purged.
    PurgeStreamError
    /// Why the names of streams are not known.
    StreamNamesError
    /// Why a stored message was not read.
    GetMessageError
    /// Why a stored message was not deleted.
    DeleteMessageError
    /// Why a consumer was not made.
    CreateConsumerError
    /// Why a consumer was not changed.
    UpdateConsumerError
    /// Why a consumer's information is not known.
    ConsumerInfoError
    /// Why a consumer was not deleted.
    DeleteConsumerError
    /// Why the names of consumers are not known.
    ConsumerNamesError
}

/// Why a message is not known to be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A header's value cannot be sent.
    #[error(transparent)]
    Header(#[from] crate::headers::HeaderError),
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No stream keeps the subject.
    #[error("no stream keeps this subject")]
    NoStream,
    /// No acknowledgement came in time; whether the message is stored is unknown.
    #[error("no acknowledgement within {0:?}")]
    Timeout(Duration),
    /// The connection was lost before the acknowledgement; whether the message is stored is unknown.
    #[error("the connection was lost before the acknowledgement")]
    Disconnected,
    /// Too many publishes wait for their acknowledgement, and none came in time.
    #[error("too many publishes wait for their acknowledgement")]
    TooManyInFlight,
    /// The server said no.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The acknowledgement cannot be read, e.g. because it is not a stream that answers.
    #[error("unreadable acknowledgement: {0}")]
    Answer(String),
}

impl From<RequestError> for PublishError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Publish(error) => Self::Send(error),
            RequestError::NoResponders => Self::NoStream,
            RequestError::Timeout(longest) => Self::Timeout(longest),
            RequestError::Disconnected => Self::Disconnected,
        }
    }
}

/// Why a delivery was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// It has an answer already.
    #[error("answered before")]
    Answered,
    /// It is not a delivery of a consumer.
    #[error("not a delivery of a consumer")]
    NotADelivery,
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server did not confirm it.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why pulling messages ended or stuttered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// A stream or consumer name that cannot be, or a batch of none.
    #[error("invalid pull: {0}")]
    Invalid(String),
    /// The inbox was not subscribed to.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The pull was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// There is no such consumer, or nobody leads it at the moment.
    #[error("no responders")]
    NoResponders,
    /// The server said no, e.g. `Consumer Deleted`.
    #[error("{code} {description}")]
    Status {
        /// HTTP-like code.
        code: u16,
        /// The server's text.
        description: String,
    },
    /// The server stayed silent longer than it may: no message, no heartbeat, no end.
    #[error("the server stayed silent")]
    HeartbeatMissed,
    /// The reader was too slow, so many messages were dropped and will be delivered again.
    #[error("{0} messages dropped by a slow reader")]
    Dropped(u64),
}

impl PullError {
    /// Whether pulling on makes no sense.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Subscribe(_) | Self::Send(_) | Self::Status { .. } => true,
            Self::NoResponders | Self::HeartbeatMissed | Self::Dropped(_) => false,
        }
    }
}

/// Why an ordered consumer has no message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderedError {
    /// No consumer was made.
    #[error(transparent)]
    Create(#[from] CreateConsumerError),
    /// Pulling cannot go on.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// Its consumer was not removed.
    #[error(transparent)]
    Delete(#[from] DeleteConsumerError),
}

/// Why a push consumer is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The consumer is not known.
    #[error(transparent)]
    Info(#[from] ConsumerInfoError),
    /// It is a pull consumer.
    #[error("consumer {0:?} is not a push consumer")]
    NotPush(String),
    /// Its subject was not subscribed to.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// Flow control was not answered.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server said something other than a message.
    #[error("{code} {description}")]
    Status {
        /// HTTP-like code.
        code: u16,
        /// The server's text.
        description: String,
    },
    /// Heartbeats stayed away.
    #[error("heartbeats stayed away")]
    HeartbeatMissed,
}
