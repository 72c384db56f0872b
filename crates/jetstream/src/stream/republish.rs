//! Publishing stored messages again under another subject, with headers that say where they came from.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::headers;
use natterjack_store::{RecordView, Seq};
use natterjack_subject::is_valid_publish;

use super::Stream;
use super::text::{open_headers, push_header};
use crate::effect::Effects;

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
