//! JetStream streams and consumers as pure state machines: bytes and time in, decisions and effects out.
//!
//! One [`group::Group`] is one stream with its consumers and one log. The leader decides when it *proposes*; applying a
//! committed entry cannot fail and depends on nothing but the state and the entry. Nothing here reads a clock, a file, a
//! socket or random numbers.
#![forbid(unsafe_code)]

pub mod clock;
pub mod command;
pub mod consumer;
pub mod effect;
pub mod environment;
pub mod limits;

pub use clock::Now;
pub use command::Command;
pub use effect::{Delivery, Effects, Handed};
pub use environment::{Environment, StreamContext};
