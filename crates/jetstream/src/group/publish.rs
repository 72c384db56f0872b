//! Messages on their way in, and what their publishers are told.

use natterjack_jsapi::advisory::{self, ADVISORY_PREFIX};
use natterjack_jsapi::pub_ack::{self, PubAck};
use natterjack_jsapi::stream::Retention;
use natterjack_jsapi::{ApiError, GoTime, errors, headers};
use natterjack_store::Seq;
use natterjack_subject::names::nuid;

use super::fast::flow_ack;
use super::{Ack, Extra, Group, Waits};
use crate::clock::Now;
use crate::consumer::Consumers;
use crate::effect::Effects;
use crate::stream::{Abandoned, Gathered, Held, Incoming, Verdict, fast, value};

/// What says whether anybody wants what is stored under a subject.
pub(super) fn interest_in(
    retention: Retention,
    consumers: &mut Consumers,
) -> impl FnMut(&[u8]) -> bool + use<'_> {
    move |subject| retention != Retention::Interest || consumers.interest_in(subject)
}

impl Group {
    /// A message arrives. Refusals are answered at once, everything else when it is durable. Gives what was decided; a
    /// message of a batch is decided on with its batch.
    pub fn publish(&mut self, now: Now, message: &Incoming<'_>, fx: &mut dyn Effects) -> Option<Verdict> {
        if fast::is_of_batch(message)
            && let Some(reply) = message.reply
        {
            self.publish_fast(now, message, reply, fx);
            return None;
        }
        if !message.headers.is_empty()
            && let Some(id) = value(message.headers, headers::BATCH_ID)
        {
            self.publish_batched(now, id, message, fx);
            return None;
        }
        let verdict = self.decide(now, message);
        let Some(reply) = message.reply.filter(|_| !self.stream.config.no_ack) else {
            self.unheard = self.stream.overlay.last_seq;
            return Some(verdict);
        };
        match &verdict {
            Verdict::Stored(seq) | Verdict::Skipped(seq) => self.open.ack(reply, *seq, Extra::None),
            Verdict::Counted(seq, value) => self.open.ack(reply, *seq, Extra::Value(value.as_str().into())),
            Verdict::Duplicate(seq) => self.ack_after_all(reply, *seq, Extra::Duplicate, fx),
            Verdict::Refused(error) => self.refuse_publish(reply, error, fx),
        }
        Some(verdict)
    }

    /// Decides on a message that stands alone or is one of a fast batch.
    pub(super) fn decide(&mut self, now: Now, message: &Incoming<'_>) -> Verdict {
        let mut interest = interest_in(self.stream.config.retention, &mut self.consumers);
        self.stream.decide(now, message, &mut self.batch, &mut interest)
    }

    /// The subject `subject` is stored under, and whether anybody is interested in it.
    pub fn destination(&mut self, now: Now, subject: &[u8]) -> (Vec<u8>, bool) {
        let stored = self.stream.stored_subject(now, subject);
        let stored = stored.unwrap_or_else(|| subject.to_vec());
        let interest = self.wanted(&stored);
        (stored, interest)
    }

    /// Whether what is stored under `subject` is kept for anybody.
    pub(super) fn wanted(&mut self, subject: &[u8]) -> bool {
        interest_in(self.stream.config.retention, &mut self.consumers)(subject)
    }

    pub(super) fn refuse_publish(&mut self, reply: &[u8], error: &ApiError, fx: &mut dyn Effects) {
        self.json.clear();
        pub_ack::refused(&mut self.json, &self.names.stream, error);
        fx.send(reply, None, &[], &self.json);
    }

    fn publish_batched(&mut self, now: Now, id: &[u8], message: &Incoming<'_>, fx: &mut dyn Effects) {
        let gathered = if self.stream.config.sealed {
            Gathered::Refused(errors::STREAM_SEALED, None)
        } else {
            match self.stream.check_size(message) {
                Ok(()) if !self.stream.config.allow_atomic => {
                    Gathered::Refused(errors::ATOMIC_PUBLISH_DISABLED, None)
                }
                Ok(()) => {
                    let renamed = self.stream.stored_subject(now, message.subject);
                    let subject = renamed.as_deref().unwrap_or(message.subject);
                    let held = Held::new(subject, message.headers, message.payload);
                    self.stream
                        .batches
                        .gather(now, id, held, &self.stream.batch_limits)
                }
                Err(error) => Gathered::Refused(error, None),
            }
        };
        let reply = message.reply.filter(|_| !self.stream.config.no_ack);
        match gathered {
            Gathered::Waits => {
                if let Some(reply) = reply {
                    fx.send(reply, None, &[], &[]);
                }
            }
            Gathered::Commit(messages) => self.commit_batch(now, id, &messages, reply, fx),
            Gathered::Refused(error, abandoned) => {
                if let Some(why) = abandoned {
                    self.advise_abandoned(now, id, why, fx);
                }
                if let Some(reply) = reply {
                    self.refuse_publish(reply, &error, fx);
                }
            }
        }
    }

    fn commit_batch(
        &mut self,
        now: Now,
        id: &[u8],
        messages: &[Held],
        reply: Option<&[u8]>,
        fx: &mut dyn Effects,
    ) {
        let retention = self.stream.config.retention;
        let done = self.stream.commit_batch(
            now,
            messages,
            &mut self.batch,
            &mut interest_in(retention, &mut self.consumers),
        );
        let Some(reply) = reply else {
            self.unheard = self.stream.overlay.last_seq;
            return;
        };
        match done {
            Ok(seq) => {
                let id = String::from_utf8_lossy(id).into_owned();
                let extra = Extra::Batch(id.into(), messages.len() as u64);
                self.open.ack(reply, seq, extra);
            }
            Err(error) => self.refuse_publish(reply, &error, fx),
        }
    }

    /// Tells the account of a batch that came to nothing, and the system account, which hears whose it was.
    fn advise_abandoned(&self, now: Now, id: &[u8], why: Abandoned, fx: &mut dyn Effects) {
        let names = &self.names;
        let subject = format!("{ADVISORY_PREFIX}STREAM.BATCH_ABANDONED.{}", names.stream);
        let (own, system) = (
            fx.wants_advisory(subject.as_bytes()),
            fx.wants_system_advisory(subject.as_bytes()),
        );
        if !own && !system {
            return;
        }
        let event_id = nuid(&mut || fx.random());
        let told = |account: Option<&str>| {
            advisory::event("stream_batch_abandoned", &event_id, GoTime(now.wall_ns), |o| {
                if let Some(account) = account {
                    o.text("account", account);
                }
                o.text("stream", &names.stream);
                o.omit("domain", &names.domain);
                o.text("batch", &String::from_utf8_lossy(id));
                o.text("reason", why.reason());
            })
        };
        if own {
            // The peer sends this one with an empty reply subject.
            fx.send(subject.as_bytes(), Some(b""), &[], &told(None));
        }
        if system {
            fx.system_advisory(subject.as_bytes(), &told(Some(&names.account)));
        }
    }

    /// Drops batches that have stood still for too long.
    pub(super) fn expire_batches(&mut self, now: Now, fx: &mut dyn Effects) {
        for id in self.stream.batches.expire(now, &self.stream.batch_limits) {
            self.advise_abandoned(now, &id, Abandoned::Timeout, fx);
        }
        self.stream.flows.expire(now, &self.stream.batch_limits);
    }

    /// Tells `reply` once all that was decided so far is durable: of duplicates only when the original is, of batches when
    /// all of them are.
    pub(super) fn ack_after_all(&mut self, reply: &[u8], seq: Seq, extra: Extra, fx: &mut dyn Effects) {
        if !self.batch.is_empty() {
            self.open.ack(reply, seq, extra);
        } else if let Some((_, waits)) = self.closed.back_mut() {
            waits.ack(reply, seq, extra);
        } else if let Some((_, _, waits)) = self.in_flight.back_mut() {
            waits.ack(reply, seq, extra);
        } else {
            self.send_ack(reply, seq, &extra, fx);
        }
    }

    fn send_ack(&mut self, reply: &[u8], seq: Seq, extra: &Extra, fx: &mut dyn Effects) {
        if let Extra::Flow(every) = extra {
            fx.send(reply, None, &[], &flow_ack(seq.0, *every));
            return;
        }
        self.json.clear();
        let mut ack = PubAck {
            stream: &self.names.stream,
            domain: &self.names.domain,
            seq: seq.0,
            ..PubAck::default()
        };
        match extra {
            Extra::None | Extra::Flow(_) => {}
            Extra::Duplicate => ack.duplicate = true,
            Extra::Value(value) => ack.value = Some(value),
            Extra::Batch(id, count) => ack.batch = Some((id, *count)),
            Extra::SeenBatch(id) => {
                ack.duplicate = true;
                ack.batch = Some((id, 1));
            }
        }
        ack.encode(&mut self.json);
        fx.send(reply, None, &[], &self.json);
    }

    /// What publishers waited for is durable.
    pub(super) fn tell(&mut self, waits: &Waits, fx: &mut dyn Effects) {
        let mut start = 0;
        for ack in &waits.acks {
            self.send_ack(&waits.replies[start..ack.reply_end], ack.seq, &ack.extra, fx);
            start = ack.reply_end;
        }
        for reply in &waits.answers {
            fx.send(reply, None, &[], &[]);
        }
    }
}

impl Waits {
    pub(super) fn ack(&mut self, reply: &[u8], seq: Seq, extra: Extra) {
        self.replies.extend_from_slice(reply);
        self.acks.push(Ack {
            reply_end: self.replies.len(),
            seq,
            extra,
        });
    }
}
