//! Workspace benches of Natterjack: the load generator behind `cargo xtask bench`. Measures servers, never clients.

mod cases;
mod meter;
mod report;
mod server;
mod wire;

pub use cases::{CASES, Case, Load};
pub use meter::{Meter, Sample};
pub use report::{Row, json, table};
pub use server::Server;
