//! The log between deciding and applying: what is proposed is committed, then applied, in one order everywhere.
//!
//! A driver proposes an entry and hears when it is committed; what "committed" means is this crate's business. [`Solo`] is
//! the group of one: committed is durable in the store's journal, without a vote. [`RaftGroup`] is a group over openraft,
//! whose log is kept in the same journal. Knows no sockets.
#![forbid(unsafe_code)]

mod group;
mod log_store;
mod machine;
mod network;
mod saved;
mod solo;
mod types;

pub use group::{RaftGroup, StartError, WriteError};
pub use machine::Machine;
pub use solo::{ProposeError, Solo};
pub use types::{Command, NodeId, Types};
