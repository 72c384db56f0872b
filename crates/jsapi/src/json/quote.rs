//! Texts between quotation marks as Go prints them in errors.

use std::fmt::Write as _;

/// As `%q` does: what can be printed stays, the rest is escaped, and bytes that are no UTF-8 one by one.
#[must_use]
pub fn quoted(text: impl AsRef<[u8]>) -> String {
    let mut out = String::from("\"");
    for chunk in text.as_ref().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c => push(&mut out, c),
            }
        }
        for byte in chunk.invalid() {
            let _infallible = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// The first character of `text` between apostrophes, and its length in bytes.
pub(super) fn quoted_first(text: &[u8]) -> (String, usize) {
    let chunk = text.utf8_chunks().next();
    let first = chunk.and_then(|chunk| chunk.valid().chars().next());
    let Some(c) = first else {
        let byte = text.first().copied().unwrap_or_default();
        return (format!("'\\x{byte:02x}'"), 1);
    };
    let mut out = String::from("'");
    match c {
        '\'' | '\\' => out.extend(['\\', c]),
        c => push(&mut out, c),
    }
    out.push('\'');
    (out, c.len_utf8())
}

fn push(out: &mut String, c: char) {
    let code = u32::from(c);
    let _infallible = match c {
        '\u{7}' => out.write_str("\\a"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{b}' => out.write_str("\\v"),
        '"' | '\'' => out.write_char(c),
        c if is_printable(c) => out.write_char(c),
        '\0'..='\u{7f}' => write!(out, "\\x{code:02x}"),
        '\0'..='\u{ffff}' => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Whether it shows by itself. Marks that join the character before them do, which `escape_debug` knows of texts only.
fn is_printable(c: char) -> bool {
    format!("a{c}").escape_debug().eq(['a', c])
}

/// As errors of times do: all but printable ASCII byte by byte.
pub(crate) fn quoted_time(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        let _infallible = match byte {
            b'"' | b'\\' => write!(out, "\\{}", char::from(byte)),
            b' '..=0x7f => out.write_char(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}"),
        };
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{quoted, quoted_first, quoted_time};

    /// Each as Go prints it.
    #[test]
    fn texts_are_quoted_as_go_does() {
        for (text, shown) in [
            (&b"a\"b\\c'"[..], r#""a\"b\\c'""#),
            (b"\n\t\r\x07\x08\x0b\x0c", r#""\n\t\r\a\b\v\f""#),
            (b"\x00\x1b\x7f", r#""\x00\x1b\x7f""#),
            (b"\xff\xc3", r#""\xff\xc3""#),
            (
                "é e\u{301} \u{2028} \u{feff} \u{e0001}".as_bytes(),
                "\"é e\u{301} \\u2028 \\ufeff \\U000e0001\"",
            ),
        ] {
            assert_eq!(quoted(text), shown);
        }
    }

    #[test]
    fn the_first_character_is_quoted_with_its_length() {
        for (text, shown) in [
            ("'", ("'\\''", 1)),
            ("\"x", ("'\"'", 1)),
            ("\u{feff}x", ("'\\ufeff'", 3)),
            ("éx", ("'é'", 2)),
        ] {
            assert_eq!(quoted_first(text.as_bytes()), (shown.0.to_owned(), shown.1));
        }
        assert_eq!(quoted_first(b"\xff"), ("'\\xff'".to_owned(), 1));
    }

    #[test]
    fn times_are_quoted_byte_by_byte() {
        assert_eq!(
            quoted_time("é\"\n\0 \u{7f}"),
            "\"\\xc3\\xa9\\\"\\x0a\\x00 \u{7f}\""
        );
    }
}
