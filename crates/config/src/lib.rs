//! Typed nats-server options: the configuration file, the command line, and what they mean.
