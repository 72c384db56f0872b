//! Ordered consumers: every message of a stream once and in order, from an ephemeral consumer that is made anew behind the
//! last message seen whenever something is missing. Acknowledges nothing, because nothing is redelivered.

use std::time::Duration;

use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy};
use tokio::time::{Instant, timeout_at};

use super::JetStream;
use super::delivery::Delivery;
use super::error::{OrderedError, PullError};
use super::pull::{ConsumeOptions, Messages};

/// How long the server keeps a consumer of a reader that went away without a word, as the official clients ask for.
const INACTIVE: Duration = Duration::from_secs(5 * 60);

/// Messages of a stream in order. Dropping it leaves its consumer to the server, which removes it when nobody has asked it
/// for five minutes; [`close`](Self::close) removes it at once.
#[derive(Debug)]
pub struct Ordered {
    js: JetStream,
    stream: String,
    config: ConsumerConfig,
    options: ConsumeOptions,
    current: Option<Current>,
    /// Sequence in the stream of the last message given out.
    seen: u64,
    /// No new consumer before that.
    hold: Option<Instant>,
}

/// The consumer of the moment.
#[derive(Debug)]
struct Current {
    name: String,
    messages: Messages,
    /// Sequence of its last delivery.
    delivered: u64,
}

impl JetStream {
    /// Reads a stream in order. Of `config` counts what is delivered: filters, deliver policy, start, replay policy,
    /// headers only, metadata, and the inactive threshold; the rest is what an ordered consumer needs it to be.
    ///
    /// # Errors
    /// [`OrderedError`]: the first consumer could not be made.
    pub async fn ordered(
        &self,
        stream: &str,
        config: &ConsumerConfig,
        options: ConsumeOptions,
    ) -> Result<Ordered, OrderedError> {
        let mut ordered = Ordered {
            js: self.clone(),
            stream: stream.to_owned(),
            config: wanted(config),
            options,
            current: None,
            seen: 0,
            hold: None,
        };
        ordered.renew().await?;
        Ok(ordered)
    }
}

/// The configuration of an ordered consumer that delivers what `config` says.
fn wanted(config: &ConsumerConfig) -> ConsumerConfig {
    let inactive_threshold = match config.inactive_threshold.as_u64() {
        0 => Nanos::from_secs(INACTIVE.as_secs().cast_signed()),
        _ => config.inactive_threshold,
    };
    ConsumerConfig {
        deliver_policy: config.deliver_policy,
        opt_start_seq: config.opt_start_seq,
        opt_start_time: config.opt_start_time,
        filter_subject: config.filter_subject.clone(),
        filter_subjects: config.filter_subjects.clone(),
        replay_policy: config.replay_policy,
        headers_only: config.headers_only,
        metadata: config.metadata.clone(),
        ack_policy: AckPolicy::None,
        max_deliver: 1,
        num_replicas: 1,
        mem_storage: true,
        inactive_threshold,
        ..ConsumerConfig::default()
    }
}

/// The same behind message `seen`.
fn behind(config: &ConsumerConfig, seen: u64) -> ConsumerConfig {
    ConsumerConfig {
        deliver_policy: DeliverPolicy::ByStartSequence,
        opt_start_seq: seen + 1,
        opt_start_time: None,
        ..config.clone()
    }
}

impl Ordered {
    /// The next message; `None` once the client is closed. After an error go on reading: a consumer is made anew, after a
    /// heartbeat's time if that was what failed.
    pub async fn next(&mut self) -> Option<Result<Delivery, OrderedError>> {
        loop {
            if let Some(until) = self.hold {
                drop(timeout_at(until, std::future::pending::<()>()).await);
                self.hold = None;
            }
            if self.current.is_none()
                && let Err(error) = self.renew().await
            {
                self.hold = Some(Instant::now() + self.options.heartbeat);
                return Some(Err(error));
            }
            let current = self.current.as_mut()?;
            match current.messages.next().await? {
                Ok(delivery) => {
                    let Ok(info) = delivery.info() else { continue };
                    if info.consumer_seq != current.delivered + 1 {
                        self.abandon();
                        continue;
                    }
                    current.delivered = info.consumer_seq;
                    self.seen = info.stream_seq;
                    return Some(Ok(delivery));
                }
                Err(PullError::Send(error)) => return Some(Err(PullError::Send(error).into())),
                // Deleted, lost with a server, silent, or with a gap: the next one begins where this one ended.
                Err(_) => self.abandon(),
            }
        }
    }

    /// Ends it and removes its consumer.
    ///
    /// # Errors
    /// [`OrderedError::Delete`]; the server removes the consumer later then.
    pub async fn close(mut self) -> Result<(), OrderedError> {
        match self.current.take() {
            Some(current) => Ok(self.js.delete_consumer(&self.stream, &current.name).await?),
            None => Ok(()),
        }
    }

    /// Name of the consumer of the moment.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.name.as_str())
    }

    async fn renew(&mut self) -> Result<(), OrderedError> {
        let info = match self.seen {
            0 => self.js.create_consumer(&self.stream, &self.config).await?,
            seen => {
                let config = behind(&self.config, seen);
                self.js.create_consumer(&self.stream, &config).await?
            }
        };
        let messages = self
            .js
            .pull_consumer(&self.stream, &info.name)?
            .messages(self.options)?;
        self.current = Some(Current {
            name: info.name,
            messages,
            delivered: 0,
        });
        Ok(())
    }

    /// Leaves the consumer of the moment. It is removed beside the reading, because it may be gone already and the answer
    /// matters to nobody.
    fn abandon(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let (js, stream) = (self.js.clone(), self.stream.clone());
        tokio::spawn(async move { drop(js.delete_consumer(&stream, &current.name).await) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_delivered_counts_and_the_rest_is_set() {
        let asked = ConsumerConfig {
            durable_name: "d".into(),
            filter_subjects: vec!["a".into(), "b".into()],
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::Explicit,
            headers_only: true,
            ..ConsumerConfig::default()
        };
        let config = wanted(&asked);
        assert!(config.durable_name.is_empty() && config.mem_storage && config.headers_only);
        assert_eq!(config.filter_subjects, asked.filter_subjects);
        assert_eq!(
            (config.ack_policy, config.deliver_policy),
            (AckPolicy::None, DeliverPolicy::New)
        );
        assert_eq!(config.inactive_threshold.as_u64(), 300_000_000_000);
        let next = behind(&config, 41);
        assert_eq!(
            (next.deliver_policy, next.opt_start_seq),
            (DeliverPolicy::ByStartSequence, 42)
        );
    }
}
