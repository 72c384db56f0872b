//! Header blocks as the machines read and change them: byte by byte, first match, names in their exact case.

use natterjack_jsapi::versioning::API_LEVEL;
use natterjack_jsapi::{Nanos, headers};
use natterjack_store::TTL_NEVER;

/// Reads header fields the way the peer does: byte by byte, first match, without the spaces that lead a value; those behind it
/// belong to it.
pub(crate) fn header<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (at, end) = locate(block, name)?;
    let from = at + name.len() + 1;
    let field = &block[from..end - 2];
    let spaces = field.iter().take_while(|b| **b == b' ').count();
    Some(&field[spaces..])
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

/// A whole number: digits and nothing else, not even a sign.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Whether this server has the level of the API that `block` asks for, if it asks for any.
#[must_use]
pub fn has_api_level(block: &[u8]) -> bool {
    let Some(level) = value(block, headers::REQUIRED_API_LEVEL) else {
        return true;
    };
    let level = std::str::from_utf8(level)
        .ok()
        .and_then(|level| level.parse::<i64>().ok());
    level.is_some_and(|level| level <= API_LEVEL)
}

/// `block` without the level of the API it asks for; `None` if it asks for none.
pub(crate) fn without_api_level(block: &[u8]) -> Option<Vec<u8>> {
    header(block, headers::REQUIRED_API_LEVEL).map(|_| remove_header(block, headers::REQUIRED_API_LEVEL))
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

/// A time to live: whole seconds, a Go duration of at least one second, or `never`. More than 136 years is never, too.
pub(crate) fn parse_ttl(text: &[u8]) -> Option<u32> {
    if text.eq_ignore_ascii_case(b"never") {
        return Some(TTL_NEVER);
    }
    let seconds = match number(text) {
        Some(seconds) => i64::try_from(seconds).ok()?,
        None => Nanos::parse(std::str::from_utf8(text).ok()?).ok()?.0 / 1_000_000_000,
    };
    (seconds > 0).then(|| u32::try_from(seconds).unwrap_or(TTL_NEVER))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] = b"NATS/1.0\r\nA: 1\r\nNats-X: 2\r\nNats-Xy: 3\r\n\r\n";

    #[test]
    fn times_to_live() {
        let cases: [(&[u8], Option<u32>); 20] = [
            (b"5", Some(5)),
            (b"007", Some(7)),
            (b"1.9s", Some(1)),
            (b"1h1m", Some(3660)),
            (b"1m", Some(60)),
            (b"+1h", Some(3600)),
            (b".5m", Some(30)),
            (b"Never", Some(TTL_NEVER)),
            (b"99999999999", Some(TTL_NEVER)),
            (b"2562047h", Some(TTL_NEVER)),
            (b"0", None),
            (b"+5", None),
            (b"-5", None),
            (b"5 ", None),
            (b"1.5", None),
            (b"500ms", None),
            (b"999ms", None),
            (b"soon", None),
            (b"2562048h", None),
            (b"1d", None),
        ];
        for (text, ttl) in cases {
            assert_eq!(parse_ttl(text), ttl, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn fields_are_found_by_their_exact_name() {
        assert_eq!(header(BLOCK, "Nats-X"), Some(&b"2"[..]));
        assert_eq!(header(BLOCK, "nats-X"), None);
        assert_eq!(header(BLOCK, "Nats"), None);
        assert_eq!(header(b"", "A"), None);
        assert_eq!(value(b"NATS/1.0\r\nA: \r\n\r\n", "A"), None);
        assert_eq!(header(b"NATS/1.0\r\nA:  1 \r\n\r\n", "A"), Some(&b"1 "[..]));
        assert_eq!(header(b"NATS/1.0\r\nA:\t1\r\n\r\n", "A"), Some(&b"\t1"[..]));
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
}
