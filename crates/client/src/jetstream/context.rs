//! Streams and consumers: make, change, look at, delete. One method a call of the API; decides nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use natterjack_jsapi::GoTime;
use natterjack_jsapi::account::AccountInfo;
use natterjack_jsapi::consumer::{ConsumerAction, ConsumerConfig, ConsumerInfo, CreateRequest};
use natterjack_jsapi::json::{self, Base64, Decoding, GoFields, GoJson, Json, write::ObjectWriter};
use natterjack_jsapi::request::{MsgDelete, MsgGet, Purge};
use natterjack_jsapi::stream::{StreamConfig, StreamInfo};
use natterjack_proto::Headers;

use super::JetStream;
use super::api::{Done, Purged, check, read};
use super::error::{
    AccountInfoError, CallError, ConsumerInfoError, ConsumerNamesError, CreateConsumerError,
    CreateStreamError, DeleteConsumerError, DeleteMessageError, DeleteStreamError, GetMessageError,
    PurgeStreamError, StreamInfoError, StreamNamesError, UpdateConsumerError, UpdateStreamError,
};

/// A message as a stream keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its subject.
    pub subject: String,
    /// Its sequence in the stream.
    pub seq: u64,
    /// Its payload.
    pub payload: Bytes,
    /// When it was stored.
    pub time: GoTime,
    headers: Vec<u8>,
}

impl StoredMessage {
    /// Its headers; without any the view is empty.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(&self.headers)
    }

    /// Reads the answer to STREAM.MSG.GET. The payload is taken out first, because it may be longer than the JSON reader
    /// takes. Its name cannot occur inside a JSON string, where quotes are escaped.
    fn read(body: &[u8]) -> Result<Self, CallError> {
        const NAME: &[u8] = b"\"data\":\"";
        let unreadable = || CallError::Answer("damaged payload".into());
        let Some(start) = body.windows(NAME.len()).position(|at| at == NAME) else {
            return read::<Stored>(body).map(|stored| stored.message);
        };
        let start = start + NAME.len();
        let length = body[start..]
            .iter()
            .position(|b| *b == b'"')
            .ok_or_else(unreadable)?;
        let payload = STANDARD
            .decode(&body[start..start + length])
            .map_err(|_| unreadable())?;
        let rest = [&body[..start], &body[start + length..]].concat();
        let mut message = read::<Stored>(&rest)?.message;
        message.payload = payload.into();
        Ok(message)
    }
}

impl GoFields for StoredMessage {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        object.text("subject", &self.subject);
        object.field("seq", &self.seq);
    }

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        match name {
            "subject" => self.subject.decode(json, cx),
            "seq" => self.seq.decode(json, cx),
            "hdrs" => {
                let mut headers = Base64::default();
                headers.decode(json, cx);
                self.headers = headers.0;
            }
            "time" => self.time.decode(json, cx),
            _ => return false,
        }
        true
    }
}

/// The answer around a stored message.
#[derive(Debug, Default)]
struct Stored {
    message: StoredMessage,
}

impl GoFields for Stored {
    fn encode_fields(&self, _object: &mut ObjectWriter<'_>) {}

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        let known = name == "message";
        if known {
            json::decode_object(&mut self.message, json, cx, "StoredMsg");
        }
        known
    }
}

impl JetStream {
    /// Use and limits of the account.
    ///
    /// # Errors
    /// [`AccountInfoError`].
    pub async fn account_info(&self) -> Result<AccountInfo, AccountInfoError> {
        Ok(self.call("INFO", b"").await?)
    }

    /// Makes a stream, or finds the one that is there with the same configuration.
    ///
    /// # Errors
    /// [`CreateStreamError`].
    pub async fn create_stream(&self, config: &StreamConfig) -> Result<StreamInfo, CreateStreamError> {
        let call = format!("STREAM.CREATE.{}", check(&config.name)?);
        Ok(self.call(&call, &json::to_vec(config)).await?)
    }

    /// Changes a stream.
    ///
    /// # Errors
    /// [`UpdateStreamError`].
    pub async fn update_stream(&self, config: &StreamConfig) -> Result<StreamInfo, UpdateStreamError> {
        let call = format!("STREAM.UPDATE.{}", check(&config.name)?);
        Ok(self.call(&call, &json::to_vec(config)).await?)
    }

    /// All about a stream.
    ///
    /// # Errors
    /// [`StreamInfoError`].
    pub async fn stream_info(&self, stream: &str) -> Result<StreamInfo, StreamInfoError> {
        Ok(self.call(&format!("STREAM.INFO.{}", check(stream)?), b"").await?)
    }

    /// Deletes a stream with all its messages and consumers.
    ///
    /// # Errors
    /// [`DeleteStreamError`].
    pub async fn delete_stream(&self, stream: &str) -> Result<(), DeleteStreamError> {
        let _: Done = self
            .call(&format!("STREAM.DELETE.{}", check(stream)?), b"")
            .await?;
        Ok(())
    }

    /// Removes messages of a stream: all, or those `which` describes. Returns how many.
    ///
    /// # Errors
    /// [`PurgeStreamError`].
    pub async fn purge_stream(&self, stream: &str, which: &Purge) -> Result<u64, PurgeStreamError> {
        let call = format!("STREAM.PURGE.{}", check(stream)?);
        let done: Purged = self.call(&call, &json::to_vec(which)).await?;
        Ok(done.purged)
    }

    /// Names of all streams, or of those that keep `subject`.
    ///
    /// # Errors
    /// [`StreamNamesError`].
    pub async fn stream_names(&self, subject: Option<&str>) -> Result<Vec<String>, StreamNamesError> {
        Ok(self.names("STREAM.NAMES", subject).await?)
    }

    /// A stored message, by sequence or as the last of a subject.
    ///
    /// # Errors
    /// [`GetMessageError`].
    pub async fn get_message(&self, stream: &str, which: &MsgGet) -> Result<StoredMessage, GetMessageError> {
        let call = format!("STREAM.MSG.GET.{}", check(stream)?);
        let body = self.call_raw(&call, &json::to_vec(which)).await?;
        Ok(StoredMessage::read(&body)?)
    }

    /// Deletes a stored message and overwrites its bytes.
    ///
    /// # Errors
    /// [`DeleteMessageError`].
    pub async fn delete_message(&self, stream: &str, seq: u64) -> Result<(), DeleteMessageError> {
        let call = format!("STREAM.MSG.DELETE.{}", check(stream)?);
        let which = MsgDelete { seq, no_erase: false };
        let _: Done = self.call(&call, &json::to_vec(&which)).await?;
        Ok(())
    }

    /// Makes a consumer; one of the same name with another configuration is an error.
    ///
    /// # Errors
    /// [`CreateConsumerError`].
    pub async fn create_consumer(
        &self,
        stream: &str,
        config: &ConsumerConfig,
    ) -> Result<ConsumerInfo, CreateConsumerError> {
        Ok(self.put_consumer(stream, config, ConsumerAction::Create).await?)
    }

    /// Changes a consumer.
    ///
    /// # Errors
    /// [`UpdateConsumerError`].
    pub async fn update_consumer(
        &self,
        stream: &str,
        config: &ConsumerConfig,
    ) -> Result<ConsumerInfo, UpdateConsumerError> {
        Ok(self.put_consumer(stream, config, ConsumerAction::Update).await?)
    }

    async fn put_consumer(
        &self,
        stream: &str,
        config: &ConsumerConfig,
        action: ConsumerAction,
    ) -> Result<ConsumerInfo, CallError> {
        let name = if config.name.is_empty() {
            &config.durable_name
        } else {
            &config.name
        };
        let mut call = format!("CONSUMER.CREATE.{}", check(stream)?);
        if !name.is_empty() {
            call = format!("{call}.{}", check(name)?);
            if !config.filter_subject.is_empty() {
                call = format!("{call}.{}", config.filter_subject);
            }
        }
        let request = CreateRequest {
            stream_name: stream.to_owned(),
            config: config.clone(),
            action,
            pedantic: false,
        };
        self.call(&call, &json::to_vec(&request)).await
    }

    /// All about a consumer.
    ///
    /// # Errors
    /// [`ConsumerInfoError`].
    pub async fn consumer_info(
        &self,
        stream: &str,
        consumer: &str,
    ) -> Result<ConsumerInfo, ConsumerInfoError> {
        let call = format!("CONSUMER.INFO.{}.{}", check(stream)?, check(consumer)?);
        Ok(self.call(&call, b"").await?)
    }

    /// Deletes a consumer.
    ///
    /// # Errors
    /// [`DeleteConsumerError`].
    pub async fn delete_consumer(&self, stream: &str, consumer: &str) -> Result<(), DeleteConsumerError> {
        let call = format!("CONSUMER.DELETE.{}.{}", check(stream)?, check(consumer)?);
        let _: Done = self.call(&call, b"").await?;
        Ok(())
    }

    /// Names of a stream's consumers.
    ///
    /// # Errors
    /// [`ConsumerNamesError`].
    pub async fn consumer_names(&self, stream: &str) -> Result<Vec<String>, ConsumerNamesError> {
        Ok(self
            .names(&format!("CONSUMER.NAMES.{}", check(stream)?), None)
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_messages_of_all_sizes() {
        let read = |text: &str| StoredMessage::read(text.as_bytes());
        let message = read(
            r#"{"type":"x","message":{"subject":"a","seq":7,"hdrs":"TkFUUy8xLjANCkE6IDENCg0K","data":"aGk=","time":"1970-01-01T00:00:01Z"}}"#,
        )
        .unwrap();
        assert_eq!((message.subject.as_str(), message.seq), ("a", 7));
        assert_eq!(
            (&message.payload[..], message.headers().get("A")),
            (&b"hi"[..], Some(&b"1"[..]))
        );
        assert_eq!(message.time, GoTime(1_000_000_000));
        let message = read(r#"{"message":{"subject":"a","seq":7,"time":"1970-01-01T00:00:01Z"}}"#).unwrap();
        assert!(message.payload.is_empty());
        let large = format!(
            r#"{{"message":{{"subject":"a","seq":1,"data":"{}"}}}}"#,
            "AAAA".repeat(500_000)
        );
        assert_eq!(read(&large).unwrap().payload.len(), 1_500_000);
        assert!(read(r#"{"message":{"data":"?"}}"#).is_err());
        assert!(matches!(
            read(r#"{"error":{"code":404,"err_code":10037}}"#),
            Err(CallError::Api(_))
        ));
    }
}
