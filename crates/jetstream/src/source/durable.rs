//! The consumer by which a stream is copied from: what it is called, where it begins, and, where the origin keeps messages
//! only as long as somebody needs them, that it is a durable one. What has been taken in safely is acknowledged to it, and
//! so the origin may let it go.

use std::collections::BTreeMap;

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::{Retention, StreamSource};
use natterjack_jsapi::{ApiError, Nanos, errors};
use natterjack_subject::names::name_hash;

use super::{Ask, Start, index_name};
use crate::clock::Now;
use crate::group::Group;

/// Between heartbeats of a consumer by which is copied, nanoseconds.
pub(super) const HEARTBEAT_NS: i64 = 1_000_000_000;
/// Messages a durable consumer that is made on the way may have on their way.
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
    /// All of its sources.
    pub sources: &'a [StreamSource],
}

impl Copier<'_> {
    /// What its consumer on `origin` is called. Only sources that name the same origin are told apart by what they take
    /// of it, so that an edit of filters meets the consumer that is there.
    #[must_use]
    pub fn consumer_name(&self, origin: &StreamSource, is_mirror: bool) -> String {
        let own = name_hash(&format!("{} {}", self.stream, self.account), 8);
        if is_mirror {
            return format!("JS_MIRROR_{own}");
        }
        let of_origin = self.sources.iter().filter(|s| s.name == origin.name);
        let id = if of_origin.count() > 1 {
            format!("{own} {}", index_name(origin))
        } else {
            own
        };
        format!("JS_SRC_{}", name_hash(&id, 8))
    }

    pub(super) fn metadata(&self, is_mirror: bool) -> BTreeMap<String, String> {
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

/// Where a consumer that is made begins, and what it lets through.
pub(crate) fn consumer_start(ask: &Ask) -> ConsumerConfig {
    let mut config = ConsumerConfig {
        filter_subject: ask.source.filter_subject.clone(),
        ..ConsumerConfig::default()
    };
    match ask.source.subject_transforms.as_slice() {
        [only] => config.filter_subject.clone_from(&only.src),
        several => config.filter_subjects = several.iter().map(|t| t.src.clone()).collect(),
    }
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
    /// Makes `config`, by which another stream wants to copy from this one, what that takes: where messages stay whoever
    /// has them, a consumer of its own that ends in `suffix`; else a durable one that waits for acknowledgements, or the
    /// one that is there, turned to where it is to deliver. Returns the first sequence wanted of a durable one.
    pub fn fit_copier(&mut self, config: &mut ConsumerConfig, suffix: &str) -> Option<u64> {
        if !config.direct || !config.sourcing {
            return None;
        }
        if self.stream().config().retention == Retention::Limits {
            config.name = format!("{}-{suffix}", config.name);
            return None;
        }
        let wanted = std::mem::take(config);
        let there = self.consumers().lookup(&wanted.name);
        let old = there.and_then(|id| self.consumers().config(id).cloned());
        let start = wanted.opt_start_seq;
        *config = match old {
            // What is taken of the origin may have been edited since.
            Some(old) => ConsumerConfig {
                deliver_subject: wanted.deliver_subject,
                filter_subject: wanted.filter_subject,
                filter_subjects: wanted.filter_subjects,
                ..old
            },
            None => ConsumerConfig {
                durable_name: wanted.name.clone(),
                ack_policy: AckPolicy::FlowControl,
                ack_wait: Nanos::default(),
                max_deliver: 0,
                max_ack_pending: MAX_ACK_PENDING,
                flow_control: true,
                idle_heartbeat: Nanos(HEARTBEAT_NS),
                inactive_threshold: Nanos::default(),
                direct: false,
                ..wanted
            },
        };
        Some(start)
    }

    /// Starts the durable consumer `id` over for who copies by it: at `start`, or behind what is acknowledged if that
    /// may not be.
    pub fn lend(&mut self, id: u32, start: u64, now: Now) {
        let start = start.max(self.stream().store.state().first_seq.0);
        let next = self.check_reset(id, start).or_else(|_| self.check_reset(id, 0));
        if let Ok(next) = next {
            self.reset_consumer(id, next, now);
        }
    }

    /// Whether this is the stream that is meant; anything is when nothing is said.
    ///
    /// # Errors
    /// The peer's, with which stream it is.
    pub fn check_identity(&self, wanted: &str) -> Result<(), ApiError> {
        let own = self.identity();
        if wanted.is_empty() || wanted == own {
            return Ok(());
        }
        Err(errors::consumer_stream_identity_mismatch(own))
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
            sources: &[],
        };
        let name = copier.consumer_name(&StreamSource::default(), true);
        assert_eq!(name, "JS_MIRROR_tHtCvrVE");
        let metadata = copier.metadata(true);
        assert_eq!(metadata.get("_nats.mirror.acc").map(String::as_str), Some("$G"));
        assert_eq!(metadata.len(), 2);
    }

    #[test]
    fn the_name_of_a_sources_consumer_is_the_peers() {
        let of = |name: &str, filter: &str| StreamSource {
            name: name.into(),
            filter_subject: filter.into(),
            ..StreamSource::default()
        };
        let named = |sources: &[StreamSource]| {
            let copier = Copier {
                stream: "S",
                account: "$G",
                domain: "",
                sources,
            };
            copier.consumer_name(&sources[0], false)
        };
        assert_eq!(named(&[of("A", "")]), "JS_SRC_N6lXlrSF");
        assert_eq!(named(&[of("A", "A.1"), of("B", "")]), "JS_SRC_N6lXlrSF");
        assert_eq!(named(&[of("A", "A.1"), of("A", "A.2")]), "JS_SRC_Ftv7C4iz");
        assert_eq!(named(&[of("A", "A.3"), of("A", "A.1")]), "JS_SRC_dXxYBUww");
    }
}
