//! A changed configuration as one connection takes it on: limits, who it is, what it may still listen to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_auth::SubscribeVerdict;
use natterjack_proto::ServerError;

use super::session::Session;
use crate::clock;

impl Session {
    /// Takes on what is in force now, if that is something else than before.
    pub(super) fn refresh(&mut self) {
        if self.conn.is_closed() || Arc::ptr_eq(&self.server.live.load(), &self.live) {
            return;
        }
        self.live = self.server.live.load_full();
        let limits = &self.live.options.limits;
        let now = clock::mono();
        self.keepalive
            .adjust(now, limits.ping_interval_ns, limits.ping_max);
        self.parser.max_control_line = limits.max_control_line_bytes;
        let account = self.lane.account.limits.lock().max_payload;
        self.parser.max_payload = account.or(Some(limits.max_payload_bytes));
        if self.connected {
            self.prove_again();
        } else if self.live.is_locked() {
            self.auth_deadline
                .get_or_insert_with(|| now + self.live.options.auth_timeout_ns());
        } else {
            self.auth_deadline = None;
            self.permissions
                .clone_from(&self.live.directory.default_permissions);
            self.permitted.clear();
        }
        self.lane.flush();
    }

    /// Asks again with the credentials of its CONNECT.
    fn prove_again(&mut self) {
        let connect = self.connect.clone();
        let Some((identity, account)) = self.identify(&connect) else {
            self.refuse_credentials(&connect);
            return;
        };
        if !self.join(&account) {
            return;
        }
        self.permit(identity);
        self.review_subscriptions();
    }

    /// Ends subscriptions that are not allowed any more.
    fn review_subscriptions(&mut self) {
        let subs: Vec<_> = self.conn.facts.lock().subs.values().cloned().collect();
        for sub in subs {
            match self.verdict(&sub.subject, sub.queue.as_deref()) {
                SubscribeVerdict::Allowed => sub.filtered.store(false, Ordering::Relaxed),
                SubscribeVerdict::Filtered => sub.filtered.store(true, Ordering::Relaxed),
                SubscribeVerdict::Denied => {
                    self.conn.drop_sub(&sub);
                    self.refuse(&ServerError::SubscriptionRevoked {
                        subject: sub.subject.to_vec(),
                        sid: sub.sid.to_vec(),
                    });
                    tracing::info!(
                        "Removed sub {:?} (sid {:?}) for {} - not authorized",
                        String::from_utf8_lossy(&sub.subject),
                        String::from_utf8_lossy(&sub.sid),
                        self.conn.label()
                    );
                }
            }
        }
    }
}
