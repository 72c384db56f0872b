//! What can go wrong with a connection, one enum per operation. Holds no logic.

use std::io;
use std::time::Duration;

use natterjack_subject::SubjectError;

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be read.
    #[error("invalid server address {0:?}")]
    Address(String),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server did not finish its hello in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The server sent something a client cannot understand.
    #[error("unexpected bytes from the server: {0}")]
    Protocol(String),
    /// The server wants TLS, which this client does not speak yet.
    #[error("the server requires TLS")]
    TlsRequired,
    /// The server said no, e.g. `Authorization Violation`.
    #[error("the server refused: {0}")]
    Refused(String),
}

/// Why a message was not handed to the connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The subject or the reply is not a literal subject.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// More than the server takes.
    #[error("message of {size} bytes is over the server's limit of {limit}")]
    TooLarge {
        /// Headers and payload, bytes.
        size: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// There is no connection and the buffer for the next one is full.
    #[error("not connected, and {limit} bytes are waiting already")]
    BufferFull {
        /// Size of that buffer, bytes.
        limit: usize,
    },
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

/// Why a subscription was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subject is not valid.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The queue group is empty or has white space.
    #[error("invalid queue group")]
    Queue,
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Nobody listens on the subject.
    #[error("no responders")]
    NoResponders,
    /// Nobody answered in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection was lost before the answer came; whether the request arrived is unknown.
    #[error("the connection was lost before the answer came")]
    Disconnected,
}

/// Why a flush failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The connection was lost on the way; what was written before it may be lost.
    #[error("the connection was lost before the server answered")]
    Disconnected,
    /// The server did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}
