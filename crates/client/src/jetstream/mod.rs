//! JetStream over a connection: streams, consumers, acknowledged publishes, pull and push deliveries. Keeps no state of the
//! server's; what it returns is what the server said.

mod api;
mod context;
mod delivery;
pub mod error;
mod ordered;
mod publish;
mod pull;
mod push;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::client::Client;
use crate::limits;

pub use context::StoredMessage;
pub use delivery::{Delivery, DeliveryInfo};
pub use natterjack_jsapi::pub_ack::Received as PubAck;
pub use ordered::Ordered;
pub use publish::{PendingAck, PublishOptions};
pub use pull::{ConsumeOptions, Consuming, FetchOptions, Messages, PullConsumer};
pub use push::PushSubscription;

/// JetStream of the account a client is connected to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JetStream {
    client: Client,
    prefix: Arc<str>,
    timeout: Duration,
    in_flight: Arc<Semaphore>,
}

impl JetStream {
    /// JetStream over `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            timeout: client.request_timeout(),
            client,
            prefix: natterjack_jsapi::subjects::API_PREFIX.into(),
            in_flight: Arc::new(Semaphore::new(limits::PUBLISHES_IN_FLIGHT)),
        }
    }

    /// The same for another JetStream domain.
    #[must_use]
    pub fn with_domain(mut self, domain: &str) -> Self {
        self.prefix = format!("$JS.{domain}.API.").into();
        self
    }

    /// The same with another time to wait for answers.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with another bound for publishes whose acknowledgement is outstanding.
    #[must_use]
    pub fn with_publishes_in_flight(mut self, most: usize) -> Self {
        self.in_flight = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }

    /// The connection.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

/// Nanoseconds as JSON carries them; what does not fit counts as the longest there is.
fn nanos(duration: Duration) -> natterjack_jsapi::Nanos {
    natterjack_jsapi::Nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}
