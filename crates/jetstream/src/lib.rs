//! JetStream streams and consumers as pure state machines.

pub mod clock;
pub mod effect;
