//! What a connection's own task keeps: how far the handshake is, what it may do, what is half read. Turns operations into
//! what they do; the socket is in `task.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use natterjack_auth::Permissions;
use natterjack_proto::{ClientOp, ClientParser, Connect, ParseError, ServerError, encode};

use super::keepalive::Keepalive;
use super::{CloseReason, Conn};
use crate::live::Live;
use crate::router::lane::{Count, Lane};
use crate::server::Server;
use crate::strangers::Place;
use crate::{clock, log};

/// Subjects whose permission is remembered.
const PERMITTED_MAX: usize = 256;

/// State of a connection's task.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) server: Arc<Server>,
    pub(super) conn: Arc<Conn>,
    pub(super) lane: Lane,
    pub(super) parser: ClientParser,
    pub(super) connect: Connect,
    /// Whether a CONNECT was accepted.
    pub(super) connected: bool,
    pub(super) permissions: Option<Arc<Permissions>>,
    pub(super) permitted: HashMap<Box<[u8]>, bool>,
    pub(super) keepalive: Keepalive,
    /// Nothing but CONNECT before this, monotonic nanoseconds.
    pub(super) auth_deadline: Option<u64>,
    pub(super) ponged: bool,
    pub(super) count: Count,
    /// Bytes read before CONNECT was accepted.
    pub(super) early_bytes: usize,
    /// Its place among those who have not said who they are.
    pub(super) early: Option<Place>,
    /// What the client is given to sign; empty when nobody signs.
    pub(super) nonce: String,
    /// The options and directory it acts by.
    pub(super) live: Arc<Live>,
}

impl Session {
    pub(super) fn new(server: &Arc<Server>, conn: &Arc<Conn>, lane: Lane) -> Self {
        let live = server.live.load_full();
        let limits = &live.options.limits;
        let now = clock::mono();
        let locked = live.is_locked();
        let nonce = live.directory.requires_nonce();
        Self {
            server: Arc::clone(server),
            conn: Arc::clone(conn),
            lane,
            parser: ClientParser {
                max_control_line: limits.max_control_line_bytes,
                max_payload: Some(limits.max_payload_bytes),
                headers: false,
            },
            connect: Connect::default(),
            connected: false,
            permissions: live.directory.default_permissions.clone(),
            permitted: HashMap::new(),
            keepalive: Keepalive::new(now, limits.ping_interval_ns, limits.ping_max, rand::random()),
            auth_deadline: locked.then(|| now + live.options.auth_timeout_ns()),
            ponged: false,
            count: Count::default(),
            early_bytes: 0,
            early: locked.then(|| Place::take(server, conn.address.ip())),
            nonce: if nonce {
                natterjack_auth::nkey::nonce(rand::random())
            } else {
                String::new()
            },
            live,
        }
    }

    /// Queues protocol bytes for the client.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        if log::traces() {
            let text = String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
            tracing::trace!("{} - ->> [{text}]", self.conn.label());
        }
        if self.conn.outbound.queue_protocol(bytes) == super::write::Queued::Claimed {
            let conn = Arc::clone(&self.conn);
            self.lane.touch(&conn);
        }
    }

    pub(super) fn say_ok(&mut self) {
        if self.connect.verbose {
            self.say(encode::OK);
        }
    }

    /// Tells the client what is wrong.
    pub(super) fn refuse(&mut self, error: &ServerError) {
        let mut out = Vec::new();
        encode::err(&mut out, error);
        tracing::debug!("{} - {}", self.conn.label(), error.text());
        self.say(&out);
    }

    /// Tells the client what is wrong and ends the connection.
    pub(super) fn end(&mut self, error: Option<&ServerError>, reason: CloseReason) {
        if let Some(error) = error {
            tracing::error!("{} - {}", self.conn.label(), error.text());
            self.refuse(error);
        }
        self.conn.close(reason);
    }

    /// What the client sent cannot be read.
    pub(super) fn on_parse_error(&mut self, error: &ParseError) {
        if !self.enters_unasked() {
            return;
        }
        let reason = match error.reply() {
            Some(ServerError::MaximumPayload) => CloseReason::MaxPayloadExceeded,
            Some(ServerError::MaximumControlLine) => CloseReason::MaxControlLineExceeded,
            Some(_) => CloseReason::ProtocolViolation,
            None if *error == ParseError::HeadersUnsupported => CloseReason::MessageHeaderViolation,
            None => CloseReason::ParseError,
        };
        tracing::error!("{} - Client parser ERROR: {error}", self.conn.label());
        self.end(error.reply().as_ref(), reason);
    }

    /// Whether operations other than CONNECT are refused still; ends the connection then.
    fn is_locked_out(&mut self, op: &ClientOp<'_>) -> bool {
        if self.auth_deadline.is_none() || matches!(op, ClientOp::Connect { .. }) {
            return false;
        }
        tracing::error!("{} - authentication error", self.conn.label());
        self.refuse(&ServerError::AuthorizationViolation);
        self.conn.close(CloseReason::AuthenticationFailure);
        true
    }

    /// Makes who begins with anything but CONNECT the user that is for those who say nothing, if there is one; `false`
    /// when the connection ends. As in nats-server's `parser.go`.
    fn enters_unasked(&mut self) -> bool {
        let directory = &self.live.directory;
        if self.connected || !directory.requires_auth() || !directory.allows_anonymous() {
            return true;
        }
        let connect = Connect::default();
        let Some((identity, account)) = self.identify(&connect) else {
            self.refuse_credentials(&connect);
            return false;
        };
        if !self.join(&account) {
            return false;
        }
        self.permit(identity);
        self.enter();
        true
    }

    /// Carries one operation out.
    pub(super) fn on_op(&mut self, op: &ClientOp<'_>, shared: Option<&Bytes>) {
        if log::traces() {
            self.trace_in(op);
        }
        if self.is_locked_out(op) || (!matches!(op, ClientOp::Connect { .. }) && !self.enters_unasked()) {
            return;
        }
        match op {
            ClientOp::Pub(publish) => self.on_publish(publish, shared),
            ClientOp::Sub { subject, queue, sid } => self.on_sub(subject, *queue, sid),
            ClientOp::Unsub { sid, max } => self.on_unsub(sid, *max),
            ClientOp::Connect { json } => self.on_connect(json),
            ClientOp::Ping => self.on_ping(),
            ClientOp::Pong => {
                if let Some(ns) = self.keepalive.on_pong(clock::mono()) {
                    let ns = i64::try_from(ns.max(1)).unwrap_or(i64::MAX);
                    self.conn.round_trip_ns.store(ns, Ordering::Relaxed);
                }
            }
            ClientOp::Ok | ClientOp::Info { .. } => {}
            ClientOp::Err { text } => {
                let text = String::from_utf8_lossy(text);
                tracing::error!("{} - Client Error {text}", self.conn.label());
                self.conn.close(CloseReason::ParseError);
            }
        }
    }

    fn on_ping(&mut self) {
        self.say(encode::PONG);
        if !self.ponged && self.connected && self.connect.protocol >= 1 {
            self.ponged = true;
            self.conn.informed.store(true, Ordering::Relaxed);
            let mut out = Vec::new();
            self.server.info_for(&self.conn, true).encode(&mut out);
            self.say(&out);
        }
    }

    fn trace_in(&self, op: &ClientOp<'_>) {
        let text = match op {
            ClientOp::Pub(publish) => {
                let verb = if publish.headers_len.is_some() {
                    "HPUB"
                } else {
                    "PUB"
                };
                let reply = publish.reply.map(String::from_utf8_lossy).unwrap_or_default();
                let subject = String::from_utf8_lossy(publish.subject);
                format!("{verb} {subject} {reply} {}", publish.body.len())
            }
            ClientOp::Sub { subject, sid, .. } => format!(
                "SUB {} {}",
                String::from_utf8_lossy(subject),
                String::from_utf8_lossy(sid)
            ),
            ClientOp::Unsub { sid, .. } => format!("UNSUB {}", String::from_utf8_lossy(sid)),
            ClientOp::Connect { .. } => "CONNECT".into(),
            ClientOp::Ping => "PING".into(),
            ClientOp::Pong => "PONG".into(),
            ClientOp::Ok => "+OK".into(),
            ClientOp::Info { .. } => "INFO".into(),
            ClientOp::Err { .. } => "-ERR".into(),
        };
        tracing::trace!("{} - <<- [{text}]", self.conn.label());
    }

    /// Remembers whether something is permitted.
    pub(super) fn remember(&mut self, subject: &[u8], allowed: bool) -> bool {
        if self.permitted.len() >= PERMITTED_MAX {
            self.permitted.clear();
        }
        self.permitted.insert(subject.into(), allowed);
        allowed
    }

    /// Adds what was received in this round to the counters.
    pub(super) fn settle(&mut self) {
        if self.count.messages > 0 {
            let count = std::mem::take(&mut self.count);
            self.conn
                .received_messages
                .fetch_add(count.messages, Ordering::Relaxed);
            self.conn.received_bytes.fetch_add(count.bytes, Ordering::Relaxed);
            self.lane.received.messages += count.messages;
            self.lane.received.bytes += count.bytes;
        }
        self.conn
            .last_activity_ns
            .store(clock::wall().0, Ordering::Relaxed);
        self.lane.flush();
    }
}
