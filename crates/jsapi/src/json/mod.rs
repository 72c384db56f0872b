//! JSON as the peer reads and writes it: Go's escapes, names in any case, and refusals in Go's words.
//!
//! Reading is strict about types and, when asked, about unknown names; writing keeps the declared order of fields and
//! leaves empty optional ones out.

mod macros;
pub mod parse;
mod types;
pub mod write;

pub(crate) use macros::{go_enum, go_struct};
pub use parse::Json;
pub use types::Base64;

use std::borrow::Cow;

/// Largest text read, bytes: as much as the largest message a server can be told to take, and what an archive may hold.
pub const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Deepest nesting accepted.
pub const DEPTH_MAX: usize = 64;

/// Why a JSON text is refused, in the peer's words (without the `invalid JSON: ` that API errors put before it).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub String);

/// A type that is read and written as Go would.
pub trait GoJson {
    /// Its name in Go's error texts.
    const GO_TYPE: &'static str;
    /// Whether `omitempty` leaves it out.
    fn is_empty(&self) -> bool;
    /// Appends its JSON.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads `json` into it. What is wrong is kept in `cx`; the first error counts.
    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding);
}

/// A type whose fields can stand in another object's place, as Go's embedded structs do.
pub trait GoFields {
    /// Appends its fields to an object.
    fn encode_fields(&self, object: &mut write::ObjectWriter<'_>);
    /// Reads the field called `name`; `false` if there is none.
    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool;
}

/// State of reading one text: where we are, and the first thing found wrong.
#[derive(Debug)]
pub struct Decoding {
    root: &'static str,
    path: Vec<Cow<'static, str>>,
    in_list: bool,
    strict: bool,
    error: Option<String>,
    /// Unknown names that were let pass.
    pub unknown: Vec<String>,
}

impl Decoding {
    fn fail(&mut self, text: String) {
        if self.error.is_none() {
            self.error = Some(text);
        }
    }

    /// Records that `json` cannot become a `go_type`.
    pub fn mismatch(&mut self, json: &Json<'_>, go_type: &str) {
        let found = match json {
            Json::Null => "null".into(),
            Json::Bool(_) => "bool".into(),
            Json::Number(_) => "number".into(),
            Json::Text { .. } => "string".into(),
            Json::List(_) => "array".into(),
            Json::Object(_) => Cow::Borrowed("object"),
        };
        self.mismatch_as(&found, go_type);
    }

    /// The same for a number whose value does not fit.
    pub fn out_of_range(&mut self, number: &str, go_type: &str) {
        self.mismatch_as(&format!("number {number}"), go_type);
    }

    fn mismatch_as(&mut self, found: &str, go_type: &str) {
        let text = if self.path.is_empty() {
            format!(
                "json: cannot unmarshal {found} into Go value of type server.{}",
                self.root
            )
        } else {
            let kind = if self.in_list { "" } else { "Go struct field " };
            let path = self.path.join(".");
            format!(
                "json: cannot unmarshal {found} into {kind}{}.{path} of type {go_type}",
                self.root
            )
        };
        self.fail(text);
    }

    /// Records a text of a type's own.
    pub fn custom(&mut self, text: String) {
        self.fail(text);
    }

    fn unknown_field(&mut self, name: &str) {
        if self.strict {
            self.fail(format!("json: unknown field {}", write::quoted(name)));
        } else {
            self.unknown.push(name.to_owned());
        }
    }

    fn within(&mut self, name: Cow<'static, str>, in_list: bool, read: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.in_list, in_list);
        self.path.push(name);
        read(self);
        self.path.pop();
        self.in_list = before;
    }
}

/// Reads the object `json` into `value`.
pub fn decode_object<T: GoFields + ?Sized>(value: &mut T, json: &Json<'_>, cx: &mut Decoding, go_type: &str) {
    match json {
        Json::Null => {}
        Json::Object(fields) => {
            for (name, field) in fields {
                if !value.decode_field(name, field, cx) {
                    cx.unknown_field(name);
                }
            }
        }
        other => cx.mismatch(other, go_type),
    }
}

/// Reads a request body into a `T` called `root` in errors. An empty body is a default `T`.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn from_request<T: GoFields + Default>(
    body: &[u8],
    root: &'static str,
    strict: bool,
) -> Result<T, JsonError> {
    let value = T::default();
    if body.trim_ascii().is_empty() {
        return Ok(value);
    }
    decoded(value, &parse::parse(body)?, root, strict)
}

/// Reads a request body that the peer reads in one piece: errors do not say where, nothing may follow, and unknown names
/// pass.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn from_whole<T: GoFields + Default>(body: &[u8], root: &'static str) -> Result<T, JsonError> {
    decoded(T::default(), &parse::parse_whole(body)?, root, false)
}

fn decoded<T: GoFields>(
    mut value: T,
    json: &Json<'_>,
    root: &'static str,
    strict: bool,
) -> Result<T, JsonError> {
    let mut cx = Decoding {
        root,
        path: Vec::new(),
        in_list: false,
        strict,
        error: None,
        unknown: Vec::new(),
    };
    decode_object(&mut value, json, &mut cx, root);
    cx.error.map_or(Ok(value), |text| Err(JsonError(text)))
}

/// Reads a text of our own or of a server, letting unknown names pass.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn from_slice<T: GoFields + Default>(text: &[u8]) -> Result<T, JsonError> {
    from_request(text, "value", false)
}

/// The JSON of `value` as an object.
#[must_use]
pub fn to_vec<T: GoFields>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = write::ObjectWriter::new(&mut out);
    value.encode_fields(&mut object);
    object.end();
    out
}
