//! Reading typed values out of the tree, collecting what is wrong with its place. Reads no file.

use std::num::IntErrorKind;

use natterjack_conf::{Kind, Value};
use natterjack_jsapi::Nanos;

use crate::options::Unsupported;

/// What was found wrong, and what was set aside.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) unsupported: Vec<Unsupported>,
    /// Where values of a wrong type are said to be, when not where they are.
    frame: Option<String>,
}

/// `file:line:column` of a value.
pub(crate) fn place(value: &Value) -> String {
    format!("{}:{}:{}", value.at.file, value.at.line, value.at.column)
}

impl Findings {
    pub(crate) fn error(&mut self, value: &Value, text: impl AsRef<str>) {
        self.errors.push(format!("{}: {}", place(value), text.as_ref()));
    }

    pub(crate) fn unknown(&mut self, key: &str, value: &Value) {
        if !value.used.get() {
            self.error(value, format!("unknown field {key:?}"));
        }
    }

    pub(crate) fn not_yet(&mut self, key: &str, value: &Value) {
        self.unsupported.push(Unsupported {
            key: key.to_owned(),
            place: place(value),
        });
    }

    /// Reads a block that the peer reads as a whole: whatever in it is of a wrong type it places at `value`.
    pub(crate) fn framed(&mut self, value: &Value, read: impl FnOnce(&mut Self)) {
        let before = self.frame.replace(place(value));
        read(self);
        self.frame = before;
    }

    pub(crate) fn mismatch(&mut self, value: &Value, expected: &str) {
        let at = self.frame.clone().unwrap_or_else(|| place(value));
        let kind = value.go_type();
        self.errors.push(format!(
            "{at}: interface conversion: interface {{}} is {kind}, not {expected}"
        ));
    }

    pub(crate) fn text(&mut self, value: &Value) -> Option<String> {
        if let Kind::Text(text) = &value.kind {
            return Some(text.clone());
        }
        self.mismatch(value, "string");
        None
    }

    pub(crate) fn flag(&mut self, value: &Value) -> Option<bool> {
        if let Kind::Bool(flag) = value.kind {
            return Some(flag);
        }
        self.mismatch(value, "bool");
        None
    }

    pub(crate) fn integer(&mut self, value: &Value) -> Option<i64> {
        if let Kind::Integer(n) = value.kind {
            return Some(n);
        }
        self.mismatch(value, "int64");
        None
    }

    /// A count or size. The peer takes negative ones, which say nothing here.
    pub(crate) fn count(&mut self, value: &Value) -> Option<u64> {
        u64::try_from(self.integer(value)?).ok()
    }

    pub(crate) fn size(&mut self, value: &Value) -> Option<usize> {
        usize::try_from(self.count(value)?).ok()
    }

    /// A duration: Go notation, or seconds as a number, which is deprecated.
    pub(crate) fn duration(&mut self, field: &str, value: &Value) -> Option<u64> {
        match &value.kind {
            Kind::Text(text) => match Nanos::parse(text) {
                Ok(duration) => Some(duration.as_u64()),
                Err(text) => {
                    self.error(value, format!("error parsing {field}: {text}"));
                    None
                }
            },
            Kind::Integer(seconds) => {
                self.deprecated_duration(field, value);
                u64::try_from(*seconds)
                    .ok()
                    .and_then(|s| s.checked_mul(1_000_000_000))
            }
            _ => {
                self.deprecated_duration(field, value);
                self.mismatch(value, "int64");
                None
            }
        }
    }

    fn deprecated_duration(&mut self, field: &str, value: &Value) {
        let text = format!("invalid use of field {field:?}: {field} should be converted to a duration");
        self.warnings.push(format!("{}: {text}", place(value)));
    }

    /// A duration in Go notation, and nothing else.
    pub(crate) fn go_duration(&mut self, field: &str, value: &Value) -> Option<Nanos> {
        let text = self.text(value)?;
        Nanos::parse(&text)
            .map_err(|text| self.error(value, format!("error parsing {field}: {text}")))
            .ok()
    }

    /// The same where the peer names neither field nor place.
    pub(crate) fn bare_duration(&mut self, value: &Value) -> Option<u64> {
        let text = self.text(value)?;
        Nanos::parse(&text)
            .map_err(|text| self.errors.push(text))
            .ok()
            .map(Nanos::as_u64)
    }

    /// Seconds as a number with or without fraction, or a duration.
    pub(crate) fn timeout(&mut self, value: &Value) -> Option<u64> {
        match &value.kind {
            Kind::Integer(n) => u64::try_from(*n).ok().and_then(|s| s.checked_mul(1_000_000_000)),
            Kind::Float(n) => Nanos::parse(&format!("{n:.9}s")).ok().map(Nanos::as_u64),
            Kind::Text(text) => match Nanos::parse(text) {
                Ok(duration) => Some(duration.as_u64()),
                Err(text) => {
                    self.error(
                        value,
                        format!("error parsing authorization config, 'timeout' {text}"),
                    );
                    None
                }
            },
            _ => {
                self.error(value, "error parsing authorization config, 'timeout' wrong type");
                None
            }
        }
    }

    /// Strings, one or a list, of what is called `name`.
    pub(crate) fn texts(&mut self, name: &str, value: &Value) -> Vec<String> {
        let items = match &value.kind {
            Kind::Text(text) => return vec![text.clone()],
            Kind::List(items) => items,
            _ => {
                let kind = value.go_type();
                self.error(value, format!("error parsing {name}: unsupported type {kind}"));
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match item.as_text() {
                Some(text) => texts.push(text.to_owned()),
                None => {
                    let kind = item.go_type();
                    self.error(
                        item,
                        format!("error parsing {name}: unsupported type in array {kind}"),
                    );
                }
            }
        }
        texts
    }

    /// Keys and values of the map called `name`.
    pub(crate) fn entries<'a>(
        &mut self,
        name: &str,
        value: &'a Value,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let map = value.as_map();
        if map.is_none() {
            let kind = value.go_type();
            self.error(value, format!("error parsing {name}: unsupported type {kind}"));
        }
        map.into_iter().flatten()
    }

    /// What is wanted where the peer says which value it got instead.
    pub(crate) fn expected(&mut self, value: &Value, what: &str) {
        self.error(value, format!("Expected {what}, got {}", value.go_value()));
    }

    /// A whole number called `field`.
    pub(crate) fn number(&mut self, field: &str, value: &Value) -> Option<i64> {
        if let Kind::Integer(n) = value.kind {
            return Some(n);
        }
        self.expected(value, &format!("a parseable size for {field:?}"));
        None
    }

    /// Storage sizes: integers, or strings that end in K, M, G or T (powers of 1024).
    pub(crate) fn storage(&mut self, field: &str, value: &Value) -> Option<i64> {
        match &value.kind {
            Kind::Integer(n) => Some(*n),
            Kind::Text(text) => storage_size(text)
                .map_err(|text| self.error(value, format!("{field} {text}")))
                .ok(),
            _ => {
                self.error(value, format!("{field} must be int64 or string"));
                None
            }
        }
    }
}

fn storage_size(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let end = text.char_indices().next_back().map_or(0, |(at, _)| at);
    let (digits, suffix) = text.split_at(end);
    let failed = |why: &str| format!("strconv.ParseInt: parsing {digits:?}: {why}");
    let size = digits.parse::<i64>().map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => failed("value out of range"),
        _ => failed("invalid syntax"),
    })?;
    let shift = match suffix {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("sizes defined as strings must end in K, M, G, T".into()),
    };
    size.checked_mul(1 << shift)
        .ok_or_else(|| failed("value out of range"))
}

/// `host:port`, a bare port, or a host in brackets.
pub(crate) fn listen(value: &Value) -> Result<(String, i32), String> {
    let bad = |text: &str| format!("could not parse address string {text:?}");
    match &value.kind {
        // One that is no port is refused when it is to be listened on.
        Kind::Integer(port) => Ok((String::new(), i32::try_from(*port).unwrap_or(i32::MAX))),
        Kind::Text(text) => {
            let (host, port) = text.rsplit_once(':').ok_or_else(|| bad(text))?;
            if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
                return Err(bad(text));
            }
            let port = port
                .parse()
                .map_err(|_| format!("could not parse port {port:?}"))?;
            Ok((host.trim_matches(['[', ']']).to_owned(), port))
        }
        _ => Err(format!("expected port or host:port, got {}", value.go_type())),
    }
}
