//! The parts of JSON that hold no others: white space, strings, numbers, words. Refuses in the words of the peer's decoder.

use std::borrow::Cow;

use super::parse::Json;
use super::quote::quoted_first;
use super::{JsonError, TEXT_BYTES_MAX};

/// Where reading a text has come to.
pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Self, JsonError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(JsonError(format!("text is larger than {TEXT_BYTES_MAX} bytes")));
        }
        Ok(Self { text, at: 0 })
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn next(&mut self) -> Result<u8, JsonError> {
        self.blanks();
        self.text.get(self.at).copied().ok_or_else(eof)
    }

    pub(super) fn unexpected(&self, place: &str) -> JsonError {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return eof();
        }
        let (shown, length) = quoted_first(rest);
        let offset = self.at + length;
        JsonError(format!("invalid character {shown} {place} at offset {offset}"))
    }

    /// Reads a value that holds no others.
    pub(super) fn scalar(&mut self, first: u8) -> Result<Json<'a>, JsonError> {
        match first {
            b'"' => {
                let start = self.at;
                let value = self.string()?;
                let raw = &self.text[start..self.at];
                Ok(Json::Text { value, raw })
            }
            b't' => self.literal(b"true", "true").map(|()| Json::Bool(true)),
            b'f' => self.literal(b"false", "false").map(|()| Json::Bool(false)),
            b'n' => self.literal(b"null", "null").map(|()| Json::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &[u8], name: &str) -> Result<(), JsonError> {
        for expected in word {
            match self.text.get(self.at) {
                Some(byte) if byte == expected => self.at += 1,
                _ => {
                    let place = format!("in literal {name} (expecting '{}')", char::from(*expected));
                    return Err(self.unexpected(&place));
                }
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            return Err(self.unexpected("in numeric literal"));
        }
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Json<'a>, JsonError> {
        let start = self.at;
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        if self.text.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.text.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Json::Number(
            std::str::from_utf8(&self.text[start..self.at]).unwrap_or("0"),
        ))
    }

    /// Reads the string whose opening quote is at the current place.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<Vec<u8>> = None;
        loop {
            let Some(&byte) = self.text.get(self.at) else {
                return Err(eof());
            };
            match byte {
                b'"' => break,
                b'\\' => {
                    let out = owned.get_or_insert_with(|| self.text[start..self.at].to_vec());
                    let c = escape(self.text, &mut self.at)?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1f => return Err(self.unexpected("in string")),
                _ => {
                    if let Some(out) = &mut owned {
                        out.push(byte);
                    }
                    self.at += 1;
                }
            }
        }
        let end = self.at;
        self.at += 1;
        Ok(match owned {
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => String::from_utf8_lossy(&self.text[start..end]),
        })
    }
}

/// Reads the escape whose backslash is at `at`.
fn escape(text: &[u8], at: &mut usize) -> Result<char, JsonError> {
    let start = *at;
    let bad = |end: usize| {
        let shown = String::from_utf8_lossy(&text[start..end.min(text.len())]).into_owned();
        JsonError(format!(
            "invalid escape sequence `{shown}` in string at offset {}",
            end.min(text.len())
        ))
    };
    let byte = *text.get(start + 1).ok_or_else(eof)?;
    *at = start + 2;
    Ok(match byte {
        b'"' | b'\\' | b'/' => char::from(byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = hex4(text, start + 2).ok_or_else(|| bad(start + 6))?;
            *at = start + 6;
            if (0xd800..0xdc00).contains(&unit)
                && text.get(*at..*at + 2) == Some(b"\\u")
                && let Some(low) = hex4(text, *at + 2).filter(|l| (0xdc00..0xe000).contains(l))
            {
                *at += 6;
                return Ok(
                    char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).unwrap_or('\u{fffd}'),
                );
            }
            char::from_u32(unit).unwrap_or('\u{fffd}')
        }
        _ => return Err(bad(start + 2)),
    })
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits
        .iter()
        .try_fold(0, |n, d| Some(n * 16 + char::from(*d).to_digit(16)?))
}

pub(super) fn eof() -> JsonError {
    JsonError("unexpected EOF".into())
}
