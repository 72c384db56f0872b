//! What the server answers on `$SYS` subjects of every account. Answers from facts at hand; never waits.

mod user_info;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::clock;
use crate::monitor::escape;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::Sub;
use crate::server::Server;
use user_info::UserInfo;

/// What the peer says it is able to with JetStream on: JetStream, binary snapshots, replication per account.
const JETSTREAM_FLAGS: u64 = 7;
/// Flags that the peer lists, with their defaults.
const FEATURES: [(&str, bool); 4] = [
    ("js_ack_fc_v2", false),
    ("js_api_reply_v2", false),
    ("js_raft_delete_range", true),
    ("js_snapshot_sources", false),
];

static SEQUENCE: AtomicU64 = AtomicU64::new(1);

/// Answers what clients of `account` ask.
pub(crate) fn serve(account: &Account) {
    let sub = Sub::service(user_info::SUBJECT, Arc::new(UserInfo));
    account.subscribe(&sub);
}

/// Says `body` on `subject` in the lane's account, in the way of the peer's own messages: with a reply that is empty.
pub(crate) fn say(lane: &mut Lane, subject: &[u8], body: &Value) {
    lane.route(&Routed {
        subject,
        reply: Some(b""),
        body: escape(&body.to_string()).as_bytes(),
        ..Routed::default()
    });
}

/// The subject of the system account on which a service answers what `account` asks on `subject`.
pub(crate) fn served_as(account: &str, subject: &[u8]) -> Option<String> {
    let subject = std::str::from_utf8(subject).ok()?;
    if subject == "$SYS.REQ.USER.INFO" {
        return Some(format!("$SYS.REQ.USER.{account}.INFO"));
    }
    subject.starts_with("$JS.API.").then(|| subject.to_owned())
}

/// The server, as its answers and events name it.
pub(crate) fn server_info(server: &Server) -> Value {
    let live = server.live.load();
    let options = &live.options;
    let jetstream = server.jetstream.get().is_some();
    let mut info = Map::new();
    info.insert("name".into(), server.name.clone().into());
    info.insert("host".into(), options.host.clone().into());
    info.insert("id".into(), server.id.clone().into());
    if !options.jetstream.domain.is_empty() {
        info.insert("domain".into(), options.jetstream.domain.clone().into());
    }
    info.insert("ver".into(), natterjack_jsapi::versioning::PEER_VERSION.into());
    if !options.tags.is_empty() {
        info.insert("tags".into(), json!(options.tags));
    }
    if !options.metadata.is_empty() {
        info.insert("metadata".into(), json!(options.metadata));
    }
    let feature = |(name, on): (&str, bool)| {
        let on = options.feature_flags.get(name).copied().unwrap_or(on);
        (name.to_owned(), Value::Bool(on))
    };
    let features: Map<String, Value> = FEATURES.into_iter().map(feature).collect();
    info.insert("feature_flags".into(), features.into());
    info.insert("jetstream".into(), jetstream.into());
    let flags = if jetstream { JETSTREAM_FLAGS } else { 0 };
    info.insert("flags".into(), flags.into());
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    info.insert("seq".into(), sequence.into());
    info.insert("time".into(), clock::wall().to_string().into());
    info.into()
}
