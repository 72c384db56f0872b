//! Structure: the whole text, maps, lists and keys. Files and environment are asked of the caller.
//!
//! Keys wait on a stack until their value is known, as in the peer (`conf/parse.go`): a map that ends behind a key gives
//! that key to the map itself.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::cursor::{Cursor, END, Stop, is_blank, is_newline, shown};
use crate::error::Error;
use crate::lex::Scalar;
use crate::source::Source;
use crate::value::{Kind, Position, Value};

/// Deepest nesting of maps and lists.
pub const DEPTH_MAX: usize = 128;
/// Deepest chain of includes.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// Deepest chain of environment variables that name each other.
pub(crate) const VARIABLE_DEPTH_MAX: usize = 16;

/// Parses `text`, which came from `file`.
///
/// # Errors
/// [`Error`] in the peer's words.
pub fn parse(text: &str, file: &str, source: &mut dyn Source) -> Result<BTreeMap<String, Value>, Error> {
    let tree = Parser::new(file, source, Outer::default()).file(text)?;
    if tree.is_empty() {
        return Err(Error::Empty {
            file: file.to_owned(),
        });
    }
    Ok(tree)
}

/// What surrounds a text: how deep it is included, and which environment variables are being resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outer {
    pub(crate) includes: usize,
    pub(crate) variables: Vec<String>,
}

/// A key whose value is still to come.
struct Key {
    name: String,
    line: usize,
    column: usize,
}

/// One file or one environment variable being parsed.
pub(crate) struct Parser<'s> {
    pub(crate) source: &'s mut dyn Source,
    pub(crate) outer: Outer,
    pub(crate) file: Rc<str>,
    /// Maps being filled, outermost first: where variables are looked up.
    pub(crate) scopes: Vec<BTreeMap<String, Value>>,
    keys: Vec<Key>,
    depth: usize,
    /// Whether the last thing read was a key (other than a stray `}`, which ends JSON-like texts).
    after_key: bool,
}

impl<'s> Parser<'s> {
    pub(crate) fn new(file: &str, source: &'s mut dyn Source, outer: Outer) -> Self {
        Self {
            source,
            outer,
            file: file.into(),
            scopes: vec![BTreeMap::new()],
            keys: Vec::new(),
            depth: 0,
            after_key: false,
        }
    }

    /// Parses a whole text. Maps and lists that the end of the text leaves open are forgotten.
    pub(crate) fn file(mut self, text: &str) -> Result<BTreeMap<String, Value>, Error> {
        let mut cursor = Cursor::new(text);
        let pending = match self.top(&mut cursor) {
            Err(Stop::Refused(error)) => return Err(error),
            Err(Stop::End(pending)) => pending,
            Ok(()) => 0,
        };
        if self.after_key {
            return Err(Error::Incomplete {
                file: self.file.to_string(),
                line: cursor.line(),
                column: cursor.column().saturating_sub(pending),
            });
        }
        Ok(self.scopes.swap_remove(0))
    }

    fn top(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        loop {
            cursor.skip_space();
            if cursor.skip_comment() {
                self.after_key = false;
                continue;
            }
            match cursor.peek() {
                END if cursor.at_end() => return Ok(()),
                END | '/' => return Err(cursor.fail("Unexpected EOF.").into()),
                '{' => {
                    cursor.bump();
                    self.block(cursor)?;
                }
                _ => {
                    self.entry(cursor)?;
                    self.top_value_end(cursor)?;
                }
            }
        }
    }

    fn top_value_end(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        loop {
            if cursor.skip_comment() {
                self.after_key = false;
                return Ok(());
            }
            match cursor.bump() {
                c if is_blank(c) || c == '/' => {}
                c if is_newline(c) || matches!(c, END | ';' | ',' | '}') => return Ok(()),
                c => {
                    return Err(cursor
                        .fail(format!(
                            "Expected a top-level value to end with a new line, comment or EOF, but got '{}' instead.",
                            shown(c)
                        ))
                        .into());
                }
            }
        }
    }

    /// What `{` at the top level opens: entries of the enclosing scope, JSON style. Its `{` is taken already.
    fn block(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        self.deeper(cursor)?;
        loop {
            cursor.skip_space();
            if cursor.skip_comment() {
                self.after_key = false;
                continue;
            }
            let ended = match cursor.peek() {
                END if cursor.at_end() => return Err(Stop::End(0)),
                END | '/' => return Err(cursor.fail("Unexpected EOF.").into()),
                '}' => {
                    cursor.bump();
                    true
                }
                '{' => {
                    cursor.bump();
                    self.block(cursor)?;
                    self.block_end(cursor)?
                }
                _ => {
                    self.entry(cursor)?;
                    self.block_value_end(cursor)?
                }
            };
            if ended {
                self.depth -= 1;
                return Ok(());
            }
        }
    }

    /// Behind an entry of a block; whether the block ended.
    fn block_value_end(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
        loop {
            if cursor.skip_comment() {
                self.after_key = false;
            }
            match cursor.bump() {
                c if is_blank(c) || c == '/' => {}
                c if is_newline(c) || matches!(c, ';' | ',') => return Ok(false),
                '}' => return Ok(true),
                c => {
                    return Err(cursor
                        .fail(format!(
                            "Expected a block-level value to end with a new line, comment or EOF, but got '{}' instead.",
                            shown(c)
                        ))
                        .into());
                }
            }
        }
    }

    /// Behind a block in a block; whether the outer one ended.
    fn block_end(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
        loop {
            if cursor.skip_comment() {
                self.after_key = false;
                return Ok(false);
            }
            match cursor.bump() {
                c if is_blank(c) || is_newline(c) || c == '/' => {}
                ';' | ',' => return Ok(false),
                '}' => return Ok(true),
                c => {
                    let text = format!(
                        "Expected a block-level to end with a '}}', but got '{}' instead.",
                        shown(c)
                    );
                    return Err(cursor.fail(text).into());
                }
            }
        }
    }

    /// A key and its value outside of maps.
    fn entry(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let quote = cursor.peek();
        match quote {
            ':' | '=' => {
                let text = format!("Unexpected key separator '{quote}'");
                return Err(cursor.fail(text).into());
            }
            '"' | '\'' => {
                cursor.bump();
                let start = cursor.offset();
                let at = (cursor.line(), cursor.column());
                if !cursor.until(quote) {
                    let lone = cursor.offset() == start;
                    return Err(if lone {
                        Stop::End(0)
                    } else {
                        cursor.fail("Unexpected EOF.").into()
                    });
                }
                self.push_key(cursor.since(start), at);
                cursor.bump();
            }
            _ => {
                if self.bare_key(cursor, true)? {
                    return Ok(());
                }
            }
        }
        cursor.skip_space();
        match cursor.peek() {
            ':' | '=' => {
                cursor.bump();
            }
            END => return Err(Stop::End(0)),
            _ => {}
        }
        cursor.skip_blanks();
        self.value(cursor)
    }

    /// Reads a bare key up to white space or a separator. True if it was an include, which is then done.
    pub(crate) fn bare_key(&mut self, cursor: &mut Cursor<'_>, end_ends_it: bool) -> Result<bool, Stop> {
        let start = cursor.offset();
        let at = (cursor.line(), cursor.column());
        // Whatever the first character is, it belongs to the key.
        cursor.bump();
        loop {
            match cursor.peek() {
                END if !end_ends_it => {
                    let text = "Unexpected EOF processing map key.";
                    return Err(cursor.fail(text).into());
                }
                c if c.is_whitespace() => {
                    if cursor.since(start).eq_ignore_ascii_case("include") {
                        self.include(cursor)?;
                        return Ok(true);
                    }
                    break;
                }
                ':' | '=' | END => break,
                _ => {
                    cursor.bump();
                }
            }
        }
        self.push_key(cursor.since(start), at);
        Ok(false)
    }

    pub(crate) fn push_key(&mut self, name: &str, (line, column): (usize, usize)) {
        self.after_key = name != "}";
        self.keys.push(Key {
            name: name.to_owned(),
            line,
            column,
        });
    }

    /// Gives `value` to the key that waits for it.
    fn set(&mut self, kind: Kind) {
        let (Some(key), Some(scope)) = (self.keys.pop(), self.scopes.last_mut()) else {
            return;
        };
        let at = Position {
            file: Rc::clone(&self.file),
            line: key.line,
            column: key.column,
        };
        scope.insert(key.name, Value::new(kind, at));
    }

    /// Reads a value and gives it to its key.
    pub(crate) fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        if let Some((kind, _)) = self.kind(cursor)? {
            self.set(kind);
        }
        Ok(())
    }

    /// Reads a value; and where it stands, which counts in lists only. None for what the peer reads and drops.
    pub(crate) fn kind(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<(Kind, Position)>, Stop> {
        let mut column = cursor.column();
        let start = cursor.offset();
        let kind = match cursor.peek() {
            '{' => {
                cursor.bump();
                self.after_key = false;
                self.scopes.push(BTreeMap::new());
                self.map(cursor)?;
                self.after_key = false;
                column = cursor.column();
                Kind::Map(self.scopes.pop().unwrap_or_default())
            }
            '[' => {
                cursor.bump();
                self.after_key = false;
                let items = self.list(cursor)?;
                column = cursor.column();
                Kind::List(items)
            }
            opening => {
                let line = cursor.line();
                let scalar = cursor.scalar()?;
                self.after_key = false;
                column += match (&scalar, opening) {
                    // Escapes and the closing quote are longer than what they stand for.
                    (Scalar::Text(text), '"') => (cursor.offset() - start - 1).saturating_sub(text.len()),
                    (Scalar::Text(_), '\'' | '(') | (Scalar::Variable(_), _) => 1,
                    _ => 0,
                };
                match scalar {
                    Scalar::Text(text) => Kind::Text(text),
                    Scalar::Integer(n) => Kind::Integer(n),
                    Scalar::Float(n) => Kind::Float(n),
                    Scalar::Bool(b) => Kind::Bool(b),
                    Scalar::Time(t) => Kind::Time(t),
                    Scalar::Variable(name) => self.variable(&name, line)?,
                    Scalar::Nothing => return Ok(None),
                }
            }
        };
        let at = Position {
            file: Rc::clone(&self.file),
            line: cursor.line(),
            column,
        };
        Ok(Some((kind, at)))
    }

    /// One level of nesting more.
    pub(crate) fn deeper(&mut self, cursor: &Cursor<'_>) -> Result<(), Stop> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(cursor.fail("configuration is nested too deeply").into());
        }
        Ok(())
    }

    /// Notes that an include was read.
    pub(crate) const fn included(&mut self) {
        self.after_key = false;
    }

    /// One level of nesting less.
    pub(crate) const fn shallower(&mut self) {
        self.depth -= 1;
    }
}
