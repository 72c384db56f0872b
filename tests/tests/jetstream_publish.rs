//! Publishing into a stream: acknowledgements, duplicates, and what a publisher may expect.
//! Never tests the limits of a stream, which have their own file.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Republish};
use bytes::Bytes;
use futures_util::StreamExt;
use natterjack_tests::{
    Outcome, Refusal, Server, eventually, fill, memory_and_file, on_both, refusal_of, run, within,
};
use std::time::Duration;

fn stream(storage: async_nats::jetstream::stream::StorageType) -> Config {
    Config {
        name: "PUB".to_owned(),
        subjects: vec!["pub.>".to_owned()],
        storage,
        ..Config::default()
    }
}

#[test]
fn each_publish_is_acknowledged_with_its_sequence() -> Outcome {
    on_both(async |js, storage| {
        let stream = js.create_stream(stream(storage)).await?;
        for expected in 1..=50 {
            let ack = js.publish("pub.one", expected.to_string().into()).await?.await?;
            assert_eq!(
                (ack.stream.as_str(), ack.sequence, ack.duplicate),
                ("PUB", expected, false)
            );
        }
        let mut pending = Vec::new();
        for _ in 0..500 {
            pending.push(js.publish("pub.many", "x".into()).await?);
        }
        for (expected, ack) in (51..).zip(pending) {
            assert_eq!(ack.await?.sequence, expected);
        }
        assert_eq!(stream.get_info().await?.state.messages, 550);
        assert!(js.delete_stream("PUB").await?.success);
        let nobody = js.publish("pub.one", Bytes::new()).await?.await;
        assert_eq!(
            nobody.map_err(|e| e.kind()).err(),
            Some(PublishErrorKind::StreamNotFound)
        );
        Ok(())
    })
}

#[test]
fn headers_and_empty_bodies_are_stored() -> Outcome {
    on_both(async |js, storage| {
        let stream = js.create_stream(stream(storage)).await?;
        let message = PublishMessage::build()
            .header("Kind", "test")
            .payload("body".into());
        js.send_publish("pub.h", message).await?.await?;
        js.publish("pub.h", Bytes::new()).await?.await?;
        let first = stream.get_raw_message(1).await?;
        assert_eq!(first.headers.get("Kind").map(|v| v.as_str()), Some("test"));
        assert_eq!(first.payload, b"body".as_ref());
        let second = stream.get_raw_message(2).await?;
        assert!(second.headers.is_empty() && second.payload.is_empty());
        Ok(())
    })
}

#[test]
fn a_message_id_is_taken_once() -> Outcome {
    on_both(async |js, storage| {
        let window = Duration::from_millis(400);
        let stream = js
            .create_stream(Config {
                duplicate_window: window,
                ..stream(storage)
            })
            .await?;
        let send = |id: &'static str| js.send_publish("pub.d", PublishMessage::build().message_id(id));
        let first = send("a").await?.await?;
        let again = send("a").await?.await?;
        let other = send("b").await?.await?;
        assert_eq!((first.sequence, first.duplicate), (1, false));
        assert_eq!((again.sequence, again.duplicate), (1, true));
        assert_eq!((other.sequence, other.duplicate), (2, false));
        eventually("the end of the window", Duration::from_secs(5), || async {
            Ok((!send("a").await?.await?.duplicate).then_some(()))
        })
        .await?;
        assert_eq!(stream.get_info().await?.state.messages, 3);
        Ok(())
    })
}

#[test]
fn expectations_are_checked() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        js.create_stream(stream(memory_and_file()[1])).await?;
        let client = js.client();
        fill(&js, "pub.a", 1..=2).await?;
        fill(&js, "pub.b", 3..=3).await?;
        let refused =
            async |header: (&str, &str), subject: &str| refusal_of(&client, subject, &[header], "x").await;
        let refusal = refused(("Nats-Expected-Stream", "OTHER"), "pub.a")
            .await?
            .ok_or("accepted")?;
        assert_eq!((refusal.code, refusal.err_code), (400, 10060));
        assert_eq!(refusal.description, "expected stream does not match");
        let refusal = refused(("Nats-Expected-Last-Sequence", "2"), "pub.a")
            .await?
            .ok_or("accepted")?;
        let wanted = |text: &str, err_code| Refusal {
            code: 400,
            err_code,
            description: text.to_owned(),
        };
        assert_eq!(refusal, wanted("wrong last sequence: 3", 10071));
        let refusal = refused(("Nats-Expected-Last-Subject-Sequence", "3"), "pub.a").await?;
        assert_eq!(refusal, Some(wanted("wrong last sequence: 2", 10071)));
        let refusal = refused(("Nats-Expected-Last-Msg-Id", "nope"), "pub.a").await?;
        assert_eq!(refusal.map(|r| r.err_code), Some(10070));
        let kind = js
            .send_publish("pub.a", PublishMessage::build().expected_last_sequence(9))
            .await?
            .await;
        assert_eq!(
            kind.map_err(|e| e.kind()).err(),
            Some(PublishErrorKind::WrongLastSequence)
        );
        assert_eq!(refused(("Nats-Expected-Stream", "PUB"), "pub.a").await?, None);
        assert_eq!(
            refused(("Nats-Expected-Last-Sequence", "4"), "pub.a").await?,
            None
        );
        assert_eq!(
            refused(("Nats-Expected-Last-Subject-Sequence", "3"), "pub.b").await?,
            None
        );
        assert_eq!(
            refused(("Nats-Expected-Last-Subject-Sequence", "0"), "pub.new").await?,
            None
        );
        let with_id = PublishMessage::build().message_id("last");
        js.send_publish("pub.a", with_id).await?.await?;
        assert_eq!(
            refused(("Nats-Expected-Last-Msg-Id", "last"), "pub.a").await?,
            None
        );
        Ok(())
    })
}

#[test]
fn a_rollup_replaces_what_was_before() -> Outcome {
    on_both(async |js, storage| {
        let stream = js
            .create_stream(Config {
                allow_rollup: true,
                ..stream(storage)
            })
            .await?;
        fill(&js, "pub.a", 1..=5).await?;
        fill(&js, "pub.b", 6..=7).await?;
        let of_subject = PublishMessage::build()
            .header("Nats-Rollup", "sub")
            .payload("a".into());
        js.send_publish("pub.a", of_subject).await?.await?;
        assert_eq!(stream.get_info().await?.state.messages, 3);
        let of_all = PublishMessage::build()
            .header("Nats-Rollup", "all")
            .payload("all".into());
        js.send_publish("pub.c", of_all).await?.await?;
        let state = stream.get_info().await?.state;
        assert_eq!(
            (state.messages, state.first_sequence, state.last_sequence),
            (1, 9, 9)
        );
        Ok(())
    })
}

#[test]
fn a_message_with_a_lifetime_goes_away() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let mut streams = Vec::new();
        for (storage, name) in memory_and_file().into_iter().zip(["MEM", "FILE"]) {
            let subjects = vec![format!("{name}.>")];
            let config = Config {
                name: name.to_owned(),
                subjects,
                allow_message_ttl: true,
                ..stream(storage)
            };
            streams.push(js.create_stream(config).await?);
            let short = PublishMessage::build()
                .ttl(Duration::from_secs(1))
                .payload("short".into());
            js.send_publish(format!("{name}.a"), short).await?.await?;
            js.publish(format!("{name}.a"), "long".into()).await?.await?;
        }
        for stream in streams {
            assert_eq!(stream.get_raw_message(2).await?.payload, b"long".as_ref());
            eventually("the end of a lifetime", Duration::from_secs(6), || async {
                Ok((stream.get_info().await?.state.first_sequence == 2).then_some(()))
            })
            .await?;
            assert_eq!(stream.get_info().await?.state.messages, 1);
        }
        Ok(())
    })
}

/// A stream whose messages are published again on `again.>`.
fn republished() -> Config {
    let to = Republish {
        source: "pub.>".to_owned(),
        destination: "again.>".to_owned(),
        headers_only: false,
    };
    Config {
        republish: Some(to),
        ..stream(memory_and_file()[1])
    }
}

#[test]
fn a_stored_message_is_published_again_elsewhere() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        js.create_stream(republished()).await?;
        let mut inbox = js.client().subscribe("again.>").await?;
        fill(&js, "pub.x", 1..=2).await?;
        for expected in ["1", "2"] {
            let message = within("a republished message", Duration::from_secs(5), async {
                Ok(inbox.next().await)
            })
            .await?;
            let message = message.ok_or("the subscription ended")?;
            let headers = message.headers.ok_or("no headers")?;
            assert_eq!(
                (message.subject.as_str(), message.payload.as_ref()),
                ("again.x", expected.as_bytes())
            );
            assert_eq!(headers.get("Nats-Sequence").map(|v| v.as_str()), Some(expected));
            assert_eq!(headers.get("Nats-Stream").map(|v| v.as_str()), Some("PUB"));
        }
        Ok(())
    })
}

#[test]
fn what_is_published_again_into_a_stream_is_there_with_the_acknowledgement() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        js.create_stream(republished()).await?;
        let again = js
            .create_stream(Config {
                name: "AGAIN".to_owned(),
                subjects: vec!["again.>".to_owned()],
                allow_direct: true,
                ..Config::default()
            })
            .await?;
        for n in 1..=100 {
            let ack = js.publish("pub.x", n.to_string().into()).await?.await?;
            let found = match n % 3 {
                0 => again.direct_get(ack.sequence).await?.payload,
                1 => again.get_raw_message(ack.sequence).await?.payload,
                _ => again.get_last_raw_message_by_subject("again.x").await?.payload,
            };
            assert_eq!(found, n.to_string());
            assert_eq!(again.get_info().await?.state.last_sequence, n);
        }
        Ok(())
    })
}

#[test]
fn what_is_published_without_an_acknowledgement_is_there_for_who_asks_next() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let stream = js.create_stream(stream(memory_and_file()[1])).await?;
        for n in 1..=100 {
            js.client().publish("pub.x", n.to_string().into()).await?;
            assert_eq!(stream.get_raw_message(n).await?.payload, n.to_string());
        }
        js.client().publish("pub.x", Bytes::new()).await?;
        assert!(stream.delete_message(101).await?);
        Ok(())
    })
}
