//! Wire forms captured from nats-server 2.15.1, read and written again byte for byte; refusals in its words.

use crate::consumer::{ConsumerInfo, CreateRequest};
use crate::json::{self, GoFields};
use crate::stream::{StreamInfo, StreamRequest};

#[path = "../codegen/generate.rs"]
mod generate;

#[test]
fn the_error_table_is_generated() {
    let json: serde_json::Value = serde_json::from_str(include_str!("../errors.json")).unwrap();
    let generated = generate::generate_errors(&json).unwrap();
    let squeeze = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
            .replace(",]", "]")
    };
    assert_eq!(
        squeeze(&generated),
        squeeze(include_str!("errors.rs")),
        "run `cargo xtask codegen`"
    );
}

/// Reads the records of `file` (one JSON object a line) as `T` and expects the same bytes back.
fn golden<T: GoFields + Default>(file: &str) {
    let text = std::fs::read_to_string(format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut lines = 0;
    for line in text.lines().filter(|l| !l.is_empty()) {
        let value: T = json::from_request(line.as_bytes(), "golden", true).unwrap();
        assert_eq!(String::from_utf8(json::to_vec(&value)).unwrap(), line);
        lines += 1;
    }
    assert!(lines > 0, "{file} is empty");
}

#[test]
fn stream_infos() {
    golden::<StreamInfo>("stream_info.jsonl");
}

#[test]
fn consumer_infos() {
    golden::<ConsumerInfo>("consumer_info.jsonl");
}

#[test]
fn account_infos() {
    golden::<crate::account::AccountInfo>("account_info.jsonl");
}

#[test]
fn stream_requests_are_refused_in_the_peers_words() {
    let text = include_str!("../testdata/stream_request_errors.txt");
    let mut cases = 0;
    for (body, expected) in text.lines().filter_map(|l| l.split_once(" => ")) {
        let outcome = json::from_request::<StreamRequest>(body.as_bytes(), "StreamConfigRequest", true);
        let got = outcome.map_or_else(|e| e.to_string(), |_| "ok".into());
        assert_eq!(got, expected, "{body}");
        cases += 1;
    }
    assert!(cases > 30, "{cases} cases");
}

#[test]
fn names_in_any_case_and_unknown_ones_when_allowed() {
    let body = br#"{"Stream_Name":"S","config":{"Durable_Name":"d","zip":1}}"#;
    let request: CreateRequest = json::from_request(body, "CreateConsumerRequest", false).unwrap();
    assert_eq!(
        (request.stream_name.as_str(), request.config.durable_name.as_str()),
        ("S", "d")
    );
    assert!(json::from_request::<CreateRequest>(body, "CreateConsumerRequest", true).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
        let _kept = json::from_request::<StreamRequest>(&body, "StreamConfigRequest", true);
    }

    #[test]
    fn near_json_is_answered(body in "[{}\\[\\]\",:a-e0-9.\\\\-]{0,60}") {
        let _kept = json::from_request::<StreamRequest>(body.as_bytes(), "StreamConfigRequest", true);
    }

    #[test]
    fn texts_survive(text in "\\PC{0,40}") {
        let mut request = StreamRequest::default();
        request.config.name = text;
        let bytes = json::to_vec(&request);
        let back: StreamRequest = json::from_request(&bytes, "StreamConfigRequest", true).unwrap();
        proptest::prop_assert_eq!(back, request);
    }
}

fn nested(begin: &str, depth: usize, end: &str) -> Result<StreamRequest, String> {
    let body = begin.repeat(depth) + &end.repeat(depth);
    json::from_request(body.as_bytes(), "StreamConfigRequest", true).map_err(|e| e.to_string())
}

#[test]
fn nesting_has_a_bottom() {
    let over = json::NESTING_MAX + 1;
    for (begin, end, offset) in [("[", "]", 10_001), ("{\"a\":", "}", 50_001), ("[ ", "]", 20_001)] {
        let text = format!("exceeded max depth at offset {offset}");
        assert_eq!(nested(begin, over, end), Err(text));
    }
    let array = "json: cannot unmarshal array into Go value of type server.StreamConfigRequest";
    assert_eq!(nested("[", json::NESTING_MAX, "]"), Err(array.to_owned()));
    assert_eq!(
        nested("[", json::NESTING_MAX, ""),
        Err("unexpected EOF".to_owned())
    );
}

#[test]
fn what_lies_too_deep_to_matter_is_still_read() {
    let deep = json::DEPTH_MAX * 2;
    let body = |inside: &str| {
        let around = ("[".repeat(deep), "]".repeat(deep));
        format!(
            r#"{{"name":"S","a":{}{inside}{},"max_msgs":5}}"#,
            around.0, around.1
        )
    };
    let read =
        |inside: &str| json::from_whole::<StreamRequest>(body(inside).as_bytes(), "StreamConfigRequest");
    assert_eq!(read(r#"{"b":[1,"x",{}],"c":null}"#).unwrap().config.max_msgs, 5);
    let wrong = read(r#"{"b":[1,]}"#).unwrap_err().to_string();
    assert_eq!(wrong, "invalid character ']' looking for beginning of value");
}
