//! What is known of consumers after `kill -9`: where each is, what waits for acknowledgement and how often it was delivered,
//! what was confirmed, edits, pauses and starts over. Never tests power loss.

use async_nats::{Client, Message, StatusCode};
use futures_util::StreamExt;
use natterjack_tests::{Outcome, Server, api, eventually, run_within, within};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_secs(30);
/// Messages of the stream.
const STORED: u64 = 20;
/// Longer than the test: nothing comes again by itself.
const LONG_NS: u64 = 3_600_000_000_000;
/// What of a consumer's record outlives the server; times of the last delivery and acknowledgement do not have to.
const KEPT: [&str; 10] = [
    "name",
    "created",
    "config",
    "num_ack_pending",
    "num_redelivered",
    "num_pending",
    "num_waiting",
    "paused",
    "delivered",
    "ack_floor",
];

/// Makes consumer `name` of the stream with `more` in its configuration, or changes it.
async fn create(client: &Client, name: &str, more: Value) -> Outcome {
    let mut config = json!({"durable_name": name, "ack_policy": "explicit", "ack_wait": LONG_NS});
    if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
        config.extend(more.clone());
    }
    let wanted = json!({"stream_name": "S", "config": config}).to_string();
    let answer = api(client, &format!("CONSUMER.CREATE.S.{name}"), &wanted).await?;
    if answer["error"].is_null() {
        Ok(())
    } else {
        Err(format!("{name}: {answer}").into())
    }
}

async fn info(client: &Client, name: &str) -> Outcome<Value> {
    let mut record = api(client, &format!("CONSUMER.INFO.S.{name}"), "").await?;
    for place in ["delivered", "ack_floor"] {
        if let Some(place) = record[place].as_object_mut() {
            place.remove("last_active");
        }
    }
    Ok(json!(KEPT.map(|field| record[field].clone())))
}

/// What the first answers to a pull request are, `count` of them.
async fn pull(client: &Client, name: &str, wanted: Value, count: usize) -> Outcome<Vec<Message>> {
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await?;
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.S.{name}");
    client
        .publish_with_reply(subject, inbox, wanted.to_string().into())
        .await?;
    first(answers, count).await
}

async fn first(messages: async_nats::Subscriber, count: usize) -> Outcome<Vec<Message>> {
    within("messages", STEP, async {
        Ok(messages.take(count).collect().await)
    })
    .await
}

/// How often a message was delivered, and its sequence in the stream.
fn place(message: &Message) -> Outcome<(u64, u64)> {
    let reply = message.reply.as_deref().unwrap_or_default();
    let tokens: Vec<&str> = reply.split('.').collect();
    match tokens.as_slice() {
        ["$JS", "ACK", _, _, delivered, sequence, ..] => Ok((delivered.parse()?, sequence.parse()?)),
        _ => Err(format!("no delivery: {message:?}").into()),
    }
}

fn places(messages: &[Message]) -> Outcome<Vec<(u64, u64)>> {
    messages.iter().map(place).collect()
}

/// Answers a delivery and waits until the answer is confirmed.
async fn confirm(client: &Client, message: &Message, answer: &'static str) -> Outcome {
    let to = message.reply.clone().ok_or("no ack subject")?;
    client.request(to, answer.into()).await?;
    Ok(())
}

/// Answers a delivery with what is not confirmed.
async fn answer(client: &Client, message: &Message, answer: &'static str) -> Outcome {
    let to = message.reply.clone().ok_or("no ack subject")?;
    client.publish(to, answer.into()).await?;
    Ok(())
}

/// The stream and its messages.
async fn fill(client: &Client) -> Outcome {
    let answer = api(client, "STREAM.CREATE.S", r#"{"name":"S","subjects":["s.*"]}"#).await?;
    assert!(answer["error"].is_null(), "{answer}");
    for n in 1..=STORED {
        client
            .request(format!("s.{}", n % 2), n.to_string().into())
            .await?;
    }
    Ok(())
}

/// Kills and starts the server and waits until a client is served.
async fn crash(server: &mut Server) -> Outcome<Client> {
    server.kill().await?;
    server.restart().await?;
    server.client().await
}

#[test]
fn every_kind_of_answer_survives_a_kill() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        fill(&client).await?;
        create(&client, "c", json!({"max_deliver": 5})).await?;
        let taken = pull(&client, "c", json!({"batch": 8}), 8).await?;
        assert_eq!(places(&taken)?, (1..=8).map(|n| (1, n)).collect::<Vec<_>>());
        // 2 and 3 come again at once, 3 twice; 4 is kept back, 5 in work, 6 given up, 7 and 8 are left open.
        answer(&client, &taken[1], "-NAK").await?;
        answer(&client, &taken[2], "-NAK").await?;
        let again = pull(&client, "c", json!({"batch": 2}), 2).await?;
        assert_eq!(places(&again)?, [(2, 2), (2, 3)]);
        answer(&client, &again[1], "-NAK").await?;
        let third = pull(&client, "c", json!({"batch": 1}), 1).await?;
        assert_eq!(places(&third)?, [(3, 3)]);
        answer(&client, &taken[3], "-NAK 1h").await?;
        answer(&client, &taken[4], "+WPI").await?;
        confirm(&client, &taken[5], "+TERM no use").await?;
        confirm(&client, &taken[0], "+ACK").await?;
        let before = info(&client, "c").await?;

        let client = crash(&mut server).await?;
        assert_eq!(info(&client, "c").await?, before);
        // Deliveries are counted on from where they were, and nothing confirmed is among them.
        for n in [2, 1, 3, 4, 6, 7] {
            answer(&client, &taken[n], "-NAK").await?;
        }
        let redelivered = pull(&client, "c", json!({"batch": 6}), 6).await?;
        let mut counts = places(&redelivered)?;
        counts.sort_by_key(|(_, sequence)| *sequence);
        assert_eq!(counts, [(3, 2), (4, 3), (2, 4), (2, 5), (2, 7), (2, 8)]);
        // An answer given to a delivery of before the kill still counts.
        confirm(&client, &taken[6], "+ACK").await?;
        let next = pull(&client, "c", json!({"batch": 1}), 1).await?;
        assert_eq!(places(&next)?, [(1, 9)]);
        Ok(())
    })
}

#[test]
fn the_limit_of_deliveries_holds_across_kills() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let mut client = server.client().await?;
        fill(&client).await?;
        create(&client, "c", json!({"max_deliver": 3})).await?;
        create(&client, "mark", json!({})).await?;
        let marks = pull(&client, "mark", json!({"batch": 3}), 3).await?;
        for (n, mark) in marks.iter().enumerate() {
            let taken = pull(&client, "c", json!({"batch": 1}), 1).await?;
            let count = u64::try_from(n)? + 1;
            assert_eq!(places(&taken)?, [(count, 1)]);
            // What consumers of a stream did is written together: with this confirmed, the delivery is as well.
            confirm(&client, mark, "+ACK").await?;
            client = crash(&mut server).await?;
            answer(&client, &taken[0], "-NAK").await?;
        }
        let taken = pull(&client, "c", json!({"batch": 1}), 1).await?;
        assert_eq!(places(&taken)?, [(1, 2)]);
        Ok(())
    })
}

#[test]
fn pushed_messages_wait_for_their_answers_across_a_kill() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        fill(&client).await?;
        let pushed = client.subscribe("to").await?;
        let more = json!({"deliver_subject": "to", "max_ack_pending": 6, "filter_subject": "s.0"});
        create(&client, "c", more).await?;
        let taken = first(pushed, 6).await?;
        assert_eq!(places(&taken)?, (1..=6).map(|n| (1, 2 * n)).collect::<Vec<_>>());
        confirm(&client, &taken[1], "+ACK").await?;
        confirm(&client, &taken[3], "+TERM").await?;
        let settled = |record: Value| {
            let waits = (&record[3], &record[5]);
            (waits == (&json!(4), &json!(4))).then_some(record)
        };
        let before = eventually("the answers", STEP, || async {
            Ok(settled(info(&client, "c").await?))
        })
        .await?;

        let client = crash(&mut server).await?;
        assert_eq!(info(&client, "c").await?, before);
        let pushed = client.subscribe("to").await?;
        // Two places are free; then one more with each answer.
        let next = first(pushed, 2).await?;
        assert_eq!(places(&next)?, [(1, 14), (1, 16)]);
        Ok(())
    })
}

#[test]
fn edits_pauses_and_starts_over_survive_a_kill() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        fill(&client).await?;
        for name in ["paused", "resumed", "edited", "restarted", "deleted"] {
            create(&client, name, json!({})).await?;
        }
        let taken = pull(&client, "restarted", json!({"batch": 9}), 9).await?;
        confirm(&client, &taken[8], "+ACK").await?;
        let far = json!({"pause_until": "2090-01-01T00:00:00Z"}).to_string();
        api(&client, "CONSUMER.PAUSE.S.paused", &far).await?;
        api(&client, "CONSUMER.PAUSE.S.resumed", &far).await?;
        api(&client, "CONSUMER.PAUSE.S.resumed", "").await?;
        create(
            &client,
            "edited",
            json!({"filter_subject": "s.1", "max_deliver": 2}),
        )
        .await?;
        api(&client, "CONSUMER.DELETE.S.deleted", "").await?;
        api(&client, "CONSUMER.RESET.S.restarted", r#"{"seq":5}"#).await?;
        let names = ["paused", "resumed", "edited", "restarted"];
        let mut before = Vec::new();
        for name in names {
            before.push(info(&client, name).await?);
        }

        let client = crash(&mut server).await?;
        for (name, before) in names.iter().zip(before) {
            assert_eq!(info(&client, name).await?, before, "{name}");
        }
        let gone = api(&client, "CONSUMER.INFO.S.deleted", "").await?;
        assert_eq!(gone["error"]["err_code"], 10014, "{gone}");
        let none = pull(&client, "paused", json!({"no_wait": true}), 1).await?;
        assert_eq!(none[0].status, Some(StatusCode::NOT_FOUND), "{none:?}");
        let first = pull(&client, "restarted", json!({}), 1).await?;
        assert_eq!(places(&first)?, [(1, 5)]);
        let odd = pull(&client, "edited", json!({"batch": 2}), 2).await?;
        assert_eq!(places(&odd)?, [(1, 1), (1, 3)]);
        let first = pull(&client, "resumed", json!({}), 1).await?;
        assert_eq!(places(&first)?, [(1, 1)]);
        Ok(())
    })
}

#[test]
fn a_pinned_client_pins_again_after_a_kill() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        fill(&client).await?;
        let pinned = json!({"priority_groups": ["g"], "priority_policy": "pinned_client", "priority_timeout": LONG_NS});
        create(&client, "c", pinned).await?;
        let pin = |messages: &[Message]| {
            let headers = messages.first().and_then(|m| m.headers.clone());
            headers.and_then(|h| h.get("Nats-Pin-Id").map(|id| id.as_str().to_owned()))
        };
        let taken = pull(&client, "c", json!({"group": "g"}), 1).await?;
        let old = pin(&taken).ok_or("no pin")?;
        confirm(&client, &taken[0], "+ACK").await?;

        let client = crash(&mut server).await?;
        // A pin lives as long as the server, as the peer's do; whoever had it hears so and asks without.
        let refused = pull(&client, "c", json!({"group": "g", "id": old}), 1).await?;
        assert_eq!(refused[0].status.map(|s| s.as_u16()), Some(423), "{refused:?}");
        let taken = pull(&client, "c", json!({"group": "g"}), 1).await?;
        assert_eq!(places(&taken)?, [(1, 2)]);
        let new = pin(&taken).ok_or("no pin")?;
        assert_ne!(old, new);
        let next = pull(&client, "c", json!({"group": "g", "id": new}), 1).await?;
        assert_eq!(places(&next)?, [(1, 3)]);
        Ok(())
    })
}
