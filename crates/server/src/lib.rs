//! The Natterjack server: sockets, tasks and signals around the crates that hold the rules.
//!
//! ```text
//!   listen ─▶ conn (one task each) ─▶ router ─▶ conn
//!                                        │
//!                                        ▼
//!                                 jetstream (one task per stream) ─▶ store
//! ```
//! [`main`] is the whole program; the ways a message takes are in `crates/README.md`.

mod account;
mod banner;
mod clock;
mod conn;
mod fsck;
mod jetstream;
mod listen;
mod log;
mod mailbox;
mod monitor;
mod ports;
mod router;
mod run;
mod server;
mod signal;

pub use run::main;
