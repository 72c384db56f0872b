//! What must hold before a server starts, beyond what the file's syntax can say. Texts are the peer's.

use natterjack_jsapi::Nanos;
use natterjack_jsapi::json::quoted;
use natterjack_subject::is_valid_subject;

use crate::options::Options;

/// Why the options make no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// A domain is one token of a subject.
fn domain(name: &str) -> Result<(), StartError> {
    let derived = format!("$JS.{name}.API.>");
    if !name.is_empty() && !is_valid_subject(derived.as_bytes()) {
        let derived = quoted(derived);
        let text = format!("invalid domain name: derived {derived} is not a valid subject");
        return Err(StartError(text));
    }
    if name.contains(['.', '*', '>']) {
        return Err(StartError(
            "invalid domain name: may not contain ., * or >".into(),
        ));
    }
    Ok(())
}

/// An account whose JetStream is in a domain is known, has none of its own, and is not that of the system.
fn default_domains(options: &Options) -> Result<(), StartError> {
    let fail = |text: String| Err(StartError(text));
    let domains = &options.default_domains;
    for (name, domain) in domains.iter().filter(|(name, _)| *name != "$G") {
        let Some(account) = options.accounts.iter().find(|a| a.name == *name) else {
            let name = quoted(name);
            return fail(format!(
                "in non operator mode, `default_js_domain` references non existing account {name}"
            ));
        };
        if account.jetstream.is_some() && !domain.is_empty() {
            let name = quoted(name);
            return fail(format!(
                "default_js_domain contains account name {name} with enabled JetStream"
            ));
        }
    }
    let system = match options.system_account.as_str() {
        "" => "$SYS",
        name => name,
    };
    for (name, domain) in domains {
        if name == system {
            let name = quoted(name);
            return fail(format!("system account {name} can not be in default_js_domain"));
        }
        if !domain.is_empty() && !is_valid_subject(format!("$JS.{domain}.API.>").as_bytes()) {
            let (name, domain) = (quoted(name), quoted(domain));
            return fail(format!(
                "default_js_domain contains account {name} with invalid domain name {domain}"
            ));
        }
    }
    Ok(())
}

/// Checks `options`.
///
/// # Errors
/// [`StartError`] with the first text.
pub fn check(options: &Options) -> Result<(), StartError> {
    let fail = |text: String| Err(StartError(text));
    let limits = &options.limits;
    let shown = |ns: u64| Nanos(i64::try_from(ns).unwrap_or(i64::MAX));
    if limits.lame_duck_grace_ns >= limits.lame_duck_duration_ns {
        return fail(format!(
            "lame duck grace period ({}) should be strictly lower than lame duck duration ({})",
            shown(limits.lame_duck_grace_ns),
            shown(limits.lame_duck_duration_ns)
        ));
    }
    if limits.max_payload_bytes > limits.max_pending_bytes {
        return fail(format!(
            "max_payload ({}) cannot be higher than max_pending ({})",
            limits.max_payload_bytes, limits.max_pending_bytes
        ));
    }
    if options.server_name.contains(' ') {
        return fail("server name cannot contain spaces".into());
    }
    let users = || {
        options
            .authorization
            .users
            .iter()
            .chain(options.accounts.iter().flat_map(|a| &a.users))
    };
    if let Some(name) = &options.no_auth_user {
        if users().next().is_none() {
            return fail(format!(
                "no_auth_user: {} present, but users/nkeys are not defined",
                quoted(name)
            ));
        }
        if !users().any(|u| u.name == *name || u.nkey.as_ref() == Some(name)) {
            return fail(format!(
                "no_auth_user: {} not present as user or nkey in authorization block or account configuration",
                quoted(name)
            ));
        }
    }
    default_domains(options)?;
    domain(&options.jetstream.domain)?;
    if let Some(first) = options.unsupported.first() {
        return fail(format!(
            "{}: {:?} is not supported by this version of natterjack, and ignoring it would not be safe",
            first.place, first.key
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_refused_in_the_peers_words() {
        for (name, wanted) in [
            ("a.b", "may not contain ., * or >"),
            ("*", "may not contain ., * or >"),
            (">", "derived \"$JS.>.API.>\" is not a valid subject"),
            ("a b", "derived \"$JS.a b.API.>\" is not a valid subject"),
        ] {
            let error = domain(name).unwrap_err().to_string();
            assert_eq!(error, format!("invalid domain name: {wanted}"));
        }
        assert_eq!((domain(""), domain("hub")), (Ok(()), Ok(())));
    }

    #[test]
    fn default_domains_are_refused_in_the_peers_words() {
        let accounts = "accounts { A { users: [] }, B { jetstream: enabled } }\n";
        for (text, wanted) in [
            (
                "default_js_domain { B: hub }",
                "default_js_domain contains account name \"B\" with enabled JetStream",
            ),
            (
                "default_js_domain { C: hub }",
                "in non operator mode, `default_js_domain` references non existing account \"C\"",
            ),
            (
                "default_js_domain { A: \"a b\" }",
                "default_js_domain contains account \"A\" with invalid domain name \"a b\"",
            ),
            (
                "system_account: A\ndefault_js_domain { A: \"\" }",
                "system account \"A\" can not be in default_js_domain",
            ),
            ("default_js_domain { A: hub, B: \"\", \"$G\": \"a.b\" }", ""),
        ] {
            let text = format!("{accounts}{text}\n");
            let loaded = crate::load(
                &text,
                "a.conf",
                &mut natterjack_conf::NoSource,
                Options::default(),
            );
            let checked = check(&loaded.unwrap().options);
            let said = checked.err().map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(said, wanted, "{text}");
        }
    }
}
