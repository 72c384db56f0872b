//! Monitoring over HTTP: what the server is doing, as JSON in the peer's form.

mod connz;
mod healthz;
mod index;
mod jsz;
mod query;
mod subsz;
mod varz;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::listen;
use crate::server::Server;
use query::Query;

/// What a page is.
enum Page {
    /// JSON, laid out for people.
    Json(Value),
    /// JSON on one line, with a status.
    Compact(StatusCode, Value),
    /// A web page.
    Html(String),
    /// A text, with a status.
    Text(StatusCode, String),
}

/// Opens the monitoring port, if one is configured.
///
/// # Errors
/// A text for the log.
pub(crate) fn start(server: &Arc<Server>) -> Result<(), String> {
    let port = server.options.http_port;
    if port == 0 {
        return Ok(());
    }
    let host = if server.options.http_host.is_empty() {
        &server.options.host
    } else {
        &server.options.http_host
    };
    let listener = listen::bind(host, port)
        .map_err(|e| format!("Can't start monitoring: can't listen to the monitor port: {e}"))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let _first = server.monitoring.set(address);
    tracing::info!("Starting http monitor on {address}");
    tokio::spawn(accept(Arc::clone(server), listener));
    Ok(())
}

async fn accept(server: Arc<Server>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(respond(answer(&server, &request).await)) }
            });
            let io = TokioIo::new(stream);
            let _gone = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .await;
        });
    }
}

async fn answer(server: &Arc<Server>, request: &Request<hyper::body::Incoming>) -> Page {
    let base = server.options.http_base_path.trim_end_matches('/');
    let path = request.uri().path();
    let path = path.strip_prefix(base).unwrap_or(path);
    if path.ends_with('z') || path == "/" || path == "/debug/vars" {
        *server.http_requests.lock().entry(path.to_owned()).or_default() += 1;
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let page = match path {
        "/" | "" => Ok(Page::Html(index::page())),
        "/varz" => Ok(Page::Json(varz::page(server))),
        "/connz" => connz::page(server, &query).map(Page::Json),
        "/subsz" | "/subscriptionsz" => subsz::page(server, &query).map(Page::Json),
        "/jsz" => jsz::page(server, &query).await.map(Page::Json),
        "/healthz" => Ok(healthz::page(server, &query)),
        "/accountz" => accounts(server, &query).map(Page::Json),
        "/accstatz" => Ok(Page::Json(account_stats(server))),
        "/routez" => Ok(Page::Json(with_id(
            server,
            json!({"server_name": server.name, "num_routes": 0, "routes": []}),
        ))),
        "/gatewayz" => Ok(Page::Json(with_id(
            server,
            json!({"outbound_gateways": {}, "inbound_gateways": {}}),
        ))),
        "/leafz" => Ok(Page::Json(with_id(server, json!({"leafnodes": 0, "leafs": []})))),
        "/ipqueuesz" => Ok(Page::Json(json!({}))),
        "/raftz" => Ok(Page::Compact(StatusCode::NOT_FOUND, json!({}))),
        "/stacksz" => Ok(Page::Text(StatusCode::OK, "no stacks: see /varz\n".into())),
        "/debug/vars" => Ok(Page::Json(
            json!({"cmdline": std::env::args().collect::<Vec<_>>()}),
        )),
        _ => Err((StatusCode::NOT_FOUND, "404 page not found\n".into())),
    };
    page.unwrap_or_else(|(status, text)| Page::Text(status, text))
}

/// A refusal: status and text.
type Refusal = (StatusCode, String);

fn bad(text: String) -> Refusal {
    (StatusCode::BAD_REQUEST, text)
}

/// Server id and time before `rest`.
fn with_id(server: &Server, rest: Value) -> Value {
    let mut all = Map::new();
    all.insert("server_id".into(), server.id.clone().into());
    all.insert("now".into(), crate::clock::wall().to_string().into());
    if let Value::Object(rest) = rest {
        all.extend(rest);
    }
    Value::Object(all)
}

fn accounts(server: &Server, query: &Query) -> Result<Value, Refusal> {
    let system = server.system_account();
    let Some(wanted) = query.text("acc") else {
        let mut names: Vec<String> = server.accounts.all().iter().map(|a| a.name.to_string()).collect();
        names.sort();
        return Ok(with_id(
            server,
            json!({"system_account": system, "accounts": names}),
        ));
    };
    let Some(account) = server.accounts.get(wanted) else {
        return Err(bad(format!(
            "Error retrieving account information: Account {wanted} does not exist\n"
        )));
    };
    let jetstream = server.jetstream.get().and_then(|j| j.account(wanted));
    let detail = json!({
        "account_name": wanted,
        "is_system": wanted == system,
        "expired": false,
        "complete": true,
        "jetstream_enabled": jetstream.is_some_and(|j| j.enabled),
        "leafnode_connections": 0,
        "client_connections": account.clients.load(std::sync::atomic::Ordering::Relaxed),
        "subscriptions": account.subscriptions(),
    });
    Ok(with_id(
        server,
        json!({"system_account": system, "account_detail": detail}),
    ))
}

fn account_stats(server: &Server) -> Value {
    let stats: Vec<Value> = server
        .accounts
        .all()
        .iter()
        .map(|account| {
            let ((sent, sent_bytes), (received, received_bytes)) =
                (account.sent.get(), account.received.get());
            json!({
                "acc": &*account.name,
                "name": &*account.name,
                "conns": account.clients.load(std::sync::atomic::Ordering::Relaxed),
                "leafnodes": 0,
                "total_conns": account.clients_total.load(std::sync::atomic::Ordering::Relaxed),
                "num_subscriptions": account.subscriptions(),
                "sent": {"msgs": sent, "bytes": sent_bytes},
                "received": {"msgs": received, "bytes": received_bytes},
                "slow_consumers": account.slow_consumers.load(std::sync::atomic::Ordering::Relaxed),
            })
        })
        .collect();
    with_id(server, json!({"account_statz": stats}))
}

/// As Go writes JSON: signs that mean something in HTML are escaped.
pub(crate) fn escape(text: &str) -> String {
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn respond(page: Page) -> Response<Full<Bytes>> {
    let (status, kind, text) = match page {
        Page::Json(value) => {
            let text = serde_json::to_string_pretty(&value).unwrap_or_default();
            (StatusCode::OK, "application/json", escape(&text))
        }
        Page::Compact(status, value) => (status, "application/json", escape(&value.to_string())),
        Page::Html(text) => (StatusCode::OK, "text/html; charset=utf-8", text),
        Page::Text(status, text) => (status, "text/plain; charset=utf-8", text),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if kind == "application/json" {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// A uniform way of JetStream's own types into pages.
fn embed<T: natterjack_jsapi::json::GoFields>(value: &T) -> Value {
    serde_json::from_slice(&natterjack_jsapi::json::to_vec(value)).unwrap_or_default()
}
