//! The NATS configuration language, parsed to a value tree with positions.
