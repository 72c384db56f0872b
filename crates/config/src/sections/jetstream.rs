//! `jetstream { }`, or just whether it is on.

use std::collections::BTreeMap;

use natterjack_conf::{Kind, Value};

use crate::options::{Cipher, JetStream, Secret, Sync};
use crate::walk::Findings;

/// The folder is said twice.
pub(crate) const DUPLICATE_FOLDER: &str = "Duplicate 'store_dir' configuration";

/// Reads the jetstream block.
pub(crate) fn read(value: &Value, js: &mut JetStream, f: &mut Findings) {
    match &value.kind {
        Kind::Bool(on) => js.enabled = *on,
        Kind::Text(text) => match text.to_lowercase().as_str() {
            "enabled" | "enable" => js.enabled = true,
            "disabled" | "disable" => js.enabled = false,
            _ => f.error(
                value,
                format!("Expected 'enabled' or 'disabled' for string value, got '{text}'"),
            ),
        },
        Kind::Map(map) => {
            js.enabled = true;
            f.framed(value, |f| {
                for (key, value) in map {
                    let name = key.to_lowercase();
                    let taken = storage(&name, value, js, f)
                        || queues(&name, value, js, f)
                        || later(&name, value, js, f);
                    if !taken {
                        f.unknown(key, value);
                    }
                }
            });
        }
        _ => f.error(
            value,
            format!(
                "Expected map, bool or string to define JetStream, got {}",
                value.go_type()
            ),
        ),
    }
}

/// Reads which account's JetStream is in which domain.
pub(crate) fn default_domains(value: &Value, into: &mut BTreeMap<String, String>, f: &mut Findings) {
    let Some(map) = value.as_map() else {
        let kind = value.go_type();
        f.error(
            value,
            format!("error default_js_domain config: unsupported type {kind}"),
        );
        return;
    };
    f.framed(value, |f| {
        for (account, domain) in map {
            into.insert(account.clone(), f.text(domain).unwrap_or_default());
        }
    });
}

fn storage(key: &str, value: &Value, js: &mut JetStream, f: &mut Findings) -> bool {
    match key {
        "enabled" | "enable" => js.enabled = f.flag(value).unwrap_or(js.enabled),
        "strict" => match &value.kind {
            Kind::Bool(on) => js.strict = *on,
            _ => f.error(
                value,
                format!(
                    "Expected 'true' or 'false' for bool value, got '{}'",
                    as_text(value)
                ),
            ),
        },
        "store_dir" | "storedir" | "store" if js.store_dir.is_some() => f.error(value, DUPLICATE_FOLDER),
        "store_dir" | "storedir" | "store" => js.store_dir = f.text(value).filter(|dir| !dir.is_empty()),
        "max_memory_store" | "max_mem_store" | "max_mem" => {
            js.max_memory_bytes = f
                .storage("max_mem_store", value)
                .and_then(|n| u64::try_from(n).ok());
        }
        "max_file_store" | "max_file" => {
            js.max_store_bytes = f
                .storage("max_file_store", value)
                .and_then(|n| u64::try_from(n).ok())
        }
        "sync" | "sync_interval" => match value.as_text() {
            Some(text) if text.eq_ignore_ascii_case("always") => js.sync = Sync::Always,
            _ => {
                if let Some(ns) = f.duration("sync_interval", value) {
                    js.sync = Sync::Interval(ns);
                }
            }
        },
        "domain" => js.domain = f.text(value).unwrap_or_default(),
        "key" | "ek" | "encryption_key" => js.key = secret(value, f),
        "prev_key" | "prev_ek" | "prev_encryption_key" => js.previous_key = secret(value, f),
        "cipher" => {
            let Some(name) = f.text(value) else { return true };
            match name.to_lowercase().as_str() {
                "chacha" | "chachapoly" => js.cipher = Cipher::ChaCha,
                "aes" => js.cipher = Cipher::Aes,
                _ => f.error(value, format!("Unknown cipher type: {name:?}")),
            }
        }
        "memory_budget" => js.memory_budget_bytes = f.storage(key, value).and_then(|n| u64::try_from(n).ok()),
        "unique_tag" => js.unique_tag = f.text(value).unwrap_or_default(),
        "limits" => limits(value, js, f),
        _ => return false,
    }
    true
}

/// What Go prints of a value where it wants a string (`%s`).
fn as_text(value: &Value) -> String {
    match value.kind {
        Kind::Integer(_) | Kind::Float(_) => format!("%!s({}={})", value.go_type(), value.go_value()),
        _ => value.go_value(),
    }
}

/// An empty key is none.
fn secret(value: &Value, f: &mut Findings) -> Option<Secret> {
    f.text(value).filter(|text| !text.is_empty()).map(Secret::new)
}

fn queues(key: &str, value: &Value, js: &mut JetStream, f: &mut Findings) -> bool {
    let limit = match key {
        "max_buffered_size" => &mut js.max_buffered_bytes,
        "max_buffered_msgs" => &mut js.max_buffered_messages,
        "request_queue_limit" => &mut js.request_queue_limit,
        "info_queue_limit" => &mut js.info_queue_limit,
        _ => return false,
    };
    let asked = match key {
        "max_buffered_size" => f.storage(key, value),
        _ => f.number(key, value),
    };
    // Zero is for what holds without the key.
    *limit = asked.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    true
}

/// Keys that matter only to features to come, or tune what this server does not have: read, checked, without
/// effect but that a reload may not change some.
fn later(key: &str, value: &Value, js: &mut JetStream, f: &mut Findings) -> bool {
    match key {
        "extension_hint" => js.extension_hint = f.text(value).unwrap_or_default(),
        "max_outstanding_catchup" => js.max_catchup_bytes = f.storage(key, value).unwrap_or(0),
        "meta_compact_size" => {
            if f.storage(key, value).is_some_and(|n| n < 0) {
                f.expected(value, &format!("an absolute size for {key:?}"));
            }
        }
        "meta_compact" => {
            if !matches!(value.kind, Kind::Integer(0..)) {
                f.expected(value, &format!("an absolute size for {key:?}"));
            }
        }
        "max_concurrent_io" => match value.kind {
            Kind::Integer(n @ 4..=8192) => js.concurrent_io_max = n,
            _ => f.expected(value, &format!("an absolute size for {key:?} between 4 and 8192")),
        },
        "meta_compact_sync" => {
            f.flag(value);
        }
        "tpm" => f.not_yet("jetstream.tpm", value),
        _ => return false,
    }
    true
}

fn limits(value: &Value, js: &mut JetStream, f: &mut Findings) {
    let Some(map) = value.as_map() else {
        f.error(
            value,
            format!(
                "Expected a map to define JetStreamLimits, got {}",
                value.go_type()
            ),
        );
        return;
    };
    for (key, value) in map {
        match key.to_lowercase().as_str() {
            "max_ack_pending" => js.max_ack_pending = f.integer(value).unwrap_or(0),
            "max_ha_assets" => js.max_ha_assets = f.integer(value).unwrap_or(0),
            "max_request_batch" => js.max_request_batch = f.integer(value).unwrap_or(0),
            "duplicate_window" => js.max_duplicate_window_ns = f.bare_duration(value).unwrap_or(0),
            "default_max_consumers" => {
                js.default_max_consumers = f.integer(value).unwrap_or(js.default_max_consumers)
            }
            "batch" => batch(value, js, f),
            _ => f.unknown(key, value),
        }
    }
}

fn batch(value: &Value, js: &mut JetStream, f: &mut Findings) {
    let Some(map) = value.as_map() else {
        f.error(
            value,
            format!("Expected a map to define batch limits, got {}", value.go_type()),
        );
        return;
    };
    for (key, value) in map {
        match key.to_lowercase().as_str() {
            "max_inflight_per_stream" => {
                js.max_batch_inflight_per_stream = f.size(value);
            }
            "max_inflight_total" => {
                js.max_batch_inflight_total = f.size(value);
            }
            "max_msgs" => js.max_batch_size = f.size(value).unwrap_or(js.max_batch_size),
            "timeout" => js.batch_timeout_ns = f.bare_duration(value).unwrap_or(js.batch_timeout_ns),
            _ => f.unknown(key, value),
        }
    }
}
