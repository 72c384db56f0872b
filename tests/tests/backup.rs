//! Backup and restore over the API, and what advisories tell of them: which come, in which order, with which fields.

use async_nats::Subscriber;
use async_nats::jetstream::stream::Config;
use futures_util::StreamExt;
use natterjack_tests::{Outcome, Server, api, fill, restore, run, snapshot, within};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What a step may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// Fields every advisory begins with.
const HEAD: [&str; 3] = ["type", "id", "timestamp"];

/// The next advisory: the end of its subject, and its fields behind the first three.
async fn advised(heard: &mut Subscriber) -> Outcome<(String, Value)> {
    let message = within("an advisory", SOON, async { Ok(heard.next().await) }).await?;
    let message = message.ok_or("the subscription ended")?;
    let what = message.subject.trim_start_matches("$JS.EVENT.ADVISORY.STREAM.");
    let body: Map<String, Value> = serde_json::from_slice(&message.payload)?;
    let kind = body["type"].as_str().ok_or("no type")?;
    let fields = body.iter().filter(|(name, _)| !HEAD.contains(&name.as_str()));
    let fields = fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok((
        format!(
            "{what} {}",
            kind.trim_start_matches("io.nats.jetstream.advisory.v1.")
        ),
        Value::Object(fields),
    ))
}

/// Whether an object has exactly these fields.
fn has(body: &Value, names: &[&str]) -> bool {
    body.as_object()
        .is_some_and(|fields| fields.len() == names.len() && names.iter().all(|n| fields.contains_key(*n)))
}

#[test]
fn each_step_of_a_backup_is_told() -> Outcome {
    run(async {
        let server = Server::with_config("jetstream { domain: hub }").await?;
        let js = server.jetstream().await?;
        let client = server.client().await?;
        let mut heard = client.subscribe("$JS.EVENT.ADVISORY.STREAM.>").await?;
        api(&client, "INFO", "").await?;
        js.create_stream(Config {
            name: "S".to_owned(),
            subjects: vec!["s.>".to_owned()],
            ..Config::default()
        })
        .await?;
        let action = |action: &str| json!({"stream": "S", "action": action, "domain": "hub"});
        assert_eq!(
            advised(&mut heard).await?,
            ("CREATED.S stream_action".to_owned(), action("create"))
        );
        fill(&js, "s.a", 1..=500).await?;

        let (asked, archive) = snapshot(&client).await?;
        let (what, body) = advised(&mut heard).await?;
        assert_eq!(what, "SNAPSHOT_CREATE.S snapshot_create");
        assert!(has(&body, &["stream", "state", "client", "domain"]), "{body}");
        assert_eq!(body["state"], asked["state"]);
        let (what, body) = advised(&mut heard).await?;
        assert_eq!(what, "SNAPSHOT_COMPLETE.S snapshot_complete");
        assert!(
            has(&body, &["stream", "start", "end", "client", "domain"]),
            "{body}"
        );

        api(&client, "STREAM.DELETE.S", "").await?;
        let told = ("DELETED.S stream_action".to_owned(), action("delete"));
        assert_eq!(advised(&mut heard).await?, told);

        // What is no archive, or half of one, is told like one that was taken, but no stream is made.
        for (bad, text) in [
            (&[][..], "restore failed: EOF"),
            (&archive[..archive.len() / 2], "restore failed: s2: corrupt input"),
        ] {
            let done = restore(&client, &asked, bad).await?;
            assert_eq!(done["error"]["description"], text, "{done}");
            assert_eq!(advised(&mut heard).await?.0, "RESTORE_CREATE.S restore_create");
            let (what, body) = advised(&mut heard).await?;
            assert_eq!(what, "RESTORE_COMPLETE.S restore_complete");
            assert_eq!(body["bytes"], json!(bad.len()));
        }

        let done = restore(&client, &asked, &archive).await?;
        assert_eq!(done["state"]["messages"], 500, "{done}");
        let (what, body) = advised(&mut heard).await?;
        assert_eq!(what, "RESTORE_CREATE.S restore_create");
        assert!(has(&body, &["stream", "client", "domain"]), "{body}");
        let told = ("CREATED.S stream_action".to_owned(), action("create"));
        assert_eq!(advised(&mut heard).await?, told);
        let (what, body) = advised(&mut heard).await?;
        assert_eq!(what, "RESTORE_COMPLETE.S restore_complete");
        let fields = ["stream", "start", "end", "bytes", "client", "domain"];
        assert!(has(&body, &fields), "{body}");
        assert_eq!(body["bytes"], json!(archive.len()));
        Ok(())
    })
}
