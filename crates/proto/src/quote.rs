//! Go's `%q` for bytes that stand in error texts and logs. Never fails.

use std::fmt::Write;

/// `bytes` in double quotes, escaped as Go's `strconv.Quote` does it.
#[must_use]
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(&mut out, c);
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, "\\x", u32::from(*byte), 2);
        }
    }
    out.push('"');
    out
}

fn push_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => push_hex(out, "\\x", c as u32, 2),
        c if c.is_control() || is_unprintable(c) => {
            let (prefix, width) = if c as u32 > 0xffff { ("\\U", 8) } else { ("\\u", 4) };
            push_hex(out, prefix, c as u32, width);
        }
        c => out.push(c),
    }
}

/// Separators, formatting characters and private use, which Go does not count as printable.
fn is_unprintable(c: char) -> bool {
    (c.is_whitespace() && c != ' ')
        || matches!(c as u32, 0xad | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xfff9..=0xfffb | 0xf0000..)
}

fn push_hex(out: &mut String, prefix: &str, value: u32, width: usize) {
    let written = write!(out, "{prefix}{value:0width$x}");
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn as_go_quotes() {
        assert_eq!(quote(b"foo.bar"), "\"foo.bar\"");
        assert_eq!(
            quote(b"a\"b\\\r\n\x01\x7f\xff"),
            "\"a\\\"b\\\\\\r\\n\\x01\\x7f\\xff\""
        );
        assert_eq!(quote("é\u{200b}".as_bytes()), "\"é\\u200b\"");
    }
}
