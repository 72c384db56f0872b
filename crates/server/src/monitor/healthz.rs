//! `/healthz`: whether the server serves, and what exactly does not.

use std::sync::atomic::Ordering;

use hyper::StatusCode;
use natterjack_store::Health;
use serde_json::{Value, json};

use super::query::Query;
use crate::server::Server;

struct Ill {
    status: StatusCode,
    text: String,
}

fn ill(status: StatusCode, text: impl Into<String>) -> Result<(), Ill> {
    Err(Ill {
        status,
        text: text.into(),
    })
}

fn look(server: &Server, query: &Query) -> Result<(), Ill> {
    let on = |name: &str| query.switch(name).unwrap_or(false);
    let (account, stream, consumer) = (
        query.text("account"),
        query.text("stream"),
        query.text("consumer"),
    );
    if stream.is_some() && account.is_none() {
        return ill(
            StatusCode::BAD_REQUEST,
            "\"account\" must not be empty when checking stream health",
        );
    }
    if consumer.is_some() && stream.is_none() {
        return ill(
            StatusCode::BAD_REQUEST,
            "\"stream\" must not be empty when checking consumer health",
        );
    }
    if !server.ready.load(Ordering::Acquire) {
        return ill(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed to be ready for connections after 1ms: server",
        );
    }
    if on("js-server-only") || !server.live.load().options.jetstream.enabled {
        return Ok(());
    }
    let Some(jetstream) = server.jetstream() else {
        return ill(StatusCode::SERVICE_UNAVAILABLE, "JetStream not enabled");
    };
    match jetstream.health() {
        Health::Ok => {}
        Health::Poisoned(why) => {
            let text = format!("JetStream accepts no more writes: {why}");
            return ill(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        Health::Full => return ill(StatusCode::SERVICE_UNAVAILABLE, "JetStream storage is full"),
        Health::Damaged(reports) => {
            let text = format!("JetStream found damage: {}", reports.join("; "));
            return ill(StatusCode::SERVICE_UNAVAILABLE, text);
        }
    }
    if on("js-enabled-only") {
        return Ok(());
    }
    let Some(name) = account else { return Ok(()) };
    let Some(account) = jetstream.account(name).filter(|a| a.is_enabled()) else {
        return ill(
            StatusCode::NOT_FOUND,
            format!("JetStream account {name:?} not found"),
        );
    };
    let Some(wanted) = stream else { return Ok(()) };
    let Some(stream) = account.stream(wanted) else {
        let text = format!("JetStream stream {wanted:?} not found on account {name:?}");
        return ill(StatusCode::NOT_FOUND, text);
    };
    match consumer {
        Some(c) if !stream.consumers.read().contains_key(c.as_bytes()) => ill(
            StatusCode::NOT_FOUND,
            format!("JetStream consumer {c:?} not found for stream {wanted:?} on account {name:?}"),
        ),
        _ => Ok(()),
    }
}

/// How the server is: the status of the answer and its body.
pub(crate) fn check(server: &Server, query: &Query) -> (StatusCode, Value) {
    match look(server, query) {
        Ok(()) => (StatusCode::OK, json!({"status": "ok"})),
        Err(ill) => {
            tracing::warn!("Healthcheck failed: {:?}", ill.text);
            let status = match ill.status {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND => "unavailable",
                _ => "error",
            };
            (ill.status, json!({"status": status, "error": ill.text}))
        }
    }
}
