//! Characters to scalars: keys, strings, numbers, dates, variables. Knows no structure and keeps no tree.
//!
//! The rules, down to which bare word is a number, a date or a string, are those of the peer's lexer.

use crate::error::Error;

/// A scalar as found in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Time(String),
    Variable(String),
}

/// A place in the text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
    pub(crate) line: usize,
    line_start: usize,
}

pub(crate) const fn is_blank(c: char) -> bool {
    matches!(c, '\t' | ' ')
}

pub(crate) const fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// Ends a bare word.
const fn ends_word(c: char) -> bool {
    is_newline(c) || is_blank(c) || matches!(c, ',' | ';' | ']' | '}')
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            line_start: 0,
        }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.line_start = self.at;
        }
        Some(c)
    }

    /// Column of the current place: from 0 in the first line and from 1 in the others, as the peer counts.
    pub(crate) const fn column(&self) -> usize {
        self.at - self.line_start + (self.line > 1) as usize
    }

    pub(crate) fn fail(&self, text: impl Into<String>) -> Error {
        Error::Syntax {
            line: self.line,
            text: text.into(),
        }
    }

    pub(crate) fn starts_with(&self, text: &str) -> bool {
        self.text[self.at..].starts_with(text)
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.bump();
        }
    }

    /// Skips a comment if one starts here.
    pub(crate) fn skip_comment(&mut self) -> bool {
        if self.peek() != Some('#') && !self.starts_with("//") {
            return false;
        }
        while self.peek().is_some_and(|c| !is_newline(c)) {
            self.bump();
        }
        true
    }

    /// Skips blanks, line ends and comments.
    pub(crate) fn skip_space(&mut self) {
        loop {
            match self.peek() {
                Some(c) if is_blank(c) || is_newline(c) => {
                    self.bump();
                }
                Some('#' | '/') if self.skip_comment() => {}
                _ => return,
            }
        }
    }

    /// Reads a key and the separator behind it; also returns the key's column and whether it was quoted.
    pub(crate) fn key(&mut self) -> Result<(String, usize, bool), Error> {
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''));
        let (key, column) = match quote {
            Some(quote) => {
                self.bump();
                let column = self.column();
                let start = self.at;
                loop {
                    match self.peek() {
                        None => return Err(self.fail("Unexpected EOF.")),
                        Some(c) if c == quote => break,
                        Some(_) => self.bump(),
                    };
                }
                let key = self.text[start..self.at].to_owned();
                self.bump();
                (key, column)
            }
            None => {
                let (start, column) = (self.at, self.column());
                loop {
                    match self.peek() {
                        None => return Err(self.fail("Unexpected EOF.")),
                        Some(c) if is_blank(c) || is_newline(c) || matches!(c, ':' | '=') => break,
                        Some('"' | '\'') => return Err(self.fail("Unexpected quote in key.")),
                        Some(_) => self.bump(),
                    };
                }
                if start == self.at {
                    let c = self.peek().unwrap_or(' ');
                    return Err(self.fail(format!("Unexpected key separator '{c}'")));
                }
                (self.text[start..self.at].to_owned(), column)
            }
        };
        self.skip_blanks();
        while self.peek().is_some_and(|c| matches!(c, ':' | '=')) {
            self.bump();
            self.skip_blanks();
        }
        Ok((key, column, quote.is_some()))
    }

    /// Reads a scalar that starts here.
    pub(crate) fn scalar(&mut self) -> Result<Scalar, Error> {
        match self.peek() {
            None => Err(self.fail("Unexpected EOF processing value.")),
            Some('\'') => self.single_quoted(),
            Some('"') => self.double_quoted(),
            Some('(') => self.block(),
            Some('-') => self.negative(),
            Some('.') => Err(self.fail("Floats must start with a digit")),
            Some(c) if is_newline(c) => Err(self.fail("Expected value but found new line")),
            Some(c) if c.is_ascii_digit() => self.number(false),
            Some(_) => self.word(self.at),
        }
    }

    fn single_quoted(&mut self) -> Result<Scalar, Error> {
        self.bump();
        let start = self.at;
        while let Some(c) = self.bump() {
            if c == '\'' {
                return Ok(Scalar::Text(self.text[start..self.at - 1].to_owned()));
            }
        }
        Err(self.fail("Unexpected EOF."))
    }

    fn double_quoted(&mut self) -> Result<Scalar, Error> {
        self.bump();
        let mut bytes = Vec::new();
        loop {
            match self.bump() {
                None => return Err(self.fail("Unexpected EOF.")),
                Some('"') => return Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned())),
                Some('\\') => self.escape(&mut bytes)?,
                Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let c = self.bump();
        out.push(match c {
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('r') => b'\r',
            Some('"') => b'"',
            Some('\\') => b'\\',
            Some('x') => {
                let digits = self.text.get(self.at..self.at + 2);
                let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
                let Some(byte) = byte else {
                    return Err(self.fail(format!(
                        "Expected two hexadecimal digits after '\\x', but got '{}'",
                        digits.unwrap_or_default()
                    )));
                };
                self.at += 2;
                byte
            }
            _ => {
                let shown = c.map(String::from).unwrap_or_default();
                return Err(self.fail(format!(
                    "Invalid escape character '{shown}'. Only the following escape characters are allowed: \\xXX, \\t, \\n, \\r, \\\", \\\\."
                )));
            }
        });
        Ok(())
    }

    /// A block string: everything up to a `)` that stands alone on its line.
    fn block(&mut self) -> Result<Scalar, Error> {
        self.bump();
        let start = self.at;
        let mut before = '(';
        while let Some(c) = self.peek() {
            let end = self.at;
            self.bump();
            if c == ')' && before == '\n' && self.peek().is_none_or(|c| c == '\n') {
                return Ok(Scalar::Text(self.text[start..end].to_owned()));
            }
            before = c;
        }
        Err(self.fail("Unexpected EOF processing block."))
    }

    fn negative(&mut self) -> Result<Scalar, Error> {
        self.bump();
        match self.peek() {
            Some(c) if c.is_ascii_digit() => self.number(true),
            Some('.') => Err(self.fail("Floats must start with a digit")),
            c => {
                let shown = c.map(|c| format!("{c:?}")).unwrap_or_else(|| "EOF".into());
                Err(self.fail(format!("Expected a digit but got {shown}.")))
            }
        }
    }

    /// A number, unless what follows makes it a date, an address or a plain word.
    fn number(&mut self, negative: bool) -> Result<Scalar, Error> {
        let start = if negative { self.at - 1 } else { self.at };
        let first_digit = self.at;
        self.digits();
        let whole = &self.text[first_digit..self.at];
        match self.peek() {
            Some('-') if !negative && whole.len() == 4 => return self.date(start),
            Some('-') if !negative => return Err(self.fail("All ISO8601 dates must be in full Zulu form.")),
            Some('.') => return self.fraction(start),
            Some(c) if number_suffix(c) => return self.suffixed(start),
            Some(c) if !ends_word(c) => return self.word(start),
            _ => {}
        }
        self.integer(&self.text[start..self.at], 1)
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
        }
    }

    fn integer(&self, digits: &str, scale: i64) -> Result<Scalar, Error> {
        let parsed: Option<i64> = digits.parse().ok();
        let value = parsed.and_then(|n| n.checked_mul(scale));
        value
            .map(Scalar::Integer)
            .ok_or_else(|| self.fail(format!("integer '{digits}' is out of the range")))
    }

    fn suffixed(&mut self, start: usize) -> Result<Scalar, Error> {
        let digits_end = self.at;
        self.bump();
        while self.peek().is_some_and(|c| matches!(c, 'b' | 'B' | 'i' | 'I')) {
            self.bump();
        }
        if self.peek().is_some_and(|c| !ends_word(c)) {
            return self.word(start);
        }
        let suffix = self.text[digits_end..self.at].to_ascii_lowercase();
        match scale(&suffix) {
            Some(scale) => self.integer(&self.text[start..digits_end], scale),
            None => Ok(Scalar::Text(self.text[start..self.at].to_owned())),
        }
    }

    fn fraction(&mut self, start: usize) -> Result<Scalar, Error> {
        self.bump();
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Err(self.fail("Expected a digit but got a fraction without one."));
        }
        self.digits();
        if self.peek() == Some('.') {
            return self.word(start);
        }
        let text = &self.text[start..self.at];
        text.parse()
            .map(Scalar::Float)
            .map_err(|_| self.fail(format!("float '{text}' is out of the range")))
    }

    fn date(&mut self, start: usize) -> Result<Scalar, Error> {
        const FORM: &[u8] = b"0000-00-00T00:00:00Z";
        let bytes = &self.text.as_bytes()[start..];
        let fits = bytes.len() >= FORM.len()
            && FORM
                .iter()
                .zip(bytes)
                .all(|(f, b)| if *f == b'0' { b.is_ascii_digit() } else { f == b });
        if !fits {
            return Err(self.fail("All ISO8601 dates must be in full Zulu form."));
        }
        self.at = start + FORM.len();
        Ok(Scalar::Time(self.text[start..self.at].to_owned()))
    }

    /// A bare word from `start` on: a switch, a variable or a string.
    pub(crate) fn word(&mut self, start: usize) -> Result<Scalar, Error> {
        let mut escaped: Option<Vec<u8>> = None;
        while let Some(c) = self.peek() {
            if ends_word(c) {
                break;
            }
            let from = self.at;
            self.bump();
            if c == '\\' {
                let out = escaped.get_or_insert_with(|| self.text.as_bytes()[start..from].to_vec());
                let mut bytes = std::mem::take(out);
                self.escape(&mut bytes)?;
                escaped = Some(bytes);
            } else if let Some(out) = &mut escaped {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        if let Some(bytes) = escaped {
            return Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned()));
        }
        let word = &self.text[start..self.at];
        Ok(match word.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Scalar::Bool(true),
            "false" | "no" | "off" => Scalar::Bool(false),
            _ => match word.strip_prefix('$') {
                // A bcrypt hash is no variable.
                Some(name) if !name.is_empty() && !name.starts_with("2a$") => {
                    Scalar::Variable(name.to_owned())
                }
                _ => Scalar::Text(word.to_owned()),
            },
        })
    }
}

const fn number_suffix(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 'k' | 'm' | 'g' | 't' | 'p' | 'e')
}

/// What a suffix multiplies by: a letter alone is a power of 1000, with `b`, `i` or `ib` of 1024.
fn scale(suffix: &str) -> Option<i64> {
    let power = "kmgtpe".find(suffix.chars().next()?)?;
    let base: i64 = match &suffix[1..] {
        "" => 1000,
        "b" | "i" | "ib" => 1024,
        _ => return None,
    };
    base.checked_pow(u32::try_from(power).ok()? + 1)
}
