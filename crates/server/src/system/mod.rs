//! The system account: what the server tells there and answers there, and what it answers to every account of itself.
//! From facts at hand; what has to wait does so in a task of its own.

pub(crate) mod encoding;
mod events;
mod fields;
mod info;
mod options;
mod requests;
mod stats;
mod user_info;

use std::sync::Arc;

use serde_json::Value;

use crate::account::Account;
use crate::monitor::escape;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::Sub;
use crate::server::Server;
use encoding::Encoding;
pub(crate) use events::{on_closed, on_connected, on_lame_duck, on_moved, on_refused, on_shutdown};
pub(crate) use info::{client_info, feature_flags, server_info};
use user_info::UserInfo;

/// Answers what clients of `account` ask.
pub(crate) fn serve(server: &Server, account: &Arc<Account>) {
    let sub = Sub::service(user_info::SUBJECT, Arc::new(UserInfo));
    account.subscribe(&sub);
    if *account.name == *server.system_account() {
        requests::serve(server, account);
    } else if !server.options.no_system_account {
        requests::serve_others(account);
    }
}

/// Begins what is told again and again.
pub(crate) fn start(server: &Arc<Server>) {
    if !server.options.no_system_account {
        tokio::spawn(stats::tell(Arc::clone(server)));
    }
}

/// Says `body` on `subject` in the lane's account, packed if that is wanted. The peer's own messages have a reply that
/// is empty.
pub(crate) fn say(
    lane: &mut Lane,
    subject: &[u8],
    reply: Option<&[u8]>,
    body: &Value,
    encoding: Option<Encoding>,
) {
    let text = escape(&body.to_string());
    let packed = encoding.map(|encoding| encoding.message(text.as_bytes()));
    let (headers_len, body) = match &packed {
        Some((block, message)) => (*block, &message[..]),
        None => (0, text.as_bytes()),
    };
    lane.route(&Routed {
        subject,
        reply,
        headers_len,
        body,
        ..Routed::default()
    });
}

/// Says what `body` makes on `subject` of the system account, if anybody listens.
fn tell(server: &Arc<Server>, subject: &str, body: impl FnOnce() -> Value) {
    let Some(account) = server.accounts.get(server.system_account()) else {
        return;
    };
    if account.has_interest(subject.as_bytes(), None) {
        let mut lane = Lane::new(server, &account);
        say(&mut lane, subject.as_bytes(), Some(b""), &body(), None);
        lane.flush();
    }
}

/// Says the advisory that `json` makes on `subject` of the system account, if anybody listens.
pub(crate) fn advise(server: &Arc<Server>, subject: &str, json: impl FnOnce() -> Vec<u8>) {
    if is_heard(server, subject.as_bytes()) {
        publish(server, subject.as_bytes(), &json());
    }
}

/// Whether the system account listens on `subject`.
pub(crate) fn is_heard(server: &Server, subject: &[u8]) -> bool {
    let account = server.accounts.get(server.system_account());
    account.is_some_and(|account| account.has_interest(subject, None))
}

/// Publishes `json` in the system account, with an empty reply subject as the peer.
pub(crate) fn publish(server: &Arc<Server>, subject: &[u8], json: &[u8]) {
    let Some(account) = server.accounts.get(server.system_account()) else {
        return;
    };
    let mut lane = Lane::new(server, &account);
    lane.route(&Routed {
        subject,
        reply: Some(b""),
        body: json,
        ..Routed::default()
    });
    lane.flush();
}

/// The subject of the system account on which is answered what `account` asks on `subject`.
pub(crate) fn served_as(account: &str, subject: &[u8]) -> Option<String> {
    let what = match subject {
        b"$SYS.REQ.USER.INFO" => return Some(format!("$SYS.REQ.USER.{account}.INFO")),
        b"$SYS.REQ.ACCOUNT.PING.CONNZ" | b"$SYS.REQ.SERVER.PING.CONNZ" => "CONNZ",
        b"$SYS.REQ.ACCOUNT.PING.STATZ" => "STATZ",
        _ if subject.starts_with(b"$JS.API.") => return String::from_utf8(subject.to_vec()).ok(),
        _ => return None,
    };
    Some(format!("$SYS.REQ.ACCOUNT.{account}.{what}"))
}
