//! Reading typed values out of the tree, collecting what is wrong with its place. Reads no file.

use natterjack_conf::{Kind, Value};
use natterjack_jsapi::Nanos;

use crate::options::Unsupported;

/// What was found wrong, and what was set aside.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) unsupported: Vec<Unsupported>,
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

    fn mismatch(&mut self, value: &Value, expected: &str) {
        let text = format!(
            "interface conversion: interface {{}} is {}, not {expected}",
            value.go_type()
        );
        self.error(value, text);
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

    /// A count or size that cannot be negative; negative ones are errors.
    pub(crate) fn count(&mut self, value: &Value) -> Option<u64> {
        let n = self.integer(value)?;
        let count = u64::try_from(n).ok();
        if count.is_none() {
            self.error(value, format!("value {n} can not be negative"));
        }
        count
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
                let text =
                    format!("invalid use of field {field:?}: {field} should be converted to a duration");
                self.warnings.push(format!("{}: {text}", place(value)));
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
                self.error(value, "error parsing timeout");
                None
            }
        }
    }

    /// Strings: one or a list.
    pub(crate) fn texts(&mut self, value: &Value) -> Vec<String> {
        match &value.kind {
            Kind::Text(text) => vec![text.clone()],
            Kind::List(items) => items.iter().filter_map(|item| self.text(item)).collect(),
            _ => {
                self.mismatch(value, "string");
                Vec::new()
            }
        }
    }

    /// Storage sizes: integers, or strings that end in K, M, G or T (powers of 1024).
    pub(crate) fn storage(&mut self, field: &str, value: &Value) -> Option<i64> {
        match &value.kind {
            Kind::Integer(n) => Some(*n),
            Kind::Text(text) => storage_size(text)
                .map_err(|text| self.error(value, format!("{field} {text}")))
                .ok(),
            _ => {
                self.mismatch(value, "int64");
                None
            }
        }
    }
}

fn storage_size(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let shift = match text.as_bytes().last() {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        Some(b'T') => 40,
        _ if text.ends_with('B') && text.len() > 1 => 0,
        _ => return Err("sizes defined as strings must end in K, M, G, T".into()),
    };
    let digits = &text[..text.len() - 1];
    let size = digits
        .parse::<i64>()
        .ok()
        .filter(|_| shift > 0)
        .and_then(|n| n.checked_mul(1 << shift));
    size.ok_or_else(|| format!("strconv.ParseInt: parsing {digits:?}: invalid syntax"))
}

/// `host:port`, a bare port, or a host in brackets.
pub(crate) fn listen(value: &Value) -> Result<(String, i32), String> {
    let bad = |text: &str| format!("could not parse address string {text:?}");
    match &value.kind {
        Kind::Integer(port) => i32::try_from(*port)
            .map(|p| (String::new(), p))
            .map_err(|_| bad(&port.to_string())),
        Kind::Text(text) => {
            let (host, port) = text.rsplit_once(':').ok_or_else(|| bad(text))?;
            let port = port
                .parse()
                .map_err(|_| format!("could not parse port {port:?}"))?;
            Ok((host.trim_matches(['[', ']']).to_owned(), port))
        }
        _ => Err(format!("expected port or host:port, got {}", value.go_type())),
    }
}
