//! Taking messages with the client against a server: fetch, iterate, consume, ordered. Uses no knowledge of the server
//! beyond its API.
#![expect(clippy::unwrap_used, reason = "what prepares a test fails it by panicking")]

mod support;

use std::time::Duration;

use natterjack_client::jetstream::error::{AckError, OrderedError, PullError};
use natterjack_client::jetstream::{ConsumeOptions, Delivery, FetchOptions};
use natterjack_client::{Client, JetStream};
use natterjack_jsapi::consumer::{ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::{Storage, StreamConfig};
use support::orders::{fill, orders, pull, with_orders};
use support::{Server, until};

#[tokio::test]
async fn fetch_takes_a_batch() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    assert!(consumer.fetch(5, Duration::ZERO).await.unwrap().is_empty());
    fill(&js, 7).await;
    let first = consumer.fetch(5, Duration::from_secs(2)).await.unwrap();
    assert_eq!(first.len(), 5);
    for (n, delivery) in first.iter().enumerate() {
        let info = delivery.info().unwrap();
        assert_eq!((info.stream_seq, info.delivered), (n as u64 + 1, 1));
        assert_eq!((info.stream.as_str(), info.consumer.as_str()), ("ORDERS", "C"));
        delivery.ack_sync().await.unwrap();
        assert!(matches!(delivery.ack().await, Err(AckError::Answered)));
    }
    let rest = consumer.fetch(5, Duration::from_secs(1)).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[1].info().unwrap().pending, 0);
    let gone = js
        .pull_consumer("ORDERS", "X")
        .unwrap()
        .fetch(1, Duration::from_secs(1))
        .await;
    assert!(matches!(gone, Err(PullError::NoResponders)), "{gone:?}");
}

#[tokio::test]
async fn messages_go_on_beyond_their_batch() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    fill(&js, 300).await;
    let options = ConsumeOptions {
        max_messages: 20,
        ..ConsumeOptions::default()
    };
    let mut messages = js
        .pull_consumer("ORDERS", "C")
        .unwrap()
        .messages(options)
        .unwrap();
    for n in 0..300 {
        let delivery = messages.next().await.unwrap().unwrap();
        assert_eq!(std::str::from_utf8(delivery.payload()).unwrap(), n.to_string());
        delivery.ack().await.unwrap();
    }
    fill(&js, 1).await;
    messages.next().await.unwrap().unwrap().ack_sync().await.unwrap();
    js.delete_consumer("ORDERS", "C").await.unwrap();
    let end = messages.next().await.unwrap();
    assert!(matches!(&end, Err(error) if error.is_final()), "{end:?}");
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn messages_live_longer_than_one_pull() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let options = ConsumeOptions {
        max_messages: 10,
        expires: Duration::from_secs(1),
        heartbeat: Duration::from_millis(500),
        ..ConsumeOptions::default()
    };
    let mut messages = js
        .pull_consumer("ORDERS", "C")
        .unwrap()
        .messages(options)
        .unwrap();
    let publisher = js.clone();
    let quiet = tokio::time::timeout(Duration::from_millis(2500), messages.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    publisher.publish("orders.eu", "after").await.unwrap();
    let delivery = messages.next().await.unwrap().unwrap();
    assert_eq!(&delivery.payload()[..], b"after");
}

#[tokio::test]
async fn messages_survive_the_server() {
    let mut server = Server::start();
    let js = JetStream::new(Client::connect(&server.url()).await.unwrap());
    let config = StreamConfig {
        storage: Storage::File,
        ..orders()
    };
    js.create_stream(&config).await.unwrap();
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let mut messages = js
        .pull_consumer("ORDERS", "C")
        .unwrap()
        .messages(ConsumeOptions::default())
        .unwrap();
    fill(&js, 1).await;
    messages.next().await.unwrap().unwrap().ack_sync().await.unwrap();
    server.restart();
    let publisher = js.clone();
    let publish = async || publisher.publish("orders.eu", "back").await.is_ok();
    until("the stream takes messages again", publish).await;
    let delivery = loop {
        match messages.next().await.unwrap() {
            Ok(delivery) => break delivery,
            Err(error) => assert!(!error.is_final(), "{error}"),
        }
    };
    assert_eq!(&delivery.payload()[..], b"back");
}

/// The sequences of the messages, each acknowledged.
async fn acked(deliveries: &[Delivery]) -> Vec<u64> {
    let mut sequences = Vec::new();
    for delivery in deliveries {
        delivery.ack_sync().await.unwrap();
        sequences.push(delivery.info().unwrap().stream_seq);
    }
    sequences
}

#[tokio::test]
async fn fetch_bytes_takes_what_fits() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    fill(&js, 30).await;
    let first = consumer.fetch_bytes(1000, Duration::from_secs(5)).await.unwrap();
    let size = |deliveries: &[Delivery]| deliveries.iter().map(|d| d.message().size()).sum::<usize>();
    assert!(size(&first) <= 1000 && size(&first) > 800, "{}", size(&first));
    let some = acked(&first).await;
    assert_eq!(some, (1..=some.len() as u64).collect::<Vec<_>>());
    let rest = consumer
        .fetch_bytes(100_000, Duration::from_millis(300))
        .await
        .unwrap();
    assert_eq!(rest.len() + some.len(), 30);
    fill(&js, 1).await;
    let none = consumer
        .fetch_bytes(10, Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(none.to_string(), "409 Message Size Exceeds MaxBytes");
}

#[tokio::test]
async fn fetch_no_wait_and_next() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    assert!(consumer.fetch_no_wait(5).await.unwrap().is_empty());
    assert!(consumer.next(Duration::from_millis(100)).await.unwrap().is_none());
    fill(&js, 3).await;
    let one = consumer.next(Duration::from_secs(5)).await.unwrap().unwrap();
    assert_eq!(acked(&[one]).await, [1]);
    assert_eq!(acked(&consumer.fetch_no_wait(5).await.unwrap()).await, [2, 3]);
    let waiting = tokio::spawn({
        let consumer = consumer.clone();
        async move { consumer.next(Duration::from_secs(10)).await }
    });
    fill(&js, 1).await;
    let late = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(acked(&[late]).await, [4]);
    for wrong in [
        FetchOptions {
            max_messages: 0,
            ..FetchOptions::default()
        },
        FetchOptions {
            max_bytes: Some(0),
            ..FetchOptions::default()
        },
        FetchOptions {
            heartbeat: Some(Duration::from_secs(16)),
            ..FetchOptions::default()
        },
    ] {
        let refused = consumer.fetch_with(&wrong).await;
        assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn messages_keep_to_their_bytes() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    fill(&js, 300).await;
    let options = ConsumeOptions {
        max_bytes: Some(2000),
        threshold_bytes: Some(500),
        ..ConsumeOptions::default()
    };
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    let mut messages = consumer.messages(options).unwrap();
    for n in 1..=300 {
        let delivery = messages.next().await.unwrap().unwrap();
        assert_eq!(acked(&[delivery]).await, [n]);
    }
    drop(messages);
    js.publish("orders.eu", vec![1; 3000]).await.unwrap();
    let mut messages = consumer.messages(options).unwrap();
    let end = messages.next().await.unwrap().unwrap_err();
    assert_eq!(end.to_string(), "409 Message Size Exceeds MaxBytes");
    assert!(end.is_final() && messages.next().await.is_none());
}

#[tokio::test]
async fn messages_ask_again_at_the_threshold() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    fill(&js, 100).await;
    let mut asked = js
        .client()
        .subscribe("$JS.API.CONSUMER.MSG.NEXT.ORDERS.C")
        .await
        .unwrap();
    let options = ConsumeOptions {
        max_messages: 10,
        threshold_messages: Some(3),
        expires: Duration::from_secs(20),
        heartbeat: Duration::from_secs(2),
        ..ConsumeOptions::default()
    };
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    let mut messages = consumer.messages(options).unwrap();
    for _ in 0..100 {
        messages.next().await.unwrap().unwrap().ack().await.unwrap();
    }
    js.client().flush().await.unwrap();
    let mut batches = Vec::new();
    while let Some(pull) = asked.try_next() {
        let pull: serde_json::Value = serde_json::from_slice(pull.payload()).unwrap();
        assert_eq!(
            (&pull["expires"], &pull["idle_heartbeat"]),
            (&20_000_000_000_u64.into(), &2_000_000_000_u64.into())
        );
        batches.push(pull["batch"].as_u64().unwrap());
    }
    assert_eq!(batches[0], 10);
    assert!(
        batches.len() > 10 && batches[1..].iter().all(|b| *b == 7),
        "{batches:?}"
    );
}

#[tokio::test]
async fn consume_calls_for_each_message() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    let (seen, mut sequences) = tokio::sync::mpsc::channel(64);
    let take = move |next: Result<Delivery, PullError>| {
        let seen = seen.clone();
        async move {
            match next {
                Ok(delivery) => seen.send(Ok(acked(&[delivery]).await[0])).await.unwrap(),
                Err(error) => seen.send(Err(error.to_string())).await.unwrap(),
            }
        }
    };
    let running = consumer.consume(ConsumeOptions::default(), take.clone()).unwrap();
    fill(&js, 20).await;
    for n in 1..=20 {
        assert_eq!(sequences.recv().await, Some(Ok(n)));
    }
    running.stop().await;
    let again = consumer.consume(ConsumeOptions::default(), take.clone()).unwrap();
    fill(&js, 20).await;
    assert_eq!(sequences.recv().await, Some(Ok(21)));
    // Its answer comes behind the deliveries, so that all of them have come.
    let delivered = async || {
        let info = js.consumer_info("ORDERS", "C").await.unwrap();
        info.delivered.stream_seq == 40
    };
    until("all are delivered", delivered).await;
    again.drain().await;
    let drained = std::iter::from_fn(|| sequences.try_recv().ok()).count();
    let left = js.consumer_info("ORDERS", "C").await.unwrap().num_ack_pending;
    assert_eq!((drained, left), (19, 0));
    let last = consumer.consume(ConsumeOptions::default(), take).unwrap();
    let waits = async || js.consumer_info("ORDERS", "C").await.unwrap().num_waiting == 1;
    until("the pull is there", waits).await;
    js.delete_consumer("ORDERS", "C").await.unwrap();
    last.closed().await;
    assert_eq!(
        sequences.recv().await,
        Some(Err("409 Consumer Deleted".to_owned()))
    );
}

#[tokio::test]
async fn ordered_sees_each_message_once() {
    let server = Server::start();
    let js = with_orders(&server).await;
    fill(&js, 50).await;
    let from = ConsumerConfig {
        deliver_policy: DeliverPolicy::ByStartSequence,
        opt_start_seq: 11,
        ..ConsumerConfig::default()
    };
    let options = ConsumeOptions {
        max_messages: 8,
        expires: Duration::from_secs(2),
        heartbeat: Duration::from_millis(300),
        ..ConsumeOptions::default()
    };
    let mut ordered = js.ordered("ORDERS", &from, options).await.unwrap();
    for n in 11..=30 {
        let delivery = ordered.next().await.unwrap().unwrap();
        assert_eq!(delivery.info().unwrap().stream_seq, n);
    }
    let first = ordered.consumer().unwrap().to_owned();
    js.delete_consumer("ORDERS", &first).await.unwrap();
    fill(&js, 50).await;
    for n in 31..=100 {
        let delivery = ordered.next().await.unwrap().unwrap();
        assert_eq!(delivery.info().unwrap().stream_seq, n);
    }
    assert_ne!(ordered.consumer().unwrap(), first);
    ordered.close().await.unwrap();
    assert!(js.consumer_names("ORDERS").await.unwrap().is_empty());
    let gone = js.ordered("NOTHING", &from, options).await;
    assert!(matches!(gone, Err(OrderedError::Create(_))), "{gone:?}");
}

#[tokio::test]
async fn ordered_survives_the_server() {
    let mut server = Server::start();
    let js = JetStream::new(Client::connect(&server.url()).await.unwrap());
    let config = StreamConfig {
        storage: Storage::File,
        ..orders()
    };
    js.create_stream(&config).await.unwrap();
    fill(&js, 20).await;
    let options = ConsumeOptions {
        expires: Duration::from_secs(2),
        heartbeat: Duration::from_millis(300),
        ..ConsumeOptions::default()
    };
    let mut ordered = js
        .ordered("ORDERS", &ConsumerConfig::default(), options)
        .await
        .unwrap();
    for n in 1..=10 {
        let delivery = ordered.next().await.unwrap().unwrap();
        assert_eq!(delivery.info().unwrap().stream_seq, n);
    }
    server.restart();
    let publish = async || js.publish("orders.eu", "back").await.is_ok();
    until("the stream takes messages again", publish).await;
    for n in 11..=21 {
        let delivery = loop {
            // While there is no server none can be made.
            if let Ok(delivery) = ordered.next().await.unwrap() {
                break delivery;
            }
        };
        assert_eq!(delivery.info().unwrap().stream_seq, n);
    }
}
