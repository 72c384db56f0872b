//! Messages that come continuously: pulls again at a threshold, watches heartbeats, and pulls anew when the connection is
//! back. Counts in `demand`; what a status line means is in `signal`.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::demand::Demand;
use super::signal::{Signal, TOO_LARGE};
use super::{Ask, PullConsumer};
use crate::event::{Event, Events};
use crate::jetstream::delivery::Delivery;
use crate::jetstream::error::PullError;
use crate::message::Message;
use crate::subscription::Subscription;

/// How to pull continuously.
#[derive(Debug, Clone, Copy)]
pub struct ConsumeOptions {
    /// Most messages on their way.
    pub max_messages: usize,
    /// Most bytes on their way, as the server counts them: [`Message::size`] of each message. Both limits hold.
    pub max_bytes: Option<usize>,
    /// More is asked for when no more messages than this are on their way. Without, half of `max_messages`.
    pub threshold_messages: Option<usize>,
    /// More is asked for when no more bytes than this are on their way. Without, half of `max_bytes`.
    pub threshold_bytes: Option<usize>,
    /// Longest life of one pull.
    pub expires: Duration,
    /// How often the server says that a pull is alive; half of `expires` at most.
    pub heartbeat: Duration,
}

impl Default for ConsumeOptions {
    fn default() -> Self {
        Self {
            max_messages: 500,
            max_bytes: None,
            threshold_messages: None,
            threshold_bytes: None,
            expires: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
        }
    }
}

/// Messages that come continuously. Dropping it ends the pull.
#[derive(Debug)]
pub struct Messages {
    consumer: PullConsumer,
    inbox: String,
    subscription: Subscription,
    events: Events,
    options: ConsumeOptions,
    demand: Demand,
    /// Messages dropped that were reported.
    dropped: u64,
    /// No pull before that: nobody answered the last one.
    hold: Option<Instant>,
    draining: bool,
    ended: bool,
}

impl PullConsumer {
    /// Pulls continuously; the messages are read one by one.
    ///
    /// # Errors
    /// [`PullError`] if the options cannot be or the inbox cannot be opened.
    pub fn messages(&self, options: ConsumeOptions) -> Result<Messages, PullError> {
        if options.heartbeat.is_zero() || options.heartbeat > options.expires / 2 {
            return Err(PullError::Invalid(
                "heartbeat must be at most half of expires".into(),
            ));
        }
        let demand = Demand::new(&options)?;
        // After missed heartbeats an old pull may still be answered beside the new one.
        let (inbox, subscription) = self.open(options.max_messages.saturating_mul(2))?;
        Ok(Messages {
            events: self.js.client.events(),
            consumer: self.clone(),
            inbox,
            subscription,
            options,
            demand,
            dropped: 0,
            hold: None,
            draining: false,
            ended: false,
        })
    }
}

impl Messages {
    /// The next message; `None` once the client is closed, all was drained, or after an error that
    /// [is final](PullError::is_final). After other errors go on reading.
    pub async fn next(&mut self) -> Option<Result<Delivery, PullError>> {
        while !self.ended {
            let dropped = self.subscription.dropped();
            if dropped > self.dropped {
                let new = dropped - std::mem::replace(&mut self.dropped, dropped);
                self.demand.lost(usize::try_from(new).unwrap_or(usize::MAX));
                return Some(Err(PullError::Dropped(new)));
            }
            if let Err(error) = self.refill().await {
                self.ended = true;
                return Some(Err(error));
            }
            if let Some(found) = self.step().await {
                return Some(found);
            }
        }
        None
    }

    /// Asks for no more. What has come is still to be read; what the server sends from here on comes again to others, when
    /// the time to acknowledge it is over.
    pub fn drain(&mut self) {
        self.draining = true;
        self.subscription.unsubscribe();
    }

    async fn refill(&mut self) -> Result<(), PullError> {
        if self.draining || self.hold.is_some() {
            return Ok(());
        }
        let Some(more) = self.demand.more() else {
            return Ok(());
        };
        let ask = Ask {
            batch: more.messages,
            bytes: more.bytes,
            expires: self.options.expires,
            no_wait: false,
            heartbeat: self.options.heartbeat,
        };
        self.consumer.ask(&self.inbox, ask).await?;
        self.demand.asked(more);
        Ok(())
    }

    async fn step(&mut self) -> Option<Result<Delivery, PullError>> {
        let silence = self
            .hold
            .unwrap_or_else(|| Instant::now() + self.options.heartbeat * 2);
        tokio::select! {
            biased;
            message = self.subscription.next() => match message {
                Some(message) => self.on_message(message),
                None => {
                    self.ended = true;
                    None
                }
            },
            event = self.events.next() => {
                // Pulls die with the connection they were asked over.
                if matches!(event, Some(Event::Reconnected | Event::Missed(_))) {
                    self.demand.forget();
                    self.hold = None;
                }
                None
            }
            _ = timeout_at(silence, std::future::pending::<()>()) => {
                self.demand.forget();
                match self.hold.take() {
                    Some(_) => None,
                    None => Some(Err(PullError::HeartbeatMissed)),
                }
            }
        }
    }

    fn on_message(&mut self, message: Message) -> Option<Result<Delivery, PullError>> {
        match Signal::of(&message) {
            Signal::Delivery => {
                self.demand.came(message.size());
                return Some(Ok(self.consumer.delivery(message)));
            }
            Signal::Heartbeat => {}
            Signal::Over(over) if self.demand.is_hopeless(&over) => {
                return self.refused(409, TOO_LARGE.to_owned());
            }
            Signal::Over(over) => self.demand.over(&over),
            Signal::Gone => self.demand.forget(),
            Signal::NoResponders => {
                self.demand.forget();
                self.hold = Some(Instant::now() + self.options.heartbeat);
                return Some(Err(PullError::NoResponders));
            }
            Signal::Refused(code, description) => return self.refused(code, description),
        }
        None
    }

    fn refused(&mut self, code: u16, description: String) -> Option<Result<Delivery, PullError>> {
        self.ended = true;
        Some(Err(PullError::Status { code, description }))
    }
}
