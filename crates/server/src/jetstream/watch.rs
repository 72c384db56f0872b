//! What belongs to a stream's consumers outside of its group: their names, who listens to them, and who is told of them.

use std::sync::Arc;

use natterjack_jetstream::consumer::{Changed, How};
use natterjack_jetstream::{Effects as _, Now};
use natterjack_jsapi::advisory::{self, ADVISORY_PREFIX};
use natterjack_jsapi::consumer::AckPolicy;

use super::owner::Owner;
use super::stream::Listeners;
use crate::clock;

impl Owner {
    /// Looks after what belongs to consumers outside of the group, after they came, changed or went.
    pub(super) fn settle_consumers(&mut self) {
        for changed in self.group.consumers().take_changed() {
            match changed.how {
                How::Created => self.name(changed.id),
                How::Updated => {}
                How::Deleted => drop(self.stream.consumers.write().remove(changed.name.as_bytes())),
            }
            self.watch(changed.id);
            self.advise(&changed);
        }
    }

    /// Lets those who route know that a consumer is there.
    pub(super) fn name(&mut self, id: u32) {
        let consumers = self.group.consumers();
        if let (Some(consumer), Some(config)) = (consumers.get(id), consumers.config(id)) {
            let acks = config.ack_policy != AckPolicy::None;
            let name = consumer.name().as_bytes().into();
            self.stream.consumers.write().insert(name, acks);
        }
    }

    fn advise(&mut self, changed: &Changed) {
        let (what, action) = match changed.how {
            How::Created => ("CREATED", "create"),
            How::Deleted => ("DELETED", "delete"),
            How::Updated => return,
        };
        let stream = self.stream.name.clone();
        let subject = format!("{ADVISORY_PREFIX}CONSUMER.{what}.{stream}.{}", changed.name);
        if !self.wire.wants_advisory(subject.as_bytes()) {
            return;
        }
        let id = natterjack_subject::names::nuid(&mut rand::random);
        let domain = &self.wire.lane.server.options.jetstream.domain;
        let json = advisory::event("consumer_action", &id, clock::wall(), |o| {
            o.text("stream", &stream);
            o.text("consumer", &changed.name);
            o.text("action", action);
            o.omit("domain", domain);
        });
        self.wire.advisory(subject.as_bytes(), &json);
    }

    /// Watches the deliver subject of a consumer, if it has one.
    pub(super) fn watch(&mut self, id: u32) {
        let key = self.key(id);
        let account = Arc::clone(&self.wire.lane.account);
        if let Some(subject) = self.watched.remove(&id) {
            account.unwatch(&subject, key);
        }
        let Some(config) = self.group.consumers().config(id) else {
            return;
        };
        if config.deliver_subject.is_empty() {
            return;
        }
        let subject = config.deliver_subject.clone().into_bytes();
        let listeners = Arc::new(Listeners {
            stream: Arc::clone(&self.stream),
            consumer: id,
        });
        account.watch(&subject, key, listeners);
        self.watched.insert(id, subject);
        self.look(id, clock::now());
    }

    /// Looks whether anybody listens on the deliver subject of a consumer.
    pub(super) fn look(&mut self, id: u32, now: Now) {
        let Some(config) = self.group.consumers().config(id) else {
            return;
        };
        let group = Some(config.deliver_group.as_bytes()).filter(|g| !g.is_empty());
        let account = &self.wire.lane.account;
        let has = account.is_subscribed(config.deliver_subject.as_bytes(), group);
        self.group.consumers().on_interest(id, now, has);
    }
}
