//! A message as it is queued for a connection: borrowed, cut where receivers differ.

use bytes::Bytes;

/// One message, cut so that a fan-out encodes the common parts once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// `MSG subject ` or `HMSG subject `.
    pub(crate) head: &'a [u8],
    /// The subscription id.
    pub(crate) sid: &'a [u8],
    /// ` [reply] sizes\r\n`.
    pub(crate) tail: &'a [u8],
    /// Headers and payload, without the closing line end.
    pub(crate) body: &'a [u8],
    /// The same bytes, when they can be shared.
    pub(crate) shared: Option<&'a Bytes>,
}

impl Parts<'_> {
    /// Bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.sid.len() + self.tail.len() + self.body.len() + 2
    }
}
