//! Monitoring over HTTP: what the server is doing, as JSON in the peer's form, and for Prometheus.

pub(crate) mod accountz;
mod cmdline;
pub(crate) mod connz;
pub(crate) mod cpu;
pub(crate) mod healthz;
mod index;
pub(crate) mod jsz;
mod metrics;
pub(crate) mod query;
mod subsz;
pub(crate) mod varz;

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

pub(crate) use cmdline::cmdline;

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
    /// Figures for Prometheus.
    Metrics(String),
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
    if let (Some(jetstream), "/varz" | "/metrics") = (server.jetstream(), path) {
        jetstream.shown().await;
    }
    let page = match path {
        "/" | "" => Ok(Page::Html(index::page())),
        "/jsz" => jsz::page(server, &query).await.map(Page::Json),
        "/healthz" => {
            let (status, body) = healthz::check(server, &query);
            Ok(Page::Compact(status, body))
        }
        "/metrics" => Ok(Page::Metrics(metrics::page(server))),
        "/ipqueuesz" => Ok(Page::Json(json!({}))),
        "/raftz" => Ok(Page::Compact(StatusCode::NOT_FOUND, json!({}))),
        "/stacksz" => Ok(Page::Text(StatusCode::OK, "no stacks: see /varz\n".into())),
        "/debug/vars" => Ok(Page::Json(json!({"cmdline": cmdline()}))),
        _ => match facts(server, path, &query) {
            Some(page) => page.map(Page::Json),
            None => Err((StatusCode::NOT_FOUND, "404 page not found\n".into())),
        },
    };
    page.unwrap_or_else(|(status, text)| Page::Text(status, text))
}

/// The pages that are made of facts at hand, by path.
pub(crate) fn facts(server: &Server, path: &str, query: &Query) -> Option<Result<Value, Refusal>> {
    Some(match path {
        "/varz" => Ok(varz::page(server)),
        "/connz" => connz::page(server, query),
        "/subsz" | "/subscriptionsz" => subsz::page(server, query),
        "/accountz" => accountz::page(server, query),
        "/accstatz" => accountz::stats(server, query),
        "/routez" => {
            let mut page = Map::new();
            page.insert("server_id".into(), server.id.clone().into());
            page.insert("server_name".into(), server.name.clone().into());
            page.insert("now".into(), crate::clock::wall().to_string().into());
            extend(&mut page, json!({"num_routes": 0, "routes": []}));
            Ok(page.into())
        }
        "/gatewayz" => Ok(with_id(
            server,
            json!({"outbound_gateways": {}, "inbound_gateways": {}}),
        )),
        "/leafz" => Ok(with_id(server, json!({"leafnodes": 0, "leafs": []}))),
        _ => return None,
    })
}

/// Adds the members of `rest`, which is an object, behind those of `page`.
pub(crate) fn extend(page: &mut Map<String, Value>, rest: Value) {
    if let Value::Object(rest) = rest {
        page.extend(rest);
    }
}

/// A refusal: status and text.
pub(crate) type Refusal = (StatusCode, String);

fn bad(text: String) -> Refusal {
    (StatusCode::BAD_REQUEST, text)
}

/// Server id and time before `rest`.
fn with_id(server: &Server, rest: Value) -> Value {
    let mut all = Map::new();
    all.insert("server_id".into(), server.id.clone().into());
    all.insert("now".into(), crate::clock::wall().to_string().into());
    extend(&mut all, rest);
    Value::Object(all)
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
        Page::Metrics(text) => (StatusCode::OK, metrics::KIND, text),
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
pub(crate) fn embed<T: natterjack_jsapi::json::GoFields>(value: &T) -> Value {
    serde_json::from_slice(&natterjack_jsapi::json::to_vec(value)).unwrap_or_default()
}
