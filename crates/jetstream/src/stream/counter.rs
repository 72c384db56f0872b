//! Counters: decimal numbers of any length, and what becomes of one when a message adds to it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use natterjack_jsapi::json::write::ObjectWriter;
use natterjack_jsapi::json::{self, Decoding, GoFields, GoJson, Json};
use natterjack_jsapi::{ApiError, errors, headers};

use super::text::value;

/// What came from which subject of which stream.
pub(crate) type Sources = BTreeMap<String, BTreeMap<String, String>>;

/// A counter: its value, and what of it came from other streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) total: Decimal,
    pub(crate) sources: Sources,
}

/// [`Sources`] on the wire.
#[derive(Debug, Default)]
struct Wire(Sources);

impl GoFields for Wire {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        for (stream, sums) in &self.0 {
            object.keep(stream, sums);
        }
    }

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        self.0.entry(name.to_owned()).or_default().decode(json, cx);
        true
    }
}

/// A whole number of any length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Decimal {
    negative: bool,
    /// Digits as numbers, the least first, none of them a leading zero: zero has none.
    digits: Vec<u8>,
}

impl Decimal {
    /// Reads a sign and digits.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = text.iter().rev().map(|b| b - b'0').collect();
        Some(Self::of(negative, digits))
    }

    fn of(negative: bool, mut digits: Vec<u8>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self {
            negative: negative && !digits.is_empty(),
            digits,
        }
    }

    fn cmp_size(&self, other: &Self) -> Ordering {
        self.digits
            .len()
            .cmp(&other.digits.len())
            .then_with(|| self.digits.iter().rev().cmp(other.digits.iter().rev()))
    }

    /// The sum.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            return Self::of(self.negative, add(&self.digits, &other.digits));
        }
        match self.cmp_size(other) {
            Ordering::Less => Self::of(other.negative, subtract(&other.digits, &self.digits)),
            _ => Self::of(self.negative, subtract(&self.digits, &other.digits)),
        }
    }

    /// The difference.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let turned = Self::of(!other.negative, other.digits.clone());
        self.plus(&turned)
    }
}

fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0;
    for n in 0..a.len().max(b.len()) {
        let sum = a.get(n).unwrap_or(&0) + b.get(n).unwrap_or(&0) + carry;
        out.push(sum % 10);
        carry = sum / 10;
    }
    out.push(carry);
    out
}

/// `a` without `b`, which is not larger.
fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(a.len());
    let mut borrow = 0;
    for (n, digit) in a.iter().enumerate() {
        let less = b.get(n).unwrap_or(&0) + borrow;
        borrow = u8::from(*digit < less);
        out.push(digit + 10 * borrow - less);
    }
    out
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        for digit in self.digits.iter().rev() {
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// The increment a message asks for.
///
/// # Errors
/// When it is no number.
pub(crate) fn increment(block: &[u8]) -> Result<Option<Decimal>, ApiError> {
    match value(block, headers::INCREMENT) {
        None => Ok(None),
        Some(text) => Decimal::parse(text).map(Some).ok_or(errors::MESSAGE_INCR_INVALID),
    }
}

/// Refuses what does not go with an increment.
pub(crate) fn check_increment(block: &[u8], payload: &[u8], allowed: bool) -> Result<(), ApiError> {
    if !allowed {
        return Err(errors::MESSAGE_INCR_DISABLED);
    }
    if !payload.is_empty() {
        return Err(errors::MESSAGE_INCR_PAYLOAD);
    }
    let excluded = [
        headers::ROLLUP,
        headers::EXPECTED_STREAM,
        headers::EXPECTED_LAST_MSG_ID,
        headers::EXPECTED_LAST_SUBJECT_SEQ_SUBJECT,
        headers::EXPECTED_LAST_SEQ,
        headers::EXPECTED_LAST_SUBJECT_SEQ,
    ];
    if excluded.iter().any(|name| value(block, name).is_some()) {
        return Err(errors::MESSAGE_INCR_INVALID);
    }
    Ok(())
}

/// The number in a stored counter.
///
/// # Errors
/// When there is none.
pub(crate) fn stored(payload: &[u8]) -> Result<Decimal, ApiError> {
    payload
        .strip_prefix(b"{\"val\":\"")
        .and_then(|rest| rest.strip_suffix(b"\"}"))
        .and_then(Decimal::parse)
        .ok_or(errors::MESSAGE_COUNTER_BROKEN)
}

/// A counter as its message carries it.
pub(crate) fn payload(total: &Decimal) -> Vec<u8> {
    format!("{{\"val\":\"{total}\"}}").into_bytes()
}

/// What came from which source, as a stored message says.
///
/// # Errors
/// When it says it in a way that cannot be read.
pub(crate) fn sources(block: &[u8]) -> Result<Sources, ApiError> {
    let Some(text) = value(block, headers::COUNTER_SOURCES) else {
        return Ok(Sources::new());
    };
    let wire: Wire = json::from_slice(text).map_err(|_| errors::MESSAGE_COUNTER_BROKEN)?;
    Ok(wire.0)
}

/// The same as a message says it.
pub(crate) fn encode_sources(sources: &Sources) -> Vec<u8> {
    json::to_vec(&Wire(sources.clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_are_read() {
        for (text, shown) in [("0", "0"), ("-0", "0"), ("+5", "5"), ("007", "7"), ("-12", "-12")] {
            assert_eq!(decimal(text).to_string(), shown);
        }
        for text in ["", "+", "1_0", "0x1", "1.5", " 1"] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn counters_are_read_back() {
        let total = decimal("-99999999999999999999999");
        assert_eq!(stored(&payload(&total)).unwrap(), total);
        assert_eq!(stored(b"{}"), Err(errors::MESSAGE_COUNTER_BROKEN));
    }

    #[test]
    fn sources_are_read_back() {
        let mut all = Sources::new();
        all.entry("O".into())
            .or_default()
            .insert("c.a".into(), "-5".into());
        let json = encode_sources(&all);
        assert_eq!(json, br#"{"O":{"c.a":"-5"}}"#);
        let block = [&b"NATS/1.0\r\nNats-Counter-Sources: "[..], &json, b"\r\n\r\n"].concat();
        assert_eq!(sources(&block), Ok(all));
        assert_eq!(
            sources(b"NATS/1.0\r\nNats-Counter-Sources: {\r\n\r\n"),
            Err(errors::MESSAGE_COUNTER_BROKEN)
        );
    }

    proptest! {
        #[test]
        fn sums_are_right(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (decimal(&a.to_string()), decimal(&b.to_string()));
            prop_assert_eq!(x.plus(&y).to_string(), (i128::from(a) + i128::from(b)).to_string());
            prop_assert_eq!(x.minus(&y).to_string(), (i128::from(a) - i128::from(b)).to_string());
        }
    }
}
