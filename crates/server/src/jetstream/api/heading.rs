//! What the headers of a request ask for beside its body.

use natterjack_jsapi::headers;
use natterjack_jsapi::versioning::API_LEVEL;
use natterjack_proto::Headers;

/// The API level a request asks for: none by an empty header, and more than there is by one that is no number.
pub(super) fn level(block: &[u8]) -> i64 {
    Headers::new(block)
        .get(headers::REQUIRED_API_LEVEL)
        .filter(|text| !text.is_empty())
        .map_or(0, |text| {
            let number = std::str::from_utf8(text).ok().and_then(|t| t.trim().parse().ok());
            number.unwrap_or(i64::MAX)
        })
}

/// What a request says of the stream it means.
pub(super) fn identity(block: &[u8]) -> Option<String> {
    let said = Headers::new(block).get(headers::STREAM_IDENTITY);
    said.map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Whether a message asks for no more than this server's API level.
pub(in crate::jetstream) fn has_level(block: &[u8]) -> bool {
    block.is_empty() || level(block) <= API_LEVEL
}
