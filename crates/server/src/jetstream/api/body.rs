//! What a request's body asks for, read as the peer reads it.

use natterjack_jsapi::{ApiError, errors, json};

use super::Request;

/// Requests, by the peer's names, of which nothing is needed.
const MAY_BE_EMPTY: [&str; 7] = [
    "JSApiStreamTemplatesRequest",
    "JSApiStreamInfoRequest",
    "JSApiStreamPurgeRequest",
    "JSApiStreamNamesRequest",
    "JSApiStreamListRequest",
    "JSApiConsumersRequest",
    "JSApiConsumerPauseRequest",
];

impl Request {
    /// Reads the body. Where nothing need be asked for, what is no JSON at all asks for nothing.
    pub(super) fn parse<T: json::GoFields + Default>(
        &self,
        root: &'static str,
        strict: bool,
    ) -> Result<T, ApiError> {
        let is_json = matches!(self.body.trim_ascii().first(), Some(b'{' | b'['));
        if !is_json && MAY_BE_EMPTY.contains(&root) {
            return Ok(T::default());
        }
        let read = json::from_request(&self.body, root, true);
        if strict {
            return read.map_err(errors::invalid_json);
        }
        // Without the strict mode the peer reads in one piece, and less closely, what cannot be read closely.
        read.or_else(|_| json::from_whole(&self.body, root))
            .map_err(errors::invalid_json)
    }

    /// Reads a body that the peer reads in one piece.
    pub(super) fn whole<T: json::GoFields + Default>(&self, root: &'static str) -> Result<T, ApiError> {
        json::from_whole(&self.body, root).map_err(errors::invalid_json)
    }

    /// Bytes, as the mailbox counts them.
    pub(super) const fn weight(&self) -> usize {
        self.body.len() + 256
    }

    /// Whether the body says nothing: there is none, or an object without fields.
    pub(super) fn is_empty(&self) -> bool {
        let body = self.body.trim_ascii();
        let inside = body.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
        self.body.is_empty() || inside.is_some_and(|inside| inside.trim_ascii().is_empty())
    }
}
