//! Core publish and subscribe through an independent client.
//! Never touches JetStream and never looks at the bytes on the wire.

use async_nats::{Client, HeaderMap, Message, RequestErrorKind, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use natterjack_tests::{Outcome, RawConnection, Server, eventually, run, within};
use std::collections::BTreeSet;
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(5);

/// The next message of a subscription.
async fn next(subscription: &mut Subscriber) -> Outcome<Message> {
    within("a message", ANSWER, async {
        Ok(subscription.next().await.ok_or("the subscription ended")?)
    })
    .await
}

/// The subjects of the next messages, in order of arrival.
async fn subjects(subscription: &mut Subscriber, count: usize) -> Outcome<Vec<String>> {
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(next(subscription).await?.subject.to_string());
    }
    Ok(seen)
}

/// Sends everything and makes sure that the server has taken it.
async fn settle(client: &Client) -> Outcome {
    // A flush only empties our side; a request that nobody answers comes back after all earlier operations.
    let refused = client.request("nobody.listens.here", Bytes::new()).await;
    assert_eq!(
        refused.map_err(|e| e.kind()).err(),
        Some(RequestErrorKind::NoResponders)
    );
    Ok(())
}

#[test]
fn a_message_reaches_its_subscriber() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let (alice, bob) = (server.client().await?, server.client().await?);
        let mut inbox = bob.subscribe("greetings").await?;
        settle(&bob).await?;
        alice.publish("greetings", "hello".into()).await?;
        alice
            .publish_with_reply("greetings", "answers.here", Bytes::new())
            .await?;
        let first = next(&mut inbox).await?;
        assert_eq!((first.payload.as_ref(), first.reply), (b"hello".as_ref(), None));
        let second = next(&mut inbox).await?;
        assert!(second.payload.is_empty());
        assert_eq!(second.reply.as_deref(), Some("answers.here"));
        Ok(())
    })
}

#[test]
fn order_holds_for_many_messages() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let mut inbox = client.subscribe("count.>").await?;
        for n in 0..5_000_u32 {
            client
                .publish(format!("count.{}", n % 7), n.to_string().into())
                .await?;
        }
        for n in 0..5_000_u32 {
            assert_eq!(next(&mut inbox).await?.payload, n.to_string().as_bytes());
        }
        Ok(())
    })
}

#[test]
fn wildcards_match_as_they_should() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let mut one = client.subscribe("a.*.c").await?;
        let mut rest = client.subscribe("a.>").await?;
        let mut literal = client.subscribe("a.b").await?;
        for subject in ["a", "a.b", "a.b.c", "a.x.c", "a.b.c.d", "b.b.c"] {
            client.publish(subject, Bytes::new()).await?;
        }
        settle(&client).await?;
        assert_eq!(subjects(&mut one, 2).await?, ["a.b.c", "a.x.c"]);
        assert_eq!(
            subjects(&mut rest, 4).await?,
            ["a.b", "a.b.c", "a.x.c", "a.b.c.d"]
        );
        assert_eq!(subjects(&mut literal, 1).await?, ["a.b"]);
        Ok(())
    })
}

#[test]
fn a_queue_group_shares_and_plain_subscribers_get_all() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let mut audit = client.subscribe("jobs").await?;
        let mut members = Vec::new();
        for number in 0..3_usize {
            let member = server.client().await?;
            let jobs = member.queue_subscribe("jobs", "workers".to_owned()).await?;
            settle(&member).await?;
            members.push(jobs.map(move |job| (number, job.payload)));
        }
        for n in 0..300_u32 {
            client.publish("jobs", n.to_string().into()).await?;
        }
        let mut jobs = select_all(members);
        let (mut shares, mut done) = ([0_u32; 3], BTreeSet::new());
        for _ in 0..300 {
            let taken = within("a job", ANSWER, async { Ok(jobs.next().await) }).await?;
            let (member, body) = taken.ok_or("the group ended")?;
            shares[member] += 1;
            assert!(done.insert(body), "a job was done twice");
        }
        assert!(
            shares.iter().all(|share| *share > 0),
            "one member got nothing: {shares:?}"
        );
        assert_eq!(subjects(&mut audit, 300).await?.len(), 300);
        Ok(())
    })
}

#[test]
fn a_request_is_answered_and_without_listeners_refused() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let (asker, answerer) = (server.client().await?, server.client().await?);
        let mut questions = answerer.subscribe("add.one").await?;
        settle(&answerer).await?;
        let answering = async {
            let question = next(&mut questions).await?;
            let number: u32 = std::str::from_utf8(&question.payload)?.parse()?;
            let reply = question.reply.ok_or("no reply subject")?;
            answerer.publish(reply, (number + 1).to_string().into()).await?;
            Outcome::Ok(())
        };
        let asking = async { Outcome::Ok(asker.request("add.one", "41".into()).await?) };
        let (answer, ()) = tokio::try_join!(asking, answering)?;
        assert_eq!(answer.payload, b"42".as_ref());
        let refused = asker.request("add.two", "1".into()).await;
        assert_eq!(
            refused.map_err(|e| e.kind()).err(),
            Some(RequestErrorKind::NoResponders)
        );
        Ok(())
    })
}

#[test]
fn headers_arrive_as_sent() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let mut inbox = client.subscribe("with.headers").await?;
        let mut headers = HeaderMap::new();
        headers.insert("Kind", "test");
        headers.append("Many", "first");
        headers.append("Many", "second");
        headers.insert("case-Is-Kept", "yes");
        client
            .publish_with_headers("with.headers", headers.clone(), "body".into())
            .await?;
        client
            .publish_with_headers("with.headers", headers.clone(), Bytes::new())
            .await?;
        for body in [b"body".as_ref(), b"".as_ref()] {
            let message = next(&mut inbox).await?;
            assert_eq!(message.payload.as_ref(), body);
            assert_eq!(message.headers.as_ref(), Some(&headers));
        }
        Ok(())
    })
}

#[test]
fn a_client_without_headers_gets_only_the_body() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let mut old = RawConnection::connect(server.address(), r#"{"verbose":false}"#).await?;
        old.send(b"SUB plain 7\r\nPING\r\n").await?;
        assert_eq!(old.line().await?, "PONG");
        let mut headers = HeaderMap::new();
        headers.insert("Kind", "test");
        let client = server.client().await?;
        client
            .publish_with_headers("plain", headers, "body".into())
            .await?;
        client.flush().await?;
        assert_eq!(
            (old.line().await?, old.line().await?),
            ("MSG plain 7 4".to_owned(), "body".to_owned())
        );
        Ok(())
    })
}

#[test]
fn a_subscription_ends_after_its_maximum() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let mut three = client.subscribe("limited").await?;
        three.unsubscribe_after(3).await?;
        let mut all = client.subscribe("limited").await?;
        for n in 0..6_u32 {
            client.publish("limited", n.to_string().into()).await?;
        }
        settle(&client).await?;
        assert_eq!(subjects(&mut all, 6).await?.len(), 6);
        assert_eq!(subjects(&mut three, 3).await?.len(), 3);
        let end = within("the end of the subscription", ANSWER, async {
            Ok(three.next().await)
        })
        .await?;
        assert!(end.is_none());
        // The server has dropped the interest too, so a request finds nobody once the other is gone.
        drop(all);
        eventually("no interest left", ANSWER, || async {
            Ok(client.request("limited", Bytes::new()).await.err().map(|_| ()))
        })
        .await
    })
}

#[test]
fn drain_delivers_what_is_on_its_way() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let (sender, receiver) = (server.client().await?, server.client().await?);
        let mut inbox = receiver.subscribe("draining").await?;
        settle(&receiver).await?;
        for n in 0..200_u32 {
            sender.publish("draining", n.to_string().into()).await?;
        }
        settle(&sender).await?;
        inbox.drain().await?;
        let mut count = 0;
        while within("the end of the drain", ANSWER, async { Ok(inbox.next().await) })
            .await?
            .is_some()
        {
            count += 1;
        }
        assert_eq!(count, 200);
        let refused = sender.request("draining", Bytes::new()).await;
        assert_eq!(
            refused.map_err(|e| e.kind()).err(),
            Some(RequestErrorKind::NoResponders)
        );
        Ok(())
    })
}

#[test]
fn the_largest_payload_passes_and_one_more_byte_does_not() -> Outcome {
    run(async {
        let server = Server::with_config("max_payload: 100k\n").await?;
        let client = server.client().await?;
        assert_eq!(client.server_info().max_payload, 100_000);
        let mut inbox = client.subscribe("big").await?;
        client.publish("big", vec![b'x'; 100_000].into()).await?;
        assert_eq!(next(&mut inbox).await?.payload.len(), 100_000);
        assert!(client.publish("big", vec![b'x'; 100_001].into()).await.is_err());
        let mut raw = RawConnection::connect(server.address(), r#"{"verbose":false}"#).await?;
        raw.send(b"PUB big 100001\r\n").await?;
        assert_eq!(raw.until_closed().await?, "-ERR 'Maximum Payload Violation'\r\n");
        Ok(())
    })
}

#[test]
fn a_client_without_echo_does_not_hear_itself() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let quiet = async_nats::ConnectOptions::new()
            .no_echo()
            .connect(server.url())
            .await?;
        let other = server.client().await?;
        let mut inbox = quiet.subscribe("echo").await?;
        settle(&other).await?;
        quiet.publish("echo", "mine".into()).await?;
        quiet.flush().await?;
        let round_trip = quiet.request("nobody.listens.here", Bytes::new()).await;
        assert!(round_trip.is_err());
        other.publish("echo", "theirs".into()).await?;
        assert_eq!(next(&mut inbox).await?.payload, b"theirs".as_ref());
        Ok(())
    })
}
