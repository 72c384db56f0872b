//! Publishing: what may be published, and on its way it goes.

use std::sync::Arc;

use bytes::Bytes;
use natterjack_proto::{Publish, ServerError, headers};
use natterjack_subject::is_valid_publish;

use super::session::Session;
use crate::router::message::Routed;
use crate::router::sub::Target;
use crate::router::trace::{self, Asked};

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
        if self.connect.pedantic && !is_valid_publish(publish.subject) {
            self.refuse(&ServerError::InvalidPublishSubject);
        }
        let conn = Arc::clone(&self.conn);
        let mut message = Routed {
            subject: publish.subject,
            reply: publish.reply,
            headers_len: publish.headers().len(),
            body: publish.body,
            shared,
            from: Some(&conn),
        };
        let mapped = self.map(publish.subject);
        let mut changed = None;
        if message.headers_len > 0 {
            let account = self.lane.account.trace.load().is_some();
            match trace::asked(message.headers(), account) {
                Asked::Nothing => {}
                asked => match self.trace(&message, mapped.as_deref(), asked) {
                    Ok(body) => changed = body,
                    Err(error) => return self.refuse(&error),
                },
            }
        }
        message.subject = mapped.as_deref().unwrap_or(publish.subject);
        if let Some(body) = &changed {
            message.headers_len += body.len() - message.body.len();
            (message.body, message.shared) = (body, None);
        }
        if let Err(error) = self.check_publish(message.subject, message.reply) {
            self.refuse(&error);
            if let Some(mut trace) = self.lane.trace.take() {
                trace.refused(error.text());
                trace.send(&mut self.lane);
            }
            return;
        }
        self.say_ok();
        let taken = self.lane.route(&message);
        let trace = self.lane.trace.take();
        if !taken
            && self.connect.no_responders
            && let Some(reply) = publish.reply
        {
            self.say_no_responders(reply, message.subject);
        }
        if let Some(trace) = trace {
            trace.send(&mut self.lane);
        }
    }

    fn check_publish(&mut self, subject: &[u8], reply: Option<&[u8]>) -> Result<(), ServerError> {
        if begins(subject, &RESERVED) || !self.may_publish(subject) {
            return Err(ServerError::PublishDenied {
                subject: subject.to_vec(),
            });
        }
        match reply {
            Some(reply) if begins(reply, &RESERVED_REPLIES) => Err(ServerError::PublishReplyDenied {
                reply: reply.to_vec(),
            }),
            _ => Ok(()),
        }
    }

    /// Begins the trace of `message`: who publishes it must be allowed to publish the trace too. Gives headers and payload
    /// when they go on differently than they came.
    fn trace(
        &mut self,
        message: &Routed<'_>,
        mapped: Option<&[u8]>,
        asked: Asked,
    ) -> Result<Option<Vec<u8>>, ServerError> {
        if let Asked::Dest(dest) = &asked {
            self.check_publish(dest, None)?;
        }
        let conn = Arc::clone(&self.conn);
        let changed = self.lane.begin_trace(message, &conn, asked);
        if let (Some(trace), Some(to)) = (&mut self.lane.trace, mapped) {
            trace.mapped(to);
        }
        Ok(changed)
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
        let own = found
            .plain
            .iter()
            .find(|s| matches!(&s.0.target, Target::Client(conn) if Arc::ptr_eq(conn, &self.conn)));
        let Some(own) = own.map(|s| Arc::clone(&s.0)) else {
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
