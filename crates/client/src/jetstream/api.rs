//! One call of the JetStream API: request, answer, and the error an answer may be. Knows no call in particular.

use std::borrow::Cow;

use natterjack_jsapi::json::{self, Decoding, GoFields, GoJson, Json, write::ObjectWriter};
use natterjack_jsapi::stream::ApiErrorJson;
use natterjack_jsapi::{ApiError, subjects};

use super::JetStream;
use super::error::CallError;
use crate::publish::outgoing;

/// An answer: the error, or a `T` in the same object.
#[derive(Debug, Default)]
struct Answer<T> {
    error: Option<ApiErrorJson>,
    value: T,
}

impl<T: GoFields> GoFields for Answer<T> {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        object.omit("error", &self.error);
        object.embed(&self.value);
    }

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        if name == "error" {
            self.error.decode(json, cx);
            return true;
        }
        self.value.decode_field(name, json, cx)
    }
}

/// An answer of which only success matters.
#[derive(Debug, Default)]
pub(super) struct Done;

impl GoFields for Done {
    fn encode_fields(&self, _object: &mut ObjectWriter<'_>) {}

    fn decode_field(&mut self, _name: &str, _json: &Json<'_>, _cx: &mut Decoding) -> bool {
        false
    }
}

/// A page of names, under whatever field the call uses.
#[derive(Debug, Default)]
pub(super) struct NamePage {
    pub(super) total: u64,
    pub(super) names: Vec<String>,
}

impl GoFields for NamePage {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        object.field("total", &self.total);
        object.list("streams", &self.names);
    }

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        match name {
            "total" => self.total.decode(json, cx),
            "streams" | "consumers" => self.names.decode(json, cx),
            _ => return false,
        }
        true
    }
}

/// What a purge says.
#[derive(Debug, Default)]
pub(super) struct Purged {
    pub(super) purged: u64,
}

impl GoFields for Purged {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        object.field("purged", &self.purged);
    }

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        let known = name == "purged";
        if known {
            self.purged.decode(json, cx);
        }
        known
    }
}

/// The server's error as the type all tables use.
pub(super) fn api_error(error: ApiErrorJson) -> ApiError {
    ApiError {
        code: u16::try_from(error.code).unwrap_or(0),
        err_code: u16::try_from(error.err_code).unwrap_or(0),
        description: Cow::Owned(error.description),
    }
}

/// Reads an answer.
pub(super) fn read<T: GoFields + Default>(body: &[u8]) -> Result<T, CallError> {
    let answer: Answer<T> = json::from_slice(body).map_err(|error| CallError::Answer(error.to_string()))?;
    match answer.error {
        Some(error) => Err(CallError::Api(api_error(error))),
        None => Ok(answer.value),
    }
}

/// Checks a name that becomes a token of a subject.
pub(super) fn check(name: &str) -> Result<&str, CallError> {
    match subjects::check_name(name) {
        Ok(()) => Ok(name),
        Err(_) => Err(CallError::Name(name.to_owned())),
    }
}

impl JetStream {
    /// Asks `call`, e.g. `STREAM.INFO.ORDERS`, and returns the body of the answer.
    pub(super) async fn call_raw(&self, call: &str, body: &[u8]) -> Result<bytes::Bytes, CallError> {
        let subject = format!("{}{call}", self.prefix);
        let asked = self.client.ask(outgoing(&subject, None, &[], body), None).await;
        let pending = asked.map_err(|error| CallError::Request(error.into()))?;
        let answer = pending.wait(self.timeout).await.map_err(CallError::Request)?;
        Ok(answer.payload().clone())
    }

    /// Asks `call` and reads the answer.
    pub(super) async fn call<T: GoFields + Default>(&self, call: &str, body: &[u8]) -> Result<T, CallError> {
        read(&self.call_raw(call, body).await?)
    }

    /// Asks `call`, which answers in pages, until all names are there.
    pub(super) async fn names(&self, call: &str, subject: Option<&str>) -> Result<Vec<String>, CallError> {
        let mut names: Vec<String> = Vec::new();
        loop {
            let mut body = Vec::new();
            let mut object = ObjectWriter::new(&mut body);
            object.field("offset", &i64::try_from(names.len()).unwrap_or(i64::MAX));
            if let Some(subject) = subject {
                object.text("subject", subject);
            }
            object.end();
            let page: NamePage = self.call(call, &body).await?;
            let last = page.names.is_empty();
            names.extend(page.names);
            if last || names.len() as u64 >= page.total {
                return Ok(names);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_value_or_an_error() {
        let page: NamePage = read(br#"{"type":"x","total":2,"offset":0,"streams":["A","B"]}"#).unwrap();
        assert_eq!((page.total, page.names.len()), (2, 2));
        let page: NamePage = read(br#"{"total":0,"streams":null}"#).unwrap();
        assert!(page.names.is_empty());
        let error = read::<Done>(
            br#"{"type":"x","error":{"code":404,"err_code":10059,"description":"stream not found"}}"#,
        );
        let Err(CallError::Api(error)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            (error.code, error.err_code, &*error.description),
            (404, 10059, "stream not found")
        );
        assert!(matches!(read::<Done>(b"-ERR"), Err(CallError::Answer(_))));
        assert!(check("a.b").is_err() && check("a").is_ok());
    }
}
