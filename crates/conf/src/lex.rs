//! Characters to scalars: strings, numbers, dates, variables. Knows no structure and keeps no tree.
//!
//! Which bare word is a number, a date or a string follows the peer's lexer (`conf/lex.go`) also where that is odd:
//! `[1]` is a list that never ends, because a `]` right behind digits belongs to a bare string.

use crate::cursor::{Cursor, END, Stop, is_blank, is_newline, shown};
use crate::number;

/// A scalar as found in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Time(String),
    Variable(String),
    /// Read and dropped, as the peer does with an integer whose suffix it does not know.
    Nothing,
}

/// Ends a bare word.
const fn ends_word(c: char) -> bool {
    is_newline(c) || is_blank(c) || matches!(c, END | ',' | ';' | ']' | '}')
}

/// Ends a number. Not `]`: see the head of this file.
const fn ends_number(c: char) -> bool {
    is_newline(c) || is_blank(c) || matches!(c, END | ',' | ';' | '}')
}

impl Cursor<'_> {
    /// Reads a scalar that starts here; lists and maps are the caller's.
    pub(crate) fn scalar(&mut self) -> Result<Scalar, Stop> {
        match self.peek() {
            '\'' => self.single_quoted(),
            '"' => self.double_quoted(),
            '(' => self.block(),
            '-' => self.negative(),
            '.' => Err(self.fail("Floats must start with a digit").into()),
            c if is_newline(c) => {
                self.bump();
                Err(self.fail("Expected value but found new line").into())
            }
            c if c.is_ascii_digit() => self.number(),
            _ => self.word(self.offset()),
        }
    }

    fn single_quoted(&mut self) -> Result<Scalar, Stop> {
        self.bump();
        let start = self.offset();
        if !self.until('\'') {
            return Err(self.unclosed(start, 0));
        }
        let text = self.since(start).to_owned();
        self.bump();
        Ok(Scalar::Text(text))
    }

    /// A quote or escape right before the end is the end of the text to the peer, a longer unclosed string is an error.
    fn unclosed(&self, start: usize, pending: usize) -> Stop {
        if self.at_end() && self.offset() == start {
            Stop::End(pending)
        } else {
            self.fail("Unexpected EOF.").into()
        }
    }

    fn double_quoted(&mut self) -> Result<Scalar, Stop> {
        self.bump();
        let mut bytes = Vec::new();
        let mut start = self.offset();
        loop {
            match self.peek() {
                END => return Err(self.unclosed(start, bytes.len())),
                '"' => {
                    self.bump();
                    return Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned()));
                }
                '\\' => {
                    self.bump();
                    bytes.push(self.escape()?);
                    start = self.offset();
                }
                c => {
                    self.bump();
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }

    /// The byte an escape stands for; its backslash is taken already.
    fn escape(&mut self) -> Result<u8, Stop> {
        match self.bump() {
            'n' => Ok(b'\n'),
            't' => Ok(b'\t'),
            'r' => Ok(b'\r'),
            '"' => Ok(b'"'),
            '\\' => Ok(b'\\'),
            'x' => self.hexadecimal(),
            c => Err(self
                .fail(format!(
                    "Invalid escape character '{}'. Only the following escape characters are allowed: \\xXX, \\t, \\n, \\r, \\\", \\\\.",
                    shown(c)
                ))
                .into()),
        }
    }

    fn hexadecimal(&mut self) -> Result<u8, Stop> {
        for _ in 0..2 {
            if is_newline(self.bump()) {
                let text = "Expected two hexadecimal digits after '\\x', but hit end of line";
                return Err(self.fail(text).into());
            }
        }
        let digits = String::from_utf8_lossy(self.last_two_bytes());
        if digits.bytes().all(|b| b.is_ascii_hexdigit())
            && let Ok(byte) = u8::from_str_radix(&digits, 16)
        {
            return Ok(byte);
        }
        let text = format!("Expected two hexadecimal digits after '\\x', but got '{digits}'");
        Err(self.fail(text).into())
    }

    /// A block string: everything up to a `)` that stands alone on its line. At the very end of the text that `)`
    /// belongs to the string, in the peer as well.
    fn block(&mut self) -> Result<Scalar, Stop> {
        self.bump();
        let start = self.offset();
        let mut before = '(';
        loop {
            let text = self.since(start);
            let c = self.bump();
            let closes = c == ')' && before == '\n';
            if closes && self.peek() == '\n' {
                return Ok(Scalar::Text(text.to_owned()));
            }
            if closes && self.peek() == END {
                return Ok(Scalar::Text(self.since(start).to_owned()));
            }
            if c == END {
                return Err(self.fail("Unexpected EOF processing block.").into());
            }
            before = c;
        }
    }

    fn negative(&mut self) -> Result<Scalar, Stop> {
        let start = self.offset();
        self.bump();
        let c = self.bump();
        if c == '.' {
            return Err(self.fail("Floats must start with a digit, not '.'.").into());
        }
        if !c.is_ascii_digit() {
            let text = format!("Expected a digit but got '{}'.", shown(c));
            return Err(self.fail(text).into());
        }
        self.digits();
        match self.peek() {
            '.' => self.fraction(start),
            c if number::is_suffix(c) => self.suffixed(start),
            _ => self.integer(start),
        }
    }

    /// A number, unless what follows makes it a date, an address or a plain word.
    fn number(&mut self) -> Result<Scalar, Stop> {
        let start = self.offset();
        self.digits();
        match self.peek() {
            '-' => self.date(start),
            '.' => self.fraction(start),
            c if number::is_suffix(c) => self.suffixed(start),
            c if ends_number(c) => self.integer(start),
            _ => self.string_from(start),
        }
    }

    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.bump();
        }
    }

    fn integer(&self, start: usize) -> Result<Scalar, Stop> {
        let value = number::integer(self.since(start))?;
        Ok(value.map_or(Scalar::Nothing, Scalar::Integer))
    }

    fn suffixed(&mut self, start: usize) -> Result<Scalar, Stop> {
        self.bump();
        while matches!(self.peek(), 'b' | 'B' | 'i' | 'I') {
            self.bump();
        }
        if ends_number(self.peek()) {
            return self.integer(start);
        }
        self.word(start)
    }

    /// A word that began like a number. The character that shows it to be none is part of it whatever it is.
    fn string_from(&mut self, start: usize) -> Result<Scalar, Stop> {
        self.bump();
        self.word(start)
    }

    fn fraction(&mut self, start: usize) -> Result<Scalar, Stop> {
        self.bump();
        let c = self.bump();
        if !c.is_ascii_digit() {
            let text = format!(
                "Floats must have a digit after the '.', but got '{}' instead.",
                shown(c)
            );
            return Err(self.fail(text).into());
        }
        self.digits();
        if self.peek() == '.' {
            // An address, with or without a port.
            while matches!(self.peek(), '.' | ':' | '-' | '0'..='9') {
                self.bump();
            }
            return Ok(Scalar::Text(self.since(start).to_owned()));
        }
        Ok(Scalar::Float(number::float(self.since(start))?))
    }

    fn date(&mut self, start: usize) -> Result<Scalar, Stop> {
        self.bump();
        if self.since(start).len() != 5 {
            let text = "All ISO8601 dates must be in full Zulu form.";
            return Err(self.fail(text).into());
        }
        for wanted in "00-00T00:00:00Z".chars() {
            let c = self.bump();
            if wanted == '0' && !c.is_ascii_digit() {
                let text = format!(
                    "Expected digit in ISO8601 datetime, but found '{}' instead.",
                    shown(c)
                );
                return Err(self.fail(text).into());
            }
            if wanted != '0' && wanted != c {
                let text = format!(
                    "Expected '{wanted}' in ISO8601 datetime, but found '{}' instead.",
                    shown(c)
                );
                return Err(self.fail(text).into());
            }
        }
        Ok(Scalar::Time(number::date(self.since(start))?))
    }

    /// A bare word from `start` on, parts of which may be taken already: a switch, a variable or a string.
    fn word(&mut self, start: usize) -> Result<Scalar, Stop> {
        let mut bytes = self.since(start).as_bytes().to_vec();
        let mut escaped = false;
        loop {
            match self.peek() {
                '\\' => {
                    self.bump();
                    bytes.push(self.escape()?);
                    escaped = true;
                }
                '\'' => {
                    // A quote ends the word and is taken with it; what stands before it is never a switch or variable.
                    self.bump();
                    return Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned()));
                }
                c if ends_word(c) => break,
                c => {
                    self.bump();
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        let word = String::from_utf8_lossy(&bytes).into_owned();
        if escaped {
            return Ok(Scalar::Text(word));
        }
        Ok(match word.to_lowercase().as_str() {
            "true" | "yes" | "on" => Scalar::Bool(true),
            "false" | "no" | "off" => Scalar::Bool(false),
            _ => match word.strip_prefix('$') {
                // A bcrypt hash is no variable.
                Some(name) if !name.starts_with("2a$") => Scalar::Variable(name.to_owned()),
                _ => Scalar::Text(word),
            },
        })
    }
}
