//! The chunks of a snapshot: their sizes, what acknowledges them, how they end, and what comes of it when nobody listens or
//! acknowledges. Against the peer as well, where `NATS_PEER` names one.

use async_nats::jetstream::stream::Config;
use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt;
use natterjack_tests::{Options, Outcome, Server, api, run, within};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// What a step may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Ends the advisory about a snapshot that is over.
const COMPLETE: &str = "$JS.EVENT.ADVISORY.STREAM.SNAPSHOT_COMPLETE.S";

/// Both servers, or ours alone.
fn executables() -> Vec<Option<PathBuf>> {
    let peer = std::env::var_os("NATS_PEER").map(PathBuf::from);
    let mut all = vec![None];
    all.extend(peer.map(Some));
    all
}

/// A server whose stream `S` holds so many bytes that do not compress.
async fn filled(executable: Option<PathBuf>, bytes: usize) -> Outcome<(Server, Client)> {
    let server = Server::launch(Options {
        executable,
        ..Options::default()
    })
    .await?;
    let js = server.jetstream().await?;
    js.create_stream(Config {
        name: "S".to_owned(),
        subjects: vec!["s".to_owned()],
        ..Config::default()
    })
    .await?;
    let mut seed = 1_u64;
    let body: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_be_bytes()[0]
    })
    .take(bytes)
    .collect();
    js.publish("s", body.into()).await?.await?;
    let client = server.client().await?;
    Ok((server, client))
}

async fn next(chunks: &mut Subscriber) -> Outcome<Message> {
    within("a chunk", SOON, async {
        Ok(chunks.next().await.ok_or("the subscription ended")?)
    })
    .await
}

/// The status a message has, empty for none.
fn status(message: &Message) -> String {
    let code = message.status.map_or(String::new(), |s| s.to_string());
    let text = message.description.as_deref().unwrap_or_default();
    format!("{code} {text}").trim().to_owned()
}

/// Asks for a snapshot in chunks of a kibibyte.
async fn ask(client: &Client, to: &str, window: i64) -> Outcome {
    let request = json!({"deliver_subject": to, "chunk_size": 1024, "window_size": window});
    let answer = api(client, "STREAM.SNAPSHOT.S", &request.to_string()).await?;
    assert!(answer["error"].is_null(), "{answer}");
    Ok(())
}

/// Acknowledges full chunks, each under its number, until a message asks for no answer: how many there were, and it.
async fn acknowledged(client: &Client, chunks: &mut Subscriber) -> Outcome<(usize, Message)> {
    let mut index = 0;
    loop {
        let message = next(chunks).await?;
        let Some(ack) = message.reply.clone() else {
            return Ok((index, message));
        };
        index += 1;
        assert_eq!(message.payload.len(), 1024);
        assert!(ack.starts_with("$JS.SNAPSHOT.ACK.S."), "{ack}");
        assert!(ack.ends_with(&format!(".1024.{index}")), "{ack}");
        client.publish(ack, "".into()).await?;
    }
}

#[test]
fn each_full_chunk_is_acknowledged_and_the_last_is_not() -> Outcome {
    run(async {
        for executable in executables() {
            let (_server, client) = filled(executable, 4_000).await?;
            let mut chunks = client.subscribe("chunks").await?;
            // What is below the least of chunks and windows is that; a negative one too.
            for (chunk, window) in [(1, -5), (-1, 1), (1024, 1024)] {
                let request =
                    json!({"deliver_subject": "chunks", "chunk_size": chunk, "window_size": window});
                api(&client, "STREAM.SNAPSHOT.S", &request.to_string()).await?;
                let (index, rest) = acknowledged(&client, &mut chunks).await?;
                assert!(index >= 3, "{index} chunks");
                assert!(!rest.payload.is_empty() && rest.payload.len() < 1024);
                let end = next(&mut chunks).await?;
                assert!(end.payload.is_empty() && end.reply.is_none());
                assert_eq!(status(&end), "204");
            }
        }
        Ok(())
    })
}

#[test]
fn a_window_has_room_for_a_chunk_whatever_was_asked_for() -> Outcome {
    run(async {
        for executable in executables() {
            let (_server, client) = filled(executable, 9_000).await?;
            let mut chunks = client.subscribe("chunks").await?;
            let request = json!({"deliver_subject": "chunks", "chunk_size": 2_048, "window_size": 1_024});
            api(&client, "STREAM.SNAPSHOT.S", &request.to_string()).await?;
            let first = next(&mut chunks).await?;
            assert_eq!(first.payload.len(), 2_048);
            client.publish(first.reply.ok_or("no reply")?, "".into()).await?;
            assert_eq!(next(&mut chunks).await?.payload.len(), 2_048);
        }
        Ok(())
    })
}

#[test]
fn what_fits_into_one_chunk_ends_without_a_status() -> Outcome {
    run(async {
        for executable in executables() {
            let (_server, client) = filled(executable, 10).await?;
            let mut chunks = client.subscribe("chunks").await?;
            ask(&client, "chunks", 0).await?;
            let only = next(&mut chunks).await?;
            assert!(!only.payload.is_empty() && only.reply.is_none());
            let end = next(&mut chunks).await?;
            assert!(end.payload.is_empty() && end.headers.is_none());
            assert_eq!(status(&end), "");
        }
        Ok(())
    })
}

#[test]
fn a_snapshot_ends_when_nobody_acknowledges() -> Outcome {
    run(async {
        for executable in executables() {
            let (_server, client) = filled(executable, 9_000).await?;
            let mut chunks = client.subscribe("chunks").await?;
            let mut heard = client.subscribe(COMPLETE).await?;
            ask(&client, "chunks", 2_048).await?;
            for _ in 0..2 {
                assert!(next(&mut chunks).await?.reply.is_some());
            }
            let end = next(&mut chunks).await?;
            assert!(end.payload.is_empty() && end.reply.is_none());
            assert_eq!(status(&end), "408 No Flow Response");
            next(&mut heard).await?;
        }
        Ok(())
    })
}

#[test]
fn a_snapshot_ends_when_who_asked_is_gone() -> Outcome {
    run(async {
        for executable in executables() {
            let (server, client) = filled(executable, 9_000).await?;
            let gone = server.client().await?;
            let mut heard = client.subscribe(COMPLETE).await?;
            let mut chunks = gone.subscribe("chunks").await?;
            gone.flush().await?;
            ask(&client, "chunks", 2_048).await?;
            next(&mut chunks).await?;
            chunks.unsubscribe().await?;
            gone.flush().await?;
            next(&mut heard).await?;
            // The stream is there for the next one who asks.
            let mut chunks = client.subscribe("again").await?;
            ask(&client, "again", 0).await?;
            assert!(next(&mut chunks).await?.reply.is_some());
        }
        Ok(())
    })
}
