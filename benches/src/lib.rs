//! Workspace benches of Natterjack.
