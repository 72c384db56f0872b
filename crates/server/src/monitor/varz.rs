//! `/varz`: the server in general.

use serde_json::{Map, Value, json};

use super::{cpu, embed, extend};
use crate::clock;
use crate::server::Server;
use crate::system::feature_flags;
use natterjack_jsapi::account::ApiStats;
use natterjack_jsapi::versioning::API_LEVEL;

/// Time between two moments, as Go's monitoring writes it.
pub(super) fn span(ns: i64) -> String {
    let seconds = ns.max(0) / 1_000_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let years = days / 365;
    if years > 0 {
        return format!(
            "{years}y{}d{}h{}m{}s",
            days % 365,
            hours % 24,
            minutes % 60,
            seconds % 60
        );
    }
    if days > 0 {
        return format!("{days}d{}h{}m{}s", hours % 24, minutes % 60, seconds % 60);
    }
    if hours > 0 {
        return format!("{hours}h{}m{}s", minutes % 60, seconds % 60);
    }
    if minutes > 0 {
        return format!("{minutes}m{}s", seconds % 60);
    }
    format!("{seconds}s")
}

/// Resident memory, bytes.
pub(crate) fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Percent of one processor this process uses.
pub(crate) fn cpu(server: &Server) -> Value {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = cpu::ticks(&stat).unwrap_or(0);
    let per_second = rustix::param::clock_ticks_per_second();
    server.cpu.percent(ticks, per_second, clock::mono())
}

/// Processors there are.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What JetStream is configured to and uses.
pub(crate) fn jetstream(server: &Server) -> Option<(Value, Value)> {
    let jetstream = server.jetstream()?;
    let live = server.live.load();
    let options = &live.options.jetstream;
    let mut config = json!({
        "max_memory": jetstream.memory_max(),
        "max_storage": jetstream.store_max(),
        "store_dir": jetstream.folder.display().to_string(),
        "sync_interval": match options.sync {
            natterjack_config::Sync::Always => 0,
            natterjack_config::Sync::Interval(ns) => ns,
        },
    });
    if options.sync == natterjack_config::Sync::Always {
        config["sync_always"] = true.into();
    }
    if !options.domain.is_empty() {
        config["domain"] = options.domain.clone().into();
    }
    // The peer says so where nothing of the room for streams is measured.
    if options.max_memory_bytes > Some(0) && options.max_store_bytes > Some(0) {
        config["compress_ok"] = true.into();
    }
    if !options.unique_tag.is_empty() {
        config["unique_tag"] = options.unique_tag.clone().into();
    }
    if options.strict {
        config["strict"] = true.into();
    }
    let mut total = natterjack_jsapi::account::AccountInfo::default();
    let accounts = jetstream.accounts();
    for account in &accounts {
        let info = account.info();
        total.memory += info.memory;
        total.storage += info.storage;
        total.reserved_memory += info.reserved_memory;
        total.reserved_storage += info.reserved_storage;
        total.api.total += info.api.total;
        total.api.errors += info.api.errors;
    }
    let api = ApiStats {
        level: API_LEVEL,
        ..total.api
    };
    let stats = json!({
        "memory": total.memory,
        "storage": total.storage,
        "reserved_memory": total.reserved_memory,
        "reserved_storage": total.reserved_storage,
        "accounts": accounts.iter().filter(|a| a.is_enabled()).count(),
        "ha_assets": 0,
        "api": embed(&api),
    });
    Some((config, stats))
}

/// Limits of JetStream as configured; those that are not set are left out.
pub(crate) fn jetstream_limits(server: &Server) -> Value {
    let live = server.live.load();
    let (options, usual) = (
        &live.options.jetstream,
        natterjack_config::options::JetStream::default(),
    );
    let changed = |value: u64, usual: u64| if value == usual { 0 } else { value };
    let places = |of: Option<usize>| of.unwrap_or(0);
    let all = json!({
        "max_request_batch": options.max_request_batch,
        "max_ack_pending": options.max_ack_pending,
        "max_ha_assets": options.max_ha_assets,
        "max_duplicate_window": options.max_duplicate_window_ns,
        "max_batch_inflight_per_stream": places(options.max_batch_inflight_per_stream),
        "max_batch_inflight_total": places(options.max_batch_inflight_total),
        "max_batch_size": changed(options.max_batch_size as u64, usual.max_batch_size as u64),
        "max_batch_timeout": changed(options.batch_timeout_ns, usual.batch_timeout_ns),
        "default_max_consumers": options.default_max_consumers,
    });
    let Value::Object(all) = all else { return all };
    all.into_iter().filter(|(_, value)| *value != 0).collect()
}

fn put_settings(page: &mut Map<String, Value>, server: &Server) {
    let live = server.live.load();
    let options = &live.options;
    let limits = &options.limits;
    let http = server.monitoring.get();
    let settings = json!({
        "max_connections": i64::try_from(limits.max_connections).ok().filter(|n| *n > 0).unwrap_or(-1),
        "ping_interval": limits.ping_interval_ns,
        "ping_max": limits.ping_max,
        "http_host": http.map_or_else(String::new, |a| a.ip().to_string()),
        "http_port": http.map_or(0, std::net::SocketAddr::port),
        "http_base_path": options.http_base_path.trim_end_matches('/'),
        "https_port": 0,
        "auth_timeout": options.auth_timeout_ns() / 1_000_000_000,
        "max_control_line": limits.max_control_line_bytes,
        "max_payload": limits.max_payload_bytes,
        "max_pending": limits.max_pending_bytes,
        "cluster": {},
        "gateway": {},
        "leaf": {},
        "mqtt": {},
        "websocket": {},
    });
    extend(page, settings);
}

fn put_traffic(page: &mut Map<String, Value>, server: &Server) {
    use std::sync::atomic::Ordering::Relaxed;
    let counters = &server.counters;
    let ((in_msgs, in_bytes), (out_msgs, out_bytes)) = (counters.received.get(), counters.sent.get());
    let (slow, stale) = (counters.slow.load(Relaxed), counters.stale.load(Relaxed));
    let of_clients = |n: u64| json!({"clients": n, "routes": 0, "gateways": 0, "leafs": 0});
    let traffic = json!({
        "connections": server.connection_count(),
        "total_connections": counters.connections.load(Relaxed),
        "routes": 0,
        "remotes": 0,
        "leafnodes": 0,
        "in_msgs": in_msgs,
        "in_bytes": in_bytes,
        "in_client_msgs": in_msgs,
        "in_client_bytes": in_bytes,
        "out_msgs": out_msgs,
        "out_bytes": out_bytes,
        "out_client_msgs": out_msgs,
        "out_client_bytes": out_bytes,
        "slow_consumers": slow,
        "stale_connections": stale,
        "stalled_clients": counters.stalled.load(Relaxed),
        "subscriptions": server.accounts.subscriptions(),
        "http_req_stats": *server.http_requests.lock(),
        "config_load_time": server.configured.load_full().to_string(),
        "config_digest": server.live.load().options.config_digest,
        "feature_flags": feature_flags(&server.options),
        "system_account": server.system_account(),
        "slow_consumer_stats": of_clients(slow),
        "stale_connection_stats": of_clients(stale),
        "disk_io_wait_stats": {"waiters": 0, "waits": 0, "wait_time": 0, "max_wait_time": 0},
        "natterjack": env!("CARGO_PKG_VERSION"),
    });
    extend(page, traffic);
}

/// The page.
pub(super) fn page(server: &Server) -> Value {
    let info = server.info();
    let mut page = Map::new();
    let head = json!({
        "server_id": server.id,
        "server_name": server.name,
        "version": info.version,
        "proto": info.proto,
        "git_commit": info.git_commit,
        "go": info.go,
        "host": info.host,
        "port": info.port,
    });
    extend(&mut page, head);
    if server.live.load().directory.requires_auth() {
        page.insert("auth_required".into(), true.into());
    }
    put_settings(&mut page, server);
    let js = jetstream(server).map_or_else(
        || json!({}),
        |(config, stats)| json!({"config": config, "stats": stats, "limits": jetstream_limits(server)}),
    );
    page.insert("jetstream".into(), js);
    let now = clock::wall();
    let cores = cores();
    let process = json!({
        "tls_timeout": 2,
        "write_deadline": server.live.load().options.limits.write_deadline_ns,
        "start": server.started.to_string(),
        "now": now.to_string(),
        "uptime": span(now.0 - server.started.0),
        "mem": memory(),
        "cores": cores,
        "gomaxprocs": cores,
        "cpu": cpu(server),
    });
    extend(&mut page, process);
    put_traffic(&mut page, server);
    Value::Object(page)
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_in_words() {
        assert_eq!(span(65_000_000_000), "1m5s");
        assert_eq!(span(90_061_000_000_000), "1d1h1m1s");
    }
}
