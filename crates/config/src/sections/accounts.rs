//! `accounts { NAME { } }`.

use std::sync::Arc;

use natterjack_conf::{Kind, Value};

use super::{authorization, mappings, msg_trace};
use crate::options::{Account, AccountJetStream};
use crate::walk::Findings;

/// Reads the accounts block: a map, or a list of names.
pub(crate) fn read(value: &Value, accounts: &mut Vec<Account>, f: &mut Findings) {
    match &value.kind {
        Kind::List(items) => {
            for item in items {
                let Some(name) = f.text(item) else { continue };
                if accounts.iter().any(|a| a.name == name) {
                    f.error(item, format!("Duplicate Account Entry: {name}"));
                }
                accounts.push(Account {
                    name,
                    ..Account::default()
                });
            }
        }
        Kind::Map(map) => {
            for (name, value) in map {
                if name == "$G" {
                    f.error(value, "\"$G\" is a Reserved Account");
                    continue;
                }
                if let Some(account) = account(name, value, f) {
                    accounts.push(account);
                }
            }
        }
        _ => f.error(
            value,
            format!("Expected accounts to be a map or array, got {}", value.go_type()),
        ),
    }
    // Users of all accounts share one name space.
    let mut seen = std::collections::HashSet::new();
    for user in accounts.iter().flat_map(|a| &a.users) {
        let key = user.nkey.as_deref();
        if !seen.insert(key.unwrap_or(&user.name)) {
            let text = key.map_or_else(
                || format!("Duplicate user {:?} detected", user.name),
                |key| format!("Duplicate nkey {key:?} detected"),
            );
            f.error(value, text);
        }
    }
}

fn account(name: &str, value: &Value, f: &mut Findings) -> Option<Account> {
    let Some(map) = value.as_map() else {
        f.error(
            value,
            format!("Expected map entries for accounts, got {}", value.go_type()),
        );
        return None;
    };
    let mut account = Account {
        name: name.to_owned(),
        ..Account::default()
    };
    for (key, value) in map {
        match key.to_lowercase().as_str() {
            "users" => account.users = authorization::users(value, value, name, f),
            "default_permissions" => {
                account.default_permissions = authorization::permissions(value, f).map(Arc::new)
            }
            "mappings" | "maps" => account.mappings = mappings::read(value, f),
            "jetstream" => account.jetstream = jetstream(value, f),
            "limits" => limits(value, &mut account, f),
            "msg_trace" | "trace_dest" => account.trace = msg_trace::read(key, value, f),
            "nkey" | "imports" | "exports" => f.not_yet(&format!("accounts.{key}"), value),
            _ => f.unknown(key, value),
        }
    }
    if let Some(default) = &account.default_permissions {
        for user in account.users.iter_mut().filter(|u| u.permissions.is_none()) {
            user.permissions = Some(Arc::clone(default));
        }
    }
    Some(account)
}

fn limits(value: &Value, account: &mut Account, f: &mut Findings) {
    let Some(map) = value.as_map() else {
        f.error(
            value,
            format!("Expected limits to be a map/struct, got {}", value.go_type()),
        );
        return;
    };
    for (key, value) in map {
        let Some(n) = f.integer(value) else { continue };
        let limit = u64::try_from(n).ok();
        match key.to_lowercase().as_str() {
            "max_connections" | "max_conn" => account.max_connections = limit,
            "max_subscriptions" | "max_subs" => account.max_subscriptions = limit,
            "max_payload" | "max_pay" => account.max_payload_bytes = usize::try_from(n).ok(),
            "max_leafnodes" | "max_leafs" => {}
            _ => f.error(value, format!("Unknown field {key:?} parsing account limits")),
        }
    }
}

fn jetstream(value: &Value, f: &mut Findings) -> Option<AccountJetStream> {
    let map = match &value.kind {
        Kind::Bool(on) => return on.then(AccountJetStream::default),
        Kind::Text(text) => match text.to_lowercase().as_str() {
            "enabled" | "enable" => return Some(AccountJetStream::default()),
            "disabled" | "disable" => return None,
            _ => {
                // The peer names no place here.
                f.errors.push(format!(
                    "Expected 'enabled' or 'disabled' for string value, got '{text}'"
                ));
                return None;
            }
        },
        Kind::Map(map) => map,
        _ => {
            f.error(
                value,
                format!(
                    "Expected map, bool or string to define JetStream, got {}",
                    value.go_type()
                ),
            );
            return None;
        }
    };
    let mut limits = AccountJetStream::default();
    for (key, value) in map {
        match key.to_lowercase().as_str() {
            "max_memory" | "max_mem" | "mem" | "memory" => {
                limits.max_memory_bytes = f.storage(&key.to_lowercase(), value)?
            }
            "max_store" | "max_file" | "max_disk" | "store" | "disk" => {
                limits.max_store_bytes = f.storage(&key.to_lowercase(), value)?
            }
            "max_streams" | "streams" => limits.max_streams = f.integer(value)?,
            "max_consumers" | "consumers" => limits.max_consumers = f.integer(value)?,
            "max_bytes_required" | "max_stream_bytes" | "max_bytes" => {
                limits.max_bytes_required = f.flag(value)?
            }
            "mem_max_stream_bytes" | "memory_max_stream_bytes" => {
                limits.memory_max_stream_bytes = f.storage(&key.to_lowercase(), value)?
            }
            "disk_max_stream_bytes" | "store_max_stream_bytes" => {
                limits.disk_max_stream_bytes = f.storage(&key.to_lowercase(), value)?
            }
            "max_ack_pending" => limits.max_ack_pending = f.integer(value)?,
            "cluster_traffic" => {
                f.text(value)?;
            }
            _ => f.unknown(key, value),
        }
    }
    Some(limits)
}
