//! A message delivered by a consumer, and the answers to it. Answers once; never acknowledges by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use natterjack_jsapi::ack::AckSubject;
use natterjack_jsapi::json::write::ObjectWriter;
use natterjack_proto::Headers;

use super::{error::AckError, nanos};
use crate::client::Client;
use crate::message::Message;
use crate::publish::outgoing;

/// What the ack subject of a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryInfo {
    /// Stream name.
    pub stream: String,
    /// Consumer name.
    pub consumer: String,
    /// How many times the message was delivered, this time included.
    pub delivered: u64,
    /// Sequence in the stream.
    pub stream_seq: u64,
    /// Sequence of the delivery.
    pub consumer_seq: u64,
    /// When the message was stored, nanoseconds since the epoch.
    pub timestamp_ns: i64,
    /// Messages waiting behind it.
    pub pending: u64,
    /// JetStream domain.
    pub domain: Option<String>,
}

/// A message delivered by a consumer.
#[derive(Debug)]
pub struct Delivery {
    message: Message,
    client: Client,
    timeout: Duration,
    answered: AtomicBool,
}

impl Delivery {
    pub(super) const fn new(message: Message, client: Client, timeout: Duration) -> Self {
        Self {
            message,
            client,
            timeout,
            answered: AtomicBool::new(false),
        }
    }

    /// The message itself.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The subject it was published on.
    #[must_use]
    pub fn subject(&self) -> std::borrow::Cow<'_, str> {
        self.message.subject()
    }

    /// Its payload.
    #[must_use]
    pub const fn payload(&self) -> &bytes::Bytes {
        self.message.payload()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.message.headers()
    }

    /// Where it stands in stream and consumer.
    ///
    /// # Errors
    /// [`AckError::NotADelivery`] if the reply subject is no ack subject.
    pub fn info(&self) -> Result<DeliveryInfo, AckError> {
        let reply = self.message.reply_bytes().ok_or(AckError::NotADelivery)?;
        let ack = AckSubject::parse(reply).ok_or(AckError::NotADelivery)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(DeliveryInfo {
            stream: text(ack.stream),
            consumer: text(ack.consumer),
            delivered: ack.delivered,
            stream_seq: ack.stream_seq,
            consumer_seq: ack.consumer_seq,
            timestamp_ns: ack.timestamp_ns,
            pending: ack.pending,
            domain: ack.domain.map(text),
        })
    }

    /// Done.
    ///
    /// # Errors
    /// [`AckError`].
    pub async fn ack(&self) -> Result<(), AckError> {
        self.answer(b"+ACK").await
    }

    /// Done, and waits until the server has noted it.
    ///
    /// # Errors
    /// [`AckError`]; after a failure it can be tried again.
    pub async fn ack_sync(&self) -> Result<(), AckError> {
        let reply = self.take()?;
        let asked = self.client.ask(outgoing(&reply, None, &[], b"+ACK"), None).await;
        let confirmed = match asked {
            Ok(pending) => pending.wait(self.timeout).await.map_err(AckError::from),
            Err(error) => Err(error.into()),
        };
        if confirmed.is_err() {
            self.answered.store(false, Ordering::Release);
        }
        confirmed.map(drop)
    }

    /// Not done; deliver it again, now or after `delay`.
    ///
    /// # Errors
    /// [`AckError`].
    pub async fn nak(&self, delay: Option<Duration>) -> Result<(), AckError> {
        let mut body = b"-NAK".to_vec();
        if let Some(delay) = delay {
            body.push(b' ');
            let mut object = ObjectWriter::new(&mut body);
            object.field("delay", &nanos(delay));
            object.end();
        }
        self.answer(&body).await
    }

    /// Never deliver it again; `reason` is for the advisory.
    ///
    /// # Errors
    /// [`AckError`].
    pub async fn term(&self, reason: Option<&str>) -> Result<(), AckError> {
        match reason {
            Some(reason) => self.answer(format!("+TERM {reason}").as_bytes()).await,
            None => self.answer(b"+TERM").await,
        }
    }

    /// Still at it; the time to acknowledge begins anew. Can be said any number of times.
    ///
    /// # Errors
    /// [`AckError`].
    pub async fn in_progress(&self) -> Result<(), AckError> {
        let reply = self.message.reply().ok_or(AckError::NotADelivery)?;
        if self.answered.load(Ordering::Acquire) {
            return Err(AckError::Answered);
        }
        Ok(self.client.publish(&reply, b"+WPI").await?)
    }

    async fn answer(&self, body: &[u8]) -> Result<(), AckError> {
        let reply = self.take()?;
        let sent = self.client.publish(&reply, body).await;
        if sent.is_err() {
            self.answered.store(false, Ordering::Release);
        }
        Ok(sent?)
    }

    /// Takes the right to answer.
    fn take(&self) -> Result<std::borrow::Cow<'_, str>, AckError> {
        let reply = self.message.reply().ok_or(AckError::NotADelivery)?;
        if self.answered.swap(true, Ordering::AcqRel) {
            return Err(AckError::Answered);
        }
        Ok(reply)
    }
}
