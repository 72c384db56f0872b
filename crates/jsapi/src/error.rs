//! The error object of an API response. Codes and texts come from the generated table only.

use std::borrow::Cow;
use std::fmt;

use crate::json::write::ObjectWriter;

/// A JetStream error: an HTTP-like code, the code that tells errors apart, and the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP-like status.
    pub code: u16,
    /// Which error it is.
    pub err_code: u16,
    /// The peer's text.
    pub description: Cow<'static, str>,
}

impl ApiError {
    pub(crate) const fn fixed(code: u16, err_code: u16, description: &'static str) -> Self {
        Self {
            code,
            err_code,
            description: Cow::Borrowed(description),
        }
    }

    pub(crate) const fn made(code: u16, err_code: u16, description: String) -> Self {
        Self {
            code,
            err_code,
            description: Cow::Owned(description),
        }
    }

    /// Appends `{"code":…,"err_code":…,"description":…}`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.field("code", &i64::from(self.code));
        object.field("err_code", &i64::from(self.err_code));
        object.text("description", &self.description);
        object.end();
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.description, self.err_code)
    }
}

impl std::error::Error for ApiError {}
