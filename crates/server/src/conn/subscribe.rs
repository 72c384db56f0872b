//! Subscribing and its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_auth::SubscribeVerdict;
use natterjack_proto::ServerError;
use natterjack_subject::{is_valid_subject, token_count};

use super::session::Session;
use crate::router::sub::Sub;

/// Queue group of the server's own subscriptions.
const SYSTEM_QUEUE: &[u8] = b"_sys_";

impl Session {
    pub(super) fn on_sub(&mut self, subject: &[u8], queue: Option<&[u8]>, sid: &[u8]) {
        if let Err(error) = self.check_sub(subject, queue) {
            self.refuse(&error);
            return;
        }
        let filtered = match self.verdict(subject, queue) {
            SubscribeVerdict::Allowed => false,
            SubscribeVerdict::Filtered => true,
            SubscribeVerdict::Denied => {
                self.refuse(&ServerError::SubscribeDenied {
                    subject: subject.to_vec(),
                    queue: queue.map(<[u8]>::to_vec),
                });
                return;
            }
        };
        let sub = Sub::client(&self.conn, subject, queue, sid, filtered);
        let fresh = {
            let mut facts = self.conn.facts.lock();
            // The same id again changes nothing.
            let fresh = !facts.subs.contains_key(sid);
            if fresh {
                facts.subs.insert(sid.into(), Arc::clone(&sub));
            }
            fresh
        };
        if fresh {
            self.lane.account.subscribe(&sub);
        }
        self.say_ok();
    }

    fn check_sub(&self, subject: &[u8], queue: Option<&[u8]>) -> Result<(), ServerError> {
        let limits = &self.server.options.limits;
        if queue == Some(SYSTEM_QUEUE) {
            return Err(ServerError::SubscribeDenied {
                subject: subject.to_vec(),
                queue: queue.map(<[u8]>::to_vec),
            });
        }
        if !is_valid_subject(subject) {
            return Err(ServerError::InvalidSubject);
        }
        if limits.max_subscription_tokens > 0 && token_count(subject) > limits.max_subscription_tokens {
            return Err(ServerError::SubscribeTooManyTokens {
                subject: subject.to_vec(),
            });
        }
        let account = self.lane.account.limits.lock().max_subscriptions;
        let most = account.or_else(|| Some(limits.max_subscriptions).filter(|n| *n > 0));
        let held = self.conn.facts.lock().subs.len() as u64;
        if most.is_some_and(|most| held >= most) {
            return Err(ServerError::MaximumSubscriptions);
        }
        Ok(())
    }

    pub(super) fn verdict(&self, subject: &[u8], queue: Option<&[u8]>) -> SubscribeVerdict {
        self.permissions
            .as_ref()
            .map_or(SubscribeVerdict::Allowed, |p| p.can_subscribe(subject, queue))
    }

    pub(super) fn on_unsub(&mut self, sid: &[u8], max: Option<u64>) {
        let found = self.conn.facts.lock().subs.get(sid).cloned();
        if let Some(sub) = found {
            sub.max.store(max.unwrap_or(0), Ordering::Relaxed);
            if max.unwrap_or(0) == 0 || sub.is_exhausted() {
                self.conn.drop_sub(&sub);
            }
        }
        self.say_ok();
    }
}
