//! Publishing: checks a message and puts it behind what is to be written, waiting for room where there is a connection.
//! Never splits a message, and never says that one arrived.

use natterjack_proto::encode;
use natterjack_subject::{Subject, is_valid_literal};

use crate::client::Client;
use crate::error::PublishError;
use crate::headers::HeaderBlock;
use crate::limits;
use crate::shared::Phase;

/// What a publish consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) subject: &'a str,
    pub(crate) reply: Option<&'a str>,
    pub(crate) headers: &'a [u8],
    pub(crate) payload: &'a [u8],
}

pub(crate) const fn outgoing<'a>(
    subject: &'a str,
    reply: Option<&'a str>,
    headers: &'a [u8],
    payload: &'a [u8],
) -> Outgoing<'a> {
    Outgoing {
        subject,
        reply,
        headers,
        payload,
    }
}

impl Client {
    /// Publishes `payload`. Returns when it is handed to the connection, not when it has arrived.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, subject: &str, payload: impl AsRef<[u8]>) -> Result<(), PublishError> {
        self.send(&outgoing(subject, None, &[], payload.as_ref())).await
    }

    /// Publishes with headers.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_with_headers(
        &self,
        subject: &str,
        headers: &HeaderBlock,
        payload: impl AsRef<[u8]>,
    ) -> Result<(), PublishError> {
        self.send(&outgoing(subject, None, &headers.to_bytes(), payload.as_ref()))
            .await
    }

    /// Publishes with a subject for answers.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_request(
        &self,
        subject: &str,
        reply: &str,
        payload: impl AsRef<[u8]>,
    ) -> Result<(), PublishError> {
        self.send(&outgoing(subject, Some(reply), &[], payload.as_ref()))
            .await
    }

    /// Publishes with headers and a subject for answers.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_request_with_headers(
        &self,
        subject: &str,
        reply: &str,
        headers: &HeaderBlock,
        payload: impl AsRef<[u8]>,
    ) -> Result<(), PublishError> {
        let headers = headers.to_bytes();
        self.send(&outgoing(subject, Some(reply), &headers, payload.as_ref()))
            .await
    }

    pub(crate) async fn send(&self, message: &Outgoing<'_>) -> Result<(), PublishError> {
        if !is_valid_literal(message.subject.as_bytes()) {
            // Parsed again only to say what is wrong.
            Subject::parse(message.subject.as_bytes())?;
        }
        if let Some(reply) = message.reply {
            Subject::parse(reply.as_bytes())?;
        }
        loop {
            let room = self.shared().room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.try_send(message)? {
                self.shared().work.notify_one();
                return Ok(());
            }
            room.await;
        }
    }

    /// Puts a message behind what is to be written; `false` if there is no room at the moment.
    fn try_send(&self, message: &Outgoing<'_>) -> Result<bool, PublishError> {
        let mut state = self.shared().state.lock();
        let size = message.headers.len() + message.payload.len();
        let limit = usize::try_from(state.info.max_payload)
            .ok()
            .filter(|limit| *limit > 0)
            .unwrap_or(usize::MAX);
        if size > limit {
            return Err(PublishError::TooLarge { size, limit });
        }
        let line = message.subject.len() + message.reply.map_or(0, str::len) + 32;
        let full = |limit: usize| !state.out.is_empty() && state.out.len() + size + line > limit;
        match state.phase {
            Phase::Closed => return Err(PublishError::Closed),
            Phase::Connected if full(limits::OUTBOUND_BYTES_MAX) => return Ok(false),
            Phase::Reconnecting if full(self.shared().options.reconnect_buffer_bytes) => {
                let limit = self.shared().options.reconnect_buffer_bytes;
                return Err(PublishError::BufferFull { limit });
            }
            Phase::Connected | Phase::Reconnecting => {}
        }
        let reply = message.reply.map(str::as_bytes);
        encode::publish(
            &mut state.out,
            message.subject.as_bytes(),
            reply,
            message.headers,
            message.payload,
        );
        Ok(true)
    }
}
