//! Streams that copy from others, across restarts: what the origin lets go must be safe with who copied it.
//! Templates are here too: streams that are made by being published to.

use futures_util::StreamExt as _;
use natterjack_tests::{Outcome, Server, api, eventually, run};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

async fn made(client: &async_nats::Client, subject: &str, request: &str) -> Outcome<Value> {
    let answer = api(client, subject, request).await?;
    match answer.get("error") {
        None => Ok(answer),
        Some(error) => Err(format!("{subject}: {error}").into()),
    }
}

/// How many messages a stream holds, and its last sequence.
async fn held(client: &async_nats::Client, stream: &str) -> Outcome<(u64, u64)> {
    let info = made(client, &format!("STREAM.INFO.{stream}"), "").await?;
    let number = |field: &str| info["state"][field].as_u64().ok_or("no number");
    Ok((number("messages")?, number("last_seq")?))
}

async fn until_held(client: &async_nats::Client, stream: &str, wanted: (u64, u64)) -> Outcome {
    eventually(stream, LIMIT, async || {
        Ok((held(client, stream).await? == wanted).then_some(()))
    })
    .await
}

#[test]
fn a_work_queue_is_emptied_by_what_copies_it_across_a_crash() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        let origin = r#"{"name":"WORK","subjects":["work.*"],"retention":"workqueue"}"#;
        made(&client, "STREAM.CREATE.WORK", origin).await?;
        let copy = r#"{"name":"COPY","sources":[{"name":"WORK"}]}"#;
        made(&client, "STREAM.CREATE.COPY", copy).await?;
        for n in 0..50 {
            client.request("work.a", n.to_string().into()).await?;
        }
        until_held(&client, "COPY", (50, 50)).await?;
        until_held(&client, "WORK", (0, 50)).await?;
        server.kill().await?;
        server.restart().await?;
        let client = server.client().await?;
        for n in 50..60 {
            client.request("work.b", n.to_string().into()).await?;
        }
        until_held(&client, "COPY", (60, 60)).await?;
        until_held(&client, "WORK", (0, 60)).await?;
        let names = made(&client, "CONSUMER.NAMES.WORK", "").await?;
        assert_eq!(names["total"], 1, "one consumer, before and after: {names}");
        made(&client, "STREAM.DELETE.COPY", "").await?;
        eventually("the consumer goes", LIMIT, async || {
            let names = made(&client, "CONSUMER.NAMES.WORK", "").await?;
            Ok((names["total"] == 0).then_some(()))
        })
        .await
    })
}

#[test]
fn a_given_consumer_may_be_made_late() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let origin = r#"{"name":"O","subjects":["o.*"],"retention":"interest"}"#;
        made(&client, "STREAM.CREATE.O", origin).await?;
        let consumer = r#"{"stream_name":"O","config":{"durable_name":"G","deliver_subject":"g",
            "ack_policy":"flow_control","flow_control":true,"idle_heartbeat":1000000000}}"#;
        made(&client, "CONSUMER.DURABLE.CREATE.O.G", consumer).await?;
        client.request("o.a", "before".into()).await?;
        let copy = r#"{"name":"M","mirror":{"name":"O","consumer":{"name":"G","deliver_subject":"g"}}}"#;
        made(&client, "STREAM.CREATE.M", copy).await?;
        client.request("o.a", "after".into()).await?;
        until_held(&client, "M", (2, 2)).await?;
        until_held(&client, "O", (0, 2)).await
    })
}

#[test]
fn the_own_domain_is_no_foreign_place() -> Outcome {
    run(async {
        let server = Server::with_config("jetstream { domain: hub }").await?;
        let client = server.client().await?;
        made(&client, "STREAM.CREATE.O", r#"{"name":"O","subjects":["o"]}"#).await?;
        client.request("o", "one".into()).await?;
        let external = r#""external":{"api":"$JS.hub.API","deliver":""}"#;
        let mirror = format!(r#"{{"name":"M","mirror":{{"name":"O",{external}}}}}"#);
        made(&client, "STREAM.CREATE.M", &mirror).await?;
        until_held(&client, "M", (1, 1)).await?;
        let circle = format!(r#"{{"name":"C","sources":[{{"name":"C",{external}}}]}}"#);
        let refused = api(&client, "STREAM.CREATE.C", &circle).await?;
        assert_eq!(refused["error"]["description"], "detected cycle");
        Ok(())
    })
}

/// A program that answers on `EXT.API` with what `$JS.API` answers, until it is ended.
async fn bridge(server: &Server) -> Outcome<tokio::task::JoinHandle<()>> {
    let client = server.client().await?;
    let mut requests = client.subscribe("EXT.API.>").await?;
    client.flush().await?;
    Ok(tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let subject = request.subject.replacen("EXT.API", "$JS.API", 1);
            let headers = request.headers.unwrap_or_default();
            let Some(reply) = request.reply else { continue };
            let sent = client.publish_with_reply_and_headers(subject, reply, headers, request.payload);
            if sent.await.is_err() {
                return;
            }
        }
    }))
}

const ELSEWHERE: &str = r#""external":{"api":"EXT.API","deliver":"DLV"}"#;

#[test]
fn origins_behind_a_program_are_copied_whenever_it_is_there() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        made(&client, "STREAM.CREATE.O", r#"{"name":"O","subjects":["o.*"]}"#).await?;
        for n in 0..20 {
            client.request(format!("o.{}", n % 2), "x".into()).await?;
        }
        let mirror = format!(r#"{{"name":"M","mirror":{{"name":"O",{ELSEWHERE}}}}}"#);
        made(&client, "STREAM.CREATE.M", &mirror).await?;
        let source =
            format!(r#"{{"name":"S","sources":[{{"name":"O","filter_subject":"o.1",{ELSEWHERE}}}]}}"#);
        made(&client, "STREAM.CREATE.S", &source).await?;
        let info = made(&client, "STREAM.INFO.M", "").await?;
        assert_eq!(
            (&info["mirror"]["active"], &info["state"]["messages"]),
            (&(-1).into(), &0.into())
        );
        let program = bridge(&server).await?;
        until_held(&client, "M", (20, 20)).await?;
        until_held(&client, "S", (10, 10)).await?;
        client.request("o.1", "more".into()).await?;
        until_held(&client, "M", (21, 21)).await?;
        until_held(&client, "S", (11, 11)).await?;
        // Nobody is there who could bring the server's question to the origin; what is missed then comes later.
        program.abort();
        server.kill().await?;
        server.restart().await?;
        let client = server.client().await?;
        client.request("o.1", "late".into()).await?;
        assert_eq!(held(&client, "M").await?, (21, 21));
        let program = bridge(&server).await?;
        until_held(&client, "M", (22, 22)).await?;
        until_held(&client, "S", (12, 12)).await?;
        let info = made(&client, "STREAM.INFO.S", "").await?;
        assert_eq!(
            (&info["sources"][0]["seq"], &info["sources"][0]["lag"]),
            (&22.into(), &0.into())
        );
        assert_eq!(info["sources"][0]["external"]["api"], "EXT.API");
        program.abort();
        Ok(())
    })
}

#[test]
fn an_origin_behind_a_program_may_be_made_late_and_again() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let program = bridge(&server).await?;
        let source = format!(r#"{{"name":"S","sources":[{{"name":"O",{ELSEWHERE}}}]}}"#);
        made(&client, "STREAM.CREATE.S", &source).await?;
        eventually("the origin is missed", LIMIT, async || {
            let info = made(&client, "STREAM.INFO.S", "").await?;
            Ok((info["sources"][0]["error"]["err_code"] == 10059).then_some(()))
        })
        .await?;
        let origin = r#"{"name":"O","subjects":["o.*"],"retention":"workqueue"}"#;
        for round in 1..=2 {
            made(&client, "STREAM.CREATE.O", origin).await?;
            client.request("o.a", "first".into()).await?;
            client.request("o.b", "second".into()).await?;
            until_held(&client, "S", (2 * round, 2 * round)).await?;
            until_held(&client, "O", (0, 2)).await?;
            made(&client, "STREAM.DELETE.O", "").await?;
        }
        program.abort();
        Ok(())
    })
}

#[test]
fn a_template_makes_streams_and_takes_them_along() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let client = server.client().await?;
        let template = r#"{"name":"T","config":{"subjects":["t.*"]},"max_streams":2}"#;
        made(&client, "STREAM.TEMPLATE.CREATE.T", template).await?;
        for (subject, stream, seq) in [("t.a", "t_a", 1), ("t.b", "t_b", 1), ("t.a", "t_a", 2)] {
            let ack: Value = serde_json::from_slice(&client.request(subject, "x".into()).await?.payload)?;
            assert_eq!((&ack["stream"], &ack["seq"]), (&stream.into(), &seq.into()));
        }
        client.publish("t.c", "one too many".into()).await?;
        server.terminate().await?;
        server.restart().await?;
        let client = server.client().await?;
        let info = made(&client, "STREAM.TEMPLATE.INFO.T", "").await?;
        assert_eq!(info["streams"], serde_json::json!(["t_a", "t_b"]));
        made(&client, "STREAM.DELETE.t_b", "").await?;
        let ack: Value = serde_json::from_slice(&client.request("t.d", "x".into()).await?.payload)?;
        assert_eq!(ack["stream"], "t_d");
        let names = made(&client, "STREAM.TEMPLATE.NAMES", "").await?;
        assert_eq!(names["streams"], serde_json::json!(["T"]));
        made(&client, "STREAM.TEMPLATE.DELETE.T", "").await?;
        let names = made(&client, "STREAM.NAMES", "").await?;
        assert_eq!(names["total"], 0);
        let gone = api(&client, "STREAM.TEMPLATE.INFO.T", "").await?;
        assert_eq!(gone["error"]["err_code"], 10068);
        Ok(())
    })
}
