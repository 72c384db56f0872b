//! JetStream on the wire: configurations, requests, responses, acknowledgements, error codes and API subjects.
//!
//! Exact in the field order, omissions, escapes and refusals of nats-server 2.15.1. Data only: no rules, no clock, no IO.
//!
//! ```
//! use natterjack_jsapi::{json, stream::StreamRequest};
//!
//! let request: StreamRequest =
//!     json::from_request(br#"{"name":"ORDERS","subjects":["orders.>"]}"#, "StreamConfigRequest", true).unwrap();
//! assert_eq!(request.config.name, "ORDERS");
//! let refused = json::from_request::<StreamRequest>(br#"{"nam":1}"#, "StreamConfigRequest", true);
//! assert_eq!(refused.unwrap_err().to_string(), "json: unknown field \"nam\"");
//! ```
#![forbid(unsafe_code)]

pub mod account;
pub mod ack;
pub mod advisory;
pub mod cluster;
pub mod consumer;
pub mod error;
pub mod errors;
pub mod go_time;
pub mod headers;
pub mod json;
pub mod pub_ack;
pub mod request;
pub mod response;
pub mod stream;
pub mod subjects;
pub mod versioning;

pub use error::ApiError;
pub use go_time::{GoTime, Nanos};
pub use subjects::ApiCall;

#[cfg(test)]
mod tests;
