//! Top-level keys.

use std::collections::BTreeMap;

use natterjack_conf::{Kind, Value};
use natterjack_jsapi::Nanos;

use super::{accounts, authorization, jetstream, mappings};
use crate::known;
use crate::options::Options;
use crate::walk::{Findings, listen};

/// Reads the whole tree into `options`.
pub(crate) fn read(tree: &BTreeMap<String, Value>, options: &mut Options, f: &mut Findings) {
    for (name, value) in tree {
        let key = name.to_lowercase();
        let taken = client(&key, value, options, f)
            || monitoring(&key, value, options, f)
            || logging(&key, value, options, f)
            || limits(&key, value, options, f)
            || identity(&key, value, options, f)
            || blocks(&key, value, options, f)
            || known::section(&key, value, f);
        if !taken {
            f.unknown(name, value);
        }
    }
}

fn set<T>(into: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *into = value;
    }
}

/// What is more than nothing: where the peer takes 0 for what is not said.
fn positive<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|n| *n != T::default())
}

fn client(key: &str, value: &Value, o: &mut Options, f: &mut Findings) -> bool {
    match key {
        "host" | "net" => set(&mut o.host, f.text(value)),
        "port" => set(&mut o.port, f.integer(value).and_then(|n| i32::try_from(n).ok())),
        "listen" => match listen(value) {
            Ok((host, port)) => {
                if !host.is_empty() {
                    o.host = host;
                }
                o.port = port;
            }
            Err(text) => f.error(value, text),
        },
        "client_advertise" => set(&mut o.client_advertise, f.text(value)),
        "no_header_support" => set(&mut o.no_header_support, f.flag(value)),
        "disable_sublist_cache" | "no_sublist_cache" => set(&mut o.no_sublist_cache, f.flag(value)),
        "proxy_protocol" => set(&mut o.proxy_protocol, f.flag(value)),
        "no_fast_producer_stall" => set(&mut o.no_fast_producer_stall, f.flag(value)),
        _ => return false,
    }
    true
}

fn monitoring(key: &str, value: &Value, o: &mut Options, f: &mut Findings) -> bool {
    match key {
        "http" => match listen(value) {
            Ok((host, port)) => (o.http_host, o.http_port) = (host, port),
            Err(text) => f.error(value, text),
        },
        "http_port" | "monitor_port" => {
            set(
                &mut o.http_port,
                f.integer(value).and_then(|n| i32::try_from(n).ok()),
            );
        }
        "http_base_path" => set(&mut o.http_base_path, f.text(value)),
        _ => return false,
    }
    true
}

fn logging(key: &str, value: &Value, o: &mut Options, f: &mut Findings) -> bool {
    let log = &mut o.logging;
    match key {
        "debug" => set(&mut log.debug, f.flag(value)),
        "trace" => set(&mut log.trace, f.flag(value)),
        "trace_verbose" => {
            set(&mut log.trace_verbose, f.flag(value));
            log.trace |= log.trace_verbose;
        }
        "trace_headers" => {
            set(&mut log.trace_headers, f.flag(value));
            log.trace |= log.trace_headers;
        }
        "logtime" => set(&mut log.time, f.flag(value)),
        "logtime_utc" => set(&mut log.time_utc, f.flag(value)),
        "log_file" | "logfile" => log.file = f.text(value),
        "log_size_limit" | "logfile_size_limit" => set(&mut log.size_limit_bytes, f.count(value)),
        "log_max_num" | "logfile_max_num" => set(&mut log.max_files, f.count(value)),
        "max_traced_msg_len" => set(&mut log.max_traced_message_bytes, f.size(value)),
        _ => return false,
    }
    true
}

fn limits(key: &str, value: &Value, o: &mut Options, f: &mut Findings) -> bool {
    let l = &mut o.limits;
    match key {
        // Negative ones are accepted by the peer and mean no limit.
        "max_connections" | "max_conn" => {
            set(
                &mut l.max_connections,
                f.integer(value).map(|n| u64::try_from(n).unwrap_or(0)),
            );
        }
        "max_subscriptions" | "max_subs" => set(&mut l.max_subscriptions, f.count(value)),
        "max_sub_tokens" | "max_subscription_tokens" => match f.integer(value) {
            Some(n @ 0..=255) => l.max_subscription_tokens = usize::try_from(n).unwrap_or(0),
            Some(n) if n < 0 => f.error(value, format!("{key} value can not be negative")),
            Some(_) => f.error(value, format!("{key} value is too big")),
            None => {}
        },
        "max_control_line" => match f.integer(value) {
            Some(n) if n > i64::from(i32::MAX) => f.error(value, "max_control_line value is too big"),
            Some(n) => set(&mut l.max_control_line_bytes, positive(usize::try_from(n).ok())),
            None => {}
        },
        "max_payload" => match f.integer(value) {
            Some(n) if n > i64::from(i32::MAX) => f.error(value, "max_payload value is too big"),
            Some(n) => set(&mut l.max_payload_bytes, positive(usize::try_from(n).ok())),
            None => {}
        },
        "max_pending" => set(&mut l.max_pending_bytes, positive(f.size(value))),
        "write_deadline" => set(&mut l.write_deadline_ns, positive(f.duration(key, value))),
        "write_timeout" => match f.text(value).as_deref() {
            Some(policy @ ("default" | "close" | "retry")) => l.write_retry = policy == "retry",
            None => {}
            Some(_) => f.error(value, "write_timeout must be 'default', 'close' or 'retry'"),
        },
        "ping_interval" => set(&mut l.ping_interval_ns, positive(f.duration(key, value))),
        "ping_max" => set(
            &mut l.ping_max,
            positive(f.count(value)).and_then(|n| u32::try_from(n).ok()),
        ),
        "max_closed_clients" => set(&mut l.max_closed_clients, positive(f.size(value))),
        "lame_duck_duration" => match f.go_duration(key, value) {
            Some(shown) if shown.0 < 30_000_000_000 => f.error(
                value,
                format!("invalid lame_duck_duration of {shown}, minimum is 30 seconds"),
            ),
            other => set(&mut l.lame_duck_duration_ns, other.map(Nanos::as_u64)),
        },
        "lame_duck_grace_period" => match f.go_duration(key, value) {
            Some(ns) if ns.0 < 0 => f.error(value, "invalid lame_duck_grace_period, needs to be positive"),
            other => set(&mut l.lame_duck_grace_ns, other.map(Nanos::as_u64)),
        },
        "connect_error_reports" | "reconnect_error_reports" => {
            f.integer(value);
        }
        "pre_auth_max_bytes" => set(&mut l.pre_auth_bytes_max, f.size(value)),
        "pre_auth_max_connections" => set(&mut l.pre_auth_connections_max, f.count(value)),
        "pre_auth_max_connections_per_ip" => {
            set(&mut l.pre_auth_connections_per_address_max, f.count(value));
        }
        _ => return false,
    }
    true
}

fn identity(key: &str, value: &Value, o: &mut Options, f: &mut Findings) -> bool {
    match key {
        "server_name" => match f.text(value) {
            Some(name) if name.contains(' ') => f.error(value, "server name cannot contain spaces"),
            name => set(&mut o.server_name, name),
        },
        "pid_file" | "pidfile" => o.pid_file = f.text(value),
        "ports_file_dir" => o.ports_file_dir = f.text(value),
        "store_dir" | "storedir" if o.store_dir.is_some() || o.jetstream.store_dir.is_some() => {
            f.error(value, jetstream::DUPLICATE_FOLDER);
        }
        "store_dir" | "storedir" => o.store_dir = f.text(value).filter(|dir| !dir.is_empty()),
        "server_tags" => match &value.kind {
            Kind::List(items) if items.iter().any(|item| item.as_text().is_none()) => f.error(
                value,
                "error parsing tags: unsupported type *conf.token where string is expected",
            ),
            _ => o.tags = f.texts("tags", value),
        },
        "server_metadata" => {
            for (name, value) in f.entries("metadata", value) {
                if let Some(text) = f.text(value) {
                    o.metadata.insert(name.clone(), text);
                }
            }
        }
        "feature_flags" => {
            for (name, value) in f.entries("feature flags", value) {
                match value.kind {
                    Kind::Bool(on) => drop(o.feature_flags.insert(name.clone(), on)),
                    _ => {
                        let kind = value.go_type();
                        let text = format!("error parsing feature flag {name:?}: expected bool, got {kind}");
                        f.error(value, text);
                    }
                }
            }
        }
        "no_auth_user" => o.no_auth_user = f.text(value),
        "system_account" | "system" => match value.as_text() {
            Some(name) => name.clone_into(&mut o.system_account),
            None => f.error(value, "system account name must be a string"),
        },
        "no_system_account" | "no_system" | "no_sys_acc" => set(&mut o.no_system_account, f.flag(value)),
        _ => return false,
    }
    true
}

fn blocks(key: &str, value: &Value, o: &mut Options, f: &mut Findings) -> bool {
    match key {
        "authorization" => authorization::read(value, &mut o.authorization, f),
        "accounts" => accounts::read(value, &mut o.accounts, f),
        "mappings" | "maps" => o.mappings = mappings::read(value, f),
        "jetstream" => jetstream::read(value, &mut o.jetstream, f),
        "default_js_domain" => jetstream::default_domains(value, &mut o.default_domains, f),
        _ => return false,
    }
    true
}
