//! The `NATS/1.0` header block: read in place, edited into a caller's buffer. The server matches names byte by byte, so
//! lookups are case-sensitive. Never validates beyond what a lookup needs.

/// First line of a block without status.
pub const VERSION_LINE: &[u8] = b"NATS/1.0\r\n";
const VERSION: &[u8] = b"NATS/1.0";

/// A header block as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a>(&'a [u8]);

impl<'a> Headers<'a> {
    /// A view of `block`, which may be empty or malformed: then it has no fields.
    #[must_use]
    pub const fn new(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// The block's bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Fields in order: name and value without surrounding blanks.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.lines().map(|line| (line.name, line.value))
    }

    /// The value of the first field called `name`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        // A search for the bytes is much faster than splitting lines, and nearly always misses.
        let needle = name.as_bytes();
        let mut from = 0;
        while let Some(found) = memchr::memmem::find(&self.0[from..], needle) {
            let at = from + found;
            let end = at + needle.len();
            if at >= 2 && &self.0[at - 2..at] == b"\r\n" && self.0.get(end) == Some(&b':') {
                let rest = &self.0[end + 1..];
                let stop = memchr::memmem::find(rest, b"\r\n")?;
                return Some(rest[..stop].trim_ascii());
            }
            from = end;
        }
        None
    }

    /// All values of fields called `name`, in order.
    pub fn get_all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(n, _)| *n == name.as_bytes())
            .map(|(_, v)| v)
    }

    /// Status code and description of the first line, if it has any.
    #[must_use]
    pub fn status(self) -> Option<(&'a [u8], &'a [u8])> {
        let first = &self.0[..memchr::memmem::find(self.0, b"\r\n")?];
        let rest = first.strip_prefix(VERSION)?.trim_ascii();
        if rest.is_empty() {
            return None;
        }
        let split = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
        Some((&rest[..split], rest[split..].trim_ascii()))
    }

    /// Appends this block without the fields `drop` chooses and without a status, ready for [`push`] and [`finish`].
    pub fn copy_without(self, out: &mut Vec<u8>, mut drop: impl FnMut(&[u8]) -> bool) {
        out.extend_from_slice(VERSION_LINE);
        for line in self.lines() {
            if !drop(line.name) {
                out.extend_from_slice(line.raw);
            }
        }
    }

    fn lines(self) -> impl Iterator<Item = Line<'a>> {
        let mut rest = match memchr::memmem::find(self.0, b"\r\n") {
            Some(end) => &self.0[end + 2..],
            None => &[],
        };
        std::iter::from_fn(move || {
            loop {
                let end = memchr::memmem::find(rest, b"\r\n")?;
                let (raw, next) = rest.split_at(end + 2);
                rest = next;
                if let Some(colon) = memchr::memchr(b':', &raw[..end]) {
                    let (name, value) = (&raw[..colon], raw[colon + 1..end].trim_ascii());
                    return Some(Line { raw, name, value });
                }
            }
        })
    }
}

struct Line<'a> {
    raw: &'a [u8],
    name: &'a [u8],
    value: &'a [u8],
}

/// Starts a block without status.
pub fn start(out: &mut Vec<u8>) {
    out.extend_from_slice(VERSION_LINE);
}

/// Starts a block with a status line, e.g. `404`, `No Messages`.
pub fn start_status(out: &mut Vec<u8>, code: &str, description: &str) {
    out.extend_from_slice(VERSION);
    out.push(b' ');
    out.extend_from_slice(code.as_bytes());
    if !description.is_empty() {
        out.push(b' ');
        out.extend_from_slice(description.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends one field.
pub fn push(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Ends the block.
pub fn finish(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] =
        b"NATS/1.0\r\nNats-Msg-Id: one\r\nOther:two \r\nNats-Msg-Id:three\r\nnats-msg-id: no\r\n\r\n";

    #[test]
    fn first_match_byte_by_byte() {
        let headers = Headers::new(BLOCK);
        assert_eq!(headers.get("Nats-Msg-Id"), Some(&b"one"[..]));
        assert_eq!(headers.get("Other"), Some(&b"two"[..]));
        assert_eq!(headers.get("Msg-Id"), None);
        assert_eq!(headers.get("Nats-Msg"), None);
        let all: Vec<_> = headers.get_all("Nats-Msg-Id").collect();
        assert_eq!(all, [&b"one"[..], b"three"]);
        assert_eq!(headers.iter().count(), 4);
        assert_eq!(headers.status(), None);
    }

    #[test]
    fn a_name_inside_a_value_is_no_field() {
        let headers = Headers::new(b"NATS/1.0\r\nA: Key: x\r\nKey: y\r\n\r\n");
        assert_eq!(headers.get("Key"), Some(&b"y"[..]));
    }

    #[test]
    fn status_lines() {
        assert_eq!(
            Headers::new(b"NATS/1.0 503\r\n\r\n").status(),
            Some((&b"503"[..], &b""[..]))
        );
        let status = Headers::new(b"NATS/1.0 404 No Messages\r\n\r\n").status();
        assert_eq!(status, Some((&b"404"[..], &b"No Messages"[..])));
    }

    #[test]
    fn editing_keeps_the_rest() {
        let mut out = Vec::new();
        Headers::new(BLOCK).copy_without(&mut out, |name| name == b"Nats-Msg-Id");
        push(&mut out, "X", b"1");
        finish(&mut out);
        assert_eq!(out, b"NATS/1.0\r\nOther:two \r\nnats-msg-id: no\r\nX: 1\r\n\r\n");
    }

    #[test]
    fn malformed_blocks_have_no_fields() {
        for block in [
            &b""[..],
            b"NATS/1.0",
            b"NATS/1.0\r\n",
            b"junk\r\nA b\r\n",
            b"\r\n:\r\n",
        ] {
            let headers = Headers::new(block);
            assert!(headers.iter().count() <= 1, "{block:?}");
            assert_eq!(headers.get("A"), None);
        }
    }
}
