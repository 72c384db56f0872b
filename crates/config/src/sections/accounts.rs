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
    duplicates(value, accounts, f);
}

/// Users of all accounts share one name space.
fn duplicates(value: &Value, accounts: &[Account], f: &mut Findings) {
    let mut seen = std::collections::HashSet::new();
    for account in accounts {
        for user in &account.users {
            let key = user.nkey.as_deref();
            if !seen.insert(key.unwrap_or(&user.name)) {
                let text = key.map_or_else(
                    || format!("Duplicate user {:?} detected", user.name),
                    |key| format!("Duplicate nkey {key:?} detected"),
                );
                f.error(users_of(value, &account.name), text);
            }
        }
    }
}

/// The list of users of the account `name`, or what is nearest to it.
fn users_of<'a>(accounts: &'a Value, name: &str) -> &'a Value {
    let account = accounts.as_map().and_then(|map| map.get(name));
    let fields = account.and_then(Value::as_map).into_iter().flatten();
    let mut lists = fields.filter(|(key, _)| key.eq_ignore_ascii_case("users"));
    lists.next().map_or(accounts, |(_, users)| users)
}

fn account(name: &str, value: &Value, f: &mut Findings) -> Option<Account> {
    let Some(map) = value.as_map() else {
        f.error(value, "Expected map entries for accounts");
        return None;
    };
    let mut account = Account {
        name: name.to_owned(),
        ..Account::default()
    };
    for (key, value) in map {
        match key.to_lowercase().as_str() {
            // The peer names no place here.
            "users" if value.as_list().is_none() => f.errors.push(format!(
                "Expected users field to be an array, got {}",
                value.go_value()
            )),
            "users" => account.users = authorization::users(value, None, name, f),
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
        return f.expected(value, "account limits to be a map/struct");
    };
    for (key, value) in map {
        match key.to_lowercase().as_str() {
            "max_connections" | "max_conn" => account.max_connections = f.count(value),
            "max_subscriptions" | "max_subs" => account.max_subscriptions = f.count(value),
            "max_payload" | "max_pay" => account.max_payload_bytes = f.size(value),
            "max_leafnodes" | "max_leafs" => drop(f.integer(value)),
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
            f.errors.push(format!(
                "Expected map, bool or string to define JetStream, got {}",
                value.go_type()
            ));
            return None;
        }
    };
    let mut limits = AccountJetStream::default();
    for (name, value) in map {
        let key = name.to_lowercase();
        match key.as_str() {
            "max_memory" | "max_mem" | "mem" | "memory" => limits.max_memory_bytes = f.number(&key, value)?,
            "max_store" | "max_file" | "max_disk" | "store" | "disk" => {
                limits.max_store_bytes = f.number(&key, value)?
            }
            "max_streams" | "streams" => limits.max_streams = f.number(&key, value)?,
            "max_consumers" | "consumers" => limits.max_consumers = f.number(&key, value)?,
            "max_bytes_required" | "max_stream_bytes" | "max_bytes" => match value.kind {
                Kind::Bool(on) => limits.max_bytes_required = on,
                _ => f.expected(value, &format!("a parseable bool for {key:?}")),
            },
            "mem_max_stream_bytes" | "memory_max_stream_bytes" => {
                limits.memory_max_stream_bytes = f.number(&key, value)?
            }
            "disk_max_stream_bytes" | "store_max_stream_bytes" => {
                limits.disk_max_stream_bytes = f.number(&key, value)?
            }
            "max_ack_pending" => limits.max_ack_pending = f.number(&key, value)?,
            "cluster_traffic" => match value.as_text() {
                Some("system" | "owner" | "") => {}
                Some(_) => f.expected(value, &format!("'system' or 'owner' string value for {key:?}")),
                None => f.expected(
                    value,
                    &format!("either 'system' or 'owner' string value for {key:?}"),
                ),
            },
            _ => f.unknown(name, value),
        }
    }
    Some(limits)
}
