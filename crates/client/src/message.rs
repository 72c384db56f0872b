//! A message as it was delivered. Shares the bytes that were read; never copies them.

use std::borrow::Cow;

use bytes::Bytes;
use natterjack_proto::{Delivered, Headers};

/// A delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    subject: Bytes,
    reply: Option<Bytes>,
    headers: Bytes,
    payload: Bytes,
}

impl Message {
    /// Takes the parts of `delivered` out of `chunk`, from which it was parsed.
    pub(crate) fn new(chunk: &Bytes, delivered: &Delivered<'_>) -> Self {
        let body = chunk.slice_ref(delivered.body);
        let split = delivered.headers_len.unwrap_or(0);
        Self {
            subject: chunk.slice_ref(delivered.subject),
            reply: delivered.reply.map(|reply| chunk.slice_ref(reply)),
            headers: body.slice(..split),
            payload: body.slice(split..),
        }
    }

    /// The subject it was published on.
    #[must_use]
    pub fn subject(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.subject)
    }

    /// Where an answer is expected.
    #[must_use]
    pub fn reply(&self) -> Option<Cow<'_, str>> {
        self.reply.as_deref().map(String::from_utf8_lossy)
    }

    pub(crate) fn subject_bytes(&self) -> &[u8] {
        &self.subject
    }

    pub(crate) fn reply_bytes(&self) -> Option<&[u8]> {
        self.reply.as_deref()
    }

    /// Its headers; without any the view is empty.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(&self.headers)
    }

    /// The first header called `name`, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers().get(name)?).ok()
    }

    /// Its payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Its size in bytes as limits of a pull count it: subject, reply, headers and payload.
    #[must_use]
    pub fn size(&self) -> usize {
        self.subject.len()
            + self.reply.as_ref().map_or(0, Bytes::len)
            + self.headers.len()
            + self.payload.len()
    }

    /// Status code and description, which servers put on messages of their own.
    #[must_use]
    pub fn status(&self) -> Option<(u16, Cow<'_, str>)> {
        let (code, text) = self.headers().status()?;
        let code = std::str::from_utf8(code).ok()?.parse().ok()?;
        Some((code, String::from_utf8_lossy(text)))
    }

    /// Whether it says that nobody listens on the subject of a request.
    pub(crate) fn is_no_responders(&self) -> bool {
        self.payload.is_empty() && matches!(self.status(), Some((503, _)))
    }
}

#[cfg(test)]
impl Message {
    /// A message for tests, from the text of a server's operation.
    pub(crate) fn parsed(text: &[u8]) -> Self {
        use natterjack_proto::{ServerOp, ServerParser, Step};
        let chunk = Bytes::copy_from_slice(text);
        match ServerParser::default().parse(&chunk) {
            Step::Op {
                op: ServerOp::Msg(m), ..
            } => Self::new(&chunk, &m),
            other => panic!("no message: {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_status() {
        let message = Message::parsed(b"HMSG a.b 1 r 18 20\r\nNATS/1.0\r\nK: v\r\n\r\nhi\r\n");
        assert_eq!(
            (message.subject(), message.reply()),
            ("a.b".into(), Some("r".into()))
        );
        assert_eq!(
            (message.header("K"), &message.payload()[..]),
            (Some("v"), &b"hi"[..])
        );
        assert_eq!(message.size(), 3 + 1 + 18 + 2);
        assert!(message.status().is_none() && !message.is_no_responders());
        let message = Message::parsed(b"HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
        assert_eq!(message.status(), Some((503, "".into())));
        assert!(message.is_no_responders());
    }
}
