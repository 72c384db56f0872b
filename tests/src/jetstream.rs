//! Short forms of what most JetStream tests do: fill a stream, take from a consumer, read a refusal.
//! Never checks anything a test is about; it only fails when it cannot do its own work.

use crate::{Outcome, within};
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::stream::StorageType;
use async_nats::jetstream::{Context, Message};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::Value;
use std::time::Duration;

/// What a batch of messages may take to come together.
const BATCH_LIMIT: Duration = Duration::from_secs(8);

/// Both kinds of storage, for tests that hold for either.
pub const fn memory_and_file() -> [StorageType; 2] {
    [StorageType::Memory, StorageType::File]
}

/// Why the server refused a publish or a request of its API.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number in the style of HTTP.
    pub code: u64,
    /// The number of this very error.
    pub err_code: u64,
    /// The text.
    pub description: String,
}

/// Publishes bodies `first..=last` as decimal text, each acknowledged.
///
/// # Errors
/// One was not acknowledged.
pub async fn fill(jetstream: &Context, subject: &str, bodies: std::ops::RangeInclusive<u64>) -> Outcome {
    let mut acks = Vec::new();
    for body in bodies {
        acks.push(
            jetstream
                .publish(subject.to_owned(), body.to_string().into())
                .await?,
        );
    }
    for ack in acks {
        ack.await?;
    }
    Ok(())
}

/// Takes exactly this many messages from a pull consumer, waiting for them.
///
/// # Errors
/// They do not come in time.
pub async fn take(consumer: &Consumer<pull::Config>, count: usize) -> Outcome<Vec<Message>> {
    let mut batch = consumer
        .batch()
        .max_messages(count)
        .expires(BATCH_LIMIT)
        .messages()
        .await?;
    let mut taken = Vec::with_capacity(count);
    while taken.len() < count {
        let what = format!("message {} of {count}", taken.len() + 1);
        let next = within(&what, BATCH_LIMIT, async { Ok(batch.next().await) }).await?;
        taken.push(next.ok_or_else(|| format!("the batch ended before {what}"))??);
    }
    Ok(taken)
}

/// Whether a pull consumer has nothing to give at this moment.
///
/// # Errors
/// The request failed.
pub async fn nothing_waits(consumer: &Consumer<pull::Config>) -> Outcome<bool> {
    let mut batch = consumer.fetch().max_messages(1).messages().await?;
    match within("an empty answer", BATCH_LIMIT, async { Ok(batch.next().await) }).await? {
        None => Ok(true),
        Some(message) => {
            message?;
            Ok(false)
        }
    }
}

/// A request of the JetStream API as plain JSON, without the `$JS.API.` before its subject.
///
/// # Errors
/// No answer, or one that is not JSON.
pub async fn api(client: &Client, subject: &str, request: &str) -> Outcome<Value> {
    let answer = client
        .request(format!("$JS.API.{subject}"), request.to_owned().into())
        .await?;
    Ok(serde_json::from_slice(&answer.payload)?)
}

/// Publishes and returns the refusal; none when the publish was accepted.
///
/// # Errors
/// No answer, or one that is not JSON.
pub async fn refusal_of(
    client: &Client,
    subject: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Outcome<Option<Refusal>> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, *value);
    }
    let answer = client
        .request_with_headers(subject.to_owned(), map, body.into())
        .await?;
    Ok(Refusal::read(&serde_json::from_slice(&answer.payload)?))
}

/// The stream sequences of these messages.
///
/// # Errors
/// One did not come from a stream.
pub fn sequences(messages: &[Message]) -> Outcome<Vec<u64>> {
    messages
        .iter()
        .map(|message| Ok(message.info()?.stream_sequence))
        .collect()
}

/// The next messages of a stream of them, within a deadline.
///
/// # Errors
/// One does not come in time.
pub async fn collect<S, E>(messages: &mut S, count: usize) -> Outcome<Vec<Message>>
where
    S: futures_util::Stream<Item = Result<Message, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = within("a message", BATCH_LIMIT, async { Ok(messages.next().await) }).await?;
        taken.push(next.ok_or("the messages ended")??);
    }
    Ok(taken)
}

/// Takes one message and says which it is and how often it was delivered.
///
/// # Errors
/// None comes in time.
pub async fn one(consumer: &Consumer<pull::Config>) -> Outcome<(Message, u64, i64)> {
    let message = take(consumer, 1).await?.pop().ok_or("no message")?;
    let (sequence, delivered) = (message.info()?.stream_sequence, message.info()?.delivered);
    Ok((message, sequence, delivered))
}

impl Refusal {
    /// The refusal within an answer of the server, if it is one.
    #[must_use]
    pub fn read(answer: &Value) -> Option<Self> {
        let error = answer.get("error")?;
        let number = |name| error.get(name).and_then(Value::as_u64).unwrap_or_default();
        let description = error
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Some(Self {
            code: number("code"),
            err_code: number("err_code"),
            description,
        })
    }
}
