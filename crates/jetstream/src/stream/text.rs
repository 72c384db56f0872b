//! Header blocks as the machines read and change them: byte by byte, first match, names in their exact case.

use natterjack_jsapi::Nanos;
use natterjack_store::TTL_NEVER;

/// Reads header fields the way the server does: byte by byte, first match.
pub(crate) fn header<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (at, end) = locate(block, name)?;
    let from = at + name.len() + 1;
    Some(block[from..end - 2].trim_ascii())
}

/// The same, where an empty value counts as none.
pub(crate) fn value<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    header(block, name).filter(|v| !v.is_empty())
}

/// Where the line of `name` begins and the next one does.
fn locate(block: &[u8], name: &str) -> Option<(usize, usize)> {
    let needle = name.as_bytes();
    let mut from = 0;
    while let Some(found) = find(&block[from..], needle) {
        let at = from + found;
        let end = at + needle.len();
        if at >= 2 && &block[at - 2..at] == b"\r\n" && block.get(end) == Some(&b':') {
            let stop = find(&block[end + 1..], b"\r\n")?;
            return Some((at, end + 1 + stop + 2));
        }
        from = end;
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// A whole number.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Appends one header field.
pub(crate) fn push_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `block` without its final empty line, or a fresh status line if it is empty: ready for more fields.
pub(crate) fn open_headers(out: &mut Vec<u8>, block: &[u8]) {
    match block.strip_suffix(b"\r\n") {
        Some(rest) if !rest.is_empty() => out.extend_from_slice(rest),
        _ => out.extend_from_slice(b"NATS/1.0\r\n"),
    }
}

/// `block` with the field `name` at its end, and nowhere else.
pub(crate) fn set_header(block: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.len() + name.len() + value.len() + 16);
    open_headers(&mut out, &remove_header(block, name));
    push_header(&mut out, name, value);
    out.extend_from_slice(b"\r\n");
    out
}

/// `block` where the first field `name` has another value, or has come to the end.
pub(crate) fn replace_header(block: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let Some((at, end)) = locate(block, name) else {
        return set_header(block, name, value);
    };
    let mut out = block[..at].to_vec();
    push_header(&mut out, name, value);
    out.extend_from_slice(&block[end..]);
    out
}

/// Whether any of the fields of `block` has a name that `is`.
pub(crate) fn has_field(block: &[u8], is: impl Fn(&[u8]) -> bool) -> bool {
    let fields = block.split(|b| *b == b'\n').skip(1);
    fields
        .map(|line| line.split(|b| *b == b':').next().unwrap_or_default())
        .any(is)
}

/// `block` without the fields called `name`; empty when none is left.
pub(crate) fn remove_header(block: &[u8], name: &str) -> Vec<u8> {
    remove_where(block, |field| field == name.as_bytes())
}

/// `block` without the fields whose name `goes`; empty when none is left.
pub(crate) fn remove_where(block: &[u8], goes: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let Some(end) = find(block, b"\r\n").map(|at| at + 2) else {
        return Vec::new();
    };
    let mut out = block[..end].to_vec();
    let mut rest = &block[end..];
    while let Some(stop) = find(rest, b"\r\n").filter(|stop| *stop > 0) {
        let (line, tail) = rest.split_at(stop + 2);
        rest = tail;
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        if !goes(name) {
            out.extend_from_slice(line);
        }
    }
    if out.len() == end {
        return Vec::new();
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A time to live: whole seconds, a Go duration of at least one second, or `never`.
pub(crate) fn parse_ttl(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if text.eq_ignore_ascii_case("never") {
        return Some(TTL_NEVER);
    }
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => Nanos::parse(text).ok()?.0 / 1_000_000_000,
    };
    u32::try_from(seconds).ok().filter(|s| *s > 0 && *s < TTL_NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] = b"NATS/1.0\r\nA: 1\r\nNats-X: 2\r\nNats-Xy: 3\r\n\r\n";

    #[test]
    fn fields_are_found_by_their_exact_name() {
        assert_eq!(header(BLOCK, "Nats-X"), Some(&b"2"[..]));
        assert_eq!(header(BLOCK, "nats-X"), None);
        assert_eq!(header(BLOCK, "Nats"), None);
        assert_eq!(header(b"", "A"), None);
        assert_eq!(value(b"NATS/1.0\r\nA: \r\n\r\n", "A"), None);
    }

    #[test]
    fn fields_are_changed() {
        assert_eq!(
            set_header(BLOCK, "A", b"9"),
            b"NATS/1.0\r\nNats-X: 2\r\nNats-Xy: 3\r\nA: 9\r\n\r\n"
        );
        assert_eq!(set_header(b"", "A", b"9"), b"NATS/1.0\r\nA: 9\r\n\r\n");
        assert_eq!(
            replace_header(BLOCK, "Nats-X", b"9"),
            b"NATS/1.0\r\nA: 1\r\nNats-X: 9\r\nNats-Xy: 3\r\n\r\n"
        );
        assert_eq!(
            remove_where(BLOCK, |n| n.starts_with(b"Nats-")),
            b"NATS/1.0\r\nA: 1\r\n\r\n"
        );
        assert_eq!(remove_where(BLOCK, |_| true), b"");
        assert_eq!(remove_header(b"garbage", "A"), b"");
    }

    #[test]
    fn times_to_live() {
        for (text, seconds) in [
            ("5", Some(5)),
            ("1m", Some(60)),
            ("1.9s", Some(1)),
            ("never", Some(TTL_NEVER)),
            ("0", None),
            ("-1", None),
            ("999ms", None),
            ("soon", None),
        ] {
            assert_eq!(parse_ttl(text.as_bytes()), seconds, "{text}");
        }
    }
}
