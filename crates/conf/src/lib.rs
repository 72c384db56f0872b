//! The NATS configuration language: text to a tree of values with positions.
//!
//! Sans-IO: included files and environment variables are asked of a [`Source`].
//!
//! ```
//! use natterjack_conf::{Kind, NoSource, parse};
//!
//! let tree = parse("port: 4222\njetstream { max_mem: 1GB }  # comment", "server.conf", &mut NoSource).unwrap();
//! assert_eq!(tree["port"].kind, Kind::Integer(4222));
//! let jetstream = tree["jetstream"].as_map().unwrap();
//! assert_eq!(jetstream["max_mem"].kind, Kind::Integer(1 << 30));
//! ```
#![forbid(unsafe_code)]

mod cursor;
mod digest;
mod error;
mod lex;
mod nested;
mod number;
mod parse;
mod reference;
mod source;
mod value;

pub use digest::{digest, json};
pub use error::Error;
pub use parse::{DEPTH_MAX, INCLUDE_DEPTH_MAX, parse};
pub use source::{NoSource, Source, include_path};
pub use value::{Kind, Position, Value};

/// Entry point for fuzzers: any text is answered with a tree or an error.
#[cfg(any(fuzzing, test, feature = "fuzz"))]
pub fn fuzz_one(input: &[u8]) {
    if let Ok(tree) = parse(&String::from_utf8_lossy(input), "fuzz", &mut NoSource) {
        assert!(!tree.is_empty(), "an empty tree is an error");
        let _hash = digest(&tree);
    }
}

#[cfg(test)]
mod tests;
