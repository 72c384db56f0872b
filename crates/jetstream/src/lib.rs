//! JetStream streams and consumers as pure state machines.
//!
//! A [`Group`] is a stream with its consumers. Its driver hands it messages, acknowledgements, pulls and time, writes what
//! it proposes to a log, tells it what is durable, and carries out what it asks for through [`Effects`]. No clock, no
//! files, no sockets: all of it runs in a unit test.
#![forbid(unsafe_code)]

pub mod allowance;
pub mod archive;
pub mod batching;
pub mod clock;
pub mod command;
pub mod consumer;
mod cron;
pub mod direct;
pub mod effect;
pub mod environment;
mod group;
pub mod limits;
pub mod meta;
pub mod source;
pub mod stream;
#[cfg(test)]
mod transcript;
pub mod usage;

pub use allowance::Allowances;
pub use batching::BatchLimits;
pub use clock::Now;
pub use command::Command;
pub use effect::{Delivery, Effects, Handed, Silent};
pub use environment::Environment;
pub use group::{Admitted, Form, Group, Outcome, Proposal, Ticket, check_form, pack_messages};
pub use stream::{Incoming, Stream, Verdict, has_api_level};
