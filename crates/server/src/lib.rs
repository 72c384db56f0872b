//! The Natterjack server: a drop-in nats-server with JetStream.
