//! What a chore says to whoever runs it. Never fails: a closed pipe only loses the text.

use std::fmt::Display;
use std::io::Write;

/// One line on standard output.
pub(crate) fn say(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}
