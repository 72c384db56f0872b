//! Appends JSON to a buffer with Go's escapes.

use super::{Decoding, GoFields, GoJson, Json};

/// Appends `text` as a JSON string; `<`, `>`, `&` and line separators are escaped as Go does by default.
pub fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Writes one object, field after field.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Opens an object at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        text(self.out, name);
        self.out.push(b':');
    }

    /// Writes a field whatever its value.
    pub fn field<T: GoJson + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        value.encode(self.out);
    }

    /// Writes a field; the rule `keep` of a declaration.
    pub fn keep<T: GoJson + ?Sized>(&mut self, name: &str, value: &T) {
        self.field(name, value);
    }

    /// Writes a field unless it is empty; the rule `omit` of a declaration.
    pub fn omit<T: GoJson + ?Sized>(&mut self, name: &str, value: &T) {
        if !value.is_empty() {
            self.field(name, value);
        }
    }

    /// Writes a text field.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        text(self.out, value);
    }

    /// Writes a field whose JSON is already made.
    pub fn raw(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(json);
    }

    /// Writes a list of objects.
    pub fn list<T: GoJson>(&mut self, name: &str, items: &[T]) {
        self.name(name);
        super::types::encode_list(items, self.out);
    }

    /// Writes another type's fields in this object.
    pub fn embed<T: GoFields + ?Sized>(&mut self, value: &T) {
        value.encode_fields(self);
    }

    /// Closes the object.
    pub fn end(self) {
        self.out.push(b'}');
    }
}

/// Reads one field of a declared struct; `name` is as the text has it, and `go_type` names integers that Go declares
/// differently.
pub(crate) fn decode_named<T: GoJson>(
    field: &mut T,
    name: &str,
    json: &Json<'_>,
    cx: &mut Decoding,
    go_type: &'static str,
) {
    let found = cx.within(name, false, |cx| field.decode(json, cx));
    // The integer types of one width share an implementation: the declared name comes in its place.
    if let Some(found) = found
        && found.go_type == T::GO_TYPE
    {
        found.go_type = go_type;
    }
}
