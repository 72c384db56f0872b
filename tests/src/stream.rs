//! The streams and consumers that several test files begin with.

use crate::{Outcome, Server, fill, memory_and_file, run};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use std::time::Duration;

/// Longer than any test waits for a message, so that none comes again by itself.
const LONG: Duration = Duration::from_secs(30);

/// The configuration of a durable pull consumer whose messages do not come again by themselves.
#[must_use]
pub fn durable() -> pull::Config {
    pull::Config {
        durable_name: Some("worker".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: LONG,
        ..pull::Config::default()
    }
}

/// The same, but a message comes again after `ack_wait`.
#[must_use]
pub fn waits(ack_wait: Duration) -> pull::Config {
    pull::Config {
        ack_wait,
        ..durable()
    }
}

/// Runs `test` for streams in memory and once more for streams on disk, each time with a server of its own.
///
/// # Errors
/// Those of the test, and a passed deadline.
pub fn on_both(test: impl AsyncFn(Context, StorageType) -> Outcome) -> Outcome {
    run(async {
        for storage in memory_and_file() {
            let server = Server::start().await?;
            test(server.jetstream().await?, storage).await?;
        }
        Ok(())
    })
}

/// A new stream `ACK` with messages 1 to `messages` on `ack.a`, and a consumer on it.
///
/// # Errors
/// The server refused one of them.
pub async fn consumer(
    js: &Context,
    storage: StorageType,
    messages: u64,
    config: pull::Config,
) -> Outcome<Consumer<pull::Config>> {
    let stream = create(js, "ACK", "ack.*", storage).await?;
    fill(js, "ack.a", 1..=messages).await?;
    Ok(stream.create_consumer(config).await?)
}

/// A new stream `CON` of nine messages on `con.0`, `con.1` and `con.2` in turn, beginning with `con.1`.
///
/// # Errors
/// The server refused it.
pub async fn nine(js: &Context, storage: StorageType) -> Outcome<Stream> {
    let stream = create(js, "CON", "con.*", storage).await?;
    for n in 1..=9_u64 {
        fill(js, &format!("con.{}", n % 3), n..=n).await?;
    }
    Ok(stream)
}

async fn create(js: &Context, name: &str, subject: &str, storage: StorageType) -> Outcome<Stream> {
    let config = Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage,
        ..Config::default()
    };
    Ok(js.create_stream(config).await?)
}
