//! `/connz`: connections, open and ended.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use natterjack_jsapi::{GoTime, Nanos};
use natterjack_subject::collides;
use serde_json::{Map, Value, json};

use super::query::Query;
use super::subsz::entry as subscription;
use super::varz::span;
use super::{Refusal, bad, extend, with_id};
use crate::clock;
use crate::conn::Conn;
use crate::server::Server;

/// A state that no connection has, for requests that name one by a number that is none.
pub(crate) const NO_STATE: &str = "none";
/// Name of an option that paths have not.
pub(crate) const FILTER_SUBJECT: &str = "filter-subject";
/// Connections of a page.
const LIMIT: i64 = 1024;

struct Listed {
    conn: Arc<Conn>,
    subscriptions: usize,
}

/// What to show of each.
#[derive(Clone, Copy)]
struct Show {
    auth: bool,
    subs: bool,
    detail: bool,
}

/// The connections asked for, and how many there are in that state and account.
fn select(server: &Server, query: &Query) -> Result<(Vec<Listed>, usize), Refusal> {
    let state = query.text("state").unwrap_or("open");
    let (open, ended) = match state {
        "open" => (true, false),
        "closed" => (false, true),
        "any" | "all" => (true, true),
        NO_STATE => (false, false),
        other => return Err(bad(format!("Error decoding state for {other}"))),
    };
    let mut found = Vec::new();
    if open {
        found.extend(server.connections().into_iter().map(|conn| {
            let subscriptions = conn.facts.lock().subs.len();
            Listed { conn, subscriptions }
        }));
    }
    if ended {
        server.each_ended(|e| {
            found.push(Listed {
                conn: Arc::clone(&e.conn),
                subscriptions: e.subscriptions,
            });
        });
    }
    if let Some(account) = query.text("acc") {
        found.retain(|l| &*l.conn.facts.lock().account.name == account);
    }
    let total = found.len();
    let cid = query.number("cid", 0)?;
    if cid > 0 {
        found.retain(|l| i64::try_from(l.conn.id) == Ok(cid));
    }
    if let Some(filter) = query.text(FILTER_SUBJECT) {
        if query.text("acc").is_none() {
            return Err(bad(
                "filter by subject only valid with account filtering".to_owned()
            ));
        }
        found.retain(|l| {
            let facts = l.conn.facts.lock();
            let mut subs = facts.subs.values();
            subs.any(|s| collides(&s.subject, filter.as_bytes()))
        });
    }
    if let Some(user) = query.text("user") {
        found.retain(|l| l.conn.facts.lock().user.as_deref() == Some(user));
    }
    sort(&mut found, query.text("sort").unwrap_or("cid"), state)?;
    Ok((found, total))
}

fn sort(found: &mut [Listed], by: &str, state: &str) -> Result<(), Refusal> {
    let only = |wanted: bool, text: &str| if wanted { Ok(()) } else { Err(bad(text.to_owned())) };
    match by {
        "cid" | "start" => found.sort_by_key(|l| l.conn.id),
        "subs" => found.sort_by_key(|l| std::cmp::Reverse(l.subscriptions)),
        "pending" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.outbound.pending())),
        "msgs_to" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.outbound.counts().0)),
        "bytes_to" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.outbound.counts().1)),
        "msgs_from" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.received_messages.load(Relaxed))),
        "bytes_from" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.received_bytes.load(Relaxed))),
        "last" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.last_activity_ns.load(Relaxed))),
        "idle" => found.sort_by_key(|l| l.conn.last_activity_ns.load(Relaxed)),
        "rtt" => found.sort_by_key(|l| std::cmp::Reverse(l.conn.round_trip_ns.load(Relaxed))),
        "uptime" => {
            only(state == "open", "sort by uptime only valid on open connections")?;
            found.sort_by_key(|l| l.conn.id);
        }
        "stop" => {
            only(state != "open", "sort by stop only valid on closed connections")?;
            found.sort_by_key(|l| std::cmp::Reverse(l.conn.facts.lock().stopped));
        }
        "reason" => {
            only(state != "open", "sort by reason only valid on closed connections")?;
            found.sort_by_key(|l| l.conn.facts.lock().reason.map(crate::conn::CloseReason::text));
        }
        other => return Err(bad(format!("invalid sorting option: {other}"))),
    }
    Ok(())
}

fn put_identity(entry: &mut Map<String, Value>, conn: &Conn, show: Show) {
    let facts = conn.facts.lock();
    let connect = &facts.connect;
    for (key, value) in [
        ("name", &connect.name),
        ("lang", &connect.lang),
        ("version", &connect.version),
    ] {
        if !value.is_empty() {
            entry.insert(key.into(), value.clone().into());
        }
    }
    if show.auth {
        if let Some(user) = &facts.user {
            entry.insert("authorized_user".into(), user.clone().into());
        }
        entry.insert("account".into(), facts.account.name.to_string().into());
    }
    let mut subs: Vec<_> = facts.subs.values().collect();
    subs.sort_by_key(|s| s.id);
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).into_owned());
    if show.detail && !subs.is_empty() {
        let list = subs.iter().map(|s| Value::Object(subscription(s, conn.id)));
        entry.insert("subscriptions_list_detail".into(), list.collect());
    } else if show.subs && !subs.is_empty() {
        entry.insert(
            "subscriptions_list".into(),
            subs.iter().map(|s| text(&s.subject)).collect(),
        );
    }
    if show.auth {
        entry.insert("name_tag".into(), (*facts.account.name).into());
    }
}

fn entry(listed: &Listed, show: Show) -> Value {
    let conn = &listed.conn;
    let now = clock::wall().0;
    let last = conn.last_activity_ns.load(Relaxed);
    let (out_msgs, out_bytes) = conn.outbound.counts();
    let mut entry = Map::new();
    let (reason, stopped) = {
        let facts = conn.facts.lock();
        (facts.reason, facts.stopped)
    };
    let head = json!({
        "cid": conn.id,
        "kind": "Client",
        "type": "nats",
        "ip": conn.client().ip().to_string(),
        "port": conn.client().port(),
        "start": conn.started.to_string(),
        "last_activity": GoTime(last).to_string(),
    });
    extend(&mut entry, head);
    if let (Some(reason), Some(stopped)) = (reason, stopped) {
        entry.insert("stop".into(), stopped.to_string().into());
        entry.insert("reason".into(), reason.text().into());
    }
    let rtt = conn.round_trip_ns.load(Relaxed);
    if rtt > 0 || stopped.is_some() {
        entry.insert("rtt".into(), Nanos(rtt).to_string().into());
    }
    let end = stopped.map_or(now, |t| t.0);
    let rest = json!({
        "uptime": span(end - conn.started.0),
        "idle": span(end - last),
        "pending_bytes": conn.outbound.pending(),
        "in_msgs": conn.received_messages.load(Relaxed),
        "out_msgs": out_msgs,
        "in_bytes": conn.received_bytes.load(Relaxed),
        "out_bytes": out_bytes,
        "subscriptions": listed.subscriptions,
    });
    extend(&mut entry, rest);
    let stalls = conn.stalls.load(Relaxed);
    if stalls > 0 {
        entry.insert("stalls".into(), stalls.into());
    }
    put_identity(&mut entry, conn, show);
    Value::Object(entry)
}

/// Which part of the list is wanted: how many are left out, and how many follow.
fn part(query: &Query) -> Result<(i64, i64), Refusal> {
    let offset = query.number("offset", 0)?.max(0);
    let limit = query.number("limit", LIMIT)?;
    // There is one of each number.
    let one = query.number("cid", 0)? > 0;
    let limit = if one {
        1
    } else if limit <= 0 {
        LIMIT
    } else {
        limit
    };
    Ok((offset, limit))
}

/// What is told of an account that does not exist.
pub(crate) fn of_nobody(query: &Query) -> Result<Value, Refusal> {
    let (offset, limit) = part(query)?;
    Ok(json!({
        "server_id": "",
        "now": clock::wall().to_string(),
        "num_connections": 0,
        "total": 0,
        "offset": offset,
        "limit": limit,
        "connections": null,
    }))
}

/// The page.
pub(super) fn page(server: &Server, query: &Query) -> Result<Value, Refusal> {
    let detail = query.text("subs") == Some("detail");
    let show = Show {
        auth: query.switch("auth")?,
        subs: !detail && query.switch("subs")?,
        detail,
    };
    let (offset, limit) = part(query)?;
    let (found, total) = select(server, query)?;
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    // Nobody here speaks it.
    let mqtt = query.text("mqtt_client").is_some();
    let shown: Vec<Value> = found
        .iter()
        .filter(|_| !mqtt)
        .skip(count(offset))
        .take(count(limit))
        .map(|l| entry(l, show))
        .collect();
    let rest = json!({
        "num_connections": shown.len(),
        "total": total,
        "offset": offset,
        "limit": limit,
        "connections": shown,
    });
    Ok(with_id(server, rest))
}
