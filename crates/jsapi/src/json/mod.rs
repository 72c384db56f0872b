//! JSON as the peer reads and writes it: Go's escapes, names in any case, and refusals in Go's words.
//!
//! Reading is strict about types and, when asked, about unknown names; writing keeps the declared order of fields and
//! leaves empty optional ones out.

mod macros;
pub mod parse;
mod quote;
mod token;
mod types;
pub mod write;

pub(crate) use macros::{go_enum, go_struct};
pub use parse::Json;
pub use quote::quoted;
pub(crate) use quote::quoted_time;
pub use types::Base64;

use std::fmt::Display;

/// Largest text read, bytes: as much as the largest message a server can be told to take, and what an archive may hold.
pub const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Deepest nesting accepted, as in the peer.
pub const NESTING_MAX: usize = 10_000;
/// How deep lists and objects keep what is in them: deeper than any type of the API.
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

/// State of reading one text: the first thing found wrong.
#[derive(Debug)]
pub struct Decoding {
    root: &'static str,
    strict: bool,
    error: Option<Wrong>,
    /// Unknown names that were let pass.
    pub unknown: Vec<String>,
}

/// What is wrong with a text.
#[derive(Debug)]
enum Wrong {
    Text(String),
    Kind(Mismatch),
}

/// A value of another kind than its place takes.
#[derive(Debug)]
struct Mismatch {
    found: String,
    go_type: &'static str,
    /// The names and places around it, outermost first; found out on the way back.
    path: Vec<String>,
    in_list: bool,
}

impl Mismatch {
    fn text(&self, root: &str) -> String {
        let Self { found, go_type, .. } = self;
        if self.path.is_empty() {
            return format!("json: cannot unmarshal {found} into Go value of type server.{root}");
        }
        let kind = if self.in_list { "" } else { "Go struct field " };
        let path = self.path.join(".");
        format!("json: cannot unmarshal {found} into {kind}{root}.{path} of type {go_type}")
    }
}

impl Decoding {
    fn fail(&mut self, wrong: Wrong) {
        self.error.get_or_insert(wrong);
    }

    /// Records that `json` cannot become a `go_type`.
    pub fn mismatch(&mut self, json: &Json<'_>, go_type: &'static str) {
        self.mismatch_as(json.kind().to_owned(), go_type);
    }

    /// The same for a number whose value does not fit.
    pub fn out_of_range(&mut self, number: &str, go_type: &'static str) {
        self.mismatch_as(format!("number {number}"), go_type);
    }

    fn mismatch_as(&mut self, found: String, go_type: &'static str) {
        self.fail(Wrong::Kind(Mismatch {
            found,
            go_type,
            path: Vec::new(),
            in_list: false,
        }));
    }

    /// Records a text of a type's own.
    pub fn custom(&mut self, text: String) {
        self.fail(Wrong::Text(text));
    }

    fn unknown_field(&mut self, name: &str) {
        if self.strict {
            self.custom(format!("json: unknown field {}", quoted(name)));
        } else {
            self.unknown.push(name.to_owned());
        }
    }

    /// Reads what stands at `place`, a name or a number in a list. Answers the mismatch that was found there, with the
    /// place in front.
    fn within(
        &mut self,
        place: impl Display,
        in_list: bool,
        read: impl FnOnce(&mut Self),
    ) -> Option<&mut Mismatch> {
        let is_known = self.error.is_some();
        read(self);
        match &mut self.error {
            Some(Wrong::Kind(found)) if !is_known => {
                found.in_list |= in_list && found.path.is_empty();
                found.path.insert(0, place.to_string());
                Some(found)
            }
            _ => None,
        }
    }
}

/// Whether a field is called `name` in a text that has `written`: as Go does, in letters of either case, and with the two
/// signs beyond ASCII that are such letters.
#[must_use]
pub fn is_name(written: &str, name: &str) -> bool {
    let plain = |c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    written.eq_ignore_ascii_case(name)
        || !written.is_ascii() && written.chars().map(plain).eq(name.chars().map(plain))
}

/// Reads the object `json` into `value`.
pub fn decode_object<T: GoFields + ?Sized>(
    value: &mut T,
    json: &Json<'_>,
    cx: &mut Decoding,
    go_type: &'static str,
) {
    match json {
        Json::Null => {}
        Json::Object(fields, _) => {
            for (name, field) in fields {
                if !value.decode_field(name, field, cx) {
                    cx.unknown_field(name);
                }
            }
        }
        other => cx.mismatch(other, go_type),
    }
}

/// Reads a request body into a `T` called `root` in errors. An empty body is a default `T`, and what several values in a
/// row say is put together.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn from_request<T: GoFields + Default>(
    body: &[u8],
    root: &'static str,
    strict: bool,
) -> Result<T, JsonError> {
    let mut value = T::default();
    for json in parse::values(body)? {
        decode_into(&mut value, &json?, root, strict)?;
    }
    Ok(value)
}

/// Reads a request body that the peer reads in one piece: errors do not say where, nothing may follow, and unknown names
/// pass.
///
/// # Errors
/// [`JsonError`] in the peer's words.
pub fn from_whole<T: GoFields + Default>(body: &[u8], root: &'static str) -> Result<T, JsonError> {
    let mut value = T::default();
    decode_into(&mut value, &parse::parse_whole(body)?, root, false)?;
    Ok(value)
}

fn decode_into<T: GoFields>(
    value: &mut T,
    json: &Json<'_>,
    root: &'static str,
    strict: bool,
) -> Result<(), JsonError> {
    let mut cx = Decoding {
        root,
        strict,
        error: None,
        unknown: Vec::new(),
    };
    decode_object(value, json, &mut cx, root);
    match cx.error {
        None => Ok(()),
        Some(Wrong::Text(text)) => Err(JsonError(text)),
        Some(Wrong::Kind(found)) => Err(JsonError(found.text(cx.root))),
    }
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
