//! Subject against filter: match, subset, overlap. No allocation.

use crate::token::{FULL, PARTIAL, tokens};

/// Whether the literal subject `literal` is matched by `filter`.
#[must_use]
pub fn matches(literal: &[u8], filter: &[u8]) -> bool {
    if literal == filter {
        return true;
    }
    is_subset(literal, filter)
}

/// Whether everything that `subset` matches is also matched by `of`. For a literal `subset` this is [`matches`].
#[must_use]
pub fn is_subset(subset: &[u8], of: &[u8]) -> bool {
    let mut left = tokens(subset);
    let mut right = tokens(of);
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(_), Some(FULL)) => return true,
            (Some(FULL), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
            (Some(a), Some(b)) => {
                if b != PARTIAL && a != b {
                    return false;
                }
            }
        }
    }
}

/// Whether some subject is matched by both filters (the peer's `SubjectsCollide`).
#[must_use]
pub fn collides(a: &[u8], b: &[u8]) -> bool {
    let mut left = tokens(a);
    let mut right = tokens(b);
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) => {
                if x == FULL || y == FULL {
                    return true;
                }
                if x != y && x != PARTIAL && y != PARTIAL {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{is_literal, is_valid_literal, is_valid_subject};

    #[test]
    fn literal_against_filter() {
        for (literal, filter, expected) in [
            ("a", "a", true),
            ("a.b", "a.*", true),
            ("a.b", "*.b", true),
            ("a.b", "a", false),
            ("a", "a.*", false),
            ("a.b.c", "a.>", true),
            ("a", "a.>", false),
            ("a", ">", true),
            ("a.b.c", "a.*.c", true),
            ("a.b.c", "a.*", false),
            ("a.b", "a.b*", false),
        ] {
            assert_eq!(
                matches(literal.as_bytes(), filter.as_bytes()),
                expected,
                "{literal} {filter}"
            );
        }
    }

    #[test]
    fn subset_and_overlap() {
        assert!(is_subset(b"a.*", b"a.>") && !is_subset(b"a.>", b"a.*"));
        assert!(is_subset(b"a.*.c", b"a.*.*") && !is_subset(b"*.b", b"a.*"));
        assert!(collides(b"*.b", b"a.*") && collides(b"a.>", b"a.b.c") && !collides(b"a.b", b"a.b.c"));
        assert!(collides(b">", b"x") && !collides(b"a.*.c", b"a.b.d"));
    }

    #[test]
    fn validity() {
        for good in ["a", "a.b", "*", ">", "a.*.>", "a*", "a>b", "$SYS.x"] {
            assert!(is_valid_subject(good.as_bytes()), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a.>.b", "a b", "a.\tb"] {
            assert!(!is_valid_subject(bad.as_bytes()), "{bad}");
        }
        assert!(is_literal(b"a.b*") && !is_literal(b"a.*") && !is_literal(b">"));
        assert!(is_valid_literal(b"a.b") && !is_valid_literal(b"a.*"));
    }
}
