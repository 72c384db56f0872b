//! Every way to take messages from a stream: a batch, what fits into so many bytes, one, an iterator, a function called for
//! each, and in order. Never touches streams it did not make.
//!
//! `cargo run --example take -- nats://127.0.0.1:4222` exits non-zero when a message is missing.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use natterjack_client::jetstream::{ConsumeOptions, Delivery, PullConsumer};
use natterjack_client::{Client, JetStream};
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_jsapi::stream::{Storage, StreamConfig};
use tokio::sync::mpsc;

const STREAM: &str = "TAKE";
const WAIT: Duration = Duration::from_secs(5);

/// Why it stopped.
pub(crate) type Stop = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let server = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    match walk(&server, &mut std::io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            // Nothing is left to be done when standard error is closed too.
            drop(writeln!(std::io::stderr().lock(), "take: {stop}"));
            ExitCode::FAILURE
        }
    }
}

/// Takes 60 messages in six ways and removes the stream.
pub(crate) async fn walk(server: &str, out: &mut (dyn Write + Send)) -> Result<(), Stop> {
    let js = JetStream::new(Client::connect(server).await?);
    let config = StreamConfig {
        name: STREAM.into(),
        subjects: vec!["take.*".into()],
        storage: Storage::Memory,
        ..StreamConfig::default()
    };
    js.create_stream(&config).await?;
    for n in 1..=60 {
        js.publish("take.a", format!("message {n}")).await?;
    }
    let config = ConsumerConfig {
        durable_name: "worker".into(),
        ack_policy: AckPolicy::Explicit,
        ..ConsumerConfig::default()
    };
    js.create_consumer(STREAM, &config).await?;
    let worker = js.pull_consumer(STREAM, "worker")?;

    let mut taken = batches(&worker).await?;
    writeln!(out, "in batches {taken}")?;
    // No more than ten on their way, and more is asked for when three are left.
    let options = ConsumeOptions {
        max_messages: 10,
        threshold_messages: Some(3),
        ..ConsumeOptions::default()
    };
    let mut messages = worker.messages(options)?;
    while taken < 40 {
        messages.next().await.ok_or("closed")??.ack_sync().await?;
        taken += 1;
    }
    messages.drain();
    while let Some(queued) = messages.next().await {
        queued?.ack_sync().await?;
        taken += 1;
    }
    writeln!(out, "with the iterator {taken}")?;
    taken += called(&worker, 60 - taken).await?;
    writeln!(out, "with the function {taken}")?;

    let mut all = js.ordered(STREAM, &ConsumerConfig::default(), options).await?;
    for n in 1..=60 {
        let delivery = all.next().await.ok_or("closed")??;
        if delivery.info()?.stream_seq != n {
            return Err(format!("not message {n}").into());
        }
    }
    writeln!(out, "in order 60")?;
    all.close().await?;
    Ok(js.delete_stream(STREAM).await?)
}

async fn batches(worker: &PullConsumer) -> Result<usize, Stop> {
    let mut taken = worker.fetch(10, WAIT).await?;
    taken.extend(worker.fetch_bytes(1000, WAIT).await?);
    taken.extend(worker.fetch_no_wait(5).await?);
    taken.extend(worker.next(WAIT).await?);
    for delivery in &taken {
        delivery.ack_sync().await?;
    }
    Ok(taken.len())
}

async fn called(worker: &PullConsumer, count: usize) -> Result<usize, Stop> {
    let (acked, mut acks) = mpsc::channel(1);
    let running = worker.consume(ConsumeOptions::default(), move |next| {
        let acked = acked.clone();
        async move { drop(acked.send(ack(next.map_err(Stop::from)).await).await) }
    })?;
    for _ in 0..count {
        acks.recv().await.ok_or("ended")??;
    }
    running.stop().await;
    Ok(count)
}

async fn ack(next: Result<Delivery, Stop>) -> Result<(), Stop> {
    Ok(next?.ack_sync().await?)
}
