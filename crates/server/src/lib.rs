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
mod lame_duck;
mod listen;
mod live;
mod log;
mod mailbox;
mod monitor;
mod ports;
mod reload;
mod router;
mod run;
mod server;
mod signal;
mod spawn;
mod strangers;
mod system;

pub use run::main;
