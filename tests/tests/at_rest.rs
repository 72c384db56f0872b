//! Data at rest: encrypted with the configured key, compressed where a stream asks for it.

use async_nats::jetstream::stream::{Compression, Config};
use natterjack_tests::{Outcome, Server, eventually, finish, run, server_binary};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
/// What is sent, and may not be found in any file.
const SECRET: &str = "never-in-the-clear";
const MESSAGES: u64 = 200;

/// A configuration with these lines in its block for JetStream.
fn config(lines: &str) -> String {
    format!("jetstream {{ {lines} }}\n")
}

async fn fill(server: &Server) -> Outcome {
    let js = server.jetstream().await?;
    js.create_stream(Config {
        name: "S".to_owned(),
        subjects: vec![format!("{SECRET}.>")],
        ..Config::default()
    })
    .await?;
    for n in 0..MESSAGES {
        let payload = format!("{SECRET} {n}");
        js.publish(format!("{SECRET}.{n}"), payload.into()).await?.await?;
    }
    Ok(())
}

async fn check(server: &Server) -> Outcome {
    let stream = server.jetstream().await?.get_stream("S").await?;
    for n in 0..MESSAGES {
        let message = stream.get_raw_message(n + 1).await?;
        assert_eq!(message.payload, format!("{SECRET} {n}"));
    }
    Ok(())
}

fn walk(dir: &Path, each: &mut dyn FnMut(&Path)) -> Outcome {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, each)?;
        } else {
            each(&path);
        }
    }
    Ok(())
}

/// Files of the store in which the secret can be read.
fn readable(server: &Server) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    walk(&server.dir().join("store"), &mut |path| {
        let content = std::fs::read(path).unwrap_or_default();
        if content.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()) {
            found.push(path.display().to_string());
        }
    })?;
    Ok(found)
}

/// Starts with another configuration on the same store; the error when that is refused.
async fn with(server: &mut Server, lines: &str) -> Outcome {
    server.reconfigure(&config(lines));
    server.restart().await
}

async fn refusal(server: &mut Server, lines: &str) -> Outcome<String> {
    let refused = with(server, lines).await;
    Ok(refused.err().ok_or("the server started")?.to_string())
}

#[test]
fn an_encrypted_store_needs_its_key() -> Outcome {
    run(async {
        let mut server = Server::with_config(&config("key: first-key")).await?;
        fill(&server).await?;
        server.kill().await?;
        assert_eq!(readable(&server)?, Vec::<String>::new());
        for (lines, text) in [
            ("", "encryption not enabled"),
            ("key: second-key", "unable to recover keys"),
        ] {
            let refused = refusal(&mut server, lines).await?;
            assert!(refused.contains(text), "{refused}");
        }
        with(&mut server, "encryption_key: first-key").await?;
        check(&server).await?;
        server.kill().await?;
        with(&mut server, "key: second-key, prev_key: first-key").await?;
        check(&server).await?;
        server.terminate().await?;
        let refused = refusal(&mut server, "key: first-key").await?;
        assert!(refused.contains("unable to recover keys"), "{refused}");
        with(&mut server, "ek: second-key, cipher: aes").await?;
        check(&server).await?;
        assert_eq!(readable(&server)?, Vec::<String>::new());
        let log = server.log()?;
        assert!(!log.contains("first-key") && !log.contains("second-key"));
        Ok(())
    })
}

#[test]
fn a_store_that_gets_a_key_is_encrypted_by_itself() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        fill(&server).await?;
        server.kill().await?;
        assert!(!readable(&server)?.is_empty());
        with(&mut server, "key: first-key").await?;
        check(&server).await?;
        let hidden = || async { Ok(readable(&server)?.is_empty().then_some(())) };
        eventually("an end of what can be read", LIMIT, hidden).await?;
        check(&server).await
    })
}

#[test]
fn fsck_asks_for_the_key() -> Outcome {
    run(async {
        let mut server = Server::with_config(&config("key: first-key")).await?;
        fill(&server).await?;
        server.terminate().await?;
        let store = server.dir().join("store").display().to_string();
        let file = server.dir().join("server.conf").display().to_string();
        let executable = server_binary()?;
        let without = finish(&executable, &["fsck", &store]).await?;
        assert_eq!(without.status.code(), Some(2));
        assert!(
            without.stdout.contains("encryption not enabled"),
            "{}",
            without.stdout
        );
        let with = finish(&executable, &["fsck", &store, "-c", &file]).await?;
        assert_eq!(with.status.code(), Some(0), "{}", with.stdout);
        Ok(())
    })
}

fn bytes(server: &Server) -> Outcome<u64> {
    let mut total = 0;
    walk(&server.dir().join("store/jetstream/streams"), &mut |path| {
        total += std::fs::metadata(path).map_or(0, |m| m.len());
    })?;
    Ok(total)
}

/// Bytes of the segments of a stream of 4 MiB of words.
async fn stored(compression: Compression) -> Outcome<u64> {
    let server = Server::start().await?;
    let js = server.jetstream().await?;
    let stream = js
        .create_stream(Config {
            name: "S".to_owned(),
            subjects: vec!["words".to_owned()],
            compression: Some(compression),
            ..Config::default()
        })
        .await?;
    let payload = "the same few words, again and again; ".repeat(100);
    let mut acks = Vec::new();
    for _ in 0..1200 {
        acks.push(js.publish("words", payload.clone().into()).await?);
    }
    for ack in acks {
        ack.await?;
    }
    let written = || async { Ok((bytes(&server)? > 100_000).then_some(())) };
    eventually("segments", LIMIT, written).await?;
    assert_eq!(stream.get_raw_message(1200).await?.payload, payload);
    bytes(&server)
}

#[test]
fn compression_makes_a_stream_smaller_on_disk() -> Outcome {
    run(async {
        let plain = stored(Compression::None).await?;
        let packed = stored(Compression::S2).await?;
        assert!(packed * 4 < plain, "{packed} of {plain}");
        Ok(())
    })
}
