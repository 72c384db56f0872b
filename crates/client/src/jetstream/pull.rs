//! Pull consumers: a batch at a time, or continuously with heartbeats and a refill at half. Never asks for more than its
//! queue can hold.

use std::time::Duration;

use natterjack_jsapi::headers::PENDING_MESSAGES;
use natterjack_jsapi::json;
use natterjack_jsapi::request::Pull;
use tokio::time::{Instant, timeout_at};

use super::api::check;
use super::delivery::Delivery;
use super::error::PullError;
use super::{JetStream, nanos};
use crate::error::PublishError;
use crate::event::{Event, Events};
use crate::message::Message;
use crate::subscription::Subscription;

/// Room in the queue beside the messages asked for, for what the server says in between.
const STATUS_ROOM: usize = 64;
/// How long after its end a pull may still be answered.
const GRACE: Duration = Duration::from_secs(2);
/// Pulls shorter than this are not worth a heartbeat.
const HEARTBEAT_WORTH: Duration = Duration::from_secs(10);

/// What a message of an inbox means to a pull.
#[derive(Debug, PartialEq, Eq)]
enum Signal {
    /// A delivery.
    Delivery,
    /// The pull is alive.
    Heartbeat,
    /// The pull is over, with so many messages not delivered, if the server says so.
    Over(Option<usize>),
    /// Who answered is gone; the pull has to be asked again.
    Gone,
    /// Nobody answers.
    NoResponders,
    /// Refused.
    Refused(u16, String),
}

impl Signal {
    fn of(message: &Message) -> Self {
        let Some((code, text)) = message.status() else {
            return Self::Delivery;
        };
        let pending = message.header(PENDING_MESSAGES).and_then(|n| n.parse().ok());
        match (code, text.as_ref()) {
            (100, _) => Self::Heartbeat,
            (404 | 408, _) | (409, "Batch Completed" | "Message Size Exceeds MaxBytes") => {
                Self::Over(pending)
            }
            (409, "Leadership Change" | "Server Shutdown") => Self::Gone,
            (503, _) => Self::NoResponders,
            (code, text) => Self::Refused(code, text.to_owned()),
        }
    }
}

/// How to pull continuously.
#[derive(Debug, Clone, Copy)]
pub struct ConsumeOptions {
    /// Most messages on their way; more are asked for when half of them have come.
    pub batch: usize,
    /// Longest life of one pull.
    pub expires: Duration,
    /// How often the server says that a pull is alive; half of `expires` at most.
    pub heartbeat: Duration,
}

impl Default for ConsumeOptions {
    fn default() -> Self {
        Self {
            batch: 500,
            expires: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
        }
    }
}

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

impl PullConsumer {
    /// Waits for up to `batch` messages until `expires` is over; without `expires`, takes what is there. Messages that
    /// came before a failure are returned, and the next call reports it.
    ///
    /// # Errors
    /// [`PullError`].
    pub async fn fetch(&self, batch: usize, expires: Duration) -> Result<Vec<Delivery>, PullError> {
        let (inbox, mut subscription) = self.open(batch)?;
        let heartbeat = if expires >= HEARTBEAT_WORTH {
            expires / 4
        } else {
            Duration::ZERO
        };
        self.ask(&inbox, batch, expires, heartbeat).await?;
        let end = Instant::now() + expires + GRACE;
        let mut deliveries = Vec::new();
        while deliveries.len() < batch {
            let silence = if heartbeat.is_zero() {
                end
            } else {
                Instant::now() + heartbeat * 2
            };
            let failed = match timeout_at(silence.min(end), subscription.next()).await {
                Err(_) => PullError::HeartbeatMissed,
                Ok(None) => PullError::Send(PublishError::Closed),
                Ok(Some(message)) => match Signal::of(&message) {
                    Signal::Delivery => {
                        deliveries.push(self.delivery(message));
                        continue;
                    }
                    Signal::Heartbeat => continue,
                    Signal::Over(_) | Signal::Gone => break,
                    Signal::NoResponders => PullError::NoResponders,
                    Signal::Refused(code, description) => PullError::Status { code, description },
                },
            };
            if deliveries.is_empty() {
                return Err(failed);
            }
            break;
        }
        Ok(deliveries)
    }

    /// Pulls continuously.
    ///
    /// # Errors
    /// [`PullError`] if the inbox cannot be opened.
    pub fn consume(&self, options: ConsumeOptions) -> Result<Consume, PullError> {
        if options.heartbeat.is_zero() || options.heartbeat > options.expires / 2 {
            return Err(PullError::Invalid(
                "heartbeat must be at most half of expires".into(),
            ));
        }
        // After missed heartbeats an old pull may still be answered beside the new one.
        let (inbox, subscription) = self.open(options.batch.saturating_mul(2))?;
        Ok(Consume {
            events: self.js.client.events(),
            consumer: self.clone(),
            inbox,
            subscription,
            options,
            outstanding: 0,
            dropped: 0,
            hold: None,
            ended: false,
        })
    }

    fn open(&self, batch: usize) -> Result<(String, Subscription), PullError> {
        if batch == 0 {
            return Err(PullError::Invalid("batch of none".into()));
        }
        let inbox = self.js.client.new_inbox();
        let room = batch
            .saturating_add(STATUS_ROOM)
            .min(tokio::sync::Semaphore::MAX_PERMITS);
        let subscription = self.js.client.subscribe_bounded(&inbox, None, room)?;
        Ok((inbox, subscription))
    }

    async fn ask(
        &self,
        inbox: &str,
        batch: usize,
        expires: Duration,
        heartbeat: Duration,
    ) -> Result<(), PullError> {
        let pull = Pull {
            batch: i64::try_from(batch).unwrap_or(i64::MAX),
            expires: nanos(expires),
            no_wait: expires.is_zero(),
            idle_heartbeat: nanos(heartbeat),
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

/// Messages that come continuously. Dropping it ends the pull.
#[derive(Debug)]
pub struct Consume {
    consumer: PullConsumer,
    inbox: String,
    subscription: Subscription,
    events: Events,
    options: ConsumeOptions,
    /// Messages asked for and not seen yet.
    outstanding: usize,
    /// Messages dropped that were reported.
    dropped: u64,
    /// No pull before that: nobody answered the last one.
    hold: Option<Instant>,
    ended: bool,
}

impl Consume {
    /// The next message; `None` once the client is closed or after an error that [is final](PullError::is_final). After
    /// other errors go on reading.
    pub async fn next(&mut self) -> Option<Result<Delivery, PullError>> {
        while !self.ended {
            let dropped = self.subscription.dropped();
            if dropped > self.dropped {
                let new = dropped - std::mem::replace(&mut self.dropped, dropped);
                self.outstanding = self
                    .outstanding
                    .saturating_sub(usize::try_from(new).unwrap_or(usize::MAX));
                return Some(Err(PullError::Dropped(new)));
            }
            if let Err(error) = self.refill().await {
                self.ended = true;
                return Some(Err(error));
            }
            if let Some(found) = self.step().await {
                return Some(found);
            }
        }
        None
    }

    async fn refill(&mut self) -> Result<(), PullError> {
        if self.outstanding > self.options.batch / 2 || self.hold.is_some() {
            return Ok(());
        }
        let more = self.options.batch - self.outstanding;
        let ConsumeOptions {
            expires, heartbeat, ..
        } = self.options;
        self.consumer.ask(&self.inbox, more, expires, heartbeat).await?;
        self.outstanding += more;
        Ok(())
    }

    async fn step(&mut self) -> Option<Result<Delivery, PullError>> {
        let silence = self
            .hold
            .unwrap_or_else(|| Instant::now() + self.options.heartbeat * 2);
        tokio::select! {
            biased;
            message = self.subscription.next() => match message {
                Some(message) => self.on_message(message),
                None => {
                    self.ended = true;
                    None
                }
            },
            event = self.events.next() => {
                // Pulls die with the connection they were asked over.
                if matches!(event, Some(Event::Reconnected | Event::Missed(_))) {
                    (self.outstanding, self.hold) = (0, None);
                }
                None
            }
            _ = timeout_at(silence, std::future::pending::<()>()) => {
                self.outstanding = 0;
                match self.hold.take() {
                    Some(_) => None,
                    None => Some(Err(PullError::HeartbeatMissed)),
                }
            }
        }
    }

    fn on_message(&mut self, message: Message) -> Option<Result<Delivery, PullError>> {
        match Signal::of(&message) {
            Signal::Delivery => {
                self.outstanding = self.outstanding.saturating_sub(1);
                Some(Ok(self.consumer.delivery(message)))
            }
            Signal::Heartbeat => None,
            Signal::Over(undelivered) => {
                self.outstanding = self
                    .outstanding
                    .saturating_sub(undelivered.unwrap_or(self.outstanding));
                None
            }
            Signal::Gone => {
                self.outstanding = 0;
                None
            }
            Signal::NoResponders => {
                self.outstanding = 0;
                self.hold = Some(Instant::now() + self.options.heartbeat);
                Some(Err(PullError::NoResponders))
            }
            Signal::Refused(code, description) => {
                self.ended = true;
                Some(Err(PullError::Status { code, description }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says() {
        let of = |block: &str| {
            let len = block.len();
            Signal::of(&Message::parsed(
                format!("HMSG a 1 {len} {len}\r\n{block}\r\n").as_bytes(),
            ))
        };
        assert_eq!(
            Signal::of(&Message::parsed(b"MSG a 1 2\r\nhi\r\n")),
            Signal::Delivery
        );
        assert_eq!(of("NATS/1.0\r\nA: 1\r\n\r\n"), Signal::Delivery);
        assert_eq!(of("NATS/1.0 100 Idle Heartbeat\r\n\r\n"), Signal::Heartbeat);
        assert_eq!(of("NATS/1.0 404 No Messages\r\n\r\n"), Signal::Over(None));
        let timeout = "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 7\r\n\r\n";
        assert_eq!(of(timeout), Signal::Over(Some(7)));
        assert_eq!(of("NATS/1.0 409 Leadership Change\r\n\r\n"), Signal::Gone);
        assert_eq!(of("NATS/1.0 503\r\n\r\n"), Signal::NoResponders);
        let deleted = Signal::Refused(409, "Consumer Deleted".into());
        assert_eq!(of("NATS/1.0 409 Consumer Deleted\r\n\r\n"), deleted);
    }
}
