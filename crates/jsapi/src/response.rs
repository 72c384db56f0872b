//! Bodies of API responses: `type` first, then the error or the answer. Each function appends one object.

use crate::error::ApiError;
use crate::go_time::{GoTime, Nanos};
use crate::json::write::{self, ObjectWriter};
use crate::json::{GoFields, GoJson};
use crate::stream::StreamState;

/// Starts a response of type `kind` (without the common prefix).
fn open<'a>(out: &'a mut Vec<u8>, kind: &str) -> ObjectWriter<'a> {
    let mut object = ObjectWriter::new(out);
    object.text("type", &format!("io.nats.jetstream.api.v1.{kind}"));
    object
}

fn put_error(object: &mut ObjectWriter<'_>, error: &ApiError) {
    let mut json = Vec::new();
    error.encode(&mut json);
    object.raw("error", &json);
}

/// A refusal; `kind` is e.g. `stream_create_response`.
pub fn error(out: &mut Vec<u8>, kind: &str, error: &ApiError) {
    let mut object = open(out, kind);
    put_error(&mut object, error);
    object.end();
}

/// A refusal of a paged request, whose counters stay, and its list where the peer says so.
pub fn paged_error(out: &mut Vec<u8>, kind: &str, error: &ApiError) {
    let mut object = open(out, kind);
    put_error(&mut object, error);
    page(&mut object, &Page::default());
    match kind {
        "stream_names_response" => object.raw("streams", b"null"),
        "stream_list_response" => object.raw("streams", b"[]"),
        "consumer_names_response" | "consumer_list_response" => object.raw("consumers", b"[]"),
        _ => {}
    }
    object.end();
}

/// A refusal of CONSUMER.PAUSE.
pub fn pause_error(out: &mut Vec<u8>, refusal: &ApiError) {
    let mut object = open(out, "consumer_pause_response");
    put_error(&mut object, refusal);
    object.field("paused", &false);
    object.field("pause_until", &GoTime::ZERO);
    object.end();
}

/// An answer that is one record.
pub fn record<T: GoFields>(out: &mut Vec<u8>, kind: &str, value: &T) {
    let mut object = open(out, kind);
    object.embed(value);
    object.end();
}

/// The answer to STREAM.CREATE.
pub fn created<T: GoFields>(out: &mut Vec<u8>, info: &T) {
    let mut object = open(out, "stream_create_response");
    object.embed(info);
    object.field("did_create", &true);
    object.end();
}

/// An answer to what is begun and ends by itself.
pub fn initiated(out: &mut Vec<u8>, kind: &str) {
    let mut object = open(out, kind);
    object.field("initiated", &true);
    object.end();
}

/// `{"success":true}`.
pub fn success(out: &mut Vec<u8>, kind: &str) {
    let mut object = open(out, kind);
    object.field("success", &true);
    object.end();
}

/// An answer that says nothing but its type.
pub fn bare(out: &mut Vec<u8>, kind: &str) {
    open(out, kind).end();
}

/// The answer to STREAM.TEMPLATE.CREATE and INFO: a template and the streams it made.
pub fn template<T: GoJson>(out: &mut Vec<u8>, kind: &str, config: &T, streams: &[String]) {
    let mut object = open(out, kind);
    object.field("config", config);
    object.field("streams", &streams.to_vec());
    object.end();
}

/// The answer to STREAM.PURGE.
pub fn purged(out: &mut Vec<u8>, count: u64) {
    let mut object = open(out, "stream_purge_response");
    object.field("success", &true);
    object.field("purged", &count);
    object.end();
}

/// A refused STREAM.PURGE.
pub fn purge_error(out: &mut Vec<u8>, refusal: &ApiError) {
    let mut object = open(out, "stream_purge_response");
    put_error(&mut object, refusal);
    object.field("purged", &0u64);
    object.end();
}

/// Counters of a paged answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries in all.
    pub total: u64,
    /// Entries skipped.
    pub offset: u64,
    /// Entries of a page.
    pub limit: u64,
}

fn page(object: &mut ObjectWriter<'_>, page: &Page) {
    object.field("total", &page.total);
    object.field("offset", &page.offset);
    object.field("limit", &page.limit);
}

/// A page of names under `field`; `null` for none where the peer says so.
pub fn names(out: &mut Vec<u8>, kind: &str, at: &Page, field: &str, names: Option<&[String]>) {
    let mut object = open(out, kind);
    page(&mut object, at);
    match names {
        Some(names) => object.list(field, names),
        None => object.raw(field, b"null"),
    }
    object.end();
}

/// A page of records under `field`.
pub fn records<T: GoJson>(out: &mut Vec<u8>, kind: &str, at: &Page, field: &str, items: &[T]) {
    let mut object = open(out, kind);
    page(&mut object, at);
    object.list(field, items);
    object.end();
}

/// The answer to STREAM.INFO.
pub fn stream_info<T: GoFields>(out: &mut Vec<u8>, at: &Page, info: &T) {
    let mut object = open(out, "stream_info_response");
    page(&mut object, at);
    object.embed(info);
    object.end();
}

/// A stored message as STREAM.MSG.GET returns it.
#[derive(Debug, Clone, Copy)]
pub struct StoredMessage<'a> {
    /// Subject.
    pub subject: &'a [u8],
    /// Sequence.
    pub seq: u64,
    /// Header block, may be empty.
    pub headers: &'a [u8],
    /// Payload, may be empty.
    pub data: &'a [u8],
    /// When it was stored.
    pub time: GoTime,
}

/// The answer to STREAM.MSG.GET.
pub fn message(out: &mut Vec<u8>, message: &StoredMessage<'_>) {
    use crate::json::Base64;
    let mut json = Vec::with_capacity(message.data.len() * 4 / 3 + 128);
    let mut inner = ObjectWriter::new(&mut json);
    inner.text("subject", &String::from_utf8_lossy(message.subject));
    inner.field("seq", &message.seq);
    inner.omit("hdrs", &Base64(message.headers.to_vec()));
    inner.omit("data", &Base64(message.data.to_vec()));
    inner.field("time", &message.time);
    inner.end();
    let mut object = open(out, "stream_msg_get_response");
    object.raw("message", &json);
    object.end();
}

/// The answer to CONSUMER.PAUSE.
pub fn paused(out: &mut Vec<u8>, paused: bool, until: GoTime, remaining: Nanos) {
    let mut object = open(out, "consumer_pause_response");
    object.field("paused", &paused);
    object.field("pause_until", &until);
    object.omit("pause_remaining", &remaining);
    object.end();
}

/// The answer to CONSUMER.RESET.
pub fn reset<T: GoFields>(out: &mut Vec<u8>, info: &T, seq: u64) {
    let mut object = open(out, "consumer_reset_response");
    object.embed(info);
    object.field("reset_seq", &seq);
    object.end();
}

/// A refused CONSUMER.RESET: the sequence is there all the same.
pub fn reset_refused(out: &mut Vec<u8>, error: &ApiError) {
    let mut object = open(out, "consumer_reset_response");
    put_error(&mut object, error);
    object.field("reset_seq", &0u64);
    object.end();
}

/// The answer to STREAM.SNAPSHOT.
pub fn snapshot<T: GoJson>(out: &mut Vec<u8>, config: &T, state: &StreamState) {
    let mut object = open(out, "stream_snapshot_response");
    object.field("config", config);
    object.field("state", state);
    object.end();
}

/// The answer to STREAM.RESTORE.
pub fn restore(out: &mut Vec<u8>, deliver_subject: &str) {
    let mut object = open(out, "stream_restore_response");
    object.text("deliver_subject", deliver_subject);
    object.end();
}

/// A refused STREAM.RESTORE.
pub fn restore_error(out: &mut Vec<u8>, refusal: &ApiError) {
    let mut object = open(out, "stream_restore_response");
    put_error(&mut object, refusal);
    object.text("deliver_subject", "");
    object.end();
}

/// A text as JSON, for callers that build small objects themselves.
#[must_use]
pub fn json_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write::text(&mut out, text);
    out
}
