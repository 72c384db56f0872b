//! Answers of the API that come in pages, at sizes that need several: subjects of a stream, names and records of streams.
//! And the one that has to fit: the last messages of many subjects.
//! Holds against nats-server 2.15.1 as it does here.

use async_nats::Client;
use async_nats::jetstream::stream::{Config, StorageType};
use futures_util::StreamExt as _;
use natterjack_tests::{Outcome, Server, api, memory_and_file, run};
use serde_json::{Value, json};
use std::ops::Range;

/// Subjects of a page.
const SUBJECTS_PAGE: usize = 100_000;
/// Streams of a page.
const STREAMS_PAGE: usize = 256;
/// Subjects whose last messages can be asked for together.
const LASTS: usize = 1024;
/// Messages without an acknowledgement between two with one.
const AHEAD: usize = 10_000;

fn in_memory(name: &str, subject: &str) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage: StorageType::Memory,
        ..Config::default()
    }
}

/// Total, offset and limit of an answer.
fn place(answer: &Value) -> [Option<u64>; 3] {
    ["total", "offset", "limit"].map(|name| answer[name].as_u64())
}

/// Publishes the `n`th message; waits now and then, since a sender may not be too far ahead of a stream.
async fn publish(client: &Client, n: usize, subject: String) -> Outcome {
    if n.is_multiple_of(AHEAD) {
        client.request(subject, "".into()).await?;
    } else {
        client.publish(subject, "".into()).await?;
    }
    Ok(())
}

/// A message on each of these subjects, all of them stored.
async fn fill_subjects(client: &Client, which: Range<usize>) -> Outcome {
    for n in which {
        client.request(format!("p.{n}"), "".into()).await?;
    }
    Ok(())
}

async fn info(client: &Client, wanted: Value) -> Outcome<Value> {
    let answer = api(client, "STREAM.INFO.P", &wanted.to_string()).await?;
    assert!(answer["error"].is_null(), "{answer}");
    Ok(answer)
}

/// First, last and number of the subjects in an answer.
fn subjects(answer: &Value) -> Option<(String, String, usize)> {
    let subjects = answer["state"]["subjects"].as_object()?;
    let (first, last) = (subjects.keys().min()?, subjects.keys().max()?);
    Some((first.clone(), last.clone(), subjects.len()))
}

#[test]
fn subjects_come_in_pages_and_an_offset_is_given_back() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let client = server.client().await?;
        js.create_stream(in_memory("P", "p.>")).await?;
        let all = SUBJECTS_PAGE + 3;
        for n in (0..all).rev() {
            publish(&client, n, format!("p.{n:06}")).await?;
        }
        let total = Some(all as u64);
        let limit = Some(SUBJECTS_PAGE as u64);
        let first = info(&client, json!({"subjects_filter": ">"})).await?;
        assert_eq!(place(&first), [total, Some(0), limit]);
        let whole = ("p.000000".to_owned(), "p.099999".to_owned(), SUBJECTS_PAGE);
        assert_eq!(subjects(&first), Some(whole));
        let second = info(&client, json!({"subjects_filter": ">", "offset": SUBJECTS_PAGE})).await?;
        assert_eq!(place(&second), [total, limit, limit]);
        let rest = ("p.100000".to_owned(), "p.100002".to_owned(), 3);
        assert_eq!(subjects(&second), Some(rest));
        let beyond = info(&client, json!({"subjects_filter": ">", "offset": 200_000})).await?;
        assert_eq!(place(&beyond), [total, Some(200_000), limit]);
        assert_eq!(subjects(&beyond), None);
        let none = info(&client, json!({"subjects_filter": "q", "offset": 4})).await?;
        assert_eq!(place(&none), [Some(0); 3]);
        Ok(())
    })
}

#[test]
fn every_deleted_sequence_is_named() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let client = server.client().await?;
        js.create_stream(in_memory("P", "p.*")).await?;
        let gone = SUBJECTS_PAGE + 1;
        publish(&client, 0, "p.stay".to_owned()).await?;
        for n in 1..=gone {
            publish(&client, n, "p.go".to_owned()).await?;
        }
        publish(&client, 0, "p.stay".to_owned()).await?;
        let purged = api(&client, "STREAM.PURGE.P", r#"{"filter":"p.go"}"#).await?;
        assert_eq!(purged["purged"], json!(gone));
        let shown = info(&client, json!({"deleted_details": true})).await?;
        let deleted = shown["state"]["deleted"].as_array().ok_or("nothing deleted")?;
        assert_eq!((deleted.len(), &deleted[0]), (gone, &json!(2)));
        assert_eq!(deleted.last(), Some(&json!(gone + 1)));
        assert_eq!(shown["state"]["num_deleted"], json!(gone));
        Ok(())
    })
}

/// How many messages come before the status line that ends them, and its number.
async fn lasts(client: &Client, wanted: Value) -> Outcome<(usize, u16)> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let subject = "$JS.API.DIRECT.GET.P";
    client
        .publish_with_reply(subject, inbox, wanted.to_string().into())
        .await?;
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        if let Some(status) = answer.status {
            return Ok((count, status.as_u16()));
        }
        count += 1;
    }
    Err("the connection ended".into())
}

#[test]
fn the_last_of_too_many_subjects_are_not_given_in_part() -> Outcome {
    run(async {
        for storage in memory_and_file() {
            let server = Server::start().await?;
            let js = server.jetstream().await?;
            let client = server.client().await?;
            js.create_stream(Config {
                allow_direct: true,
                storage,
                ..in_memory("P", "p.*")
            })
            .await?;
            fill_subjects(&client, 0..LASTS).await?;
            let all = json!({"multi_last": ["p.*"]});
            assert_eq!(lasts(&client, all.clone()).await?, (LASTS, 204));
            fill_subjects(&client, LASTS..LASTS + 1).await?;
            assert_eq!(lasts(&client, all).await?, (0, 413));
            let one_of_all = json!({"multi_last": ["p.*"], "batch": 1});
            assert_eq!(lasts(&client, one_of_all).await?, (0, 413));
            let until_then = json!({"multi_last": ["p.*"], "up_to_seq": LASTS});
            assert_eq!(lasts(&client, until_then).await?, (LASTS, 204));
            let named: Vec<String> = (0..2 * LASTS).step_by(2).map(|n| format!("p.{n}")).collect();
            assert_eq!(
                lasts(&client, json!({"multi_last": named})).await?,
                (LASTS / 2 + 1, 204)
            );
        }
        Ok(())
    })
}

#[test]
fn streams_are_listed_in_pages() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let client = server.client().await?;
        let all = STREAMS_PAGE + 4;
        for n in 0..all {
            js.create_stream(in_memory(&format!("L{n:03}"), &format!("l.{n}")))
                .await?;
        }
        let total = Some(all as u64);
        for (offset, shown, records) in [
            (0, Some(0), STREAMS_PAGE),
            (STREAMS_PAGE, Some(256), 4),
            (all + 700, total, 0),
        ] {
            let wanted = json!({"offset": offset}).to_string();
            let list = api(&client, "STREAM.LIST", &wanted).await?;
            assert_eq!(place(&list), [total, shown, Some(256)]);
            assert_eq!(list["streams"].as_array().map(Vec::len), Some(records));
            let names = api(&client, "STREAM.NAMES", &wanted).await?;
            assert_eq!(place(&names), [total, shown, Some(1024)]);
            let named = names["streams"].as_array().map(Vec::len);
            assert_eq!(named, Some(all - offset.min(all)).filter(|n| *n > 0));
        }
        let one = api(&client, "STREAM.NAMES", r#"{"subject":"l.7"}"#).await?;
        assert_eq!(
            (place(&one), &one["streams"]),
            ([Some(1), Some(0), Some(1024)], &json!(["L007"]))
        );
        Ok(())
    })
}
