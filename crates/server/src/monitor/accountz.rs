//! `/accountz` and `/accstatz`: accounts, what they use, and their traffic.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Map, Value, json};

use super::query::Query;
use super::{Refusal, bad, extend, subsz, with_id};
use crate::account::{Account, Traffic};
use crate::server::Server;
use crate::system;

/// What every account imports from the system account: the subject it asks on, and whether the answerer learns who asks.
const IMPORTS: [(&str, bool); 4] = [
    ("$SYS.REQ.USER.INFO", true),
    ("$SYS.REQ.ACCOUNT.PING.CONNZ", false),
    ("$SYS.REQ.SERVER.PING.CONNZ", false),
    ("$SYS.REQ.ACCOUNT.PING.STATZ", false),
];

/// The page.
pub(super) fn page(server: &Server, query: &Query) -> Result<Value, Refusal> {
    let system = server.system_account();
    let rest = match query.text("acc") {
        Some(wanted) => json!({"system_account": system, "account_detail": detail(server, wanted)?}),
        None => {
            let mut names: Vec<String> = server.accounts.all().iter().map(|a| a.name.to_string()).collect();
            names.sort();
            json!({"system_account": system, "accounts": names})
        }
    };
    Ok(with_id(server, rest))
}

/// All about one account.
pub(crate) fn detail(server: &Server, name: &str) -> Result<Value, Refusal> {
    let Some(account) = server.accounts.get(name) else {
        return Err(bad(format!("Account {name} does not exist")));
    };
    let jetstream = server.jetstream().and_then(|j| j.account(name));
    let has_jetstream = jetstream.is_some_and(|j| j.is_enabled());
    let is_system = name == server.system_account();
    let mut detail = Map::new();
    detail.insert("account_name".into(), name.into());
    detail.insert(
        "update_time".into(),
        server.configured.load_full().to_string().into(),
    );
    if is_system {
        detail.insert("is_system".into(), true.into());
    }
    let facts = json!({
        "expired": false,
        "complete": true,
        "jetstream_enabled": has_jetstream,
        "leafnode_connections": 0,
        "client_connections": account.clients.load(Relaxed),
        "subscriptions": account.subscriptions(),
    });
    extend(&mut detail, facts);
    if let Some(mappings) = account.mappings() {
        let listed = mappings.iter().map(|mapping| {
            let to = mapping.destinations().iter().map(|weighted| {
                let subject = String::from_utf8_lossy(weighted.transform.destination());
                let mut one = json!({"subject": subject, "weight": weighted.weight});
                if !weighted.cluster.is_empty() {
                    one["cluster"] = weighted.cluster.clone().into();
                }
                one
            });
            let source = String::from_utf8_lossy(mapping.source()).into_owned();
            (source, to.collect::<Value>())
        });
        detail.insert("mappings".into(), Value::Object(listed.collect()));
    }
    if !is_system && !server.options.no_system_account {
        detail.insert("imports".into(), imports(server, name));
    }
    detail.insert("name_tag".into(), name.into());
    let stats = account.sublist.read().stats();
    detail.insert("sublist_stats".into(), subsz::figures(&stats));
    Ok(detail.into())
}

fn imports(server: &Server, account: &str) -> Value {
    // Whether or not the account has JetStream.
    let api = server.jetstream().map(|_| ("$JS.API.>", true));
    let list = IMPORTS.into_iter().chain(api).map(|(subject, share)| {
        json!({
            "subject": system::served_as(account, subject.as_bytes()),
            "account": server.system_account(),
            "to": subject,
            "local_subject": subject,
            "type": "service",
            "invalid": false,
            "share": share,
            "tracking": false,
        })
    });
    list.collect()
}

fn traffic(traffic: &Traffic) -> Value {
    let (msgs, bytes) = traffic.get();
    let none = json!({"msgs": 0, "bytes": 0});
    json!({"msgs": msgs, "bytes": bytes, "gateways": none, "routes": none, "leafs": none})
}

/// The traffic of one account, as pages and events have it.
pub(crate) fn stat(account: &Account) -> Map<String, Value> {
    let mut stat = Map::new();
    let clients = account.clients.load(Relaxed);
    let facts = json!({
        "acc": &*account.name,
        "name": &*account.name,
        "conns": clients,
        "leafnodes": 0,
        "total_conns": clients,
        "num_subscriptions": account.subscriptions(),
        "sent": traffic(&account.sent),
        "received": traffic(&account.received),
        "slow_consumers": account.slow_consumers.load(Relaxed),
    });
    extend(&mut stat, facts);
    stat
}

/// The traffic of accounts: of `wanted`, or of all; of those nobody is connected to only when `unused`.
pub(crate) fn stats_of(server: &Server, wanted: &[String], unused: bool) -> Value {
    let mut accounts = server.accounts.all();
    accounts.retain(|a| wanted.is_empty() || wanted.iter().any(|w| **w == *a.name));
    accounts.retain(|a| unused || a.clients.load(Relaxed) > 0);
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    let stats: Vec<Value> = accounts.iter().map(|a| stat(a).into()).collect();
    with_id(server, json!({"account_statz": stats}))
}

/// The page of traffic.
pub(super) fn stats(server: &Server, query: &Query) -> Result<Value, Refusal> {
    Ok(stats_of(server, &[], query.switch("unused")?))
}
