//! `authorization { }`, users and permissions.

use std::sync::Arc;

use natterjack_auth::{Permissions, ResponseRules, Rule, SubjectRules, User, nkey};
use natterjack_conf::{Kind, Value};

use crate::options::Authorization;
use crate::walk::Findings;

/// Kinds of connection a user may be restricted to.
const CONNECTION_TYPES: [&str; 7] = [
    "STANDARD",
    "WEBSOCKET",
    "LEAFNODE",
    "LEAFNODE_WS",
    "MQTT",
    "MQTT_WS",
    "IN_PROCESS",
];

/// Reads an authorization block.
pub(crate) fn read(value: &Value, auth: &mut Authorization, f: &mut Findings) {
    let Some(map) = value.as_map() else {
        return f.mismatch(value, "map[string]interface {}");
    };
    let block = value;
    auth.is_configured = true;
    for (name, value) in map {
        match name.to_lowercase().as_str() {
            "user" | "username" => auth.user = f.text(value),
            "pass" | "password" => auth.password = f.text(value),
            "token" => auth.token = f.text(value),
            "timeout" => auth.timeout_ns = f.timeout(value).unwrap_or(0),
            "users" if value.as_list().is_none() => f.expected(value, "users field to be an array"),
            "users" => auth.users = users(value, Some(block), "$G", f),
            "default_permissions" | "default_permission" | "permissions" => {
                auth.default_permissions = permissions(value, f).map(Arc::new);
            }
            "auth_callout" | "auth_hook" | "proxy_required" => {
                f.not_yet(&format!("authorization.{name}"), value)
            }
            _ => f.unknown(name, value),
        }
    }
    let single = auth.user.is_some() || auth.password.is_some();
    if single && auth.token.is_some() {
        f.error(value, "Cannot have a user/pass and token");
    } else if single && !auth.users.is_empty() {
        f.error(value, "Can not have a single user/pass and a users array");
    } else if auth.token.is_some() && !auth.users.is_empty() {
        f.error(value, "Can not have a token and a users array");
    }
    if let Some(default) = &auth.default_permissions {
        for user in auth.users.iter_mut().filter(|u| u.permissions.is_none()) {
            user.permissions = Some(Arc::clone(default));
        }
    }
}

/// Reads a list of users that belong to `account`; `block` is where duplicates are placed, if they are looked for here.
pub(crate) fn users(value: &Value, block: Option<&Value>, account: &str, f: &mut Findings) -> Vec<User> {
    let items = value.as_list().unwrap_or_default();
    let mut users: Vec<User> = Vec::new();
    let mut duplicates = Vec::new();
    for item in items {
        let Some(user) = user(item, account, f) else {
            continue;
        };
        if users.iter().any(|u| u.name == user.name && u.nkey == user.nkey) {
            duplicates.push(match &user.nkey {
                Some(key) => format!("Duplicate nkey {key:?} detected"),
                None => format!("Duplicate user {:?} detected", user.name),
            });
        }
        users.push(user);
    }
    for text in duplicates {
        if let Some(block) = block {
            f.error(block, text);
        }
    }
    users
}

fn user(item: &Value, account: &str, f: &mut Findings) -> Option<User> {
    let Some(map) = item.as_map() else {
        f.error(
            item,
            format!(
                "Expected user entry to be a map/struct, got {}",
                item.as_text().unwrap_or_else(|| item.go_type())
            ),
        );
        return None;
    };
    let mut user = User {
        account: account.to_owned(),
        ..User::default()
    };
    for (name, value) in map {
        match name.to_lowercase().as_str() {
            "user" | "username" => user.name = f.text(value)?,
            "pass" | "password" => user.password = f.text(value)?,
            "nkey" => user.nkey = Some(f.text(value)?).filter(|key| !key.is_empty()),
            "permission" | "permissions" | "authorization" => {
                user.permissions = permissions(value, f).map(Arc::new)
            }
            "allowed_connection_types" | "connection_types" | "clients" => {
                user.connection_types = f
                    .texts("allowed connection types", value)
                    .iter()
                    .map(|t| t.to_uppercase())
                    .collect();
                let unknown = |t: &&String| !CONNECTION_TYPES.contains(&t.as_str());
                let list: Vec<String> = user
                    .connection_types
                    .iter()
                    .filter(unknown)
                    .map(|t| format!("{t:?}"))
                    .collect();
                if !list.is_empty() {
                    f.error(value, format!("invalid connection types [{}]", list.join(" ")));
                }
            }
            "proxy_required" => f.not_yet("authorization.users.proxy_required", value),
            _ => f.unknown(name, value),
        }
    }
    let wrong = match &user.nkey {
        None => user.name.is_empty().then_some("User entry requires a user"),
        Some(key) if !nkey::is_user(key) => Some("Not a valid public nkey for a user"),
        Some(_) => (!user.name.is_empty() || !user.password.is_empty())
            .then_some("Nkey users do not take usernames or passwords"),
    };
    if let Some(text) = wrong {
        // The peer's place is that of the key it read last.
        f.error(map.values().next_back().unwrap_or(item), text);
        return None;
    }
    Some(user)
}

/// Reads a permissions block.
pub(crate) fn permissions(value: &Value, f: &mut Findings) -> Option<Permissions> {
    let Some(map) = value.as_map() else {
        f.expected(value, "permissions to be a map/struct");
        return None;
    };
    let mut permissions = Permissions::default();
    for (name, value) in map {
        match name.to_lowercase().as_str() {
            "pub" | "publish" | "import" => permissions.publish = rules(value, false, f),
            "sub" | "subscribe" | "export" => permissions.subscribe = rules(value, true, f),
            "publish_allow_responses" | "allow_responses" => permissions.responses = responses(value, f),
            _ if value.used.get() => {}
            _ => f.error(value, format!("Unknown field {name:?} parsing permissions")),
        }
    }
    // Only answering is allowed when nothing else is said about publishing.
    if permissions.responses.is_some() && permissions.publish == SubjectRules::default() {
        permissions.publish.allow = Some(Vec::new());
    }
    Some(permissions)
}

fn rules(value: &Value, queues: bool, f: &mut Findings) -> SubjectRules {
    let Some(map) = value.as_map() else {
        return SubjectRules {
            // The peer names no place here.
            allow: Some(entries(value, None, queues, f)),
            deny: Vec::new(),
        };
    };
    let mut rules = SubjectRules::default();
    for (name, value) in map {
        match name.to_lowercase().as_str() {
            "allow" => {
                rules.allow = Some(entries(value, Some(value), queues, f)).filter(|list| !list.is_empty())
            }
            "deny" => rules.deny = entries(value, Some(value), queues, f),
            _ => {
                if !value.used.get() {
                    f.error(value, format!("Unknown field name {name:?} parsing subject permissions, only 'allow' or 'deny' are permitted"));
                }
            }
        }
    }
    rules
}

fn entries(value: &Value, at: Option<&Value>, queues: bool, f: &mut Findings) -> Vec<Rule> {
    let mut list = Vec::new();
    let wrong = |f: &mut Findings, text: String| match at {
        Some(at) => f.error(at, text),
        None => f.errors.push(text),
    };
    let items: &[Value] = match &value.kind {
        Kind::List(items) => items,
        Kind::Text(_) => std::slice::from_ref(value),
        _ => {
            let kind = value.go_type();
            let text =
                format!("Expected subject permissions to be a subject, or array of subjects, got {kind}");
            wrong(f, text);
            return list;
        }
    };
    for item in items {
        let Some(text) = item.as_text() else {
            f.error(item, "Subject in permissions array cannot be cast to string");
            continue;
        };
        match Rule::parse(text) {
            Ok(rule) if queues || rule.queue.is_none() => list.push(rule),
            _ => wrong(f, format!("subject {text:?} is not a valid subject")),
        }
    }
    list
}

fn responses(value: &Value, f: &mut Findings) -> Option<ResponseRules> {
    let mut rules = ResponseRules::default();
    let map = match &value.kind {
        Kind::Bool(on) => return on.then_some(rules),
        Kind::Map(map) => map,
        _ => {
            f.error(
                value,
                "error parsing response permissions, expected a boolean or a map",
            );
            return None;
        }
    };
    for (name, value) in map {
        match name.to_lowercase().as_str() {
            "max" | "max_msgs" | "max_messages" | "max_responses" => match f.integer(value) {
                Some(0) | None => {}
                Some(n) => rules.max = n,
            },
            "expires" | "expiration" | "ttl" => {
                let Some(text) = value.as_text() else {
                    f.error(value, "error parsing expires, not a duration string");
                    continue;
                };
                match natterjack_jsapi::Nanos::parse(text) {
                    Ok(ns) if ns.0 != 0 => rules.expires_ns = ns.0,
                    Ok(_) => {}
                    Err(text) => f.error(value, format!("error parsing expires: {text}")),
                }
            }
            _ if value.used.get() => {}
            _ => f.error(value, format!("Unknown field {name:?} parsing permissions")),
        }
    }
    Some(rules)
}
