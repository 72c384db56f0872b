//! The figures of the server, told every ten seconds and on request.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::{on_moved, server_info, tell as tell_one};
use crate::account::Traffic;
use crate::monitor::{extend, varz};
use crate::server::Server;

/// The first figures come this soon, each next after twice as long, up to the last of these.
const FIRST: Duration = Duration::from_millis(250);
const EVERY: Duration = Duration::from_secs(10);
/// How many are connected to an account is told again after this.
const CONNECTIONS_EVERY: Duration = Duration::from_secs(30);

fn traffic(of: &Traffic) -> Value {
    let (msgs, bytes) = of.get();
    json!({"msgs": msgs, "bytes": bytes})
}

/// The figures.
pub(super) fn figures(server: &Server) -> Value {
    let counters = &server.counters;
    let accounts = server.accounts.all();
    let active = accounts.iter().filter(|a| a.clients.load(Relaxed) > 0).count();
    let (slow, stale) = (counters.slow.load(Relaxed), counters.stale.load(Relaxed));
    let of_clients = |n: u64| json!({"clients": n, "routes": 0, "gateways": 0, "leafs": 0});
    let cores = varz::cores();
    let (sent, received) = (traffic(&counters.sent), traffic(&counters.received));
    let mut figures = Map::new();
    let head = json!({
        "start": server.started.to_string(),
        "mem": varz::memory(),
        "cores": cores,
        "cpu": varz::cpu(server),
        "connections": server.connection_count(),
        "total_connections": counters.connections.load(Relaxed),
        "active_accounts": active,
        "subscriptions": server.accounts.subscriptions(),
        "sent": sent,
        "sent_to_clients": sent,
        "received": received,
        "received_from_clients": received,
        "slow_consumers": slow,
    });
    extend(&mut figures, head);
    if slow > 0 {
        figures.insert("slow_consumer_stats".into(), of_clients(slow));
    }
    if stale > 0 {
        figures.insert("stale_connections".into(), stale.into());
        figures.insert("stale_connection_stats".into(), of_clients(stale));
    }
    let stalled = counters.stalled.load(Relaxed);
    if stalled > 0 {
        figures.insert("stalled_clients".into(), stalled.into());
    }
    figures.insert("active_servers".into(), 1.into());
    if let Some((mut config, stats)) = varz::jetstream(server) {
        if let Some(config) = config.as_object_mut() {
            config.shift_remove("store_dir");
        }
        let limits = varz::jetstream_limits(server);
        let all = json!({"config": config, "stats": stats, "limits": limits});
        figures.insert("jetstream".into(), all);
    }
    figures.insert("gomaxprocs".into(), cores.into());
    json!({"server": server_info(server), "statsz": figures})
}

/// Tells the figures again and again.
pub(super) async fn tell(server: Arc<Server>) {
    let mut wait = FIRST;
    let mut connections_at = Instant::now() + CONNECTIONS_EVERY;
    loop {
        // Nothing wakes it before its time.
        let _late = timeout_at(Instant::now() + wait, std::future::pending::<()>()).await;
        wait = (wait * 2).min(EVERY);
        tell_one(&server, &format!("$SYS.SERVER.{}.STATSZ", server.id), || {
            figures(&server)
        });
        if Instant::now() >= connections_at {
            connections_at = Instant::now() + CONNECTIONS_EVERY;
            for account in server.accounts.all() {
                if account.clients.load(Relaxed) > 0 {
                    on_moved(&server, &account);
                }
            }
        }
    }
}
