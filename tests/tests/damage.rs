//! A flipped bit in a stored message: it costs that message, everybody who asks is told, and what can be read can be taken
//! out. Never damages more than one place at a time.

use async_nats::jetstream::stream::{Config, Stream};
use natterjack_tests::{Outcome, Server, eventually, finish, is_original, server_binary};
use serde_json::Value;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MESSAGES: u64 = 50;
const LIMIT: Duration = Duration::from_secs(20);

fn body(n: u64) -> String {
    format!("message {n:06} and what it says")
}

/// Files below `dir`.
fn files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// The segment that has message `n`, and where.
fn find(dir: &Path, n: u64) -> Outcome<Option<(PathBuf, usize)>> {
    let text = body(n);
    for path in files(dir)?
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "dat"))
    {
        let content = std::fs::read(path)?;
        let at = content.windows(text.len()).position(|w| w == text.as_bytes());
        if let Some(at) = at {
            return Ok(Some((path.clone(), at)));
        }
    }
    Ok(None)
}

/// Flips a bit of message `n` in the segment that has it.
fn flip(dir: &Path, n: u64) -> Outcome {
    let (path, at) = find(dir, n)?.ok_or_else(|| format!("message {n} is in no segment"))?;
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    Ok(file.write_all_at(&[body(n).as_bytes()[0] ^ 4], at as u64)?)
}

/// All but `lost` are there, and the state of the stream names those.
async fn look(server: &Server, stream: &Stream, lost: &[u64]) -> Outcome {
    for n in 1..=MESSAGES {
        let found = stream.get_raw_message(n).await;
        match found {
            Ok(message) => {
                assert!(!lost.contains(&n), "message {n} is damaged");
                assert_eq!(message.payload, body(n));
            }
            Err(_) => assert!(lost.contains(&n), "message {n} is lost"),
        }
    }
    let client = server.client().await?;
    let answer = client.request("$JS.API.STREAM.INFO.S", "".into()).await?;
    let info: Value = serde_json::from_slice(&answer.payload)?;
    let named: Vec<u64> = info["state"]["lost"]["msgs"]
        .as_array()
        .map(|all| all.iter().filter_map(Value::as_u64).collect())
        .unwrap_or_default();
    assert_eq!(named, lost, "{info}");
    assert_eq!(info["state"]["messages"], MESSAGES);
    Ok(())
}

#[tokio::test]
async fn a_flipped_bit_costs_one_message_and_is_told_everywhere() -> Outcome {
    if is_original().await? {
        return Ok(());
    }
    let mut server = Server::with_config("http_port: -1\n").await?;
    let context = server.jetstream().await?;
    let config = Config {
        name: "S".into(),
        subjects: vec!["s".into()],
        ..Config::default()
    };
    context.create_stream(config.clone()).await?;
    for n in 1..=MESSAGES {
        context.publish("s", body(n).into()).await?.await?;
    }
    assert!(server.page("/healthz").await?.contains("200 OK"));
    eventually("the last message in a segment", LIMIT, || {
        let found = find(server.dir(), MESSAGES);
        async move { found }
    })
    .await?;
    assert!(server.terminate().await?.success());
    flip(server.dir(), 7)?;
    server.restart().await?;
    // Nobody has read it: it is looked for in the background.
    eventually("damage that nobody read", LIMIT, || async {
        let told = server.page("/healthz").await?.contains("message 7 is damaged");
        Ok(told.then_some(()))
    })
    .await?;
    let stream = server.jetstream().await?.get_stream("S").await?;
    look(&server, &stream, &[7]).await?;
    let metrics = server.page("/metrics").await?;
    let lines = [
        "natterjack_stream_lost_messages{account=\"$G\",stream=\"S\"} 1",
        "natterjack_stream_messages{account=\"$G\",stream=\"S\"} 50",
        "natterjack_jetstream_healthy 0",
        "natterjack_jetstream_damage_reports 1",
    ];
    for line in lines {
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }
    let ill = server.page("/healthz").await?;
    assert!(
        ill.contains("503") && ill.contains("message 7 is damaged"),
        "{ill}"
    );
    // And one while the server runs: it is found when it is read.
    flip(server.dir(), 30)?;
    look(&server, &stream, &[7, 30]).await?;
    eventually("damage in the log", LIMIT, || {
        let log = server.log();
        async move {
            let log = log?;
            let told = log.contains("message 7 is damaged") && log.contains("message 30 is damaged");
            Ok(told.then_some(()))
        }
    })
    .await?;
    assert!(server.terminate().await?.success());
    write_down(&server).await
}

/// What fsck finds and writes down.
async fn write_down(server: &Server) -> Outcome {
    let dir = server.dir().join("store");
    let file = server.dir().join("export.json");
    let (dir, path) = (dir.to_string_lossy(), file.to_string_lossy());
    let done = finish(&server_binary()?, &["fsck", &dir, "--json", "--export", &path]).await?;
    assert_eq!(done.status.code(), Some(1), "{}", done.stdout);
    let report: Value = serde_json::from_str(&done.stdout)?;
    assert_eq!(report["lost"], 2, "{report}");
    assert_eq!(report["exported"], MESSAGES - 2, "{report}");
    let text = std::fs::read_to_string(&file)?;
    let mut sequences = Vec::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line)?;
        assert_eq!(
            (&message["stream"], &message["subject"]),
            (&"S".into(), &"s".into())
        );
        sequences.extend(message["seq"].as_u64());
    }
    let expected: Vec<u64> = (1..=MESSAGES).filter(|n| ![7, 30].contains(n)).collect();
    assert_eq!(sequences, expected);
    // What is there already is never written over.
    let again = finish(&server_binary()?, &["fsck", &dir, "--export", &path]).await?;
    assert_eq!(again.status.code(), Some(2), "{}", again.stdout);
    Ok(())
}
