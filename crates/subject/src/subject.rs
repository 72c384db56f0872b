//! Checked subjects as types: having one is the proof. Cheap to clone.

use std::fmt;
use std::sync::Arc;

use crate::matches::matches;
use crate::token::{is_literal, is_valid_subject};

/// Why a string is no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// An empty token, white space, or `>` before the end.
    #[error("invalid subject")]
    Invalid,
    /// A wildcard where a literal subject is needed.
    #[error("invalid subject: wildcard not allowed")]
    Wildcard,
}

/// A literal subject.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<[u8]>);

impl Subject {
    /// Checks that `subject` is valid and literal.
    ///
    /// # Errors
    /// [`SubjectError`] says what is wrong.
    pub fn parse(subject: &[u8]) -> Result<Self, SubjectError> {
        if !is_valid_subject(subject) {
            return Err(SubjectError::Invalid);
        }
        if !is_literal(subject) {
            return Err(SubjectError::Wildcard);
        }
        Ok(Self(subject.into()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", String::from_utf8_lossy(&self.0))
    }
}

/// A subject that may have wildcards.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Filter {
    bytes: Arc<[u8]>,
    literal: bool,
}

impl Filter {
    /// Checks that `filter` is valid.
    ///
    /// # Errors
    /// [`SubjectError::Invalid`].
    pub fn parse(filter: &[u8]) -> Result<Self, SubjectError> {
        if !is_valid_subject(filter) {
            return Err(SubjectError::Invalid);
        }
        Ok(Self {
            literal: is_literal(filter),
            bytes: filter.into(),
        })
    }

    /// The filter that matches everything.
    #[must_use]
    pub fn all() -> Self {
        Self {
            bytes: Arc::from(&b">"[..]),
            literal: false,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its text, with anything that is no UTF-8 replaced.
    #[must_use]
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Whether it has no wildcard.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        &*self.bytes == b">"
    }

    /// Whether it matches the literal `subject`.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> bool {
        if self.literal {
            *self.bytes == *subject
        } else {
            matches(subject, &self.bytes)
        }
    }

    /// The part before the first wildcard token, including its separator. A literal is all prefix.
    #[must_use]
    pub fn literal_prefix(&self) -> &[u8] {
        if self.literal {
            return &self.bytes;
        }
        let mut at = 0;
        for token in crate::token::tokens(&self.bytes) {
            if token == b"*" || token == b">" {
                break;
            }
            at += token.len() + 1;
        }
        &self.bytes[..at.min(self.bytes.len())]
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", String::from_utf8_lossy(&self.bytes))
    }
}
