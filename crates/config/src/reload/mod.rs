//! What of a running server's configuration may change: old and new options to log lines, or a refusal. Applies nothing.

mod jetstream;

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use natterjack_jsapi::Nanos;

use crate::options::Options;

/// Why a configuration cannot take the place of another without a restart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReloadable {
    /// An option is another.
    #[error("config reload not supported for {name}: old={old}, new={new}")]
    Changed {
        /// The option, as the peer calls it.
        name: &'static str,
        /// What it is.
        old: String,
        /// What it would become.
        new: String,
    },
    /// Less room for streams, or room counted in another way; the peer's words.
    #[error("config reload not supported for {0}")]
    Room(&'static str),
}

/// What is different, as lines for the log.
///
/// # Errors
/// [`NotReloadable`] for the first option that would need a restart; then nothing may be changed.
pub fn changes(old: &Options, new: &Options) -> Result<Vec<String>, NotReloadable> {
    fixed(old, new)?;
    let mut lines = Vec::new();
    logging(&mut lines, old, new);
    line(
        &mut lines,
        "max_connections",
        &old.limits.max_connections,
        &new.limits.max_connections,
    );
    authorization(&mut lines, old, new);
    rest(&mut lines, old, new);
    jetstream::lines(&mut lines, &old.jetstream, &new.jetstream);
    Ok(lines)
}

fn line<T: PartialEq + Display>(lines: &mut Vec<String>, name: &str, old: &T, new: &T) {
    if old != new {
        lines.push(format!("Reloaded: {name} = {new}"));
    }
}

fn said(lines: &mut Vec<String>, changed: bool, what: &str) {
    if changed {
        lines.push(format!("Reloaded: {what}"));
    }
}

fn shown(ns: u64) -> Nanos {
    Nanos(i64::try_from(ns).unwrap_or(i64::MAX))
}

fn same<T: PartialEq + ToString>(name: &'static str, old: T, new: T) -> Result<(), NotReloadable> {
    if old == new {
        return Ok(());
    }
    let (old, new) = (old.to_string(), new.to_string());
    Err(NotReloadable::Changed { name, old, new })
}

/// As [`same`], for what has no short form.
fn same_block<T: PartialEq + Debug>(name: &'static str, old: &T, new: &T) -> Result<(), NotReloadable> {
    if old == new {
        return Ok(());
    }
    let (old, new) = ("(as started)".into(), "(as in the file)".into());
    Err(NotReloadable::Changed { name, old, new })
}

/// A map as Go prints it.
fn go_map(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

fn fixed(old: &Options, new: &Options) -> Result<(), NotReloadable> {
    let (a, b) = (&old.limits, &new.limits);
    same("ServerName", &old.server_name, &new.server_name)?;
    same("Host", &old.host, &new.host)?;
    same("Port", old.port, new.port)?;
    same("NoHeaderSupport", old.no_header_support, new.no_header_support)?;
    same("NoSublistCache", old.no_sublist_cache, new.no_sublist_cache)?;
    same(
        "LogSizeLimit",
        old.logging.size_limit_bytes,
        new.logging.size_limit_bytes,
    )?;
    same("LogMaxFiles", old.logging.max_files, new.logging.max_files)?;
    same("MaxSubs", a.max_subscriptions, b.max_subscriptions)?;
    same(
        "MaxSubTokens",
        a.max_subscription_tokens,
        b.max_subscription_tokens,
    )?;
    same("SystemAccount", &old.system_account, &new.system_account)?;
    same("NoSystemAccount", old.no_system_account, new.no_system_account)?;
    same("MaxPending", a.max_pending_bytes, b.max_pending_bytes)?;
    same("HTTPHost", &old.http_host, &new.http_host)?;
    same("HTTPPort", old.http_port, new.http_port)?;
    let base = |o: &Options| o.http_base_path.trim_end_matches('/').to_owned();
    same("HTTPBasePath", base(old), base(new))?;
    same("MaxClosedClients", a.max_closed_clients, b.max_closed_clients)?;
    same(
        "LameDuckDuration",
        shown(a.lame_duck_duration_ns),
        shown(b.lame_duck_duration_ns),
    )?;
    same(
        "LameDuckGracePeriod",
        shown(a.lame_duck_grace_ns),
        shown(b.lame_duck_grace_ns),
    )?;
    same("ProxyProtocol", old.proxy_protocol, new.proxy_protocol)?;
    same_block("FeatureFlags", &old.feature_flags, &new.feature_flags)?;
    jetstream::check(&old.jetstream, &new.jetstream)?;
    same(
        "JsAccDefaultDomain",
        go_map(&old.default_domains),
        go_map(&new.default_domains),
    )?;
    jetstream::check_storage(old, new)?;
    Ok(())
}

fn logging(lines: &mut Vec<String>, old: &Options, new: &Options) {
    let (a, b) = (&old.logging, &new.logging);
    line(lines, "trace", &a.trace, &b.trace);
    line(lines, "debug", &a.debug, &b.debug);
    line(lines, "trace_verbose", &a.trace_verbose, &b.trace_verbose);
    line(lines, "trace_headers", &a.trace_headers, &b.trace_headers);
    line(lines, "logtime", &a.time, &b.time);
    line(lines, "logtime_utc", &a.time_utc, &b.time_utc);
}

fn authorization(lines: &mut Vec<String>, old: &Options, new: &Options) {
    let keys = |o: &Options| {
        let all = o.authorization.users.iter();
        all.chain(o.accounts.iter().flat_map(|a| &a.users))
            .filter(|u| u.nkey.is_some())
            .cloned()
            .collect::<Vec<_>>()
    };
    let (a, b) = (&old.authorization, &new.authorization);
    said(lines, keys(old) != keys(new), "authorization nkey users");
    // The peer builds both anew each time, and says so.
    said(lines, true, "authorization users");
    said(lines, true, "accounts");
    said(lines, a.user != b.user, "authorization username");
    said(lines, a.password != b.password, "authorization password");
    said(lines, a.token != b.token, "authorization token");
    if a.timeout_ns != b.timeout_ns {
        let seconds = std::time::Duration::from_nanos(new.auth_timeout_ns()).as_secs_f64();
        lines.push(format!("Reloaded: authorization timeout = {seconds}"));
    }
}

fn rest(lines: &mut Vec<String>, old: &Options, new: &Options) {
    let (a, b) = (&old.limits, &new.limits);
    let file = |o: &Option<String>| o.clone().unwrap_or_default();
    line(
        lines,
        "log_file",
        &file(&old.logging.file),
        &file(&new.logging.file),
    );
    line(
        lines,
        "max_traced_msg_len",
        &old.logging.max_traced_message_bytes,
        &new.logging.max_traced_message_bytes,
    );
    said(lines, old.tags != new.tags, "tags");
    said(lines, old.metadata != new.metadata, "metadata");
    line(lines, "pid_file", &file(&old.pid_file), &file(&new.pid_file));
    line(
        lines,
        "ports_file_dir",
        &file(&old.ports_file_dir),
        &file(&new.ports_file_dir),
    );
    line(
        lines,
        "max_control_line",
        &a.max_control_line_bytes,
        &b.max_control_line_bytes,
    );
    line(lines, "max_payload", &a.max_payload_bytes, &b.max_payload_bytes);
    line(
        lines,
        "ping_interval",
        &shown(a.ping_interval_ns),
        &shown(b.ping_interval_ns),
    );
    line(lines, "ping_max", &a.ping_max, &b.ping_max);
    line(
        lines,
        "write_deadline",
        &shown(a.write_deadline_ns),
        &shown(b.write_deadline_ns),
    );
    line(
        lines,
        "pre_auth_max_bytes",
        &a.pre_auth_bytes_max,
        &b.pre_auth_bytes_max,
    );
    line(
        lines,
        "pre_auth_max_connections",
        &a.pre_auth_connections_max,
        &b.pre_auth_connections_max,
    );
    line(
        lines,
        "pre_auth_max_connections_per_ip",
        &a.pre_auth_connections_per_address_max,
        &b.pre_auth_connections_per_address_max,
    );
    if old.client_advertise != new.client_advertise {
        lines.push(format!("Reload: client_advertise = {}", new.client_advertise));
    }
    let not = if new.no_fast_producer_stall { "not " } else { "" };
    said(
        lines,
        old.no_fast_producer_stall != new.no_fast_producer_stall,
        &format!("fast producers will {not}be stalled"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        if text.is_empty() {
            return Options::default();
        }
        crate::load(text, "a.conf", &mut natterjack_conf::NoSource, Options::default())
            .unwrap()
            .options
    }

    fn lines(old: &str, new: &str) -> Vec<String> {
        changes(&options(old), &options(new)).unwrap()
    }

    #[test]
    fn what_may_change_is_told_in_the_peers_words() {
        for (new, wanted) in [
            ("max_payload: 2000", "Reloaded: max_payload = 2000"),
            ("ping_interval: \"30s\"", "Reloaded: ping_interval = 30s"),
            ("write_deadline: \"3s\"", "Reloaded: write_deadline = 3s"),
            ("trace_verbose: true", "Reloaded: trace = true"),
            ("log_file: \"x.log\"", "Reloaded: log_file = x.log"),
            (
                "authorization { timeout: 5 }",
                "Reloaded: authorization timeout = 5",
            ),
            ("authorization { token: x }", "Reloaded: authorization token"),
            ("server_tags: [\"a\"]", "Reloaded: tags"),
            (
                "client_advertise: \"1.2.3.4:5\"",
                "Reload: client_advertise = 1.2.3.4:5",
            ),
            (
                "no_fast_producer_stall: true",
                "Reloaded: fast producers will not be stalled",
            ),
        ] {
            let lines = lines("", new);
            assert!(lines.iter().any(|l| l == wanted), "{new}: {lines:?}");
            assert!(lines.iter().any(|l| l == "Reloaded: accounts"), "{lines:?}");
        }
    }

    #[test]
    fn what_may_not_change_is_refused_in_the_peers_words() {
        for (new, wanted) in [
            ("max_subscriptions: 10", "MaxSubs: old=0, new=10"),
            ("max_pending: 5MB", "MaxPending: old=67108864, new=5242880"),
            ("server_name: foo", "ServerName: old=, new=foo"),
            ("port: 4999", "Port: old=4222, new=4999"),
            (
                "lame_duck_duration: \"50s\"",
                "LameDuckDuration: old=2m0s, new=50s",
            ),
            ("http_base_path: \"/x\"", "HTTPBasePath: old=, new=/x"),
            ("no_header_support: true", "NoHeaderSupport: old=false, new=true"),
        ] {
            let error = changes(&options(""), &options(new)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("config reload not supported for {wanted}")
            );
        }
    }

    #[test]
    fn what_accounts_may_store_changes_without_a_restart() {
        let with = |jetstream: &str| {
            format!("jetstream {{}}\naccounts {{ A {{ {jetstream} users: [{{user: a, password: b}}] }} }}")
        };
        for (old, new) in [
            ("jetstream: enabled,", "jetstream: disabled,"),
            ("jetstream { max_file: 1000 },", "jetstream { max_file: 10 },"),
        ] {
            let lines = lines(&with(old), &with(new));
            assert_eq!(lines, ["Reloaded: authorization users", "Reloaded: accounts"]);
        }
    }

    #[test]
    fn the_same_file_again_changes_nothing_that_could_be_named() {
        let text = "max_payload: 2000\naccounts { A { users: [{user: a, password: b}] } }";
        assert_eq!(
            lines(text, text),
            ["Reloaded: authorization users", "Reloaded: accounts"]
        );
    }
}
