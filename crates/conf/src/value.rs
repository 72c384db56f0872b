//! The parsed tree: values with the place they came from.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// File as named when it was opened; empty for text without a file.
    pub file: Rc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 0 in the first line and from 1 in the others, as the peer counts. The value of a key has the key's place, as in the peer.
    pub column: usize,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A string, quoted or bare.
    Text(String),
    /// An integer, suffix applied.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A switch.
    Bool(bool),
    /// A Zulu date and time, as written.
    Time(String),
    /// A list.
    List(Vec<Value>),
    /// Keys and values; of several equal keys the last counts.
    Map(BTreeMap<String, Value>),
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub at: Position,
    /// Whether a `$NAME` referred to it: then an unknown key is no error.
    pub used: Cell<bool>,
}

impl Value {
    /// A value at a place.
    #[must_use]
    pub const fn new(kind: Kind, at: Position) -> Self {
        Self {
            kind,
            at,
            used: Cell::new(false),
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub const fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub const fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    /// Name of the Go type it has in the peer, for error texts.
    #[must_use]
    pub const fn go_type(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "string",
            Kind::Integer(_) => "int64",
            Kind::Float(_) => "float64",
            Kind::Bool(_) => "bool",
            Kind::Time(_) => "time.Time",
            Kind::List(_) => "[]interface {}",
            Kind::Map(_) => "map[string]interface {}",
        }
    }

    /// Appends the JSON form whose hash is the digest.
    fn push_json(&self, out: &mut String) {
        match &self.kind {
            Kind::Text(text) | Kind::Time(text) => push_text(out, text),
            Kind::Integer(n) => out.push_str(&n.to_string()),
            Kind::Float(n) => out.push_str(&n.to_string()),
            Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Kind::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.push_json(out);
                }
                out.push(']');
            }
            Kind::Map(map) => push_map(out, map),
        }
    }
}

fn push_map(out: &mut String, map: &BTreeMap<String, Value>) {
    out.push('{');
    for (n, (key, value)) in map.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        push_text(out, key);
        out.push(':');
        value.push_json(out);
    }
    out.push('}');
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The digest the peer shows for a configuration: `sha256:` and the hash of its tree as JSON.
#[must_use]
pub fn digest(tree: &BTreeMap<String, Value>) -> String {
    use sha2::{Digest, Sha256};
    let mut json = String::new();
    push_map(&mut json, tree);
    json.push('\n');
    let hash = Sha256::digest(json.as_bytes());
    hash.iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
