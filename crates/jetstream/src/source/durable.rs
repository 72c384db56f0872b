//! The durable consumer by which a stream is copied from: one that was made for it beforehand, or, where the origin keeps
//! messages only as long as somebody needs them, one that is made on the way. What has been taken in safely is
//! acknowledged to it, and so the origin may let it go.

use std::collections::BTreeMap;

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::{Retention, StreamConfig, StreamSource};
use natterjack_jsapi::{ApiError, Nanos, errors};
use natterjack_subject::names::{name_hash, random_name};

use super::{Ask, Start, index_name};
use crate::clock::Now;
use crate::group::Group;

/// Between heartbeats of a consumer that is made on the way, nanoseconds.
const HEARTBEAT_NS: i64 = 1_000_000_000;
/// Messages such a consumer may have on their way.
const MAX_ACK_PENDING: i64 = 1_000;

/// Who copies.
#[derive(Debug, Clone, Copy)]
pub struct Copier<'a> {
    /// Its name.
    pub stream: &'a str,
    /// Its account.
    pub account: &'a str,
    /// Its domain, empty for none.
    pub domain: &'a str,
}

impl Copier<'_> {
    /// What its consumer on `origin` is called.
    #[must_use]
    pub fn consumer_name(&self, origin: &StreamSource, is_mirror: bool) -> String {
        let (stream, account) = (self.stream, self.account);
        if is_mirror {
            format!("JS_MIRROR_{}", name_hash(&format!("{stream} {account}"), 8))
        } else {
            let index = index_name(origin);
            format!("JS_SRC_{}", name_hash(&format!("{stream} {account} {index}"), 8))
        }
    }

    fn metadata(&self, is_mirror: bool) -> BTreeMap<String, String> {
        let kind = if is_mirror { "mirror" } else { "src" };
        [
            ("stream", self.stream),
            ("acc", self.account),
            ("domain", self.domain),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| (format!("_nats.{kind}.{field}"), value.to_owned()))
        .collect()
    }
}

/// A consumer to be copied by.
#[derive(Debug, Clone)]
pub struct Durable {
    /// Its name.
    pub name: String,
    /// Where it delivers.
    pub deliver_subject: String,
    /// What it is made as when it is not there; one that was given is never made.
    pub made_as: Option<Box<ConsumerConfig>>,
    /// The first sequence wanted, where it matters.
    pub start_seq: u64,
    /// Whether a mirror copies.
    pub is_mirror: bool,
}

impl Durable {
    /// The consumer by which `ask` is to be answered by an origin configured as `origin`; `None` when it just reads.
    #[must_use]
    pub fn new(
        ask: &Ask,
        origin: &StreamConfig,
        copier: Copier<'_>,
        random: &mut dyn FnMut() -> u64,
    ) -> Option<Self> {
        let start_seq = if ask.resumes
            && let Start::Seq(seq) = ask.start
        {
            seq
        } else {
            0
        };
        let is_mirror = ask.is_mirror;
        if let Some(given) = &ask.source.consumer {
            return Some(Self {
                name: given.name.clone(),
                deliver_subject: given.deliver_subject.clone(),
                made_as: None,
                start_seq,
                is_mirror,
            });
        }
        if origin.retention == Retention::Limits {
            return None;
        }
        let mut deliver_subject = if is_mirror { "$JS.M." } else { "$JS.S." }.to_owned();
        random_name(8, random, &mut deliver_subject);
        let name = copier.consumer_name(&ask.source, is_mirror);
        let config = ConsumerConfig {
            durable_name: name.clone(),
            name: name.clone(),
            ack_policy: AckPolicy::FlowControl,
            max_ack_pending: MAX_ACK_PENDING,
            flow_control: true,
            idle_heartbeat: Nanos(HEARTBEAT_NS),
            deliver_subject: deliver_subject.clone(),
            sourcing: true,
            metadata: copier.metadata(is_mirror),
            ..start(ask)
        };
        Some(Self {
            name,
            deliver_subject,
            made_as: Some(Box::new(config)),
            start_seq,
            is_mirror,
        })
    }
}

/// Where a consumer that is made begins, and what it lets through.
fn start(ask: &Ask) -> ConsumerConfig {
    let mut config = ConsumerConfig {
        filter_subject: ask.source.filter_subject.clone(),
        filter_subjects: ask
            .source
            .subject_transforms
            .iter()
            .map(|t| t.src.clone())
            .collect(),
        ..ConsumerConfig::default()
    };
    match ask.start {
        Start::Seq(seq) if seq > 1 => {
            config.deliver_policy = DeliverPolicy::ByStartSequence;
            config.opt_start_seq = seq;
        }
        Start::Seq(_) => {}
        Start::Time(_) => {
            config.deliver_policy = DeliverPolicy::ByStartTime;
            config.opt_start_time = ask.source.opt_start_time;
        }
    }
    config
}

impl Group {
    /// Gives consumer `durable` to who copies from this stream: it starts over behind what is copied already. Returns
    /// which stream this is; `None` when there is no such consumer, or it delivers elsewhere.
    ///
    /// # Errors
    /// The consumer does not wait for what it delivers, as the peer says it.
    pub fn lend(&mut self, durable: &Durable, now: Now) -> Result<Option<String>, ApiError> {
        let Some(id) = self.consumers().lookup(&durable.name) else {
            return Ok(None);
        };
        let Some(config) = self.consumers().config(id) else {
            return Ok(None);
        };
        if config.ack_policy != AckPolicy::FlowControl {
            return Err(if durable.is_mirror {
                errors::MIRROR_CONSUMER_REQUIRES_ACK_FC
            } else {
                errors::SOURCE_CONSUMER_REQUIRES_ACK_FC
            });
        }
        let next = self
            .check_reset(id, durable.start_seq)
            .or_else(|_| self.check_reset(id, 0))?;
        self.reset_consumer(id, next, now);
        Ok(Some(self.identity()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_mirrors_consumer_is_the_peers() {
        let copier = Copier {
            stream: "A8",
            account: "$G",
            domain: "",
        };
        let name = copier.consumer_name(&StreamSource::default(), true);
        assert_eq!(name, "JS_MIRROR_tHtCvrVE");
        let metadata = copier.metadata(true);
        assert_eq!(metadata.get("_nats.mirror.acc").map(String::as_str), Some("$G"));
        assert_eq!(metadata.len(), 2);
    }
}
