//! NATS subjects: validation, matching, the routing trie, filters and transforms.
//!
//! Sans-IO: no clock, no sockets, randomness is an argument. Subjects are bytes.
//!
//! ```
//! use natterjack_subject::{Filter, matches, sublist::{Sublist, Subscriber}};
//!
//! #[derive(Clone)]
//! struct Listener(u32, &'static str);
//! impl Subscriber for Listener {
//!     type Id = u32;
//!     fn id(&self) -> u32 { self.0 }
//!     fn subject(&self) -> &[u8] { self.1.as_bytes() }
//!     fn queue(&self) -> Option<&[u8]> { None }
//! }
//!
//! assert!(matches(b"orders.eu.1", b"orders.*.>"));
//! assert!(Filter::parse(b"orders..eu").is_err());
//!
//! let mut table = Sublist::new();
//! table.insert(Listener(1, "orders.*")).unwrap();
//! table.insert(Listener(2, "orders.eu")).unwrap();
//! assert_eq!(table.matches(b"orders.eu").plain.len(), 2);
//! ```
#![forbid(unsafe_code)]

pub mod filters;
#[cfg(any(fuzzing, test, feature = "fuzz"))]
pub mod fuzz;
pub mod matches;
pub mod names;
pub mod subject;
pub mod sublist;
pub mod token;
pub mod transform;

pub use filters::{FilterSet, FilterTrie};
pub use matches::{collides, is_subset, matches};
pub use subject::{Filter, Subject, SubjectError};
pub use token::{is_literal, is_valid_literal, is_valid_publish, is_valid_subject, token_count, tokens};
