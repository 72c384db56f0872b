//! An async NATS client with JetStream: one connection, many subscriptions, requests over one muxed inbox. Never opens a
//! queue without a bound and never drops a message without counting it.
//!
//! ```no_run
//! use natterjack_client::{Client, JetStream};
//! use natterjack_jsapi::stream::StreamConfig;
//!
//! # async fn walk() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("nats://127.0.0.1:4222").await?;
//! let mut greetings = client.subscribe("greet.*").await?;
//! client.publish("greet.joe", "hello").await?;
//! let message = greetings.next().await.ok_or("closed")?;
//! assert_eq!(message.subject(), "greet.joe");
//!
//! let js = JetStream::new(client);
//! let config = StreamConfig { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Default::default() };
//! js.create_stream(&config).await?;
//! let ack = js.publish("orders.eu", "one").await?;
//! assert_eq!(ack.seq, 1);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod client;
mod conn;
mod connect;
pub mod error;
pub mod event;
pub mod headers;
pub mod jetstream;
pub mod limits;
pub mod message;
pub mod options;
mod publish;
pub mod reply;
mod shared;
pub mod subscription;

pub use client::Client;
pub use error::{ConnectError, FlushError, PublishError, RequestError, SubscribeError};
pub use event::{Event, Events};
pub use headers::HeaderBlock;
pub use jetstream::JetStream;
pub use message::Message;
pub use options::ConnectOptions;
pub use subscription::Subscription;

pub use natterjack_proto::Info;
