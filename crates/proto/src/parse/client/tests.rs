//! Transcripts of the peer's parser as a table, and the promise that chunking changes nothing.

use proptest::prelude::*;

use super::*;
use crate::fuzz::fuzz_one;
use crate::proxy_protocol::{self, Header};
use crate::{ServerOp, ServerParser};

/// Runs all of `input`; operations in short form, then how it ended.
fn run(input: &[u8]) -> String {
    let parser = ClientParser::default();
    let (mut rest, mut out) = (input, String::new());
    loop {
        match parser.parse(rest) {
            Step::Op { op, len } => {
                out.push_str(&short(&op));
                out.push('|');
                rest = &rest[len..];
            }
            Step::Incomplete { needed } => {
                out.push_str(&needed.map_or_else(|| "more".into(), |n| format!("more {n}")));
                return out;
            }
            Step::Fail(error) => {
                let reply = error.reply().map_or_else(|| "close".into(), |r| r.text());
                out.push_str(&reply);
                return out;
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn short(op: &ClientOp<'_>) -> String {
    match op {
        ClientOp::Connect { json } => format!("connect {}", text(json)),
        ClientOp::Pub(p) => format!(
            "pub {}{} {:?} {}",
            text(p.subject),
            p.reply.map_or(String::new(), |r| format!(" {}", text(r))),
            text(p.headers()),
            text(p.payload())
        ),
        ClientOp::Sub { subject, queue, sid } => {
            format!(
                "sub {} {} {}",
                text(subject),
                queue.map_or("-".into(), text),
                text(sid)
            )
        }
        ClientOp::Unsub { sid, max } => format!("unsub {} {max:?}", text(sid)),
        ClientOp::Ping => "ping".into(),
        ClientOp::Pong => "pong".into(),
        ClientOp::Ok => "ok".into(),
        ClientOp::Info { json } => format!("info {}", text(json)),
        ClientOp::Err { text: t } => format!("err {}", text(t)),
    }
}

/// Input and outcome, as the peer (2.15.1) answered the same bytes.
const CASES: &[(&str, &str)] = &[
    ("FOO\r\n", "Unknown Protocol Operation"),
    ("P", "more"),
    ("PX", "Unknown Protocol Operation"),
    ("PUBX foo 2\r\nhi\r\n", "Unknown Protocol Operation"),
    ("PUB\r\n", "Unknown Protocol Operation"),
    ("PUB foo\r\n", "close"),
    ("PUB foo 2\r\nhixx", "Unknown Protocol Operation"),
    ("PUB foo -1\r\n", "close"),
    ("PUB foo a\r\n", "close"),
    ("PUB foo 99999999999\r\n", "close"),
    ("PUB foo 1048577\r\n", "Maximum Payload Violation"),
    ("PUB foo 1048576\r\n", "more 1048595"),
    ("PUB foo bar 2 3\r\n", "close"),
    ("PUB  foo   2  \r\nhi\r\nPING\r\n", "pub foo \"\" hi|ping|more"),
    ("pub\tfoo\t2\r\nhi\r\nping\r\n", "pub foo \"\" hi|ping|more"),
    ("PUB foo 2\nhi\r\nPING\n", "pub foo \"\" hi|ping|more"),
    ("PUB foo 2\r\nhi\nPING\r\n", "Unknown Protocol Operation"),
    ("PUB foo 2\r\nh\r\nPING\r\n", "Unknown Protocol Operation"),
    ("PUB foo bar 2\r\nhi\r\n", "pub foo bar \"\" hi|more"),
    ("SUB\r\n", "Unknown Protocol Operation"),
    ("SUB foo\r\n", "close"),
    ("SUB foo q 1 2\r\n", "close"),
    ("SUB foo 1\r\nSUB foo q 2\r\n", "sub foo - 1|sub foo q 2|more"),
    ("UNSUB\r\n", "Unknown Protocol Operation"),
    ("UNSUB 1\r\n", "unsub 1 None|more"),
    ("UNSUB 1 a\r\n", "unsub 1 None|more"),
    ("UNSUB 1 -1\r\n", "unsub 1 None|more"),
    ("UNSUB 1 7\r\n", "unsub 1 Some(7)|more"),
    ("UNSUB 1 2 3\r\n", "close"),
    (
        "HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        "pub foo \"NATS/1.0\\r\\n\\r\\n\" hi|more",
    ),
    (
        "HPUB foo r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        "pub foo r \"NATS/1.0\\r\\n\\r\\n\" hi|more",
    ),
    ("HPUB foo 14 12\r\n", "close"),
    ("HPUB foo 12\r\n", "close"),
    ("HPUB foo 0 2\r\nhi\r\n", "pub foo \"\" hi|more"),
    ("HPUB foo -1 2\r\n", "close"),
    ("HPUB foo 12 a\r\n", "close"),
    ("PINGxxx\r\nPONGyy\r\n", "ping|pong|more"),
    ("PI\r\n", "Unknown Protocol Operation"),
    ("+OK\r\n+OKfoo\r\n", "ok|ok|more"),
    ("-ERR 'x'\r\n", "err 'x'|more"),
    ("INFO {}\r\nINFO\r\n", "info {}|info |more"),
    ("CONNECT\r\nCONNECT {}\r\n", "connect |connect {}|more"),
    ("MSG foo 1 2\r\nhi\r\n", "Unknown Protocol Operation"),
    ("\r\n", "Unknown Protocol Operation"),
    (" PING\r\n", "Unknown Protocol Operation"),
];

#[test]
fn agrees_with_the_peer() {
    for (input, expected) in CASES {
        assert_eq!(run(input.as_bytes()), *expected, "{input:?}");
    }
}

#[test]
fn control_line_limit_counts_arguments() {
    let name = |n: usize| "a".repeat(n);
    assert_eq!(run(format!("PUB {}", name(4096)).as_bytes()), "more");
    assert_eq!(
        run(format!("PUB {}", name(4097)).as_bytes()),
        "maximum control line exceeded"
    );
    assert_eq!(
        run(format!("PUB {} 2\r\n", name(4095)).as_bytes()),
        "maximum control line exceeded"
    );
    assert!(run(format!("PUB {} 2\r\nhi\r\n", name(4094)).as_bytes()).starts_with("pub"));
    assert_eq!(
        run(format!("CONNECT {}\r\n", name(4097)).as_bytes()),
        "maximum control line exceeded"
    );
    assert_eq!(run(format!("PING{}\r\n", name(5000)).as_bytes()), "ping|more");
}

#[test]
fn headers_must_be_negotiated() {
    let parser = ClientParser {
        headers: false,
        ..ClientParser::default()
    };
    let step = parser.parse(b"HPUB foo 12 14\r\n");
    assert_eq!(step, Step::Fail(ParseError::HeadersUnsupported));
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn committed_corpus_holds() {
    for input in corpus() {
        fuzz_one(&input);
    }
}

#[test]
fn corpus_has_every_operation() {
    let mut seen = std::collections::BTreeSet::new();
    for input in corpus() {
        let mut rest = &input[..];
        while let Step::Op { op, len } = ClientParser::default().parse(rest) {
            seen.insert(match op {
                ClientOp::Connect { .. } => "CONNECT",
                ClientOp::Pub(publish) if publish.headers_len.is_some() => "HPUB",
                ClientOp::Pub(_) => "PUB",
                ClientOp::Sub { .. } => "SUB",
                ClientOp::Unsub { .. } => "UNSUB",
                ClientOp::Ping => "PING",
                ClientOp::Pong => "PONG",
                ClientOp::Info { .. } => "INFO",
                ClientOp::Ok => "+OK",
                ClientOp::Err { .. } => "-ERR",
            });
            rest = &rest[len..];
        }
        rest = &input;
        while let Step::Op { op, len } = ServerParser::default().parse(rest) {
            seen.insert(match op {
                ServerOp::Msg(message) if message.headers_len.is_some() => "HMSG",
                ServerOp::Msg(_) => "MSG",
                ServerOp::Info { .. } => "server INFO",
                ServerOp::Ping => "server PING",
                ServerOp::Pong => "server PONG",
                ServerOp::Ok => "server +OK",
                ServerOp::Err { .. } => "server -ERR",
            });
            rest = &rest[len..];
        }
        let from = match proxy_protocol::parse(&input) {
            Ok(Header::Proxied { .. }) if input.starts_with(b"PROXY") => "PROXY 1",
            Ok(Header::Proxied { .. }) => "PROXY 2",
            Ok(Header::Local { .. }) => "PROXY local",
            _ => continue,
        };
        seen.insert(from);
    }
    assert_eq!(seen.len(), 20, "{seen:?}");
}

fn operation() -> impl Strategy<Value = Vec<u8>> {
    let word = "[a-z.*>]{1,12}";
    prop_oneof![
        (
            word,
            proptest::option::of(word),
            proptest::collection::vec(any::<u8>(), 0..40)
        )
            .prop_map(|(s, r, body)| {
                let mut out = Vec::new();
                crate::encode::publish(
                    &mut out,
                    s.as_bytes(),
                    r.as_ref().map(String::as_bytes),
                    b"",
                    &body,
                );
                out
            }),
        (word, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(s, body)| {
            let mut out = Vec::new();
            crate::encode::publish(&mut out, s.as_bytes(), None, b"NATS/1.0\r\nA: b\r\n\r\n", &body);
            out
        }),
        (word, proptest::option::of("[a-z]{1,4}"), 0u16..99).prop_map(|(s, q, sid)| {
            let mut out = Vec::new();
            crate::encode::sub(
                &mut out,
                s.as_bytes(),
                q.as_ref().map(String::as_bytes),
                sid.to_string().as_bytes(),
            );
            out
        }),
        (0u16..99, proptest::option::of(0usize..9)).prop_map(|(sid, max)| {
            let mut out = Vec::new();
            crate::encode::unsub(&mut out, sid.to_string().as_bytes(), max);
            out
        }),
        Just(b"PING\r\n".to_vec()),
        Just(b"PONG\r\n".to_vec()),
        Just(b"CONNECT {\"verbose\":false}\r\n".to_vec()),
        Just(b"+OK\r\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn chunking_changes_nothing(ops in proptest::collection::vec(operation(), 1..6), flip in proptest::option::of((any::<prop::sample::Index>(), any::<u8>()))) {
        let mut bytes = ops.concat();
        if let Some((at, byte)) = flip {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fuzz_one(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz_one(&bytes);
    }

    #[test]
    fn near_the_line_limit(n in 4085usize..4105, cr in any::<bool>(), inner in any::<bool>()) {
        let mut line = b"PUB ".to_vec();
        line.extend(std::iter::repeat_n(b'a', n));
        if inner {
            line[50] = b'\r';
        }
        line.extend_from_slice(b" 0");
        line.extend_from_slice(if cr { b"\r\n\r\n" } else { b"\n\r\n" });
        fuzz_one(&line);
    }

    #[test]
    fn what_is_encoded_parses(subject in "[a-z]{1,9}", reply in proptest::option::of("[a-z]{1,9}"), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut out = Vec::new();
        crate::encode::publish(&mut out, subject.as_bytes(), reply.as_ref().map(String::as_bytes), b"NATS/1.0\r\n\r\n", &body);
        let Step::Op { op: ClientOp::Pub(p), len } = ClientParser::default().parse(&out) else { panic!("no publish") };
        prop_assert_eq!(len, out.len());
        prop_assert_eq!(p.subject, subject.as_bytes());
        prop_assert_eq!(p.reply, reply.as_ref().map(String::as_bytes));
        prop_assert_eq!(p.payload(), &body[..]);
        prop_assert_eq!(p.headers(), b"NATS/1.0\r\n\r\n");
    }
}
