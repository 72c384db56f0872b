//! The log between deciding and applying: what is proposed is committed, then applied, in one order everywhere.
//!
//! A driver proposes an entry and hears when it is committed; what "committed" means is this crate's business. [`Solo`] is
//! the group of one: committed is durable in the store's journal, without a vote. Knows no sockets.
#![forbid(unsafe_code)]

mod solo;

pub use solo::{ProposeError, Solo};
