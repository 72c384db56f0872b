//! A stream carried in an archive from server to server, each with its files in the clear or encrypted and compressed: every
//! message is the same to the byte. With `NATS_PEER` that program is one of the servers, in both ways.

use async_nats::{Client, HeaderMap};
use natterjack_tests::{Noise, Options, Outcome, Server, api, restore, run_within, snapshot};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// What a test may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);
const MESSAGES: u64 = 400;
/// A message that is larger than many blocks.
const LARGE_BYTES: usize = 200_000;

/// Lines in the block for JetStream.
const IN_THE_CLEAR: &str = "";
const ENCRYPTED: &str = "key: first-key, cipher: chachapoly";
const ENCRYPTED_OTHERWISE: &str = "key: first-key, cipher: aes";

fn config(lines: &str) -> String {
    format!("jetstream {{ {lines} }}\n")
}

/// The program that others are compared with, where there is one.
fn peer() -> Option<PathBuf> {
    std::env::var_os("NATS_PEER").map(PathBuf::from)
}

async fn launch(executable: Option<PathBuf>, lines: &str) -> Outcome<Server> {
    let config = Some(config(lines));
    Server::launch(Options {
        config,
        executable,
        ..Options::default()
    })
    .await
}

/// All kinds of messages, some of them deleted.
async fn fill(client: &Client, compression: &str) -> Outcome {
    let config = json!({"name": "S", "subjects": ["s.>"], "storage": "file", "compression": compression,
        "allow_msg_ttl": true, "first_seq": 41, "discard": "old"});
    let made = api(client, "STREAM.CREATE.S", &config.to_string()).await?;
    assert!(made["error"].is_null(), "{made}");
    let mut noise = Noise::new(7);
    for n in 0..MESSAGES {
        let mut headers = HeaderMap::new();
        if n % 3 == 0 {
            headers.append("Nats-Msg-Id", format!("id-{n}").as_str());
            headers.append("Many", "one");
            headers.append("Many", "two");
        }
        if n % 50 == 0 {
            headers.append("Nats-TTL", "never");
        }
        let payload = match n % 4 {
            0 => Vec::new(),
            1 => b"the same few words, again and again; ".repeat(40),
            2 if n == 202 => noise.bytes(LARGE_BYTES),
            _ => noise.bytes(usize::try_from(n)?),
        };
        let subject = format!("s.{}.{n}", n % 7);
        let ack = if headers.is_empty() {
            client.request(subject, payload.into()).await?
        } else {
            client
                .request_with_headers(subject, headers, payload.into())
                .await?
        };
        let ack: Value = serde_json::from_slice(&ack.payload)?;
        assert_eq!(ack["seq"], json!(41 + n), "{ack}");
    }
    for seq in [41, 42, 100, 101, 230] {
        let gone = api(client, "STREAM.MSG.DELETE.S", &json!({ "seq": seq }).to_string()).await?;
        assert_eq!(gone["success"], json!(true), "{gone}");
    }
    Ok(())
}

/// What the stream is, and every message of it as it can be had: sequence, subject, headers, payload, and time.
async fn contents(client: &Client) -> Outcome<(Value, Vec<Value>)> {
    let info = api(client, "STREAM.INFO.S", r#"{"deleted_details":true}"#).await?;
    let mut state = info["state"].clone();
    // Not of the stream, but of who follows it.
    state["consumer_count"] = json!(0);
    let mut messages = Vec::new();
    for seq in 40..=41 + MESSAGES {
        let answer = api(client, "STREAM.MSG.GET.S", &json!({ "seq": seq }).to_string()).await?;
        messages.push(
            answer
                .get("message")
                .unwrap_or_else(|| &answer["error"]["err_code"])
                .clone(),
        );
    }
    Ok((state, messages))
}

/// Carries the stream from one server to the other, where it is not yet, and compares.
async fn carry(from: &Server, to: &Server) -> Outcome {
    let (from, to) = (from.client().await?, to.client().await?);
    let (asked, archive) = snapshot(&from).await?;
    let done = restore(&to, &asked, &archive).await?;
    assert!(done["error"].is_null(), "{done}");
    let (there, here) = (contents(&from).await?, contents(&to).await?);
    for (there, here) in there.1.iter().zip(&here.1) {
        assert_eq!(there, here);
    }
    let counted = there.1.iter().filter(|m| m.is_object()).count();
    assert_eq!(counted as u64, MESSAGES - 5, "all but what was deleted");
    assert_eq!(there, here);
    Ok(())
}

async fn forget(server: &Server) -> Outcome {
    let gone = api(&server.client().await?, "STREAM.DELETE.S", "").await?;
    assert_eq!(gone["success"], json!(true), "{gone}");
    Ok(())
}

#[test]
fn an_archive_is_the_same_whatever_the_files_are() -> Outcome {
    run_within(LIMIT, async {
        let mut sealed = launch(None, ENCRYPTED).await?;
        let plain = launch(None, IN_THE_CLEAR).await?;
        fill(&sealed.client().await?, "s2").await?;
        carry(&sealed, &plain).await?;
        forget(&sealed).await?;
        carry(&plain, &sealed).await?;

        // What was restored is durable at once, and survives another key and another cipher.
        let before = contents(&sealed.client().await?).await?;
        sealed.kill().await?;
        sealed.reconfigure(&config("key: second-key, prev_key: first-key, cipher: aes"));
        sealed.restart().await?;
        assert_eq!(contents(&sealed.client().await?).await?, before);
        forget(&plain).await?;
        carry(&sealed, &plain).await?;
        sealed.terminate().await?;
        sealed.reconfigure(&config("key: second-key, cipher: aes"));
        sealed.restart().await?;
        assert_eq!(contents(&sealed.client().await?).await?, before);
        Ok(())
    })
}

#[test]
fn an_archive_goes_to_the_peer_and_comes_back() -> Outcome {
    let Some(peer) = peer() else { return Ok(()) };
    run_within(LIMIT, async {
        for (ours, theirs, compression) in [
            (ENCRYPTED, IN_THE_CLEAR, "s2"),
            (IN_THE_CLEAR, ENCRYPTED, "s2"),
            (ENCRYPTED_OTHERWISE, ENCRYPTED, "none"),
        ] {
            let ours = launch(None, ours).await?;
            let theirs = launch(Some(peer.clone()), theirs).await?;
            fill(&ours.client().await?, compression).await?;
            carry(&ours, &theirs).await?;
            forget(&ours).await?;
            carry(&theirs, &ours).await?;
            forget(&ours).await?;
            forget(&theirs).await?;
            fill(&theirs.client().await?, compression).await?;
            carry(&theirs, &ours).await?;
        }
        Ok(())
    })
}
