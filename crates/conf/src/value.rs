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

    /// What Go prints of it (`%v`), for error texts. What is in a list or a map the peer prints as addresses; here it is
    /// the values.
    #[must_use]
    pub fn go_value(&self) -> String {
        match &self.kind {
            Kind::Text(text) => text.clone(),
            Kind::Integer(n) => n.to_string(),
            Kind::Float(n) => go_float(*n),
            Kind::Bool(on) => on.to_string(),
            Kind::Time(text) => format!("{} +0000 UTC", text.trim_end_matches('Z').replace('T', " ")),
            Kind::List(list) => {
                let items: Vec<String> = list.iter().map(Self::go_value).collect();
                format!("[{}]", items.join(" "))
            }
            Kind::Map(map) => {
                let items = map
                    .iter()
                    .map(|(key, value)| format!("{key}:{}", value.go_value()));
                format!("map[{}]", items.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// A number as Go's `%v` has it: with an exponent of two digits from a million up and below a ten-thousandth.
fn go_float(n: f64) -> String {
    let shown = format!("{n:e}");
    let Some((digits, exponent)) = shown.split_once('e') else {
        return shown;
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => n.to_string(),
    }
}
