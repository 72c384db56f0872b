//! Publishing into streams: acknowledged one by one, or many in flight up to a bound. Never retries by itself: only the
//! publisher knows whether a message id makes that safe.

use std::sync::Arc;
use std::time::Duration;

use natterjack_jsapi::headers as names;
use natterjack_jsapi::json;
use tokio::time::timeout;

use super::api::api_error;
use super::error::PublishError;
use super::{JetStream, PubAck};
use crate::headers::{HeaderBlock, HeaderError};
use crate::publish::outgoing;
use crate::reply::PendingReply;

/// What a publish asks of the stream.
#[derive(Debug, Clone, Default)]
pub struct PublishOptions {
    /// Id by which the stream knows the message again.
    pub msg_id: Option<String>,
    /// Name the stream must have.
    pub expected_stream: Option<String>,
    /// Last sequence the stream must have.
    pub expected_last_seq: Option<u64>,
    /// Last sequence the subject must have.
    pub expected_last_subject_seq: Option<u64>,
    /// Id the last message must have.
    pub expected_last_msg_id: Option<String>,
    /// Further headers.
    pub headers: HeaderBlock,
}

impl PublishOptions {
    /// With a message id.
    #[must_use]
    pub fn msg_id(id: impl Into<String>) -> Self {
        Self {
            msg_id: Some(id.into()),
            ..Self::default()
        }
    }

    fn header_bytes(&self) -> Result<Vec<u8>, HeaderError> {
        let mut block = self.headers.clone();
        let seq = |n: Option<u64>| n.map(|n| n.to_string());
        let fields = [
            (names::MSG_ID, self.msg_id.clone()),
            (names::EXPECTED_STREAM, self.expected_stream.clone()),
            (names::EXPECTED_LAST_SEQ, seq(self.expected_last_seq)),
            (
                names::EXPECTED_LAST_SUBJECT_SEQ,
                seq(self.expected_last_subject_seq),
            ),
            (names::EXPECTED_LAST_MSG_ID, self.expected_last_msg_id.clone()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                block.push(name, &value)?;
            }
        }
        Ok(block.to_bytes())
    }
}

/// An acknowledgement that is outstanding.
#[derive(Debug)]
pub struct PendingAck {
    reply: PendingReply,
    timeout: Duration,
}

impl PendingAck {
    /// Waits for it.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn wait(self) -> Result<PubAck, PublishError> {
        let answer = self.reply.wait(self.timeout).await?;
        read(answer.payload())
    }
}

fn read(body: &[u8]) -> Result<PubAck, PublishError> {
    let ack: PubAck = json::from_slice(body).map_err(|error| PublishError::Answer(error.to_string()))?;
    match ack.error {
        Some(error) => Err(PublishError::Api(api_error(error))),
        None if ack.stream.is_empty() => Err(PublishError::Answer("no stream name".into())),
        None => Ok(ack),
    }
}

impl JetStream {
    /// Publishes and waits for the stream's acknowledgement.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, subject: &str, payload: impl AsRef<[u8]>) -> Result<PubAck, PublishError> {
        self.publish_with(subject, payload, &PublishOptions::default())
            .await
    }

    /// Publishes with conditions or headers and waits for the stream's acknowledgement.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_with(
        &self,
        subject: &str,
        payload: impl AsRef<[u8]>,
        options: &PublishOptions,
    ) -> Result<PubAck, PublishError> {
        self.publish_async(subject, payload, options).await?.wait().await
    }

    /// Publishes without waiting for the acknowledgement, unless too many are outstanding already.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_async(
        &self,
        subject: &str,
        payload: impl AsRef<[u8]>,
        options: &PublishOptions,
    ) -> Result<PendingAck, PublishError> {
        let headers = options.header_bytes()?;
        let Ok(Ok(permit)) = timeout(self.timeout, Arc::clone(&self.in_flight).acquire_owned()).await else {
            return Err(PublishError::TooManyInFlight);
        };
        let message = outgoing(subject, None, &headers, payload.as_ref());
        let reply = self.client.ask(message, Some(permit)).await?;
        Ok(PendingAck {
            reply,
            timeout: self.timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_headers() {
        assert!(PublishOptions::default().header_bytes().unwrap().is_empty());
        let options = PublishOptions {
            expected_last_seq: Some(4),
            headers: HeaderBlock::new().with("A", "1").unwrap(),
            ..PublishOptions::msg_id("x")
        };
        assert_eq!(
            options.header_bytes().unwrap(),
            b"NATS/1.0\r\nA: 1\r\nNats-Msg-Id: x\r\nNats-Expected-Last-Sequence: 4\r\n\r\n"
        );
        assert!(PublishOptions::msg_id("a\nb").header_bytes().is_err());
    }

    #[test]
    fn acknowledgements() {
        assert_eq!(read(br#"{"stream":"S","seq":3}"#).unwrap().seq, 3);
        let refused =
            read(br#"{"error":{"code":400,"err_code":10071,"description":"wrong"},"stream":"S","seq":0}"#);
        assert!(matches!(refused, Err(PublishError::Api(error)) if error.err_code == 10071));
        assert!(matches!(read(b"{}"), Err(PublishError::Answer(_))));
        assert!(matches!(read(b"hi"), Err(PublishError::Answer(_))));
    }
}
