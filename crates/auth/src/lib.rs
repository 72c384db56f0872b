//! Who a NATS client is and what it may do. Decisions only: no sockets, no files, no clock; entropy is an argument.
//!
//! ```
//! use natterjack_auth::{Credentials, Directory, Permissions, Rule, SubjectRules};
//!
//! let directory = Directory { token: Some("s3cret".into()), ..Directory::default() };
//! let credentials = Credentials { token: Some("s3cret"), ..Credentials::default() };
//! assert!(directory.authenticate(&credentials, "STANDARD").is_some());
//!
//! let publish = SubjectRules { allow: Some(vec![Rule::parse("orders.>").unwrap()]), deny: vec![] };
//! let permissions = Permissions { publish, ..Permissions::default() };
//! assert!(permissions.can_publish(b"orders.eu") && !permissions.can_publish(b"other"));
//! ```
#![forbid(unsafe_code)]

pub mod authenticate;
pub mod nkey;
pub mod password;
pub mod permissions;

pub use authenticate::{Credentials, Directory, GLOBAL_ACCOUNT, Identity, SYSTEM_ACCOUNT, User};
pub use permissions::{Permissions, ResponseRules, Rule, SubjectRules, SubscribeVerdict};
