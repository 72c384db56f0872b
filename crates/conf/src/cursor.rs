//! A place in the text, and the few questions every rule asks of it. Knows no rule of the language.
//!
//! The end of the text reads as NUL, because the peer cannot tell the two apart either.

use crate::error::Error;

/// What the end of the text reads as.
pub(crate) const END: char = '\0';

/// Why reading stops early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The text ended where the peer takes that for the end of the configuration, with so many bytes of a string read.
    End(usize),
    /// The text is refused.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// A place in the text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
}

/// A blank inside a line.
pub(crate) const fn is_blank(c: char) -> bool {
    matches!(c, '\t' | ' ')
}

/// An end of line.
pub(crate) const fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
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

    /// The next character, or [`END`].
    pub(crate) fn peek(&self) -> char {
        self.text[self.at..].chars().next().unwrap_or(END)
    }

    /// Takes the next character; at the end stays there and gives [`END`].
    pub(crate) fn bump(&mut self) -> char {
        let Some(c) = self.text[self.at..].chars().next() else {
            return END;
        };
        if c == '\n' {
            self.line += 1;
            self.line_start = self.at;
        }
        self.at += c.len_utf8();
        c
    }

    pub(crate) const fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Byte offset into the text.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The last two bytes before here, for showing what was no hexadecimal number.
    pub(crate) fn last_two_bytes(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at.saturating_sub(2)..self.at]
    }

    /// Line, from 1.
    pub(crate) const fn line(&self) -> usize {
        self.line
    }

    /// Column, counted as in [`crate::Position`]: the line end before counts as column 0, except in the first line.
    pub(crate) const fn column(&self) -> usize {
        self.at - self.line_start
    }

    pub(crate) fn fail(&self, text: impl Into<String>) -> Error {
        Error::Syntax {
            line: self.line,
            text: text.into(),
        }
    }

    /// Takes blanks inside the line.
    pub(crate) fn skip_blanks(&mut self) {
        while is_blank(self.peek()) {
            self.bump();
        }
    }

    /// Takes white space, line ends included.
    pub(crate) fn skip_space(&mut self) {
        while self.peek().is_whitespace() {
            self.bump();
        }
    }

    /// Takes a comment up to its line end, if one starts here.
    pub(crate) fn skip_comment(&mut self) -> bool {
        if self.peek() != '#' && !self.text[self.at..].starts_with("//") {
            return false;
        }
        while !is_newline(self.peek()) && self.peek() != END {
            self.bump();
        }
        true
    }

    /// Takes everything up to `quote`, which stays. False if the text ends before.
    pub(crate) fn until(&mut self, quote: char) -> bool {
        while self.peek() != quote {
            if self.peek() == END {
                return false;
            }
            self.bump();
        }
        true
    }
}

/// A character as the peer shows it in an error.
pub(crate) fn shown(c: char) -> String {
    if c == '\n' { "\\n".into() } else { c.into() }
}
