//! A batch of messages from one pull request. Asks once and never again.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::signal::{Over, Signal, TOO_LARGE};
use super::{Ask, PullConsumer};
use crate::error::PublishError;
use crate::jetstream::delivery::Delivery;
use crate::jetstream::error::PullError;

/// How long after its end a pull may still be answered.
const GRACE: Duration = Duration::from_secs(2);
/// Pulls shorter than this are not worth a heartbeat.
const HEARTBEAT_WORTH: Duration = Duration::from_secs(10);
/// Most messages of a batch that is limited by its bytes.
const BATCH_BY_BYTES: usize = 65_536;

/// How to take one batch.
#[derive(Debug, Clone, Copy)]
pub struct FetchOptions {
    /// Most messages.
    pub max_messages: usize,
    /// Most bytes, as the server counts them: [`Message::size`](crate::Message::size) of each message.
    pub max_bytes: Option<usize>,
    /// How long to wait for a full batch.
    pub expires: Duration,
    /// Take what is there and wait for nothing; `expires` does not count then.
    pub no_wait: bool,
    /// How often the server says that the pull is alive, half of `expires` at most. Without, a quarter of an `expires` of
    /// ten seconds and more.
    pub heartbeat: Option<Duration>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            max_messages: 500,
            max_bytes: None,
            expires: Duration::from_secs(30),
            no_wait: false,
            heartbeat: None,
        }
    }
}

impl FetchOptions {
    fn ask(&self) -> Result<Ask, PullError> {
        if self.max_messages == 0 || self.max_bytes == Some(0) {
            return Err(PullError::Invalid("a batch of none".into()));
        }
        let no_wait = self.no_wait || self.expires.is_zero();
        let expires = if no_wait { Duration::ZERO } else { self.expires };
        let usual = if expires >= HEARTBEAT_WORTH {
            expires / 4
        } else {
            Duration::ZERO
        };
        let heartbeat = self.heartbeat.unwrap_or(usual);
        if heartbeat > expires / 2 {
            return Err(PullError::Invalid(
                "heartbeat must be at most half of expires".into(),
            ));
        }
        Ok(Ask {
            batch: self.max_messages,
            bytes: self.max_bytes.unwrap_or(0),
            expires,
            no_wait,
            heartbeat,
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
        let options = FetchOptions {
            max_messages: batch,
            expires,
            ..FetchOptions::default()
        };
        self.fetch_with(&options).await
    }

    /// Waits for messages of up to `max_bytes` together, until the next one does not fit or `expires` is over.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch), and [`PullError::Status`] `409 Message Size Exceeds MaxBytes` if the first message alone
    /// is larger.
    pub async fn fetch_bytes(&self, max_bytes: usize, expires: Duration) -> Result<Vec<Delivery>, PullError> {
        let options = FetchOptions {
            max_messages: BATCH_BY_BYTES,
            max_bytes: Some(max_bytes),
            expires,
            ..FetchOptions::default()
        };
        self.fetch_with(&options).await
    }

    /// Takes up to `batch` messages that are there.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub async fn fetch_no_wait(&self, batch: usize) -> Result<Vec<Delivery>, PullError> {
        self.fetch(batch, Duration::ZERO).await
    }

    /// Waits for one message; none if `expires` is over before.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub async fn next(&self, expires: Duration) -> Result<Option<Delivery>, PullError> {
        Ok(self.fetch(1, expires).await?.pop())
    }

    /// Takes a batch as the options say.
    ///
    /// # Errors
    /// As [`fetch_bytes`](Self::fetch_bytes).
    pub async fn fetch_with(&self, options: &FetchOptions) -> Result<Vec<Delivery>, PullError> {
        let ask = options.ask()?;
        let (inbox, mut subscription) = self.open(ask.batch)?;
        self.ask(&inbox, ask).await?;
        let end = Instant::now() + ask.expires + GRACE;
        let mut deliveries = Vec::new();
        while deliveries.len() < ask.batch {
            let silence = if ask.heartbeat.is_zero() {
                end
            } else {
                Instant::now() + ask.heartbeat * 2
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
                    Signal::Over(Over { too_large: true, .. }) => PullError::Status {
                        code: 409,
                        description: TOO_LARGE.to_owned(),
                    },
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
}
