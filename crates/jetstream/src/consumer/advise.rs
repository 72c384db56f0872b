//! Advisories and metrics of a consumer. Nothing is made that nobody would hear.

use natterjack_jsapi::advisory::{ADVISORY_PREFIX, METRIC_PREFIX, event, metric};
use natterjack_jsapi::json::write::ObjectWriter;
use natterjack_jsapi::{GoTime, Nanos};
use natterjack_subject::names::nuid;

use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::Effects;

/// Advisories of these kinds name the account.
const GROUP_KIND: &str = "consumer_group_";

impl Consumer {
    /// Stream and consumer as subjects have them: `<stream>.<consumer>`.
    fn path(&self) -> String {
        String::from_utf8_lossy(self.ack_prefix.get(self.path_at..).unwrap_or_default()).into_owned()
    }

    fn advise(
        &self,
        now: Now,
        what: &str,
        kind: &str,
        fx: &mut dyn Effects,
        fields: impl FnOnce(&mut ObjectWriter<'_>),
    ) {
        let subject = format!("{ADVISORY_PREFIX}CONSUMER.{what}.{}", self.path());
        if !fx.wants_advisory(subject.as_bytes()) {
            return;
        }
        let id = nuid(&mut || fx.random());
        let of_group = kind.starts_with(GROUP_KIND);
        let domain = &self.names.domain;
        let json = event(kind, &id, GoTime(now.wall_ns), |o| {
            if of_group {
                o.text("account", &self.names.account);
            }
            o.text("stream", &self.names.stream);
            o.text("consumer", &self.name);
            // Of groups the peer has the domain before what there is to say, and behind everything else.
            if of_group {
                o.omit("domain", domain);
                fields(o);
            } else {
                fields(o);
                o.omit("domain", domain);
            }
        });
        fx.advisory(subject.as_bytes(), &json);
    }

    pub(crate) fn advise_max_deliver(&self, now: Now, sseq: u64, deliveries: u64, fx: &mut dyn Effects) {
        self.advise(now, "MAX_DELIVERIES", "max_deliver", fx, |o| {
            o.field("stream_seq", &sseq);
            o.field("deliveries", &deliveries);
        });
    }

    pub(crate) fn advise_nak(
        &self,
        now: Now,
        (sseq, cseq): (u64, u64),
        deliveries: u64,
        fx: &mut dyn Effects,
    ) {
        self.advise(now, "MSG_NAKED", "nak", fx, |o| {
            o.field("consumer_seq", &cseq);
            o.field("stream_seq", &sseq);
            o.field("deliveries", &deliveries);
        });
    }

    pub(crate) fn advise_term(
        &self,
        now: Now,
        (sseq, cseq): (u64, u64),
        deliveries: u64,
        reason: &str,
        fx: &mut dyn Effects,
    ) {
        self.advise(now, "MSG_TERMINATED", "terminated", fx, |o| {
            o.field("consumer_seq", &cseq);
            o.field("stream_seq", &sseq);
            o.field("deliveries", &deliveries);
            if !reason.is_empty() {
                o.text("reason", reason);
            }
        });
    }

    pub(crate) fn advise_pause(&self, now: Now, fx: &mut dyn Effects) {
        let paused = self.is_paused(now);
        let until = self.config.pause_until.unwrap_or(GoTime::ZERO);
        self.advise(now, "PAUSE", "consumer_pause", fx, |o| {
            o.field("paused", &paused);
            o.field("pause_until", &until);
        });
    }

    fn group(&self) -> &str {
        self.config.priority_groups.first().map_or("", String::as_str)
    }

    pub(crate) fn advise_pinned(&self, now: Now, fx: &mut dyn Effects) {
        self.advise(now, "PINNED", "consumer_group_pinned", fx, |o| {
            o.text("group", self.group());
            o.text("pinned_id", self.pin.id());
        });
    }

    pub(crate) fn advise_unpinned(&self, now: Now, reason: &str, fx: &mut dyn Effects) {
        self.advise(now, "UNPINNED", "consumer_group_unpinned", fx, |o| {
            o.text("group", self.group());
            o.text("reason", reason);
        });
    }

    /// A sampled acknowledgement.
    pub(crate) fn sample_ack(
        &self,
        now: Now,
        (sseq, cseq): (u64, u64),
        deliveries: u64,
        stored_ns: i64,
        fx: &mut dyn Effects,
    ) {
        if self.sample == 0 || (self.sample < 100 && fx.random() % 100 >= u64::from(self.sample)) {
            return;
        }
        let subject = format!("{METRIC_PREFIX}CONSUMER.ACK.{}", self.path());
        if !fx.wants_advisory(subject.as_bytes()) {
            return;
        }
        let id = nuid(&mut || fx.random());
        let json = metric("consumer_ack", &id, GoTime(now.wall_ns), |o| {
            o.text("stream", &self.names.stream);
            o.text("consumer", &self.name);
            o.field("consumer_seq", &cseq);
            o.field("stream_seq", &sseq);
            o.field("ack_time", &Nanos(now.wall_ns.saturating_sub(stored_ns)));
            o.field("deliveries", &deliveries);
            o.omit("domain", &self.names.domain);
        });
        fx.advisory(subject.as_bytes(), &json);
    }
}
