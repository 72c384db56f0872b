//! Bytes from a client to operations. Borrows from the input, allocates only to describe a failure, and never looks at
//! a socket or a clock.
//!
//! The parser keeps no bytes: the caller holds what was not consumed in one contiguous slice and calls again when more
//! has arrived. Whatever the chunking, the same bytes give the same operations and the same failure.

mod args;
mod client;
mod server;

pub use client::{ClientOp, ClientParser, Publish};
pub use server::{Delivered, ServerOp, ServerParser};

use crate::errors::ServerError;

/// What a parser found at the start of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<Op> {
    /// A whole operation; `len` bytes of the input belong to it.
    Op {
        /// The operation.
        op: Op,
        /// Bytes consumed.
        len: usize,
    },
    /// The input is a proper beginning. `needed` is the total length of the operation from the start of the input, once
    /// that is known (a payload is outstanding).
    Incomplete {
        /// Bytes that complete the operation, counted from the start of the input.
        needed: Option<usize>,
    },
    /// The connection has to be closed.
    Fail(ParseError),
}

/// Why a connection's bytes are refused. Each closes the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A byte that no verb has at this place, or a payload not followed by CR LF.
    #[error("parser ERROR, i={at}: proto='{proto}...'")]
    UnknownOperation {
        /// Offset of the offending byte from the start of the operation.
        at: usize,
        /// What stood there, quoted, for the log.
        proto: String,
    },
    /// The arguments are longer than `max_control_line`.
    #[error("maximum control line exceeded")]
    ControlLine,
    /// The declared size is above `max_payload`.
    #[error("maximum payload exceeded: {size} vs {limit}")]
    Payload {
        /// Declared size, bytes.
        size: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// `HPUB` on a connection that did not negotiate headers.
    #[error("message headers not supported")]
    HeadersUnsupported,
    /// Wrong number or form of arguments; the text is the peer's log line.
    #[error("{0}")]
    Arguments(String),
}

impl ParseError {
    /// The `-ERR` to send before closing, if the peer sends one.
    #[must_use]
    pub const fn reply(&self) -> Option<ServerError> {
        match self {
            Self::UnknownOperation { .. } => Some(ServerError::UnknownProtocolOperation),
            Self::ControlLine => Some(ServerError::MaximumControlLine),
            Self::Payload { .. } => Some(ServerError::MaximumPayload),
            Self::HeadersUnsupported | Self::Arguments(_) => None,
        }
    }
}

fn unknown<Op>(input: &[u8], at: usize) -> Step<Op> {
    let shown = &input[at.min(input.len())..input.len().min(at + 32)];
    Step::Fail(ParseError::UnknownOperation {
        at,
        proto: crate::quote::quote(shown),
    })
}
