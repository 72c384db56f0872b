//! Bytes no client should send: the server answers as the original does, closes when that does, and goes on.
//! Never uses a client library for the bad bytes.

use natterjack_tests::{Outcome, RawConnection, Refusal, Server, api, run, still_served};
use serde_json::Value;

const QUIET: &str = r#"{"verbose":false,"pedantic":false}"#;
const UNKNOWN: &str = "-ERR 'Unknown Protocol Operation'\r\n";

/// What the server says to these bytes before it closes.
async fn last_words(server: &Server, bytes: &[u8]) -> Outcome<String> {
    let mut raw = RawConnection::connect(server.address(), QUIET).await?;
    raw.send(bytes).await?;
    raw.until_closed().await
}

/// Sends each and wants these last words for all of them.
async fn all_close_with(server: &Server, words: &str, inputs: &[&[u8]]) -> Outcome {
    let witness = server.client().await?;
    for bytes in inputs {
        let said = last_words(server, bytes).await?;
        assert_eq!(
            said,
            words,
            "after {:?}",
            String::from_utf8_lossy(bytes.get(..80).unwrap_or(bytes))
        );
        still_served(&witness).await?;
    }
    Ok(())
}

#[test]
fn unknown_verbs_are_named_and_close() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let inputs: [&[u8]; 9] = [
            b"FOO bar\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\0\0\0\0\r\n",
            b"\r\n\r\n",
            b"PUB\r\n",
            b"UNSUB\r\n",
            b"PIN\r\n",
            b"\xff\xfe\xfd\r\n",
        ];
        all_close_with(&server, UNKNOWN, &inputs).await
    })
}

#[test]
fn bad_arguments_close_without_a_word() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let inputs: [&[u8]; 11] = [
            b"PUB a -1\r\n",
            b"PUB a xx\r\n",
            b"PUB a b c 4\r\n",
            b"PUB a 99999999999999999999\r\n",
            b"SUB foo\r\n",
            b"SUB a b c d\r\n",
            b"HPUB a 10 5\r\n",
            b"HPUB a 10\r\n",
            b"CONNECT {\"verbose\":\r\n",
            b"CONNECT {\"verbose\":\"x\"}\r\n",
            b"-ERR 'from a client'\r\n",
        ];
        all_close_with(&server, "", &inputs).await
    })
}

#[test]
fn bad_options_in_connect_are_refused() -> Outcome {
    run(async {
        let server = Server::start().await?;
        for (options, words) in [
            ("nope", ""),
            ("{\"verbose\":false", ""),
            ("[]", ""),
            (
                r#"{"verbose":false,"no_responders":true}"#,
                "-ERR 'no responders requires headers support'\r\n",
            ),
            (
                r#"{"verbose":false,"protocol":7}"#,
                "-ERR 'invalid client protocol'\r\n",
            ),
            (
                r#"{"verbose":false,"account":"x"}"#,
                "-ERR 'Authorization Violation'\r\n",
            ),
        ] {
            let mut raw = RawConnection::connect(server.address(), options).await?;
            assert_eq!(raw.until_closed().await?, words, "after CONNECT {options}");
        }
        still_served(&server.client().await?).await
    })
}

#[test]
fn payloads_of_the_wrong_length_close() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let inputs: [&[u8]; 3] = [
            b"PUB a 10\r\nabc\r\nPING\r\n",
            b"PUB a 2\r\nabcdef\r\n",
            b"PUB a 2\r\nabPING\r\n",
        ];
        all_close_with(&server, UNKNOWN, &inputs).await?;
        // Half a payload is no mistake yet, and closing on it takes nothing with it.
        let witness = server.client().await?;
        let mut halves = Vec::new();
        for _ in 0..20 {
            let mut raw = RawConnection::connect(server.address(), QUIET).await?;
            raw.send(b"PUB witness 10\r\nabc").await?;
            halves.push(raw);
        }
        still_served(&witness).await?;
        drop(halves);
        still_served(&witness).await
    })
}

#[test]
fn lines_and_payloads_over_the_limit_close() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let long = [b"PUB ".as_ref(), &[b'a'; 5_000], b" 2\r\nab\r\n"].concat();
        let endless = [b"SUB ".as_ref(), &[b'a'; 9_000]].concat();
        all_close_with(
            &server,
            "-ERR 'maximum control line exceeded'\r\n",
            &[&long, &endless],
        )
        .await?;
        all_close_with(
            &server,
            "-ERR 'Maximum Payload Violation'\r\n",
            &[b"PUB a 2000000\r\n"],
        )
        .await
    })
}

#[test]
fn small_mistakes_leave_the_connection_open() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let mut raw = RawConnection::connect(server.address(), QUIET).await?;
        for (bytes, answers) in [
            (
                b"SUB a..b 1\r\nPING\r\n".as_ref(),
                vec!["-ERR 'Invalid Subject'", "PONG"],
            ),
            (b"SUB .a 1\r\nPING\r\n", vec!["-ERR 'Invalid Subject'", "PONG"]),
            (
                b"PUB a $JS.ACK.x 0\r\n\r\nPING\r\n",
                vec![
                    r#"-ERR 'Permissions Violation for Publish with Reply of "$JS.ACK.x"'"#,
                    "PONG",
                ],
            ),
            (b"UNSUB 77\r\nPING\r\n", vec!["PONG"]),
            (b"+OK\r\nPING\r\n", vec!["PONG"]),
            (b"INFO {}\r\nPING\r\n", vec!["PONG"]),
            (b"PING whatever\npInG\n", vec!["PONG", "PONG"]),
            (
                b"sub \t low\t 5 \r\npub low 2\r\nhi\r\n",
                vec!["MSG low 5 2", "hi"],
            ),
        ] {
            raw.send(bytes).await?;
            for answer in answers {
                assert_eq!(
                    raw.line().await?,
                    answer,
                    "after {:?}",
                    String::from_utf8_lossy(bytes)
                );
            }
        }
        let mut strict =
            RawConnection::connect(server.address(), r#"{"verbose":false,"pedantic":true}"#).await?;
        strict.send(b"PUB a..b 2\r\nhi\r\nPING\r\n").await?;
        assert_eq!(
            (strict.line().await?, strict.line().await?),
            ("-ERR 'Invalid Publish Subject'".into(), "PONG".into())
        );
        Ok(())
    })
}

#[test]
fn subjects_need_not_be_text() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let mut raw = RawConnection::connect(server.address(), QUIET).await?;
        raw.send(b"SUB a\xff\xfe 1\r\nPUB a\xff\xfe 2\r\n\xc3\x28\r\nPING\r\n")
            .await?;
        assert_eq!(raw.line().await?, "MSG a\u{fffd}\u{fffd} 1 2");
        assert_eq!(raw.line().await?, "\u{fffd}(");
        assert_eq!(raw.line().await?, "PONG");
        still_served(&server.client().await?).await
    })
}

#[test]
fn a_line_may_come_byte_by_byte() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let mut raw = RawConnection::open(server.address()).await?;
        let text = format!("CONNECT {QUIET}\r\nSUB slow 1\r\nPUB slow 5\r\nhello\r\nPING\r\n");
        for byte in text.as_bytes() {
            raw.send(&[*byte]).await?;
        }
        for line in ["MSG slow 1 5", "hello", "PONG"] {
            assert_eq!(raw.line().await?, line);
        }
        Ok(())
    })
}

#[test]
fn bad_json_in_the_api_is_answered() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        for subject in [
            "STREAM.CREATE.X",
            "STREAM.INFO.X",
            "CONSUMER.CREATE.X",
            "STREAM.NAMES",
            "STREAM.LIST",
        ] {
            for (request, text) in [
                ("{", "invalid JSON: unexpected EOF"),
                ("{\"name\":", "invalid JSON: unexpected EOF"),
                ("{\"bogus\":1}", "invalid JSON: json: unknown field \"bogus\""),
                (
                    "[]",
                    "invalid JSON: json: cannot unmarshal array into Go value of type server.",
                ),
            ] {
                let refusal = Refusal::read(&api(&client, subject, request).await?).ok_or("accepted")?;
                assert_eq!(
                    (refusal.code, refusal.err_code),
                    (400, 10025),
                    "{subject} {request}"
                );
                assert!(
                    refusal.description.starts_with(text),
                    "{subject} {request}: {}",
                    refusal.description
                );
            }
        }
        for subject in ["STREAM.CREATE.X", "CONSUMER.CREATE.X"] {
            let answer = client
                .request(format!("$JS.API.{subject}"), vec![0xff, 0xfe].into())
                .await?;
            let refusal =
                Refusal::read(&serde_json::from_slice::<Value>(&answer.payload)?).ok_or("accepted")?;
            let text = r"invalid JSON: invalid character '\xff' looking for beginning of value at offset 1";
            assert_eq!((refusal.err_code, refusal.description.as_str()), (10025, text));
        }
        assert!(api(&client, "INFO", "[").await?.get("error").is_none());
        Ok(())
    })
}
