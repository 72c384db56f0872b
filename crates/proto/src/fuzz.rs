//! Entry points for fuzzers: any bytes, no panic, and the same outcome for every chunking.

use crate::proxy_protocol::{self, Header};
use crate::{ClientParser, Headers, ServerParser, Step};

/// Parses `input` whole, then once more a byte at a time, and compares what came out.
///
/// # Panics
/// When the two disagree: that is the finding.
pub fn fuzz_one(input: &[u8]) {
    let parser = ClientParser::default();
    assert_eq!(
        run_client(&parser, input),
        run_growing(&parser, input),
        "chunking changed the outcome"
    );
    let mut rest = input;
    while let Step::Op { len, .. } = ServerParser::default().parse(rest) {
        rest = &rest[len..];
    }
    if let Ok(Header::Proxied { len, .. } | Header::Local { len }) = proxy_protocol::parse(input) {
        assert!(len <= input.len(), "a header longer than the input");
    }
    let headers = Headers::new(input);
    let fields = headers.iter().count();
    assert!(fields <= input.len(), "more fields than bytes");
    let _unused = (headers.get("Nats-Msg-Id"), headers.status());
}

/// The operations in `input`, as text, and how it ended.
fn run_client(parser: &ClientParser, input: &[u8]) -> (Vec<String>, Option<String>) {
    let mut rest = input;
    let mut seen = Vec::new();
    loop {
        match parser.parse(rest) {
            Step::Op { op, len } => {
                assert!(len > 0 && len <= rest.len(), "consumed {len} of {}", rest.len());
                seen.push(format!("{op:?}"));
                rest = &rest[len..];
            }
            Step::Incomplete { .. } => return (seen, None),
            Step::Fail(error) => return (seen, Some(kind(&error))),
        }
    }
}

/// The same, with the input growing a byte at a time.
fn run_growing(parser: &ClientParser, input: &[u8]) -> (Vec<String>, Option<String>) {
    let mut seen = Vec::new();
    let mut start = 0;
    for end in 1..=input.len() {
        loop {
            match parser.parse(&input[start..end]) {
                Step::Op { op, len } => {
                    seen.push(format!("{op:?}"));
                    start += len;
                }
                Step::Incomplete { .. } => break,
                Step::Fail(error) => return (seen, Some(kind(&error))),
            }
        }
    }
    (seen, None)
}

/// What failed, without the excerpt of input that depends on how much had arrived.
fn kind(error: &crate::ParseError) -> String {
    match error {
        crate::ParseError::UnknownOperation { at, .. } => format!("unknown at {at}"),
        other => other.to_string(),
    }
}
