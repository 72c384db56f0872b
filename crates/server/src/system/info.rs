//! The server and its clients, as answers and events name them.

use std::sync::atomic::{AtomicU64, Ordering};

use natterjack_jsapi::advisory::ClientInfo;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::conn::Conn;
use crate::server::Server;

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

/// The server, as its answers and events name it.
pub(crate) fn server_info(server: &Server) -> Value {
    let live = server.live.load();
    let options = &live.options;
    let jetstream = server.jetstream().is_some();
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
    info.insert("feature_flags".into(), feature_flags(options));
    info.insert("jetstream".into(), jetstream.into());
    let flags = if jetstream { JETSTREAM_FLAGS } else { 0 };
    info.insert("flags".into(), flags.into());
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    info.insert("seq".into(), sequence.into());
    info.insert("time".into(), clock::wall().to_string().into());
    info.into()
}

/// Which features are on.
pub(crate) fn feature_flags(options: &natterjack_config::Options) -> Value {
    let feature = |(name, on): (&str, bool)| {
        let on = options.feature_flags.get(name).copied().unwrap_or(on);
        (name.to_owned(), Value::Bool(on))
    };
    let features: Map<String, Value> = FEATURES.into_iter().map(feature).collect();
    features.into()
}

/// A client, as events and advisories name it.
pub(crate) fn client_info(conn: &Conn) -> ClientInfo {
    let facts = conn.facts.lock();
    ClientInfo {
        start: Some(conn.started),
        host: conn.client().ip().to_string(),
        id: conn.id,
        acc: facts.account.name.to_string(),
        user: facts.user.clone().unwrap_or_default(),
        name: facts.connect.name.clone(),
        lang: facts.connect.lang.clone(),
        ver: facts.connect.version.clone(),
        kind: "Client".into(),
        client_type: "nats".into(),
        ..ClientInfo::default()
    }
}
