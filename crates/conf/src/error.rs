//! Why a configuration text is refused, in the peer's words. Never prints anything itself.

/// A refusal. Displayed as the peer prints it behind the program's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text breaks the syntax.
    #[error("Parse error on line {line}: '{text}'")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// A number or date that has the right form but no value; the peer names no line for these.
    #[error("{0}")]
    Value(String),
    /// The text ends behind a key.
    #[error("config is invalid ({file}:{line}:{column})")]
    Incomplete {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, counted as in [`crate::Position`].
        column: usize,
    },
    /// A variable that neither the file nor the environment defines.
    #[error("variable reference for '{name}' on line {line} can not be found")]
    Variable {
        /// Its name.
        name: String,
        /// Line, from 1.
        line: usize,
    },
    /// A variable of the environment whose text is no value.
    #[error("variable reference for '{name}' on line {line} could not be parsed: {reason}")]
    Environment {
        /// Its name.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong with the text.
        reason: Box<Self>,
    },
    /// A variable of the environment that refers to itself.
    #[error("variable reference cycle for '{name}'")]
    Cycle {
        /// Its name.
        name: String,
    },
    /// An included file that cannot be read or parsed.
    #[error("error parsing include file '{path}', {reason}")]
    Include {
        /// As written.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// A file without any value.
    #[error("{file}: config has no values or is empty")]
    Empty {
        /// The file.
        file: String,
    },
}
