//! JetStream streams and consumers as pure state machines.
