//! Headers of a message to be sent. Keeps them as the bytes of the wire; never lets a line end in.

use natterjack_proto::headers;

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is empty or has a colon, white space or a control character.
    #[error("invalid header name {0:?}")]
    Name(String),
    /// The value of this header has a line end.
    #[error("the value of header {0:?} has a line end")]
    Value(String),
}

/// A header block under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderBlock {
    /// Version line and fields, without the empty line at the end; empty while there is no field.
    lines: Vec<u8>,
}

impl HeaderBlock {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    ///
    /// # Errors
    /// [`HeaderError`] if the name or the value cannot stand in a header block.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), HeaderError> {
        if name.is_empty() || name.bytes().any(|b| !b.is_ascii_graphic() || b == b':') {
            return Err(HeaderError::Name(name.to_owned()));
        }
        if value.bytes().any(|b| matches!(b, b'\r' | b'\n')) {
            return Err(HeaderError::Value(name.to_owned()));
        }
        if self.lines.is_empty() {
            headers::start(&mut self.lines);
        }
        headers::push(&mut self.lines, name, value.as_bytes());
        Ok(())
    }

    /// The same with one field more, for building in one expression.
    ///
    /// # Errors
    /// As [`HeaderBlock::push`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        self.push(name, value)?;
        Ok(self)
    }

    /// Whether there is no field.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The block as it goes over the wire; empty if there is no field.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.lines.clone();
        if !out.is_empty() {
            headers::finish(&mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_bytes_of_the_wire() {
        assert!(HeaderBlock::new().to_bytes().is_empty());
        let block = HeaderBlock::new()
            .with("A", "1")
            .unwrap()
            .with("B", "two")
            .unwrap();
        assert_eq!(block.to_bytes(), b"NATS/1.0\r\nA: 1\r\nB: two\r\n\r\n");
    }

    #[test]
    fn nobody_smuggles_a_line_in() {
        let mut block = HeaderBlock::new();
        for name in ["", "a b", "a:b", "a\r\nb", "é"] {
            assert_eq!(block.push(name, "x"), Err(HeaderError::Name(name.into())));
        }
        assert_eq!(block.push("A", "1\r\nB: 2"), Err(HeaderError::Value("A".into())));
        assert!(block.is_empty());
    }
}
