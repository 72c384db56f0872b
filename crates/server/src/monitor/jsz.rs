//! `/jsz`: JetStream.

use natterjack_jsapi::account::ApiStats;
use serde_json::{Map, Value, json};

use super::query::Query;
use super::{Refusal, bad, embed, extend, varz, with_id};
use crate::jetstream::JsAccount;
use crate::jetstream::stream::Stream;
use crate::server::Server;

/// What to show.
#[derive(Clone, Copy)]
struct Show {
    streams: bool,
    consumers: bool,
    config: bool,
}

async fn stream(server: &Server, stream: &Stream, show: Show) -> Value {
    let mut detail = json!({
        "name": stream.name,
        "created": stream.created.to_string(),
        "cluster": {"leader": server.name},
    });
    if show.config {
        detail["config"] = embed(&*stream.config());
    }
    detail["state"] = embed(&*stream.state.lock());
    if show.consumers {
        let infos = stream.consumer_infos().await;
        let shown: Vec<Value> = infos
            .iter()
            .map(|info| {
                let mut one = embed(info);
                if !show.config
                    && let Some(fields) = one.as_object_mut()
                {
                    fields.shift_remove("config");
                }
                one
            })
            .collect();
        if !shown.is_empty() {
            detail["consumer_detail"] = shown.into();
        }
    }
    detail
}

/// One account.
async fn account(server: &Server, account: &JsAccount, show: Show) -> Value {
    let info = account.info();
    let mut detail = json!({
        "name": &*account.account.name,
        "id": &*account.account.name,
        "memory": info.memory,
        "storage": info.storage,
        // What the account is promised, and unlimited as the peer shows it: -1 without its sign.
        "reserved_memory": info.limits.max_memory.cast_unsigned(),
        "reserved_storage": info.limits.max_storage.cast_unsigned(),
        "accounts": 0,
        "ha_assets": 0,
        "api": embed(&ApiStats { level: 0, ..info.api }),
    });
    if show.streams {
        let mut details = Vec::new();
        for one in account.streams() {
            details.push(stream(server, &one, show).await);
        }
        if !details.is_empty() {
            detail["stream_detail"] = details.into();
        }
    }
    detail
}

/// What the page has of the account `name`.
pub(crate) async fn of_account(server: &Server, name: &str, query: &Query) -> Result<Value, Refusal> {
    if server.jetstream().is_none() {
        return Err(bad("jetstream not enabled".to_owned()));
    }
    let mut page = page(server, query).await?;
    match page.pointer_mut("/account_details/0") {
        Some(detail) => Ok(detail.take()),
        None if server.accounts.get(name).is_some() => {
            Err(bad(format!("account {name:?} not jetstream enabled")))
        }
        None => Err(bad(format!("account {name:?} not found"))),
    }
}

/// The page of a server without JetStream.
fn off(server: &Server) -> Value {
    let mut page = Map::new();
    let stats = json!({
        "memory": 0, "storage": 0, "reserved_memory": 0, "reserved_storage": 0, "accounts": 0, "ha_assets": 0,
        "api": embed(&ApiStats::default()),
    });
    extend(&mut page, stats);
    let rest = json!({
        "disabled": true, "config": {"max_memory": 0, "max_storage": 0},
        "streams": 0, "consumers": 0, "messages": 0, "bytes": 0, "total": 0,
    });
    extend(&mut page, with_id(server, rest));
    page.into()
}

/// The page.
pub(crate) async fn page(server: &Server, query: &Query) -> Result<Value, Refusal> {
    let show = Show {
        streams: query.switch("streams")? || query.switch("consumers")?,
        consumers: query.switch("consumers")?,
        config: query.switch("config")?,
    };
    if let Some(jetstream) = server.jetstream() {
        jetstream.shown().await;
    }
    let Some((config, stats)) = varz::jetstream(server) else {
        return Ok(off(server));
    };
    let accounts = server.jetstream().map(|j| j.accounts()).unwrap_or_default();
    let wanted = query.text("acc");
    let enabled: Vec<_> = accounts
        .iter()
        .filter(|a| a.is_enabled() && wanted.is_none_or(|w| &*a.account.name == w))
        .collect();
    let (mut streams, mut consumers, mut messages, mut bytes) = (0, 0, 0, 0);
    for stream in enabled.iter().flat_map(|a| a.streams()) {
        let state = stream.state.lock();
        streams += 1;
        consumers += state.consumer_count;
        messages += state.messages;
        bytes += state.bytes;
    }
    let mut page = Map::new();
    extend(&mut page, stats);
    extend(&mut page, with_id(server, json!({"config": config})));
    let rest = json!({
        "limits": varz::jetstream_limits(server),
        "streams": streams,
        "consumers": consumers,
        "messages": messages,
        "bytes": bytes,
    });
    extend(&mut page, rest);
    if wanted.is_some() || show.streams || query.switch("accounts")? {
        let mut details = Vec::new();
        for one in &enabled {
            details.push(account(server, one, show).await);
        }
        if !details.is_empty() {
            page.insert("account_details".into(), details.into());
        }
    }
    page.insert("total".into(), enabled.len().into());
    Ok(Value::Object(page))
}
