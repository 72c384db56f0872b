//! A small positioned JSON reader that refuses in the words of the peer's decoder. Bounded in size and depth; never
//! recurses deeper than [`DEPTH_MAX`].

use std::borrow::Cow;

use super::{DEPTH_MAX, JsonError, TEXT_BYTES_MAX};

/// A JSON value, borrowed from its text where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as written.
    Number(&'a str),
    /// A string.
    Text {
        /// Its characters.
        value: Cow<'a, str>,
        /// As written, with quotes.
        raw: &'a str,
    },
    /// An array.
    List(Vec<Self>),
    /// An object, fields in order.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Json<'_> {
    /// The value as written, near enough for error texts.
    #[must_use]
    pub fn raw(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(b) => b.to_string(),
            Self::Number(n) => (*n).to_owned(),
            Self::Text { raw, .. } => (*raw).to_owned(),
            Self::List(_) => "[]".into(),
            Self::Object(_) => "{}".into(),
        }
    }
}

/// Reads one value; what follows it must be white space or further values.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn parse(text: &[u8]) -> Result<Json<'_>, JsonError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(JsonError(format!("text is larger than {TEXT_BYTES_MAX} bytes")));
    }
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let value = reader.value()?;
    reader.blanks();
    if reader.at < text.len() {
        // The peer goes on decoding: a further value is read and dropped, anything else is an error.
        reader.value()?;
    }
    Ok(value)
}

/// Reads the one value that `text` is.
///
/// # Errors
/// [`JsonError`] in the words of the peer where it reads a text in one piece.
pub fn parse_whole(text: &[u8]) -> Result<Json<'_>, JsonError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(JsonError(format!("text is larger than {TEXT_BYTES_MAX} bytes")));
    }
    let (at, depth) = (0, 0);
    let mut reader = Reader { text, at, depth };
    let value = reader.value().and_then(|value| {
        reader.blanks();
        match reader.text.get(reader.at) {
            Some(_) => Err(reader.unexpected("after top-level value")),
            None => Ok(value),
        }
    });
    value.map_err(|JsonError(text)| match text.rsplit_once(" at offset ") {
        _ if text == "unexpected EOF" => JsonError("unexpected end of JSON input".into()),
        Some((what, _)) => JsonError(what.to_owned()),
        None => JsonError(text),
    })
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        self.blanks();
        self.text.get(self.at).copied().ok_or_else(eof)
    }

    fn unexpected(&self, place: &str) -> JsonError {
        let Some(&byte) = self.text.get(self.at) else {
            return eof();
        };
        let shown = match byte {
            b'\'' => "'\\''".into(),
            b'"' => "'\"'".into(),
            0x20..=0x7e => format!("'{}'", char::from(byte)),
            b'\n' => "'\\n'".into(),
            b'\r' => "'\\r'".into(),
            b'\t' => "'\\t'".into(),
            _ => match std::str::from_utf8(&self.text[self.at..])
                .ok()
                .and_then(|t| t.chars().next())
            {
                Some(c) if !c.is_control() => format!("'{c}'"),
                _ => format!("'\\x{byte:02x}'"),
            },
        };
        JsonError(format!(
            "invalid character {shown} {place} at offset {}",
            self.at + 1
        ))
    }

    fn value(&mut self) -> Result<Json<'a>, JsonError> {
        match self.next()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::list),
            b'"' => {
                let start = self.at;
                let value = self.string()?;
                let raw = std::str::from_utf8(&self.text[start..self.at]).unwrap_or("\"\"");
                Ok(Json::Text { value, raw })
            }
            b't' => self.literal(b"true", "true").map(|()| Json::Bool(true)),
            b'f' => self.literal(b"false", "false").map(|()| Json::Bool(false)),
            b'n' => self.literal(b"null", "null").map(|()| Json::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json<'a>, JsonError>) -> Result<Json<'a>, JsonError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(JsonError("exceeded max depth".into()));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Json<'a>, JsonError> {
        let mut fields = Vec::new();
        if self.next()? == b'}' {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            if self.next()? != b'"' {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let name = self.string()?;
            if self.next()? != b':' {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            fields.push((name, self.value()?));
            match self.next()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Json::Object(fields));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn list(&mut self) -> Result<Json<'a>, JsonError> {
        let mut items = Vec::new();
        if self.next()? == b']' {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            match self.next()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Json::List(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
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
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
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

fn eof() -> JsonError {
    JsonError("unexpected EOF".into())
}
