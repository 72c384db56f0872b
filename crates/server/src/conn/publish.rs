//! Publishing: what may be published, and on its way it goes.

use bytes::Bytes;
use natterjack_proto::{Publish, ServerError, headers};
use natterjack_subject::is_valid_publish;

use super::session::Session;
use crate::router::message::Routed;
use crate::router::sub::Target;

/// Subjects of servers among themselves: no client may publish to them.
const RESERVED: [&[u8]; 3] = [b"_GR_.", b"$GR.", b"$NRG."];
/// Replies that only the server makes.
const RESERVED_REPLIES: [&[u8]; 4] = [b"$JS.ACK.", b"_R_.", b"_GR_.", b"$GR."];

fn begins(subject: &[u8], prefixes: &[&[u8]]) -> bool {
    matches!(subject.first(), Some(b'$' | b'_')) && prefixes.iter().any(|p| subject.starts_with(p))
}

impl Session {
    pub(super) fn on_publish(&mut self, publish: &Publish<'_>, shared: Option<&Bytes>) {
        self.count.add(publish.body.len());
        let subject = publish.subject;
        if begins(subject, &RESERVED) || !self.may_publish(subject) {
            self.refuse(&ServerError::PublishDenied {
                subject: subject.to_vec(),
            });
            return;
        }
        if let Some(reply) = publish.reply
            && begins(reply, &RESERVED_REPLIES)
        {
            self.refuse(&ServerError::PublishReplyDenied {
                reply: reply.to_vec(),
            });
            return;
        }
        if self.connect.pedantic && !is_valid_publish(subject) {
            self.refuse(&ServerError::InvalidPublishSubject);
        }
        self.say_ok();
        let mapped = self.map(subject);
        let conn = std::sync::Arc::clone(&self.conn);
        let message = Routed {
            subject: mapped.as_deref().unwrap_or(subject),
            reply: publish.reply,
            headers_len: publish.headers().len(),
            body: publish.body,
            shared,
            from: Some(&conn),
        };
        let taken = self.lane.route(&message);
        if !taken
            && self.connect.no_responders
            && let Some(reply) = publish.reply
        {
            self.say_no_responders(reply, subject);
        }
    }

    fn may_publish(&mut self, subject: &[u8]) -> bool {
        let Some(permissions) = &self.permissions else {
            return true;
        };
        let allowed = match self.permitted.get(subject) {
            Some(allowed) => *allowed,
            None => {
                let allowed = permissions.can_publish(subject);
                self.remember(subject, allowed)
            }
        };
        allowed || self.conn.may_answer(subject)
    }

    /// The subject the account's mappings make of it.
    fn map(&mut self, subject: &[u8]) -> Option<Vec<u8>> {
        let mappings = self.lane.account.mappings()?;
        let mapping = mappings.iter().find(|m| m.matches(subject))?;
        mapping.apply(subject, "", &mut || self.lane.random())
    }

    /// Tells the publisher that nobody is there to answer: to its own subscription only.
    fn say_no_responders(&mut self, reply: &[u8], subject: &[u8]) {
        let mut block = Vec::new();
        headers::start_status(&mut block, "503", "");
        headers::push(&mut block, "Nats-Subject", subject);
        headers::finish(&mut block);
        let found = self.lane.matches(reply);
        let own = found.plain.iter().find(
            |s| matches!(&s.0.target, Target::Client(conn) if std::sync::Arc::ptr_eq(conn, &self.conn)),
        );
        let Some(own) = own.map(|s| std::sync::Arc::clone(&s.0)) else {
            return;
        };
        let message = Routed {
            subject: reply,
            headers_len: block.len(),
            body: &block,
            ..Routed::default()
        };
        self.lane.route_to_one(&own, &message);
    }
}
