//! The page that lists the others.

const PAGES: [(&str, &str); 13] = [
    ("varz", "General"),
    ("jsz", "JetStream"),
    ("connz", "Connections"),
    ("accountz", "Accounts"),
    ("accstatz", "Account Stats"),
    ("subsz", "Subscriptions"),
    ("routez", "Routes"),
    ("leafz", "LeafNodes"),
    ("gatewayz", "Gateways"),
    ("raftz", "Raft Groups"),
    ("healthz", "Health Probe"),
    ("metrics", "Prometheus"),
    ("debug/vars", "Expvar"),
];

/// The page.
pub(super) fn page() -> String {
    let links: String = PAGES
        .iter()
        .map(|(path, name)| format!("<li><a href=./{path}>{name}</a></li>\n"))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><title>Natterjack</title></head><body>\n<h1>Natterjack {}</h1>\n<ul>\n{links}</ul>\n</body></html>\n",
        env!("CARGO_PKG_VERSION")
    )
}
