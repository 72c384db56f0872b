//! `/subsz`: the routing tables.

use std::sync::atomic::Ordering::Relaxed;

use natterjack_subject::sublist::Stats;
use serde_json::{Map, Value, json};

use super::query::Query;
use super::{Refusal, bad, extend, with_id};
use crate::router::sub::Sub;
use crate::server::Server;

/// Subscriptions of a page.
const LIMIT: i64 = 1024;

/// A subscription of connection `cid`.
pub(super) fn entry(sub: &Sub, cid: u64) -> Map<String, Value> {
    let text = |b: &[u8]| Value::from(String::from_utf8_lossy(b).into_owned());
    let mut one = Map::new();
    one.insert("subject".into(), text(&sub.subject));
    if let Some(queue) = &sub.queue {
        one.insert("qgroup".into(), text(queue));
    }
    one.insert("sid".into(), text(&sub.sid));
    one.insert("msgs".into(), sub.delivered.load(Relaxed).into());
    let max = sub.max.load(Relaxed);
    if max > 0 {
        one.insert("max".into(), max.into());
    }
    one.insert("cid".into(), cid.into());
    one
}

/// The same among those of several accounts.
fn entry_in(account: &str, sub: &Sub, cid: u64) -> Value {
    let mut one = Map::new();
    one.insert("account".into(), account.into());
    one.insert("account_tag".into(), account.into());
    one.extend(entry(sub, cid));
    one.into()
}

/// The figures of a routing table.
pub(super) fn figures(stats: &Stats) -> Value {
    json!({
        "num_subscriptions": stats.num_subscriptions,
        "num_cache": stats.num_cache,
        "num_inserts": stats.num_inserts,
        "num_removes": stats.num_removes,
        "num_matches": stats.num_matches,
        "cache_hit_rate": stats.cache_hit_rate,
        "max_fanout": stats.max_fanout,
        "avg_fanout": stats.avg_fanout,
    })
}

/// The page.
pub(super) fn page(server: &Server, query: &Query) -> Result<Value, Refusal> {
    let (subs, test) = (query.switch("subs")?, query.text("test"));
    let offset = query.number("offset", 0)?.max(0);
    let limit = query.number("limit", LIMIT)?;
    if let Some(test) = test.filter(|t| !natterjack_subject::is_valid_literal(t.as_bytes())) {
        let text = format!("invalid test subject, must be valid publish subject: {test}");
        return Err(bad(text));
    }
    let wanted = query.text("acc");
    let mut totals = Stats::default();
    let (mut hits, mut fanout, mut list) = (0.0, 0.0, Vec::new());
    let accounts = server.accounts.all();
    for account in accounts.iter().filter(|a| wanted.is_none_or(|w| &*a.name == w)) {
        let sublist = account.sublist.read();
        let stats = sublist.stats();
        totals.num_subscriptions += stats.num_subscriptions;
        totals.num_cache += stats.num_cache;
        totals.num_inserts += stats.num_inserts;
        totals.num_removes += stats.num_removes;
        totals.num_matches += stats.num_matches;
        totals.max_fanout = totals.max_fanout.max(stats.max_fanout);
        #[expect(clippy::cast_precision_loss, reason = "a share of very many lookups")]
        let matches = stats.num_matches as f64;
        hits += stats.cache_hit_rate * matches;
        fanout = f64::max(fanout, stats.avg_fanout);
        if !subs {
            continue;
        }
        sublist.all(&mut |s| {
            let sub = &s.0;
            let heard = test.is_none_or(|t| natterjack_subject::matches(t.as_bytes(), &sub.subject));
            let Some(conn) = sub.conn().filter(|_| heard) else {
                return;
            };
            list.push(entry_in(&account.name, sub, conn.id));
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of very many lookups")]
    let matches = totals.num_matches as f64;
    totals.cache_hit_rate = if totals.num_matches == 0 {
        0.0
    } else {
        hits / matches
    };
    totals.avg_fanout = fanout;
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    let total = list.len();
    let shown: Vec<Value> = list.into_iter().skip(count(offset)).take(count(limit)).collect();
    let mut page = Map::new();
    extend(&mut page, figures(&totals));
    extend(
        &mut page,
        json!({"total": total, "offset": offset, "limit": limit}),
    );
    if !shown.is_empty() {
        page.insert("subscriptions_list".into(), shown.into());
    }
    Ok(with_id(server, page.into()))
}
