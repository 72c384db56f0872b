//! Typed options of the server: the configuration file, the command line, and what they mean together.
//!
//! Reads no file itself: text and a source of includes and environment come in as arguments.
//!
//! ```
//! use natterjack_config::{Options, load};
//!
//! let text = "port: 5222\njetstream { store_dir: /data, sync_interval: \"2m\" }";
//! let loaded = load(text, "server.conf", &mut natterjack_conf::NoSource, Options::default()).unwrap();
//! assert_eq!(loaded.options.port, 5222);
//! assert!(loaded.options.jetstream.enabled);
//!
//! let errors = load("prot: 1", "server.conf", &mut natterjack_conf::NoSource, Options::default()).unwrap_err();
//! assert_eq!(errors, ["server.conf:1:0: unknown field \"prot\""]);
//! ```
#![forbid(unsafe_code)]

mod check;
mod file;
pub mod flags;
mod known;
pub mod options;
mod reload;
mod sections;
mod size;
mod walk;

pub use check::{StartError, check};
pub use file::{Loaded, load};
pub use flags::{Command, Flags, USAGE};
pub use options::{Options, Sync};
pub use reload::{NotReloadable, changes};
pub use size::size;

#[cfg(test)]
mod tests;
