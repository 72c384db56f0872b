//! Publishing stored messages again under another subject, with headers that say where they came from.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::headers;
use natterjack_store::{RecordView, Seq};
use natterjack_subject::is_valid_publish;

use super::Stream;
use crate::effect::Effects;

/// Appends one header field.
pub(crate) fn push_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `block` without its final empty line, or a fresh status line if it is empty: ready for more fields.
pub(crate) fn open_headers(out: &mut Vec<u8>, block: &[u8]) {
    match block.strip_suffix(b"\r\n") {
        Some(rest) if !rest.is_empty() => out.extend_from_slice(rest),
        _ => out.extend_from_slice(b"NATS/1.0\r\n"),
    }
}

impl Stream {
    /// Publishes `record` again if the stream is set up so. `previous` is the last sequence its subject had before.
    pub(crate) fn republish(&self, record: RecordView<'_>, previous: Seq, fx: &mut dyn Effects) {
        let Some(transform) = &self.republish else { return };
        let random = fx.random();
        let Some(subject) = transform.apply(record.subject(), &mut || random) else {
            return;
        };
        if !is_valid_publish(&subject) {
            return;
        }
        let headers_only = self.config.republish.as_ref().is_some_and(|r| r.headers_only);
        let mut block = Vec::with_capacity(record.headers().len() + 192);
        open_headers(&mut block, record.headers());
        push_header(&mut block, headers::STREAM, self.config.name.as_bytes());
        push_header(&mut block, headers::SUBJECT, record.subject());
        push_header(&mut block, headers::SEQUENCE, record.seq().to_string().as_bytes());
        push_header(
            &mut block,
            headers::TIME_STAMP,
            GoTime(record.ts_ns()).to_string().as_bytes(),
        );
        push_header(
            &mut block,
            headers::LAST_SEQUENCE,
            previous.to_string().as_bytes(),
        );
        if headers_only {
            push_header(
                &mut block,
                headers::MSG_SIZE,
                record.payload().len().to_string().as_bytes(),
            );
        }
        block.extend_from_slice(b"\r\n");
        let payload = if headers_only { &[][..] } else { record.payload() };
        fx.send(&subject, None, &block, payload);
    }
}
