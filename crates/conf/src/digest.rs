//! The digest of a configuration: a hash of its tree as JSON. Writes JSON only for that and for comparing trees.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::number::float_json;
use crate::value::{Kind, Value};

/// The digest the peer shows for a configuration (`conf/parse.go`, `ParseFileWithChecksDigest`): `sha256:` and the hash of
/// its tree as JSON with sorted keys and a line end. Values that only served as variables are part of it.
#[must_use]
pub fn digest(tree: &BTreeMap<String, Value>) -> String {
    let mut text = json(tree);
    text.push('\n');
    let hash = Sha256::digest(text.as_bytes());
    hash.iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A tree as JSON, written as Go's encoder writes it.
#[must_use]
pub fn json(tree: &BTreeMap<String, Value>) -> String {
    let mut out = String::new();
    push_map(&mut out, tree);
    out
}

fn push_value(out: &mut String, value: &Value) {
    match &value.kind {
        Kind::Text(text) | Kind::Time(text) => push_text(out, text),
        Kind::Integer(n) => out.push_str(&n.to_string()),
        Kind::Float(n) => out.push_str(&float_json(*n)),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                push_value(out, item);
            }
            out.push(']');
        }
        Kind::Map(map) => push_map(out, map),
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
        push_value(out, value);
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
            // Go escapes what could end a script in a page.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
