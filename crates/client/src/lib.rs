//! A NATS client with JetStream, key-value and object stores.
