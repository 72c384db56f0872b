//! What stands for something else: `$NAME` and `include`. Files and environment are asked of the caller.

use crate::cursor::{Cursor, END, Stop, is_blank, is_newline};
use crate::error::Error;
use crate::parse::{INCLUDE_DEPTH_MAX, Outer, Parser, VARIABLE_DEPTH_MAX};
use crate::value::Kind;

/// Key under which the text of an environment variable is parsed.
const ENVIRONMENT_KEY: &str = "pk";

impl Parser<'_> {
    /// The value `$name` stands for: from the enclosing maps outwards, then from the environment.
    pub(crate) fn variable(&mut self, name: &str, line: usize) -> Result<Kind, Stop> {
        for scope in self.scopes.iter().rev() {
            if let Some(value) = scope.get(name) {
                value.used.set(true);
                return Ok(value.kind.clone());
            }
        }
        let name = name.to_owned();
        match self.environment(&name) {
            Ok(Some(kind)) => Ok(kind),
            Ok(None) => Err(Error::Variable { name, line }.into()),
            Err(reason) => {
                let reason = Box::new(reason);
                Err(Error::Environment { name, line, reason }.into())
            }
        }
    }

    /// An environment variable, its text read as a value.
    fn environment(&mut self, name: &str) -> Result<Option<Kind>, Error> {
        let mut variables = self.outer.variables.clone();
        if variables.iter().any(|v| v == name) || variables.len() > VARIABLE_DEPTH_MAX {
            return Err(Error::Cycle {
                name: name.to_owned(),
            });
        }
        let Some(text) = self.source.env(name) else {
            return Ok(None);
        };
        variables.push(name.to_owned());
        let outer = Outer {
            includes: self.outer.includes,
            variables,
        };
        let text = format!("{ENVIRONMENT_KEY}={text}");
        let mut tree = Parser::new("", self.source, outer).file(&text)?;
        Ok(tree.remove(ENVIRONMENT_KEY).map(|value| value.kind))
    }

    /// Reads the path behind `include` and merges that file into the innermost scope. An included file sees the
    /// variables of no other file.
    pub(crate) fn include(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let path = include_path(cursor)?;
        let failed = |reason: String| {
            let path = path.clone();
            Error::Include { path, reason }
        };
        if self.outer.includes >= INCLUDE_DEPTH_MAX {
            return Err(failed("includes are nested too deeply".into()).into());
        }
        let (name, text) = self.source.include(&self.file, &path).map_err(failed)?;
        let outer = Outer {
            includes: self.outer.includes + 1,
            variables: self.outer.variables.clone(),
        };
        let tree = Parser::new(&name, self.source, outer)
            .file(&text)
            .map_err(|error| failed(error.to_string()))?;
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(tree);
        }
        self.included();
        Ok(())
    }
}

/// The path, with or without quotes. It is no value: neither escapes nor variables are looked at.
fn include_path(cursor: &mut Cursor<'_>) -> Result<String, Stop> {
    cursor.skip_blanks();
    let refused = |what: &str| format!("Expected include value but found {what}");
    let text = match cursor.peek() {
        quote @ ('"' | '\'') => return quoted(cursor, quote),
        '[' => refused("start of an array"),
        '{' => refused("start of a map"),
        '(' => refused("start of a block"),
        '-' | '0'..='9' => refused("start of a number"),
        '\\' => refused("escape sequence"),
        c if is_newline(c) => {
            cursor.bump();
            refused("new line")
        }
        _ => return Ok(bare(cursor)),
    };
    Err(cursor.fail(text).into())
}

fn bare(cursor: &mut Cursor<'_>) -> String {
    let start = cursor.offset();
    loop {
        match cursor.peek() {
            '\'' => {
                let path = cursor.since(start).to_owned();
                cursor.bump();
                return path;
            }
            c if is_newline(c) || is_blank(c) || matches!(c, END | ';' | '}') => {
                return cursor.since(start).to_owned();
            }
            _ => {
                cursor.bump();
            }
        }
    }
}

fn quoted(cursor: &mut Cursor<'_>, quote: char) -> Result<String, Stop> {
    cursor.bump();
    let start = cursor.offset();
    if !cursor.until(quote) {
        let kind = if quote == '"' { "double quoted" } else { "quoted" };
        let text = format!("Unexpected EOF in {kind} include");
        return Err(cursor.fail(text).into());
    }
    let path = cursor.since(start).to_owned();
    cursor.bump();
    Ok(path)
}
