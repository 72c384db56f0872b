//! Acknowledging a delivery: the subject that names it, and the payload that says what came of it.

use crate::go_time::Nanos;
use crate::json::{self, go_struct};
use crate::request::Pull;

/// Begins every ack subject.
pub const ACK_PREFIX: &[u8] = b"$JS.ACK.";
/// Begins every flow control subject.
pub const FLOW_PREFIX: &[u8] = b"$JS.FC.";

/// The delivery that an ack subject names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckSubject<'a> {
    /// Domain of the second form; `None` if absent or `_`.
    pub domain: Option<&'a [u8]>,
    /// Account hash of the second form.
    pub account: Option<&'a [u8]>,
    /// Stream name.
    pub stream: &'a [u8],
    /// Consumer name.
    pub consumer: &'a [u8],
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
}

fn number(token: &[u8]) -> Option<u64> {
    if token.is_empty() || token.len() > 20 {
        return None;
    }
    token.iter().try_fold(0u64, |n, d| {
        let digit = d.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn push_number(out: &mut Vec<u8>, n: u64) {
    out.push(b'.');
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

impl<'a> AckSubject<'a> {
    /// Reads either form: 9 tokens, or 11 and more with domain and account hash.
    #[must_use]
    pub fn parse(subject: &'a [u8]) -> Option<Self> {
        let rest = subject.strip_prefix(ACK_PREFIX)?;
        let mut tokens: [&[u8]; 9] = [&[]; 9];
        let mut count = 0;
        for token in rest.split(|b| *b == b'.') {
            if let Some(slot) = tokens.get_mut(count) {
                *slot = token;
            }
            count += 1;
        }
        let (domain, account, at) = match count {
            7 => (None, None, 0),
            n if n >= 9 => (Some(tokens[0]).filter(|d| *d != b"_"), Some(tokens[1]), 2),
            _ => return None,
        };
        Some(Self {
            domain,
            account,
            stream: tokens[at],
            consumer: tokens[at + 1],
            delivered: number(tokens[at + 2])?,
            stream_seq: number(tokens[at + 3])?,
            consumer_seq: number(tokens[at + 4])?,
            timestamp_ns: i64::try_from(number(tokens[at + 5])?).ok()?,
            pending: number(tokens[at + 6])?,
        })
    }

    /// Appends the first form behind `prefix`, which is `$JS.ACK.<stream>.<consumer>`.
    pub fn encode_behind(&self, prefix: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(prefix);
        push_number(out, self.delivered);
        push_number(out, self.stream_seq);
        push_number(out, self.consumer_seq);
        push_number(out, u64::try_from(self.timestamp_ns).unwrap_or(0));
        push_number(out, self.pending);
    }
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum AckKind<'a> {
    /// Done.
    Ack,
    /// Not done; again now or after a delay.
    Nak(Option<Nanos>),
    /// Still at it.
    Progress,
    /// Done, and the next pull.
    Next(&'a [u8]),
    /// Never again, and why.
    Term(&'a [u8]),
    /// None of these: answered, without effect.
    Unknown,
}

go_struct! {
    /// Options of a `-NAK`.
    pub struct NakOptions: "ConsumerNakOptions" {
        /// Wait before the redelivery.
        delay: Nanos => "delay", omit;
    }
}

impl<'a> AckKind<'a> {
    /// Reads the payload of an ack.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Self {
        match payload {
            b"" | b"+ACK" | b"+OK" => Self::Ack,
            b"+WPI" => Self::Progress,
            _ => {
                if let Some(rest) = payload.strip_prefix(b"-NAK") {
                    Self::Nak(nak_delay(rest.trim_ascii()))
                } else if let Some(rest) = payload.strip_prefix(b"+NXT") {
                    Self::Next(rest.trim_ascii())
                } else if let Some(rest) = payload.strip_prefix(b"+TERM") {
                    Self::Term(rest.trim_ascii())
                } else {
                    Self::Unknown
                }
            }
        }
    }
}

/// A delay as a Go duration or as `{"delay": ns}`; anything else is no delay.
fn nak_delay(text: &[u8]) -> Option<Nanos> {
    if text.is_empty() {
        return None;
    }
    if text.starts_with(b"{") {
        let options: NakOptions = json::from_slice(text).ok()?;
        return Some(options.delay).filter(|d| d.0 > 0);
    }
    Nanos::parse(std::str::from_utf8(text).ok()?)
        .ok()
        .filter(|d| d.0 > 0)
}

/// Reads the body of a pull: empty, a number, or JSON. What is neither counts as one message.
///
/// # Errors
/// The JSON error, for bodies that begin as JSON.
pub fn parse_pull(body: &[u8]) -> Result<Pull, json::JsonError> {
    let body = body.trim_ascii();
    let one = Pull {
        batch: 1,
        ..Pull::default()
    };
    if body.is_empty() {
        return Ok(one);
    }
    if body.starts_with(b"{") {
        return json::from_whole(body, "");
    }
    let batch = number(body)
        .and_then(|n| i64::try_from(n).ok())
        .filter(|n| *n > 0);
    Ok(Pull {
        batch: batch.unwrap_or(1),
        ..Pull::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_subject() {
        let ack = AckSubject::parse(b"$JS.ACK.S.C.1.22.33.1700000000000000000.4").unwrap();
        assert_eq!((ack.stream, ack.consumer), (&b"S"[..], &b"C"[..]));
        assert_eq!(
            (ack.delivered, ack.stream_seq, ack.consumer_seq, ack.pending),
            (1, 22, 33, 4)
        );
        let mut out = Vec::new();
        ack.encode_behind(b"$JS.ACK.S.C", &mut out);
        assert_eq!(out, b"$JS.ACK.S.C.1.22.33.1700000000000000000.4");
        let ack = AckSubject::parse(b"$JS.ACK._.hash.S.C.1.22.33.5.4.extra").unwrap();
        assert_eq!(
            (ack.domain, ack.account, ack.stream_seq),
            (None, Some(&b"hash"[..]), 22)
        );
        let ack = AckSubject::parse(b"$JS.ACK.D.hash.S.C.1.22.33.5.4").unwrap();
        assert_eq!((ack.domain, ack.pending), (Some(&b"D"[..]), 4));
        for bad in [
            "$JS.ACK.S.C",
            "$JS.ACK.S.C.1.2.3.4",
            "$JS.ACK.S.C.a.2.3.4.5",
            "$JS.ACK.S.C.1.2.3.4.99999999999999999999",
        ] {
            assert_eq!(AckSubject::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn payloads() {
        assert_eq!(AckKind::parse(b""), AckKind::Ack);
        assert_eq!(AckKind::parse(b"+ACK"), AckKind::Ack);
        assert_eq!(AckKind::parse(b"-NAK"), AckKind::Nak(None));
        assert_eq!(
            AckKind::parse(b"-NAK {\"delay\": 5}"),
            AckKind::Nak(Some(Nanos(5)))
        );
        assert_eq!(
            AckKind::parse(b"-NAK 2s"),
            AckKind::Nak(Some(Nanos::from_secs(2)))
        );
        assert_eq!(AckKind::parse(b"+NXT 5"), AckKind::Next(b"5"));
        assert_eq!(AckKind::parse(b"+TERM no use"), AckKind::Term(b"no use"));
        assert_eq!(AckKind::parse(b"+FOO"), AckKind::Unknown);
    }

    #[test]
    fn pulls() {
        assert_eq!(parse_pull(b"").unwrap().batch, 1);
        assert_eq!(parse_pull(b"25").unwrap().batch, 25);
        assert_eq!(parse_pull(b"abc").unwrap().batch, 1);
        let pull = parse_pull(br#"{"expires":5,"no_wait":true,"batch":0}"#).unwrap();
        assert!(pull.no_wait && pull.expires == Nanos(5) && pull.batch == 0);
        assert!(parse_pull(b"{x").is_err());
    }
}
