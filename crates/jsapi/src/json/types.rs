//! How plain types are read and written.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::write::text;
use super::{Decoding, GoJson, Json};

macro_rules! integer {
    ($ty:ty, $go:literal) => {
        impl GoJson for $ty {
            const GO_TYPE: &'static str = $go;

            fn is_empty(&self) -> bool {
                *self == 0
            }

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.to_string().as_bytes());
            }

            fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
                match json {
                    Json::Null => {}
                    Json::Number(n) => match n.parse() {
                        Ok(value) => *self = value,
                        Err(_) => cx.out_of_range(n, Self::GO_TYPE),
                    },
                    other => cx.mismatch(other, Self::GO_TYPE),
                }
            }
        }
    };
}

integer!(i64, "int64");
integer!(u64, "uint64");
integer!(i32, "int32");

impl GoJson for f64 {
    const GO_TYPE: &'static str = "float64";

    fn is_empty(&self) -> bool {
        *self == 0.0
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => {}
            Json::Number(n) => *self = n.parse().unwrap_or(0.0),
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

impl GoJson for bool {
    const GO_TYPE: &'static str = "bool";

    fn is_empty(&self) -> bool {
        !*self
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => {}
            Json::Bool(b) => *self = *b,
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

impl GoJson for String {
    const GO_TYPE: &'static str = "string";

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        text(out, self);
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => {}
            Json::Text { value, .. } => value.as_ref().clone_into(self),
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

/// Bytes that are base64 in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl GoJson for Base64 {
    const GO_TYPE: &'static str = "[]uint8";

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(STANDARD.encode(&self.0).as_bytes());
        out.push(b'"');
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => {}
            Json::Text { value, .. } => match STANDARD.decode(value.as_bytes()) {
                Ok(bytes) => self.0 = bytes,
                Err(_) => cx.mismatch(json, Self::GO_TYPE),
            },
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

/// A Go type name with `[]` or `*` before it. Go names are `&'static str`, so the few that occur are spelt out.
const fn list_type(item: &str) -> &'static str {
    // Only the first bytes differ among the item types in use.
    match item.as_bytes() {
        b"string" => "[]string",
        b"uint64" => "[]uint64",
        b"time.Duration" => "[]time.Duration",
        b"server.StreamSource" => "[]*server.StreamSource",
        b"server.SubjectTransformConfig" => "[]server.SubjectTransformConfig",
        _ => "[]interface {}",
    }
}

pub(super) fn encode_list<T: GoJson>(items: &[T], out: &mut Vec<u8>) {
    out.push(b'[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        item.encode(out);
    }
    out.push(b']');
}

impl<T: GoJson + Default> GoJson for Vec<T> {
    const GO_TYPE: &'static str = list_type(T::GO_TYPE);

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self, out);
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => self.clear(),
            Json::List(items, _) => {
                self.clear();
                for (n, item) in items.iter().enumerate() {
                    let mut value = T::default();
                    cx.within(n, true, |cx| value.decode(item, cx));
                    self.push(value);
                }
            }
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

impl<T: GoJson + Default> GoJson for Option<T> {
    const GO_TYPE: &'static str = T::GO_TYPE;

    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.encode(out),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        if matches!(json, Json::Null) {
            *self = None;
        } else {
            self.get_or_insert_default().decode(json, cx);
        }
    }
}

impl<T: GoJson + Default> GoJson for BTreeMap<String, T> {
    const GO_TYPE: &'static str = if matches!(T::GO_TYPE.as_bytes(), b"string") {
        "map[string]string"
    } else {
        "map[string]uint64"
    };

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut object = super::write::ObjectWriter::new(out);
        for (name, value) in self {
            object.field(name, value);
        }
        object.end();
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => self.clear(),
            Json::Object(fields, _) => {
                for (name, field) in fields {
                    let mut value = T::default();
                    cx.within(name, false, |cx| value.decode(field, cx));
                    self.insert(name.clone().into_owned(), value);
                }
            }
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}
