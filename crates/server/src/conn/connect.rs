//! CONNECT: who is it, what may it do, which account.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_auth::{Credentials, Identity};
use natterjack_proto::{Connect, ServerError};

use super::CloseReason;
use super::session::Session;
use crate::account::{Account, Accounts};
use crate::router::lane::Lane;
use crate::{clock, system};

/// What is told of a token.
const REDACTED: &str = "[REDACTED]";
/// The newest client protocol.
const PROTOCOL_MAX: i64 = 1;

impl Session {
    pub(super) fn on_connect(&mut self, json: &[u8]) {
        let parsed = if self.connected {
            self.connect.clone().updated(json)
        } else {
            Connect::parse(json)
        };
        if self.conn.round_trip_ns.load(Ordering::Relaxed) == 0 {
            // The first round trip is that of INFO and CONNECT.
            let ns = (clock::wall().0 - self.conn.started.0).max(1);
            self.conn.round_trip_ns.store(ns, Ordering::Relaxed);
        }
        let connect = match parsed {
            Ok(connect) => connect,
            Err(error) => {
                tracing::error!("{} - {error}", self.conn.label());
                self.conn.close(CloseReason::ParseError);
                return;
            }
        };
        let Some((identity, account)) = self.identify(&connect) else {
            self.refuse_credentials(&connect);
            return;
        };
        if !connect.account.is_empty() || connect.new_account {
            self.refuse_credentials(&connect);
            return;
        }
        if !self.join(&account) {
            return;
        }
        self.permit(identity);
        self.conn.facts.lock().connect = connect.clone();
        self.accept(connect);
    }

    /// Who presents these credentials, and where that belongs.
    pub(super) fn identify(&self, connect: &Connect) -> Option<(Identity, Arc<Account>)> {
        let credentials = Credentials {
            user: connect.user.as_deref(),
            password: connect.pass.as_deref(),
            token: connect.auth_token.as_deref(),
            nkey: connect.nkey.as_deref().filter(|key| !key.is_empty()),
            signature: connect.sig.as_deref(),
            nonce: &self.nonce,
            other: connect.jwt.is_some(),
        };
        let identity = self.live.directory.authenticate(&credentials, "STANDARD")?;
        let account = self.server.accounts.get(&identity.account)?;
        Some((identity, account))
    }

    /// Takes on what `identity` may do.
    pub(super) fn permit(&mut self, identity: Identity) {
        self.permissions = identity.permissions;
        self.permitted.clear();
        let answers = self.permissions.as_ref().is_some_and(|p| p.responses.is_some());
        self.conn.answers.store(answers, Ordering::Relaxed);
        let mut facts = self.conn.facts.lock();
        facts.permissions.clone_from(&self.permissions);
        facts.user = identity.user;
    }

    pub(super) fn refuse_credentials(&mut self, connect: &Connect) {
        let directory = &self.live.directory;
        let who =
            |kind, name: &Option<String>| format!(" - {kind} {:?}", name.as_deref().unwrap_or_default());
        let who = if !directory.nkeys.is_empty() {
            who("Nkey", &connect.nkey)
        } else if !directory.users.is_empty() {
            who("User", &connect.user)
        } else {
            String::new()
        };
        tracing::error!("{} - authentication error{who}", self.conn.label());
        {
            let mut facts = self.conn.facts.lock();
            facts.connect = connect.clone();
            let token = connect.auth_token.as_ref().map(|_| REDACTED.to_owned());
            let user = connect.nkey.clone().filter(|key| !key.is_empty());
            facts.user = user.or_else(|| connect.user.clone()).or(token);
        }
        self.refuse(&ServerError::AuthorizationViolation);
        self.conn.close(CloseReason::AuthenticationFailure);
        if !self.conn.joined.load(Ordering::Relaxed) {
            system::on_refused(&self.server, &self.conn);
        }
    }

    /// Moves the connection to `account`; `false` when that has no room and the connection ends.
    pub(super) fn join(&mut self, account: &Arc<Account>) -> bool {
        let moved = !Arc::ptr_eq(account, &self.lane.account);
        if self.connected && !moved {
            return true;
        }
        let most = account.limits.lock().max_connections;
        let held = u64::try_from(account.clients.load(Ordering::Relaxed)).unwrap_or(0);
        if most.is_some_and(|most| held >= most) {
            self.end(
                Some(&ServerError::MaximumAccountConnections),
                CloseReason::MaxAccountConnectionsExceeded,
            );
            return false;
        }
        if moved {
            let subs: Vec<_> = {
                let mut facts = self.conn.facts.lock();
                facts.account = Arc::clone(account);
                facts.subs.drain().map(|(_, sub)| sub).collect()
            };
            self.lane.account.unsubscribe_all(&subs);
            self.lane.flush();
            let before = std::mem::replace(&mut self.lane, Lane::new(&self.server, account)).account;
            if self.connected {
                before.clients.fetch_sub(1, Ordering::Relaxed);
                system::on_moved(&self.server, &before);
            }
        }
        Accounts::client_joined(account);
        if self.connected {
            system::on_moved(&self.server, account);
        }
        if let Some(most) = account.limits.lock().max_payload {
            self.parser.max_payload = Some(most);
        }
        true
    }

    /// It is known who this is.
    pub(super) fn enter(&mut self) {
        self.connected = true;
        self.auth_deadline = None;
        self.early = None;
        if !self.conn.joined.swap(true, Ordering::Relaxed) {
            system::on_connected(&self.server, &self.conn);
        }
    }

    fn accept(&mut self, connect: Connect) {
        self.connected = true;
        self.connect = connect;
        if !(0..=PROTOCOL_MAX).contains(&self.connect.protocol) {
            self.end(
                Some(&ServerError::InvalidClientProtocol),
                CloseReason::BadClientProtocolVersion,
            );
            return;
        }
        let headers = self.connect.headers && !self.server.options.no_header_support;
        self.parser.headers = headers;
        self.conn.headers.store(headers, Ordering::Relaxed);
        self.conn.echo.store(self.connect.echo, Ordering::Relaxed);
        if self.connect.no_responders && !headers {
            self.end(
                Some(&ServerError::NoRespondersRequiresHeaders),
                CloseReason::NoRespondersRequiresHeaders,
            );
            return;
        }
        self.enter();
        self.say_ok();
    }
}
