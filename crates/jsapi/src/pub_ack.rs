//! The acknowledgement of a publish, byte for byte as the peer writes it. Written by hand: this is a hot path.

use crate::error::ApiError;
use crate::json::go_struct;
use crate::json::write::text;

/// What a publisher is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct PubAck<'a> {
    /// Stream name.
    pub stream: &'a str,
    /// JetStream domain, may be empty.
    pub domain: &'a str,
    /// Sequence of the message.
    pub seq: u64,
    /// Whether the message id was seen before.
    pub duplicate: bool,
    /// New value of a counter.
    pub value: Option<&'a str>,
    /// Batch id and number of messages.
    pub batch: Option<(&'a str, u64)>,
}

fn push_number(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

impl PubAck<'_> {
    /// Appends the JSON.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"stream\":");
        text(out, self.stream);
        if !self.domain.is_empty() {
            out.extend_from_slice(b",\"domain\":");
            text(out, self.domain);
        }
        out.extend_from_slice(b",\"seq\":");
        push_number(out, self.seq);
        if self.duplicate {
            out.extend_from_slice(b",\"duplicate\": true");
        }
        if let Some(value) = self.value {
            out.extend_from_slice(b",\"val\":");
            text(out, value);
        }
        if let Some((id, count)) = self.batch {
            out.extend_from_slice(b",\"batch\":");
            text(out, id);
            out.extend_from_slice(b",\"count\":");
            push_number(out, count);
        }
        out.push(b'}');
    }
}

/// Appends a refused publish.
pub fn refused(out: &mut Vec<u8>, stream: &str, error: &ApiError) {
    out.extend_from_slice(b"{\"error\":");
    error.encode(out);
    out.extend_from_slice(b",\"stream\":");
    text(out, stream);
    out.extend_from_slice(b",\"seq\":0}");
}

go_struct! {
    /// A received acknowledgement, for clients.
    pub struct Received: "PubAck" {
        /// What went wrong.
        error: Option<crate::stream::ApiErrorJson> => "error", omit;
        /// Stream name.
        stream: String => "stream", keep;
        /// JetStream domain.
        domain: String => "domain", omit;
        /// Sequence of the message.
        seq: u64 => "seq", keep;
        /// Whether the message id was seen before.
        duplicate: bool => "duplicate", omit;
        /// New value of a counter.
        value: String => "val", omit;
        /// Batch id.
        batch: String => "batch", omit;
        /// Messages of the batch.
        count: u64 as "int" => "count", omit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_peers() {
        let bytes = |ack: &PubAck<'_>| {
            let mut out = Vec::new();
            ack.encode(&mut out);
            String::from_utf8(out).unwrap()
        };
        let ack = PubAck {
            stream: "G",
            seq: 2,
            ..PubAck::default()
        };
        assert_eq!(bytes(&ack), r#"{"stream":"G","seq":2}"#);
        assert_eq!(
            bytes(&PubAck {
                duplicate: true,
                ..ack
            }),
            r#"{"stream":"G","seq":2,"duplicate": true}"#
        );
        assert_eq!(
            bytes(&PubAck { domain: "D", ..ack }),
            r#"{"stream":"G","domain":"D","seq":2}"#
        );
        assert_eq!(
            bytes(&PubAck {
                value: Some("7"),
                ..ack
            }),
            r#"{"stream":"G","seq":2,"val":"7"}"#
        );
        assert_eq!(
            bytes(&PubAck {
                batch: Some(("b", 3)),
                ..ack
            }),
            r#"{"stream":"G","seq":2,"batch":"b","count":3}"#
        );
        let mut out = Vec::new();
        refused(&mut out, "G", &crate::errors::STREAM_NOT_MATCH);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"},"stream":"G","seq":0}"#
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut out = Vec::new();
        PubAck {
            stream: "S",
            seq: 9,
            duplicate: true,
            ..PubAck::default()
        }
        .encode(&mut out);
        let received: Received = crate::json::from_slice(&out).unwrap();
        assert!(
            received.duplicate && received.seq == 9 && received.stream == "S" && received.error.is_none()
        );
    }
}
