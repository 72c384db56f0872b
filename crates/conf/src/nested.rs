//! Maps and lists inside of values. The top level, which has rules of its own, is in `parse`.

use crate::cursor::{Cursor, END, Stop, is_blank, is_newline, shown};
use crate::parse::Parser;
use crate::value::Value;

impl Parser<'_> {
    /// Fills the innermost scope up to its `}`. The `{` is taken already.
    pub(crate) fn map(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        self.deeper(cursor)?;
        loop {
            cursor.skip_space();
            if cursor.skip_comment() {
                continue;
            }
            let ended = match cursor.peek() {
                '}' => {
                    cursor.bump();
                    true
                }
                _ => self.map_entry(cursor)?,
            };
            if ended {
                self.shallower();
                return Ok(());
            }
        }
    }

    /// A key, its value and what ends it; whether the map ended as well.
    fn map_entry(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
        let refused = |text: String| Err(cursor.fail(text).into());
        match cursor.peek() {
            c @ (':' | '=') => return refused(format!("Unexpected key separator '{c}'.")),
            ']' => return refused("Unexpected array end ']' processing map.".into()),
            END => return refused("Unexpected EOF processing map.".into()),
            quote @ ('"' | '\'') => self.quoted_key(cursor, quote)?,
            c => {
                if c == '/' {
                    // A lone slash before a key is lost.
                    cursor.bump();
                }
                if self.bare_key(cursor, false)? {
                    return map_value_end(cursor);
                }
            }
        }
        cursor.skip_space();
        if matches!(cursor.peek(), ':' | '=') {
            cursor.bump();
        }
        cursor.skip_space();
        match cursor.peek() {
            ',' => {
                cursor.bump();
                Err(cursor.fail("Unexpected map value terminator \",\".").into())
            }
            // The key stays on the stack and becomes that of this map.
            '}' => {
                cursor.bump();
                Ok(true)
            }
            _ => {
                self.value(cursor)?;
                map_value_end(cursor)
            }
        }
    }

    fn quoted_key(&mut self, cursor: &mut Cursor<'_>, quote: char) -> Result<(), Stop> {
        cursor.bump();
        let start = cursor.offset();
        let at = (cursor.line(), cursor.column());
        if !cursor.until(quote) {
            let kind = if quote == '"' { "double quoted" } else { "quoted" };
            let text = format!("Unexpected EOF processing {kind} map key.");
            return Err(cursor.fail(text).into());
        }
        self.push_key(cursor.since(start), at);
        cursor.bump();
        Ok(())
    }

    /// The items up to `]`. The `[` is taken already.
    pub(crate) fn list(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<Value>, Stop> {
        self.deeper(cursor)?;
        let mut items = Vec::new();
        loop {
            cursor.skip_space();
            if cursor.skip_comment() {
                continue;
            }
            match cursor.peek() {
                ']' => {
                    cursor.bump();
                    break;
                }
                ',' | '/' => {
                    cursor.bump();
                    let text = "Unexpected array value terminator ','.";
                    return Err(cursor.fail(text).into());
                }
                _ => {}
            }
            if let Some((kind, at)) = self.kind(cursor)? {
                items.push(Value::new(kind, at));
            }
            if list_value_end(cursor)? {
                break;
            }
        }
        self.shallower();
        Ok(items)
    }
}

/// Behind a value of a map; whether the map ended.
fn map_value_end(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    loop {
        cursor.skip_comment();
        match cursor.bump() {
            c if is_blank(c) => {}
            c if is_newline(c) || matches!(c, ';' | ',' | '/') => return Ok(false),
            '}' => return Ok(true),
            c => {
                let text = format!(
                    "Expected a map value terminator \",\" or a map terminator \"}}\", but got '{}' instead.",
                    shown(c)
                );
                return Err(cursor.fail(text).into());
            }
        }
    }
}

/// Behind a value of a list; whether the list ended.
fn list_value_end(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    loop {
        cursor.skip_comment();
        match cursor.bump() {
            c if is_blank(c) => {}
            c if is_newline(c) || matches!(c, ',' | '/') => return Ok(false),
            ']' => return Ok(true),
            c => {
                let text = format!(
                    "Expected an array value terminator \",\" or an array terminator \"]\", but got '{}' instead.",
                    shown(c)
                );
                return Err(cursor.fail(text).into());
            }
        }
    }
}
