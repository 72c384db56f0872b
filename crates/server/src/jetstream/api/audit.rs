//! What others are told of the API: streams that were made, changed or removed, and every request with its answer. Says
//! nothing when nobody listens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_jetstream::Effects as _;
use natterjack_jsapi::GoTime;
use natterjack_jsapi::advisory::{self, ADVISORY_PREFIX, ClientInfo};
use natterjack_jsapi::json::write::ObjectWriter;
use natterjack_jsapi::stream::StreamState;
use natterjack_subject::names::nuid;

use super::Request;
use crate::clock;
use crate::conn::Conn;
use crate::jetstream::account::JsAccount;
use crate::jetstream::wire::Wire;
use crate::server::Server;
use crate::system;

/// Where every request is reported.
const AUDIT: &str = "$JS.EVENT.ADVISORY.API";

/// Who asked, as advisories say it.
pub(super) fn client_info(conn: Option<&Conn>, account: &JsAccount) -> ClientInfo {
    let server = &account.jetstream.server;
    let server = server.name.clone();
    match conn {
        Some(conn) => ClientInfo {
            server,
            rtt: conn.round_trip_ns.load(Ordering::Relaxed),
            ..system::client_info(conn)
        },
        None => ClientInfo {
            acc: account.account.name.to_string(),
            server,
            ..ClientInfo::default()
        },
    }
}

/// Who asked, of a request that came without a connection's name on it.
pub(super) const UNKNOWN: &[u8] = b"{}";
/// Who asked, of a request that was answered before anybody looked.
pub(super) const NOBODY: &[u8] = b"null";

/// A request and its answer.
pub(super) struct Told<'a> {
    /// The subject behind the prefix.
    pub(super) rest: &'a str,
    /// What was asked.
    pub(super) body: &'a [u8],
    /// What was answered.
    pub(super) response: &'a [u8],
}

/// Counts a request that was answered, where JetStream is on, and reports it with its answer. As on the peer neither is done
/// of a message that was read, and of a consumer that was reset.
pub(super) fn answered(wire: &mut Wire, account: &JsAccount, request: &Request, response: &[u8]) {
    if account.is_enabled() {
        account.api_total.fetch_add(1, Ordering::Relaxed);
    }
    let told = Told {
        rest: &request.rest,
        body: &request.body,
        response,
    };
    tell(wire, &account.jetstream.server, &told, |o| {
        o.field("client", &client_info(request.from.as_deref(), account));
    });
}

/// Reports a request and its answer; `client` writes who asked.
pub(super) fn tell(
    wire: &mut Wire,
    server: &Server,
    told: &Told<'_>,
    client: impl FnOnce(&mut ObjectWriter<'_>),
) {
    if !wire.wants_advisory(AUDIT.as_bytes()) {
        return;
    }
    let id = nuid(&mut rand::random);
    let json = advisory::event("api_audit", &id, clock::wall(), |o| {
        o.text("server", &server.name);
        client(o);
        o.text("subject", &format!("$JS.API.{}", told.rest));
        if !told.body.is_empty() {
            o.text("request", &String::from_utf8_lossy(told.body));
        }
        o.text("response", &String::from_utf8_lossy(told.response));
        o.omit("domain", &server.options.jetstream.domain);
    });
    // The peer sends this one with an empty reply subject.
    wire.send(AUDIT.as_bytes(), Some(b""), &[], &json);
}

/// Reports that something was done to a stream; `what` ends the subject's verb, `action` stands in the text.
pub(super) fn stream_action(wire: &mut Wire, account: &JsAccount, stream: &str, what: &str, action: &str) {
    let subject = format!("{ADVISORY_PREFIX}STREAM.{what}.{stream}");
    if !wire.wants_advisory(subject.as_bytes()) {
        return;
    }
    let id = nuid(&mut rand::random);
    let domain = &account.jetstream.server.options.jetstream.domain;
    let json = advisory::event("stream_action", &id, clock::wall(), |o| {
        o.text("stream", stream);
        o.text("action", action);
        o.omit("domain", domain);
    });
    wire.advisory(subject.as_bytes(), &json);
}

/// A snapshot or restore on its way, as advisories tell of it.
pub(super) struct Backup {
    /// Whose stream it is.
    account: Arc<JsAccount>,
    /// The stream.
    stream: String,
    /// When it began.
    start: GoTime,
    /// Who asked for it.
    client: ClientInfo,
}

impl Backup {
    /// One of `stream` that begins at this moment because of `request`.
    pub(super) fn begun(account: &Arc<JsAccount>, stream: &str, request: &Request) -> Self {
        Self {
            account: Arc::clone(account),
            stream: stream.to_owned(),
            start: clock::wall(),
            client: client_info(request.from.as_deref(), account),
        }
    }

    /// A snapshot begins, of a stream that holds this much.
    pub(super) fn snapshot_created(&self, wire: &mut Wire, state: &StreamState) {
        self.tell(wire, "snapshot_create", |o| {
            o.field("state", state);
            o.field("client", &self.client);
        });
    }

    /// A snapshot is over.
    pub(super) fn snapshot_complete(&self, wire: &mut Wire) {
        self.tell(wire, "snapshot_complete", |o| {
            o.field("start", &self.start);
            o.field("end", &clock::wall());
            o.field("client", &self.client);
        });
    }

    /// A restore begins.
    pub(super) fn restore_created(&self, wire: &mut Wire) {
        self.tell(wire, "restore_create", |o| o.field("client", &self.client));
    }

    /// A restore is over, whatever came of it.
    pub(super) fn restore_complete(&self, wire: &mut Wire, bytes: u64) {
        self.tell(wire, "restore_complete", |o| {
            o.field("start", &self.start);
            o.field("end", &clock::wall());
            o.field("bytes", &bytes);
            o.field("client", &self.client);
        });
    }

    fn tell(&self, wire: &mut Wire, kind: &str, fields: impl FnOnce(&mut ObjectWriter<'_>)) {
        let subject = format!("{ADVISORY_PREFIX}STREAM.{}.{}", kind.to_uppercase(), self.stream);
        if !wire.wants_advisory(subject.as_bytes()) {
            return;
        }
        let id = nuid(&mut rand::random);
        let domain = &self.account.jetstream.server.options.jetstream.domain;
        let json = advisory::event(kind, &id, clock::wall(), |o| {
            o.text("stream", &self.stream);
            fields(o);
            o.omit("domain", domain);
        });
        wire.advisory(subject.as_bytes(), &json);
    }
}
