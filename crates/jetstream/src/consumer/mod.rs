//! Consumers of a stream: who gets which message when. Filled in by its own modules.
