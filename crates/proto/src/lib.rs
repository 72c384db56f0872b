//! The NATS wire protocol, sans-IO.
//!
//! ```text
//!   socket bytes ──▶ ClientParser / ServerParser ──▶ ClientOp / ServerOp (borrowed)
//!   operations   ──▶ encode::*                   ──▶ bytes appended to your buffer
//! ```
//!
//! Nothing here opens a socket, reads a clock or keeps input. A server's loop looks like this:
//!
//! ```
//! use natterjack_proto::{ClientOp, ClientParser, Step};
//!
//! let parser = ClientParser::default();
//! let mut input: &[u8] = b"PUB greet 5\r\nhello\r\nPING\r\nPU";
//! let mut seen = Vec::new();
//! while let Step::Op { op, len } = parser.parse(input) {
//!     match op {
//!         ClientOp::Pub(publish) => seen.push(publish.payload()),
//!         ClientOp::Ping => seen.push(b"ping"),
//!         _ => {}
//!     }
//!     input = &input[len..];
//! }
//! assert_eq!(seen, [&b"hello"[..], b"ping"]);
//! assert_eq!(input, b"PU"); // kept by the caller until more arrives
//! ```
#![forbid(unsafe_code)]

pub mod connect;
pub mod encode;
pub mod errors;
#[cfg(any(fuzzing, test, feature = "fuzz"))]
pub mod fuzz;
pub mod headers;
pub mod info;
pub mod limits;
pub mod parse;
pub mod proxy_protocol;
pub mod quote;

pub use connect::Connect;
pub use errors::ServerError;
pub use headers::Headers;
pub use info::Info;
pub use parse::{ClientOp, ClientParser, Delivered, ParseError, Publish, ServerOp, ServerParser, Step};
