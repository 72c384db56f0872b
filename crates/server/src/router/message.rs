//! A message on its way through the router, borrowed from wherever it came.

use std::sync::Arc;

use bytes::Bytes;

use crate::conn::Conn;

/// One message.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Routed<'a> {
    /// Subject the receiver sees.
    pub(crate) subject: &'a [u8],
    /// Reply subject.
    pub(crate) reply: Option<&'a [u8]>,
    /// Length of the headers, which begin the body.
    pub(crate) headers_len: usize,
    /// Headers and payload.
    pub(crate) body: &'a [u8],
    /// The body again, when it can be shared.
    pub(crate) shared: Option<&'a Bytes>,
    /// The connection that published it.
    pub(crate) from: Option<&'a Arc<Conn>>,
}

impl<'a> Routed<'a> {
    /// Header block, may be empty.
    pub(crate) fn headers(&self) -> &'a [u8] {
        &self.body[..self.headers_len]
    }

    /// Payload, may be empty.
    pub(crate) fn payload(&self) -> &'a [u8] {
        &self.body[self.headers_len..]
    }
}
