//! What is told in the system account: who comes and goes, who is refused, how many are there, and that the server ends.
//! Texts and subjects are those of nats-server's `events.go`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use natterjack_jsapi::advisory::ClientInfo;
use natterjack_subject::names::nuid;
use serde_json::{Map, Value, json};

use super::{client_info, server_info, tell};
use crate::account::{Account, GLOBAL_ACCOUNT};
use crate::clock;
use crate::conn::{CloseReason, Conn};
use crate::monitor::{accountz, embed, extend};
use crate::server::Server;

/// What every event begins with.
fn event(server: &Server, kind: &str) -> Map<String, Value> {
    let mut event = Map::new();
    let head = json!({
        "type": format!("io.nats.server.advisory.v1.{kind}"),
        "id": nuid(&mut rand::random),
        "timestamp": clock::wall().to_string(),
        "server": server_info(server),
    });
    extend(&mut event, head);
    event
}

/// A client as these events name it: with the account's name beside.
fn client(conn: &Conn) -> ClientInfo {
    let info = client_info(conn);
    ClientInfo {
        name_tag: info.acc.clone(),
        ..info
    }
}

/// How many are connected to `account`, and its traffic.
pub(super) fn connections(server: &Server, account: &Account) -> Value {
    let mut event = event(server, "account_connections");
    event.extend(accountz::stat(account));
    event.into()
}

/// Tells how many are connected to `account`; of the account of all others nothing is told.
pub(crate) fn on_moved(server: &Arc<Server>, account: &Account) {
    let name = &account.name;
    if **name == *GLOBAL_ACCOUNT {
        return;
    }
    for subject in [
        format!("$SYS.SERVER.ACCOUNT.{name}.CONNS"),
        format!("$SYS.ACCOUNT.{name}.SERVER.CONNS"),
    ] {
        tell(server, &subject, || connections(server, account));
    }
}

/// A client belongs to an account.
pub(crate) fn on_connected(server: &Arc<Server>, conn: &Conn) {
    let account = Arc::clone(&conn.facts.lock().account);
    on_moved(server, &account);
    tell(server, &format!("$SYS.ACCOUNT.{}.CONNECT", account.name), || {
        let mut event = event(server, "client_connect");
        event.insert("client".into(), embed(&client(conn)));
        event.into()
    });
}

fn disconnect(server: &Server, conn: &Conn, reason: CloseReason) -> Value {
    let mut event = event(server, "client_disconnect");
    let stopped = conn.facts.lock().stopped;
    let client = ClientInfo {
        rtt: conn.round_trip_ns.load(Relaxed),
        stop: Some(stopped.unwrap_or_else(clock::wall)),
        ..client(conn)
    };
    let (msgs, bytes) = conn.outbound.counts();
    let (received, received_bytes) = (
        conn.received_messages.load(Relaxed),
        conn.received_bytes.load(Relaxed),
    );
    let rest = json!({
        "client": embed(&client),
        // As the client sees it.
        "sent": {"msgs": received, "bytes": received_bytes},
        "received": {"msgs": msgs, "bytes": bytes},
        "reason": reason.text(),
    });
    extend(&mut event, rest);
    event.into()
}

/// A client that belonged to an account has gone.
pub(crate) fn on_closed(server: &Arc<Server>, conn: &Conn, reason: CloseReason) {
    let account = Arc::clone(&conn.facts.lock().account);
    on_moved(server, &account);
    tell(
        server,
        &format!("$SYS.ACCOUNT.{}.DISCONNECT", account.name),
        || disconnect(server, conn, reason),
    );
}

/// A client was not who it said it is.
pub(crate) fn on_refused(server: &Arc<Server>, conn: &Conn) {
    for subject in [
        format!("$SYS.SERVER.{}.CLIENT.AUTH.ERR", server.id),
        format!("$SYS.ACCOUNT.{GLOBAL_ACCOUNT}.DISCONNECT"),
    ] {
        tell(server, &subject, || {
            disconnect(server, conn, CloseReason::AuthenticationFailure)
        });
    }
}

/// Clients are being sent away.
pub(crate) fn on_lame_duck(server: &Arc<Server>) {
    tell(server, &format!("$SYS.SERVER.{}.LAMEDUCK", server.id), || {
        server_info(server)
    });
}

/// The server ends.
pub(crate) fn on_shutdown(server: &Arc<Server>) {
    tell(server, &format!("$SYS.SERVER.{}.SHUTDOWN", server.id), || {
        server_info(server)
    });
}
