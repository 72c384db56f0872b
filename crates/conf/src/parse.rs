//! Structure: maps, lists, variables and includes. Files and environment are asked of the caller.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::Error;
use crate::lex::{Cursor, Scalar, is_newline};
use crate::value::{Kind, Position, Value};

/// Deepest nesting of maps and lists.
pub const DEPTH_MAX: usize = 128;
/// Deepest chain of includes.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// Deepest chain of environment variables that name each other.
const VARIABLE_DEPTH_MAX: usize = 16;

/// What the parser may ask of the outside.
pub trait Source {
    /// The text of `path`, named in `from`; and the name under which its own includes are resolved.
    ///
    /// # Errors
    /// A text that says why it cannot be read.
    fn include(&mut self, from: &str, path: &str) -> Result<(String, String), String>;

    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
}

/// A source without files and environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSource;

impl Source for NoSource {
    fn include(&mut self, _from: &str, path: &str) -> Result<(String, String), String> {
        Err(format!("open {path}: no such file or directory"))
    }

    fn env(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Parses `text`, which came from `file`.
///
/// # Errors
/// [`Error`] in the peer's words.
pub fn parse(text: &str, file: &str, source: &mut dyn Source) -> Result<BTreeMap<String, Value>, Error> {
    let mut parser = Parser {
        source,
        scopes: Vec::new(),
        includes: 0,
        variables: Vec::new(),
    };
    let tree = parser.file(text, file)?;
    if tree.is_empty() {
        return Err(Error::Empty {
            file: file.to_owned(),
        });
    }
    Ok(tree)
}

struct Parser<'s> {
    source: &'s mut dyn Source,
    /// Maps being filled, outermost first: where variables are looked up.
    scopes: Vec<BTreeMap<String, Value>>,
    includes: usize,
    /// Environment variables being resolved.
    variables: Vec<String>,
}

/// How a map ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    File,
    Brace,
}

impl Parser<'_> {
    fn file(&mut self, text: &str, file: &str) -> Result<BTreeMap<String, Value>, Error> {
        let mut cursor = Cursor::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        let file: Rc<str> = file.into();
        cursor.skip_space();
        // A whole file may stand in braces.
        let braced = cursor.peek() == Some('{');
        if braced {
            cursor.bump();
        }
        self.scopes.push(BTreeMap::new());
        self.map(&mut cursor, &file, if braced { End::Brace } else { End::File }, 0)?;
        if braced {
            cursor.skip_space();
            if let Some(c) = cursor.peek() {
                return Err(cursor.fail(format!(
                    "Expected a top-level value to end with a new line, comment or EOF, but got '{c}' instead."
                )));
            }
        }
        Ok(self.scopes.pop().unwrap_or_default())
    }

    /// Fills the innermost scope up to `end`.
    fn map(&mut self, cursor: &mut Cursor<'_>, file: &Rc<str>, end: End, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(cursor.fail("configuration is nested too deeply"));
        }
        loop {
            cursor.skip_space();
            match (cursor.peek(), end) {
                (None, End::File) => return Ok(()),
                (None, End::Brace) => return Err(cursor.fail("Unexpected EOF processing map.")),
                (Some('}'), End::Brace) => {
                    cursor.bump();
                    return Ok(());
                }
                (Some(',' | ';'), _) => {
                    cursor.bump();
                }
                _ => self.entry(cursor, file, end, depth)?,
            }
        }
    }

    fn entry(
        &mut self,
        cursor: &mut Cursor<'_>,
        file: &Rc<str>,
        end: End,
        depth: usize,
    ) -> Result<(), Error> {
        let line = cursor.line;
        let (key, column, quoted) = cursor.key()?;
        if key.eq_ignore_ascii_case("include")
            && !quoted
            && !cursor.peek().is_none_or(|c| matches!(c, '{' | '['))
        {
            self.include(cursor, file)?;
        } else {
            let at = Position {
                file: Rc::clone(file),
                line,
                column,
            };
            let value = self.value(cursor, file, Some(at), depth)?;
            if let Some(scope) = self.scopes.last_mut() {
                scope.insert(key, value);
            }
        }
        terminator(cursor, end)
    }

    fn include(&mut self, cursor: &mut Cursor<'_>, file: &Rc<str>) -> Result<(), Error> {
        // A bare path may begin with what would be no value: `./x.conf`.
        let found = if matches!(cursor.peek(), Some('"' | '\'')) {
            cursor.scalar()?
        } else {
            cursor.word(cursor.at)?
        };
        let (Scalar::Text(path) | Scalar::Variable(path)) = found else {
            return Err(cursor.fail("Expected include file name"));
        };
        let failed = |reason: String| Error::Include {
            path: path.clone(),
            reason,
        };
        self.includes += 1;
        if self.includes > INCLUDE_DEPTH_MAX {
            return Err(failed("includes are nested too deeply".into()));
        }
        let (name, text) = self.source.include(file, &path).map_err(failed)?;
        let tree = self.file(&text, &name).map_err(|e| failed(format!("{e}")))?;
        self.includes -= 1;
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(tree);
        }
        Ok(())
    }

    fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        file: &Rc<str>,
        key_at: Option<Position>,
        depth: usize,
    ) -> Result<Value, Error> {
        let quoted = matches!(cursor.peek(), Some('"' | '\'' | '(' | '{' | '['));
        let own = Position {
            file: Rc::clone(file),
            line: cursor.line,
            column: cursor.column() + usize::from(quoted),
        };
        let at = key_at.unwrap_or(own);
        let kind = match cursor.peek() {
            Some('{') => {
                cursor.bump();
                self.scopes.push(BTreeMap::new());
                self.map(cursor, file, End::Brace, depth + 1)?;
                Kind::Map(self.scopes.pop().unwrap_or_default())
            }
            Some('[') => {
                cursor.bump();
                self.list(cursor, file, depth + 1)?
            }
            _ => {
                let line = cursor.line;
                match cursor.scalar()? {
                    Scalar::Text(text) => Kind::Text(text),
                    Scalar::Integer(n) => Kind::Integer(n),
                    Scalar::Float(n) => Kind::Float(n),
                    Scalar::Bool(b) => Kind::Bool(b),
                    Scalar::Time(t) => Kind::Time(t),
                    Scalar::Variable(name) => self.variable(&name, line)?,
                }
            }
        };
        Ok(Value::new(kind, at))
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, file: &Rc<str>, depth: usize) -> Result<Kind, Error> {
        if depth > DEPTH_MAX {
            return Err(cursor.fail("configuration is nested too deeply"));
        }
        let mut items = Vec::new();
        loop {
            cursor.skip_space();
            match cursor.peek() {
                None => return Err(cursor.fail("Unexpected EOF processing array.")),
                Some(']') => {
                    cursor.bump();
                    return Ok(Kind::List(items));
                }
                Some(',') => return Err(cursor.fail("Unexpected array value terminator ','.")),
                _ => {}
            }
            items.push(self.value(cursor, file, None, depth)?);
            let line = cursor.line;
            cursor.skip_space();
            match cursor.peek() {
                Some(',') => {
                    cursor.bump();
                }
                Some(']') | None => {}
                // Values may also stand on lines of their own.
                Some(_) if cursor.line > line => {}
                Some(c) => {
                    return Err(cursor.fail(format!(
                        "Expected an array value terminator ',' or an array terminator ']', but got '{c}' instead."
                    )));
                }
            }
        }
    }

    /// The value `$name` stands for: from the enclosing maps outwards, then from the environment.
    fn variable(&mut self, name: &str, line: usize) -> Result<Kind, Error> {
        for scope in self.scopes.iter().rev() {
            if let Some(value) = scope.get(name) {
                value.used.set(true);
                return Ok(value.kind.clone());
            }
        }
        let Some(text) = self.source.env(name) else {
            return Err(Error::Variable {
                name: name.to_owned(),
                line,
            });
        };
        if self.variables.iter().any(|v| v == name) || self.variables.len() > VARIABLE_DEPTH_MAX {
            return Err(Error::Cycle {
                name: name.to_owned(),
            });
        }
        self.variables.push(name.to_owned());
        let mut cursor = Cursor::new(&text);
        let file: Rc<str> = "".into();
        let value = self.value(&mut cursor, &file, None, 0);
        self.variables.pop();
        Ok(value?.kind)
    }
}

/// What must follow a key's value.
fn terminator(cursor: &mut Cursor<'_>, end: End) -> Result<(), Error> {
    cursor.skip_blanks();
    if cursor.skip_comment() {
        return Ok(());
    }
    match (cursor.peek(), end) {
        (None, _) | (Some('}'), End::Brace) => Ok(()),
        (Some(c), _) if is_newline(c) || matches!(c, ',' | ';') => Ok(()),
        (Some(c), End::Brace) => Err(cursor.fail(format!(
            "Expected a map value terminator \",\" or a map terminator \"}}\", but got '{c}' instead."
        ))),
        (Some(c), End::File) => Err(cursor.fail(format!(
            "Expected a top-level value to end with a new line, comment or EOF, but got '{c}' instead."
        ))),
    }
}
