//! What the headers of a request ask for beside its body.

use natterjack_jsapi::headers;
use natterjack_proto::Headers;

/// What a request says of the stream it means.
pub(super) fn identity(block: &[u8]) -> Option<String> {
    let said = Headers::new(block).get(headers::STREAM_IDENTITY);
    said.map(|text| String::from_utf8_lossy(text).into_owned())
}
