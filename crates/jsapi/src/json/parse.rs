//! JSON values, and how texts become them: refused in the words of the peer's decoder, bounded in size and depth, without
//! recursion.

use std::borrow::Cow;

use super::quote::quoted;
use super::token::{Reader, eof};
use super::{DEPTH_MAX, JsonError, NESTING_MAX};

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
        raw: &'a [u8],
    },
    /// An array, and as written. Deeper than [`DEPTH_MAX`] nothing is in it.
    List(Vec<Self>, &'a [u8]),
    /// An object with its fields in order, and as written. Deeper than [`DEPTH_MAX`] nothing is in it.
    Object(Vec<(Cow<'a, str>, Self)>, &'a [u8]),
}

impl Json<'_> {
    /// What Go calls this kind of value.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text { .. } => "string",
            Self::List(..) => "array",
            Self::Object(..) => "object",
        }
    }

    fn raw(&self) -> &[u8] {
        match self {
            Self::Null => b"null",
            Self::Bool(true) => b"true",
            Self::Bool(false) => b"false",
            Self::Number(written) => written.as_bytes(),
            Self::Text { raw, .. } | Self::List(_, raw) | Self::Object(_, raw) => raw,
        }
    }

    /// The value as written.
    #[must_use]
    pub fn written(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.raw())
    }
}

/// The peer's error for a value that names none of a set.
pub(crate) fn cannot(json: &Json<'_>) -> String {
    format!("can not unmarshal {}", quoted(json.raw()))
}

/// Reads one value; what follows it must be white space or further values, which are read and dropped.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn parse(text: &[u8]) -> Result<Json<'_>, JsonError> {
    let mut all = values(text)?;
    let first = all.next().unwrap_or_else(|| Err(eof()))?;
    for further in all {
        further?;
    }
    Ok(first)
}

/// Reads one value after the other, up to the first that is none.
///
/// # Errors
/// [`JsonError`] of a text that is too large.
pub fn values(text: &[u8]) -> Result<impl Iterator<Item = Result<Json<'_>, JsonError>>, JsonError> {
    let mut reader = Reader::new(text)?;
    Ok(std::iter::from_fn(move || {
        reader.blanks();
        if reader.at == text.len() {
            return None;
        }
        let value = reader.value();
        if value.is_err() {
            reader.at = text.len();
        }
        Some(value)
    }))
}

/// Reads the one value that `text` is.
///
/// # Errors
/// [`JsonError`] in the words of the peer where it reads a text in one piece.
pub fn parse_whole(text: &[u8]) -> Result<Json<'_>, JsonError> {
    let mut reader = Reader::new(text)?;
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

/// A list or object whose end has not been read.
struct Open<'a> {
    begin: usize,
    /// The name in front of the value that comes next.
    name: Cow<'a, str>,
    inside: Inside<'a>,
}

enum Inside<'a> {
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Open<'a> {
    const fn closing(&self) -> u8 {
        match self.inside {
            Inside::List(_) => b']',
            Inside::Object(_) => b'}',
        }
    }

    fn take(&mut self, value: Json<'a>) {
        match &mut self.inside {
            Inside::List(items) => items.push(value),
            Inside::Object(fields) => fields.push((std::mem::take(&mut self.name), value)),
        }
    }

    fn close(self, raw: &'a [u8]) -> Json<'a> {
        match self.inside {
            Inside::List(items) => Json::List(items, raw),
            Inside::Object(fields) => Json::Object(fields, raw),
        }
    }
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Json<'a>, JsonError> {
        let mut open = Vec::new();
        loop {
            let first = self.next()?;
            let value = if matches!(first, b'{' | b'[') {
                open.push(self.open(first, open.len())?);
                None
            } else {
                Some(self.scalar(first)?)
            };
            if let Some(whole) = self.go_on(&mut open, value)? {
                return Ok(whole);
            }
        }
    }

    /// Reads the bracket that begins a list or an object inside of `depth` others.
    fn open(&mut self, bracket: u8, depth: usize) -> Result<Open<'a>, JsonError> {
        let begin = self.at;
        self.at += 1;
        if depth == NESTING_MAX {
            return Err(JsonError(format!("exceeded max depth at offset {}", self.at)));
        }
        let inside = if bracket == b'{' {
            Inside::Object(Vec::new())
        } else {
            Inside::List(Vec::new())
        };
        let name = Cow::Borrowed("");
        Ok(Open { begin, name, inside })
    }

    /// Puts `value` where it belongs, or none if a bracket was read, and reads on to where the next begins. Answers the
    /// outermost when that is complete.
    fn go_on(
        &mut self,
        open: &mut Vec<Open<'a>>,
        mut value: Option<Json<'a>>,
    ) -> Result<Option<Json<'a>>, JsonError> {
        loop {
            let depth = open.len();
            let Some(around) = open.last_mut() else {
                return Ok(value);
            };
            let is_first = value.is_none();
            if let Some(value) = value.filter(|_| depth <= DEPTH_MAX) {
                around.take(value);
            }
            match self.next()? {
                byte if byte == around.closing() => self.at += 1,
                b',' if !is_first => {
                    self.at += 1;
                    return self.name(around).map(|()| None);
                }
                _ if is_first => return self.name(around).map(|()| None),
                _ => {
                    return Err(self.unexpected(match around.inside {
                        Inside::List(_) => "after array element",
                        Inside::Object(_) => "after object key:value pair",
                    }));
                }
            }
            let raw = &self.text[around.begin..self.at];
            value = open.pop().map(|closed| closed.close(raw));
        }
    }

    /// In an object, reads the name of the next field and the colon behind it.
    fn name(&mut self, around: &mut Open<'a>) -> Result<(), JsonError> {
        if matches!(around.inside, Inside::List(_)) {
            return Ok(());
        }
        if self.next()? != b'"' {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        around.name = self.string()?;
        if self.next()? != b':' {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(())
    }
}
