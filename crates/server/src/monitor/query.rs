//! Options behind the question mark of a path, with Go's words for what is wrong.

use super::{Refusal, bad};

/// Options by name; the first of a name counts.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let pair = (bytes.get(at + 1), bytes.get(at + 2));
        match (bytes[at], pair) {
            (b'+', _) => out.push(b' '),
            (b'%', (Some(a), Some(b))) if hex(*a).is_some() && hex(*b).is_some() => {
                out.push(hex(*a).unwrap_or(0) << 4 | hex(*b).unwrap_or(0));
                at += 2;
            }
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|p| !p.is_empty());
        Self(
            pairs
                .map(|p| p.split_once('=').unwrap_or((p, "")))
                .map(|(k, v)| (decode(k), decode(v)))
                .collect(),
        )
    }

    /// The same from names and values.
    pub(crate) const fn of(options: Vec<(String, String)>) -> Self {
        Self(options)
    }

    /// Adds an option behind the others.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(k, _)| k == name)?;
        Some(value.as_str()).filter(|v| !v.is_empty())
    }

    /// A number, or `default`.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn number(&self, name: &str, default: i64) -> Result<i64, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        text.parse().map_err(|_| {
            bad(format!(
                "Error decoding int for '{name}': strconv.Atoi: parsing {text:?}: invalid syntax"
            ))
        })
    }

    /// A switch, off when absent.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn switch(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            None => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(text) => Err(bad(format!(
                "Error decoding boolean for '{name}': strconv.ParseBool: parsing {text:?}: invalid syntax"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_refused() {
        let query = Query::parse("limit=5&subs=1&acc=%24G&x=y");
        assert_eq!(query.number("limit", 1).unwrap(), 5);
        assert!(query.switch("subs").unwrap());
        assert_eq!(query.text("acc"), Some("$G"));
        let (_, text) = query.number("x", 0).unwrap_err();
        assert_eq!(
            text,
            "Error decoding int for 'x': strconv.Atoi: parsing \"y\": invalid syntax"
        );
    }
}
