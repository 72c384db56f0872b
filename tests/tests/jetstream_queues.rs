//! Bounds on what waits for a stream and for the API, where a configuration sets them: what is refused, and who hears of it.
//! Never tests the limits on what a stream keeps.

use async_nats::jetstream::stream::Config;
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use natterjack_tests::{Outcome, Server, api, run, within};
use serde_json::{Value, json};
use std::time::Duration;

/// What a step may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Messages of a burst.
const BURST: u64 = 5_000;
/// Bursts until one meets a limit.
const BURSTS_MAX: usize = 5;

/// Publishes a burst and returns how many were stored and how many refused, each of which was answered.
async fn burst(client: &Client) -> Outcome<(u64, u64)> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    for _ in 0..BURST {
        client
            .publish_with_reply("in.a", inbox.clone(), "0123456789".into())
            .await?;
    }
    client.flush().await?;
    within("an answer to each message", SOON, async {
        let (mut stored, mut refused) = (0, 0);
        while stored + refused < BURST {
            let answer = answers.next().await.ok_or("the subscription ended")?;
            let body: Value = serde_json::from_slice(&answer.payload)?;
            if answer.status.is_some_and(|status| status.as_u16() == 429) {
                let error = json!({"code": 429, "err_code": 10167, "description": "too many requests"});
                assert_eq!(body, json!({"error": error, "stream": "IN", "seq": 0}));
                refused += 1;
            } else {
                assert_eq!(body["stream"], json!("IN"), "{body}");
                assert!(body["error"].is_null(), "{body}");
                stored += 1;
            }
        }
        Ok((stored, refused))
    })
    .await
}

#[test]
fn what_finds_no_room_before_a_stream_is_refused_and_only_that() -> Outcome {
    run(async {
        for (limit, named) in [("max_buffered_msgs: 2", "len"), ("max_buffered_size: 64", "size")] {
            let server = Server::with_config(&format!("jetstream {{ {limit} }}")).await?;
            let js = server.jetstream().await?;
            let mut stream = js
                .create_stream(Config {
                    name: "IN".to_owned(),
                    subjects: vec!["in.>".to_owned()],
                    ..Config::default()
                })
                .await?;
            let client = server.client().await?;
            let (mut all, mut refused) = (0, 0);
            for _ in 0..BURSTS_MAX {
                let (stored, turned_away) = burst(&client).await?;
                (all, refused) = (all + stored, turned_away);
                if refused > 0 {
                    break;
                }
            }
            assert!(refused > 0, "{limit}");
            assert_eq!(stream.info().await?.state.messages, all, "{limit}");
            let line = format!(
                "Dropping messages due to excessive stream ingest rate on '$G' > 'IN': IPQ {named} limit reached"
            );
            assert!(server.log()?.contains(&line), "{}", server.log()?);
        }
        Ok(())
    })
}

#[test]
fn without_a_limit_publishers_wait_and_nothing_is_refused() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        js.create_stream(Config {
            name: "IN".to_owned(),
            subjects: vec!["in.>".to_owned()],
            ..Config::default()
        })
        .await?;
        assert_eq!(burst(&server.client().await?).await?, (BURST, 0));
        Ok(())
    })
}

#[test]
fn requests_beyond_the_queue_are_dropped_and_the_system_account_hears_of_it() -> Outcome {
    run(async {
        let config = "accounts {
            SYS { users: [{user: s, password: s}] }
            A { jetstream: enabled, users: [{user: a, password: a}] }
        }
        system_account: SYS
        jetstream { request_queue_limit: 1, info_queue_limit: 100 }";
        let server = Server::with_config(config).await?;
        let connect = |name: &str| {
            ConnectOptions::with_user_and_password(name.to_owned(), name.to_owned()).connect(server.url())
        };
        let (system, client) = (connect("s").await?, connect("a").await?);
        let mut heard = system.subscribe("$JS.EVENT.ADVISORY.API.LIMIT_REACHED").await?;
        // Whatever is asked next is answered after the subscription is there.
        system.request("$SYS.REQ.USER.INFO", "".into()).await?;
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await?;
        client
            .publish_with_reply("$JS.API.STREAM.PURGE.NONE", inbox.clone(), "".into())
            .await?;
        let told = within("the advisory", SOON, async { Ok(heard.next().await) }).await?;
        let told: Value = serde_json::from_slice(&told.ok_or("the subscription ended")?.payload)?;
        assert_eq!(
            (&told["type"], &told["dropped"], told["server"].is_string()),
            (
                &json!("io.nats.jetstream.advisory.v1.api_limit_reached"),
                &json!(1),
                true
            ),
            "{told}"
        );
        // Questions have a queue of their own; what was dropped is not answered before them.
        assert_eq!(api(&client, "INFO", "").await?["streams"], json!(0));
        client.publish(inbox, "last".into()).await?;
        let first = within("the last message", SOON, async { Ok(answers.next().await) }).await?;
        assert_eq!(first.ok_or("the subscription ended")?.payload, "last");
        assert!(
            server
                .log()?
                .contains("JetStream API queue limit reached, dropping 1 requests")
        );
        Ok(())
    })
}
