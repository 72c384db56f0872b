//! Names of keys whose features are not here yet, so that a misspelt one is still an error. Names only.

use natterjack_conf::{Kind, Value};

use crate::walk::Findings;

const TLS: &[&str] = &[
    "cert_file",
    "key_file",
    "ca_file",
    "certs",
    "verify",
    "verify_and_map",
    "verify_cert_and_check_known_urls",
    "insecure",
    "timeout",
    "cipher_suites",
    "curve_preferences",
    "allow_insecure_cipher_suites",
    "min_version",
    "pinned_certs",
    "connection_rate_limit",
    "handshake_first",
    "first",
    "immediate",
    "cert_store",
    "cert_match_by",
    "cert_match",
    "ca_certs_match",
    "cert_match_skip_invalid",
    "ocsp_peer",
];
const CLUSTER: &[&str] = &[
    "name",
    "listen",
    "host",
    "net",
    "port",
    "authorization",
    "routes",
    "tls",
    "cluster_advertise",
    "advertise",
    "no_advertise",
    "connect_retries",
    "connect_backoff",
    "permissions",
    "pool_size",
    "accounts",
    "compression",
    "ping_interval",
    "ping_max",
    "write_deadline",
    "write_timeout",
];
const GATEWAY: &[&str] = &[
    "name",
    "listen",
    "host",
    "net",
    "port",
    "authorization",
    "tls",
    "advertise",
    "connect_retries",
    "connect_backoff",
    "gateways",
    "reject_unknown_cluster",
    "reject_unknown",
    "write_deadline",
    "write_timeout",
];
const LEAF: &[&str] = &[
    "listen",
    "host",
    "net",
    "port",
    "authorization",
    "tls",
    "advertise",
    "leafnode_advertise",
    "no_advertise",
    "reconnect",
    "reconnect_delay",
    "reconnect_interval",
    "dial_timeout",
    "min_version",
    "compression",
    "isolate_leafnode_interest",
    "isolate",
    "write_deadline",
    "write_timeout",
    "remotes",
];
const WEBSOCKET: &[&str] = &[
    "listen",
    "host",
    "net",
    "port",
    "advertise",
    "no_tls",
    "tls",
    "same_origin",
    "allowed_origins",
    "allowed_origin",
    "allow_origins",
    "allow_origin",
    "origins",
    "origin",
    "compression",
    "compress",
    "handshake_timeout",
    "authorization",
    "authentication",
    "no_auth_user",
    "jwt_cookie",
    "user_cookie",
    "pass_cookie",
    "token_cookie",
    "headers",
    "ping_interval",
];
const MQTT: &[&str] = &[
    "listen",
    "host",
    "net",
    "port",
    "tls",
    "authorization",
    "authentication",
    "no_auth_user",
    "ack_wait",
    "max_ack_pending",
    "max_pending",
    "max_inflight",
    "js_api_timeout",
    "api_timeout",
    "js_domain",
    "stream_replicas",
    "consumer_replicas",
    "consumer_memory_storage",
    "consumer_inactive_threshold",
    "consumer_auto_cleanup",
    "reject_qos2_publish",
    "downgrade_qos2_subscribe",
];
const ANY: &[&str] = &[];

/// Top-level keys of features to come, with the keys they may hold (none listed: not looked into).
const SECTIONS: &[(&str, &[&str])] = &[
    ("tls", TLS),
    ("cluster", CLUSTER),
    ("gateway", GATEWAY),
    ("leafnodes", LEAF),
    ("leaf", LEAF),
    ("websocket", WEBSOCKET),
    ("ws", WEBSOCKET),
    ("mqtt", MQTT),
    ("https", ANY),
    ("https_port", ANY),
    ("allow_non_tls", ANY),
    ("default_sentinel", ANY),
    ("trusted", ANY),
    ("trusted_keys", ANY),
    ("operator", ANY),
    ("operators", ANY),
    ("root", ANY),
    ("roots", ANY),
    ("root_operator", ANY),
    ("root_operators", ANY),
    ("resolver", ANY),
    ("account_resolver", ANY),
    ("accounts_resolver", ANY),
    ("resolver_tls", TLS),
    ("resolver_preload", ANY),
    ("resolver_pinned_accounts", ANY),
    ("ocsp", ANY),
    ("ocsp_cache", ANY),
    ("proxies", ANY),
    ("syslog", ANY),
    ("remote_syslog", ANY),
    ("prof_port", ANY),
    ("prof_block_rate", ANY),
];

/// Sets `key` aside if its feature is to come; `false` if no such key exists. Switches that are off ask for nothing.
pub(crate) fn section(key: &str, value: &Value, findings: &mut Findings) -> bool {
    let Some((_, inner)) = SECTIONS.iter().find(|(name, _)| *name == key) else {
        return false;
    };
    if let (Kind::Map(map), false) = (&value.kind, inner.is_empty()) {
        for (name, value) in map {
            let known = inner.contains(&name.to_lowercase().as_str());
            if !known && std::ptr::eq(*inner, TLS) && !value.used.get() {
                findings.error(value, format!("error parsing tls config, unknown field {name:?}"));
            } else if !known {
                findings.unknown(name, value);
            }
        }
    }
    if !matches!(value.kind, Kind::Bool(false) | Kind::Integer(0)) {
        findings.not_yet(key, value);
    }
    true
}
