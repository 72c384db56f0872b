//! One file per section of the configuration file. Each reads its keys and nothing else.

pub(crate) mod accounts;
pub(crate) mod authorization;
pub(crate) mod jetstream;
pub(crate) mod mappings;
mod msg_trace;
pub(crate) mod top;
