//! The stream that tests of JetStream begin with, and consumers of it. Makes nothing else.
#![expect(clippy::unwrap_used, reason = "what prepares a test fails it by panicking")]

use natterjack_client::jetstream::PublishOptions;
use natterjack_client::{Client, JetStream};
use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_jsapi::stream::{Storage, StreamConfig};

use super::Server;

pub(crate) fn orders() -> StreamConfig {
    StreamConfig {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        storage: Storage::Memory,
        ..StreamConfig::default()
    }
}

pub(crate) fn pull(name: &str) -> ConsumerConfig {
    ConsumerConfig {
        durable_name: name.into(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Nanos::from_secs(30),
        ..ConsumerConfig::default()
    }
}

pub(crate) async fn with_orders(server: &Server) -> JetStream {
    let js = JetStream::new(Client::connect(&server.url()).await.unwrap());
    js.create_stream(&orders()).await.unwrap();
    js
}

pub(crate) async fn fill(js: &JetStream, count: usize) {
    let options = PublishOptions::default();
    let mut acks = Vec::new();
    for n in 0..count {
        acks.push(
            js.publish_async("orders.eu", n.to_string(), &options)
                .await
                .unwrap(),
        );
    }
    for ack in acks {
        ack.wait().await.unwrap();
    }
}
