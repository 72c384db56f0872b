//! Push consumers: reads their subject, answers flow control and watches heartbeats. Makes and changes no consumer.

use std::time::Duration;

use natterjack_jsapi::headers::CONSUMER_STALLED;
use tokio::time::timeout;

use super::JetStream;
use super::delivery::Delivery;
use super::error::PushError;
use crate::error::PublishError;
use crate::message::Message;
use crate::subscription::Subscription;

/// The deliveries of a push consumer. Dropping it leaves the consumer as it is; a durable one keeps its place.
#[derive(Debug)]
pub struct PushSubscription {
    js: JetStream,
    subscription: Subscription,
    /// Silence after which something is wrong, if the consumer sends heartbeats.
    silence: Option<Duration>,
}

impl JetStream {
    /// Listens where the push consumer delivers, as a member of its deliver group if it has one.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn subscribe_push(&self, stream: &str, consumer: &str) -> Result<PushSubscription, PushError> {
        let info = self.consumer_info(stream, consumer).await?;
        let config = info.config;
        if config.deliver_subject.is_empty() {
            return Err(PushError::NotPush(info.name));
        }
        let subscription = if config.deliver_group.is_empty() {
            self.client.subscribe(&config.deliver_subject).await?
        } else {
            self.client
                .queue_subscribe(&config.deliver_subject, &config.deliver_group)
                .await?
        };
        let heartbeat = config.idle_heartbeat.as_u64();
        Ok(PushSubscription {
            js: self.clone(),
            subscription,
            silence: (heartbeat > 0).then(|| Duration::from_nanos(heartbeat) * 2),
        })
    }
}

impl PushSubscription {
    /// The next message; `None` once the subscription has ended.
    pub async fn next(&mut self) -> Option<Result<Delivery, PushError>> {
        loop {
            let next = self.subscription.next();
            let message = match self.silence {
                None => next.await,
                Some(silence) => match timeout(silence, next).await {
                    Ok(message) => message,
                    Err(_) => return Some(Err(PushError::HeartbeatMissed)),
                },
            }?;
            match message.status() {
                None => {
                    return Some(Ok(Delivery::new(
                        message,
                        self.js.client.clone(),
                        self.js.timeout,
                    )));
                }
                Some((100, _)) => {
                    if let Err(error) = self.on_idle(&message).await {
                        return Some(Err(error.into()));
                    }
                }
                Some((code, description)) => {
                    let description = description.into_owned();
                    return Some(Err(PushError::Status { code, description }));
                }
            }
        }
    }

    /// Flow control asks on its reply, a heartbeat of a stalled consumer in a header. Both are answered only now, when all
    /// messages before them were read, which is what keeps the queue from overflowing.
    async fn on_idle(&self, message: &Message) -> Result<(), PublishError> {
        let reply = message.reply();
        match reply.as_deref().or_else(|| message.header(CONSUMER_STALLED)) {
            Some(subject) => self.js.client.publish(subject, b"").await,
            None => Ok(()),
        }
    }

    /// How many messages were dropped because they were not read in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.subscription.dropped()
    }

    /// Stops listening; what is queued can still be read.
    pub fn unsubscribe(&self) {
        self.subscription.unsubscribe();
    }
}
