//! A backup is the stream as it was when it was asked for, and a restore that a kill cuts short leaves nothing behind.

use async_nats::Client;
use async_nats::jetstream::stream::Config;
use natterjack_tests::{
    Outcome, Server, Snapshot, api, eventually, fill, is_original, restore, run, run_within,
};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// What a step may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// What a test may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);
/// Messages of the stream that is backed up: more than are packed at a time.
const MESSAGES: u64 = 3000;

async fn make(server: &Server, name: &str, subject: &str) -> Outcome {
    let config = Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        ..Config::default()
    };
    server.jetstream().await?.create_stream(config).await?;
    Ok(())
}

/// The stream's state, unless it is not there.
async fn state(client: &Client, name: &str) -> Outcome<Option<Value>> {
    let info = api(client, &format!("STREAM.INFO.{name}"), "").await?;
    Ok(info.get("state").cloned())
}

#[test]
fn a_backup_is_the_stream_as_it_was_when_it_was_asked_for() -> Outcome {
    run_within(LIMIT, async {
        // The original's does not go on once the stream is deleted, and neither ends.
        if is_original().await? {
            return Ok(());
        }
        let server = Server::start().await?;
        let (client, js) = (server.client().await?, server.jetstream().await?);
        make(&server, "S", "s.>").await?;
        fill(&js, "s.a", 1..=MESSAGES).await?;
        api(
            &client,
            "STREAM.MSG.DELETE.S",
            r#"{"seq": 2000, "no_erase": true}"#,
        )
        .await?;
        let before = state(&client, "S").await?;
        let begun = Snapshot::begin(&client, 1024).await?;
        let asked = begun.asked.clone();
        // Only what was packed at once is on its way; all of this comes before the rest of it.
        fill(&js, "s.b", 1..=50).await?;
        api(&client, "STREAM.MSG.DELETE.S", r#"{"seq": 2500}"#).await?;
        api(&client, "STREAM.PURGE.S", r#"{"keep": 10}"#).await?;
        api(&client, "STREAM.DELETE.S", "").await?;
        let archive = begun.archive(&client).await?;

        let done = restore(&client, &asked, &archive).await?;
        assert_eq!(done["state"]["last_seq"], MESSAGES, "{done}");
        let stream = js.get_stream("S").await?;
        for seq in [1, 256, 257, 1999, 2001, MESSAGES] {
            let message = stream.get_raw_message(seq).await?;
            assert_eq!(message.payload, seq.to_string());
        }
        // What is erased for good after the request is not handed out with what was there then.
        assert!(stream.get_raw_message(2500).await.is_err());
        let before = before.ok_or("no stream")?;
        let count = before["messages"].as_u64().ok_or("no count")?;
        assert_eq!(done["state"]["messages"], count - 1);
        Ok(())
    })
}

/// Names in the folder of the store, however deep.
fn names(folder: &Path, found: &mut Vec<String>) -> Outcome {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        found.push(path.display().to_string());
        if path.is_dir() {
            names(&path, found)?;
        }
    }
    Ok(())
}

/// How many folders of streams there are.
fn folders(server: &Server) -> Outcome<usize> {
    let mut found = Vec::new();
    names(server.dir(), &mut found)?;
    let is_stream = |name: &&String| Path::new(name).parent().is_some_and(|p| p.ends_with("streams"));
    Ok(found.iter().filter(is_stream).count())
}

#[test]
fn a_restore_that_a_kill_cuts_short_leaves_nothing_behind() -> Outcome {
    run_within(LIMIT, async {
        if is_original().await? {
            return Ok(());
        }
        let mut server = Server::start().await?;
        let (client, js) = (server.client().await?, server.jetstream().await?);
        make(&server, "S", "s.>").await?;
        fill(&js, "s.a", 1..=MESSAGES).await?;
        let begun = Snapshot::begin(&client, 1024 * 1024).await?;
        let asked = begun.asked.clone();
        let archive = begun.archive(&client).await?;
        api(&client, "STREAM.DELETE.S", "").await?;
        eventually("the folder to go", SOON, || async {
            Ok((folders(&server)? == 0).then_some(()))
        })
        .await?;

        // Nobody waits for the answer: the process is killed as soon as there is a folder.
        let sender = server.client().await?;
        let (to, whole) = (asked.clone(), archive.clone());
        let sent = tokio::spawn(async move { restore(&sender, &to, &whole).await });
        eventually("the folder of the stream", SOON, || async {
            Ok((folders(&server)? == 1).then_some(()))
        })
        .await?;
        server.kill().await?;
        sent.abort();
        server.restart().await?;
        let client = server.client().await?;
        let found = state(&client, "S").await?;
        if let Some(state) = &found {
            assert_eq!(state["messages"], MESSAGES);
        }
        assert_eq!(folders(&server)?, usize::from(found.is_some()));
        let mut left = Vec::new();
        names(server.dir(), &mut left)?;
        assert!(!left.iter().any(|name| name.contains("restore-")), "{left:?}");

        // Another stream takes its place, and only its own messages come back.
        make(&server, "T", "t.>").await?;
        fill(&server.jetstream().await?, "t.a", 1..=2).await?;
        server.restart().await?;
        let client = server.client().await?;
        let state = state(&client, "T").await?.ok_or("no stream")?;
        assert_eq!((&state["messages"], &state["last_seq"]), (&2.into(), &2.into()));
        Ok(())
    })
}

#[test]
fn what_is_left_of_a_failed_restore_is_not_what_the_next_stream_begins_with() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let (client, js) = (server.client().await?, server.jetstream().await?);
        make(&server, "S", "s.>").await?;
        fill(&js, "s.a", 1..=500).await?;
        let begun = Snapshot::begin(&client, 1024 * 1024).await?;
        let asked = begun.asked.clone();
        let archive = begun.archive(&client).await?;
        api(&client, "STREAM.DELETE.S", "").await?;
        let done = restore(&client, &asked, &archive[..archive.len() - 100]).await?;
        assert!(done.get("error").is_some(), "{done}");
        server.restart().await?;
        make(&server, "T", "t.>").await?;
        server.restart().await?;
        let state = state(&server.client().await?, "T").await?.ok_or("no stream")?;
        assert_eq!((&state["messages"], &state["last_seq"]), (&0.into(), &0.into()));
        Ok(())
    })
}
