//! Tokens of a subject, and what makes a subject valid. Works on bytes: subjects need not be UTF-8.
//!
//! Agrees with the peer's `IsValidSubject` and `IsValidLiteralSubject`.

/// Separates tokens.
pub const SEPARATOR: u8 = b'.';
/// Wildcard for one token.
pub const PARTIAL: &[u8] = b"*";
/// Wildcard for the rest.
pub const FULL: &[u8] = b">";

/// The tokens of `subject`.
pub fn tokens(subject: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> + Clone {
    subject.split(|b| *b == SEPARATOR)
}

/// How many tokens `subject` has.
#[must_use]
pub fn token_count(subject: &[u8]) -> usize {
    subject.iter().filter(|b| **b == SEPARATOR).count() + 1
}

/// Whether `subject` may be subscribed to: no empty token, `>` only last, no white space.
#[must_use]
pub fn is_valid_subject(subject: &[u8]) -> bool {
    let mut after_full = false;
    for token in tokens(subject) {
        if token.is_empty()
            || after_full
            || token
                .iter()
                .any(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c))
        {
            return false;
        }
        after_full = token == FULL;
    }
    true
}

/// Whether no token of `subject` is a wildcard.
#[must_use]
pub fn is_literal(subject: &[u8]) -> bool {
    // Nearly every subject has neither byte; only then are tokens worth splitting.
    if !subject.iter().any(|b| matches!(b, b'*' | b'>')) {
        return true;
    }
    tokens(subject).all(|t| t != PARTIAL && t != FULL)
}

/// Whether `subject` may be published to: valid and literal.
#[must_use]
pub fn is_valid_literal(subject: &[u8]) -> bool {
    is_valid_subject(subject) && is_literal(subject)
}

/// Whether a publish to `subject` is well-formed: no empty token and no wildcard token. White space cannot arrive here.
#[must_use]
pub fn is_valid_publish(subject: &[u8]) -> bool {
    !subject.is_empty() && tokens(subject).all(|t| !t.is_empty() && t != PARTIAL && t != FULL)
}
