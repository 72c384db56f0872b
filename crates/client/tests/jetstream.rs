//! JetStream of the client against a server: streams, consumers, publishes, pulls and pushes. Uses no knowledge of the
//! server beyond its API.

mod support;

use std::time::Duration;

use natterjack_client::HeaderBlock;
use natterjack_client::jetstream::PublishOptions;
use natterjack_client::jetstream::error::{PublishError, PushError};
use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_jsapi::request::{MsgGet, Purge};
use natterjack_jsapi::stream::StreamConfig;
use support::Server;
use support::orders::{fill, orders, pull, with_orders};

#[tokio::test]
async fn streams_are_made_changed_and_deleted() {
    let server = Server::start();
    let js = with_orders(&server).await;
    let info = js.stream_info("ORDERS").await.unwrap();
    assert_eq!(
        (info.config.subjects, info.state.messages),
        (vec!["orders.>".to_owned()], 0)
    );
    let changed = StreamConfig {
        max_msgs: 10,
        ..orders()
    };
    assert_eq!(js.update_stream(&changed).await.unwrap().config.max_msgs, 10);
    assert_eq!(js.stream_names(None).await.unwrap(), ["ORDERS"]);
    assert!(js.stream_names(Some("other")).await.unwrap().is_empty());
    assert_eq!(js.account_info().await.unwrap().streams, 1);
    js.delete_stream("ORDERS").await.unwrap();
    let error = js.stream_info("ORDERS").await.unwrap_err();
    let api = error.api().unwrap();
    assert_eq!(
        (api.code, api.err_code, &*api.description),
        (404, 10059, "stream not found")
    );
    assert!(js.stream_info("a.b").await.unwrap_err().api().is_none());
}

#[tokio::test]
async fn publishes_are_acknowledged_and_conditions_hold() {
    let server = Server::start();
    let js = with_orders(&server).await;
    let ack = js.publish("orders.eu", "one").await.unwrap();
    assert_eq!(
        (ack.stream.as_str(), ack.seq, ack.duplicate),
        ("ORDERS", 1, false)
    );
    let id = PublishOptions::msg_id("x");
    assert_eq!(js.publish_with("orders.eu", "two", &id).await.unwrap().seq, 2);
    let again = js.publish_with("orders.eu", "two", &id).await.unwrap();
    assert!(again.duplicate && again.seq == 2);
    let refused = async |options: PublishOptions| match js.publish_with("orders.eu", "", &options).await {
        Err(PublishError::Api(error)) => error.err_code,
        other => panic!("{other:?}"),
    };
    let none = PublishOptions::default;
    assert_eq!(
        refused(PublishOptions {
            expected_last_seq: Some(7),
            ..none()
        })
        .await,
        10071
    );
    assert_eq!(
        refused(PublishOptions {
            expected_last_subject_seq: Some(1),
            ..none()
        })
        .await,
        10071
    );
    assert_eq!(
        refused(PublishOptions {
            expected_stream: Some("X".into()),
            ..none()
        })
        .await,
        10060
    );
    assert_eq!(
        refused(PublishOptions {
            expected_last_msg_id: Some("y".into()),
            ..none()
        })
        .await,
        10070
    );
    let met = PublishOptions {
        expected_last_seq: Some(2),
        expected_last_subject_seq: Some(2),
        expected_last_msg_id: Some("x".into()),
        expected_stream: Some("ORDERS".into()),
        ..none()
    };
    assert_eq!(js.publish_with("orders.eu", "three", &met).await.unwrap().seq, 3);
    assert!(matches!(
        js.publish("elsewhere", "").await,
        Err(PublishError::NoStream)
    ));
}

#[tokio::test]
async fn many_publishes_are_in_flight_at_once() {
    let server = Server::start();
    let js = with_orders(&server).await.with_publishes_in_flight(16);
    fill(&js, 500).await;
    assert_eq!(js.stream_info("ORDERS").await.unwrap().state.messages, 500);
}

#[tokio::test]
async fn stored_messages_are_read_deleted_and_purged() {
    let server = Server::start();
    let js = with_orders(&server).await;
    let options = PublishOptions {
        headers: HeaderBlock::new().with("K", "v").unwrap(),
        ..PublishOptions::default()
    };
    js.publish_with("orders.eu", "one", &options).await.unwrap();
    let large = vec![7; 1_000_000];
    js.publish("orders.us", &large).await.unwrap();
    let by_seq = |seq| MsgGet {
        seq,
        ..MsgGet::default()
    };
    let message = js.get_message("ORDERS", &by_seq(1)).await.unwrap();
    assert_eq!(
        (message.subject.as_str(), &message.payload[..]),
        ("orders.eu", &b"one"[..])
    );
    assert_eq!(message.headers().get("K"), Some(&b"v"[..]));
    let last = MsgGet {
        last_by_subj: "orders.us".into(),
        ..MsgGet::default()
    };
    let message = js.get_message("ORDERS", &last).await.unwrap();
    assert!(message.seq == 2 && message.payload[..] == large[..]);
    js.delete_message("ORDERS", 1).await.unwrap();
    let error = js.get_message("ORDERS", &by_seq(1)).await.unwrap_err();
    assert_eq!(error.api().unwrap().err_code, 10037);
    assert_eq!(js.purge_stream("ORDERS", &Purge::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn consumers_are_made_changed_and_deleted() {
    let server = Server::start();
    let js = with_orders(&server).await;
    let info = js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    assert_eq!(
        (info.name.as_str(), info.config.ack_policy),
        ("C", AckPolicy::Explicit)
    );
    let changed = ConsumerConfig {
        filter_subject: "orders.eu".into(),
        ..pull("C")
    };
    let error = js.create_consumer("ORDERS", &changed).await.unwrap_err();
    assert_eq!(error.api().unwrap().err_code, 10148);
    let info = js.update_consumer("ORDERS", &changed).await.unwrap();
    assert_eq!(info.config.filter_subject, "orders.eu");
    let error = js.update_consumer("ORDERS", &pull("D")).await.unwrap_err();
    assert_eq!(error.api().unwrap().err_code, 10149);
    assert_eq!(js.consumer_names("ORDERS").await.unwrap(), ["C"]);
    assert_eq!(js.consumer_info("ORDERS", "C").await.unwrap().num_pending, 0);
    let ephemeral = ConsumerConfig {
        durable_name: String::new(),
        ..pull("")
    };
    assert!(
        !js.create_consumer("ORDERS", &ephemeral)
            .await
            .unwrap()
            .name
            .is_empty()
    );
    js.delete_consumer("ORDERS", "C").await.unwrap();
    let error = js.consumer_info("ORDERS", "C").await.unwrap_err();
    assert_eq!(error.api().unwrap().err_code, 10014);
}

#[tokio::test]
async fn answers_do_what_they_say() {
    let server = Server::start();
    let js = with_orders(&server).await;
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let consumer = js.pull_consumer("ORDERS", "C").unwrap();
    fill(&js, 4).await;
    let batch = consumer.fetch(4, Duration::from_secs(2)).await.unwrap();
    batch[0].nak(None).await.unwrap();
    batch[1].term(Some("no use")).await.unwrap();
    batch[2].in_progress().await.unwrap();
    batch[2].in_progress().await.unwrap();
    batch[2].ack().await.unwrap();
    batch[3].nak(Some(Duration::from_millis(50))).await.unwrap();
    let mut again = Vec::new();
    while again.len() < 2 {
        for delivery in consumer.fetch(1, Duration::from_secs(5)).await.unwrap() {
            let info = delivery.info().unwrap();
            again.push((info.stream_seq, info.delivered));
            delivery.ack_sync().await.unwrap();
        }
    }
    assert_eq!(again, [(1, 2), (4, 2)]);
    let info = js.consumer_info("ORDERS", "C").await.unwrap();
    assert_eq!((info.num_ack_pending, info.ack_floor.stream_seq), (0, 4));
}

#[tokio::test]
async fn push_delivers_with_flow_control() {
    let server = Server::start();
    let js = with_orders(&server).await;
    let config = ConsumerConfig {
        deliver_subject: "deliver.here".into(),
        flow_control: true,
        idle_heartbeat: Nanos::from_millis(500),
        ack_policy: AckPolicy::None,
        ..pull("P")
    };
    js.create_consumer("ORDERS", &config).await.unwrap();
    js.create_consumer("ORDERS", &pull("C")).await.unwrap();
    let mut messages = js.subscribe_push("ORDERS", "P").await.unwrap();
    let large = vec![1; 100_000];
    for _ in 0..100 {
        js.publish("orders.eu", &large).await.unwrap();
    }
    for n in 1..=100 {
        let delivery = messages.next().await.unwrap().unwrap();
        assert_eq!(
            (delivery.info().unwrap().stream_seq, delivery.subject()),
            (n, "orders.eu".into())
        );
    }
    assert_eq!(messages.dropped(), 0);
    let quiet = tokio::time::timeout(Duration::from_millis(1500), messages.next()).await;
    assert!(quiet.is_err(), "heartbeats are not seen: {quiet:?}");
    let wrong = js.subscribe_push("ORDERS", "C").await;
    assert!(matches!(wrong, Err(PushError::NotPush(_))));
    js.delete_consumer("ORDERS", "P").await.unwrap();
    let end = messages.next().await.unwrap();
    assert!(matches!(end, Err(PushError::HeartbeatMissed)), "{end:?}");
}
