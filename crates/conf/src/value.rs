//! The parsed tree: values with the place they came from. Knows nothing of what keys mean.

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
    /// Column in bytes, from 0 in the first line and from 1 in the others, as the peer counts. The value of a key has the
    /// place of the key; a map or list in a list that of its end.
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
}
