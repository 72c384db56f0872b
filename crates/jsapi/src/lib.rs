//! JetStream API types, subjects and error codes, shared by server, client and tools.
