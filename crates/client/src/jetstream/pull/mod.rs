//! Pull consumers: a batch at a time ([`PullConsumer::fetch`]), an iterator ([`PullConsumer::messages`]), or a function
//! called for each message ([`PullConsumer::consume`]). Never asks for more than its queue can hold.

mod consume;
mod demand;
mod fetch;
mod messages;
mod signal;

use std::time::Duration;

use natterjack_jsapi::json;
use natterjack_jsapi::request::Pull;

use super::api::check;
use super::delivery::Delivery;
use super::error::PullError;
use super::{JetStream, nanos};
use crate::message::Message;
use crate::subscription::Subscription;

pub use consume::Consuming;
pub use fetch::FetchOptions;
pub use messages::{ConsumeOptions, Messages};

/// Room in the queue beside the messages asked for, for what the server says in between.
const STATUS_ROOM: usize = 64;

/// A pull consumer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PullConsumer {
    js: JetStream,
    stream: String,
    name: String,
}

impl JetStream {
    /// A pull consumer that exists. Asks the server nothing.
    ///
    /// # Errors
    /// [`PullError::Invalid`] if a name cannot be.
    pub fn pull_consumer(&self, stream: &str, consumer: &str) -> Result<PullConsumer, PullError> {
        for name in [stream, consumer] {
            check(name).map_err(|_| PullError::Invalid(format!("name {name:?}")))?;
        }
        Ok(PullConsumer {
            js: self.clone(),
            stream: stream.to_owned(),
            name: consumer.to_owned(),
        })
    }
}

/// What one pull asks for.
#[derive(Debug, Clone, Copy)]
struct Ask {
    batch: usize,
    /// None at zero.
    bytes: usize,
    expires: Duration,
    no_wait: bool,
    heartbeat: Duration,
}

impl PullConsumer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stream it is of.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// An inbox with room for so many messages.
    fn open(&self, batch: usize) -> Result<(String, Subscription), PullError> {
        let inbox = self.js.client.new_inbox();
        let room = batch
            .saturating_add(STATUS_ROOM)
            .min(tokio::sync::Semaphore::MAX_PERMITS);
        let subscription = self.js.client.subscribe_bounded(&inbox, None, room)?;
        Ok((inbox, subscription))
    }

    async fn ask(&self, inbox: &str, ask: Ask) -> Result<(), PullError> {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let pull = Pull {
            batch: whole(ask.batch),
            max_bytes: whole(ask.bytes),
            expires: nanos(ask.expires),
            no_wait: ask.no_wait,
            idle_heartbeat: nanos(ask.heartbeat),
            ..Pull::default()
        };
        let subject = format!(
            "{}CONSUMER.MSG.NEXT.{}.{}",
            self.js.prefix, self.stream, self.name
        );
        Ok(self
            .js
            .client
            .publish_request(&subject, inbox, json::to_vec(&pull))
            .await?)
    }

    fn delivery(&self, message: Message) -> Delivery {
        Delivery::new(message, self.js.client.clone(), self.js.timeout)
    }
}
