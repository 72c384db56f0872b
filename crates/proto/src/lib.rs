//! The NATS wire protocol, sans-IO: bytes in, operations out, and back.
