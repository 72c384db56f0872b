//! What must hold before a server starts, beyond what the file's syntax can say. Texts are the peer's.

use natterjack_jsapi::Nanos;

use crate::options::Options;

/// Why the options make no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

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
                "no_auth_user: {name:?} present, but users/nkeys are not defined"
            ));
        }
        if !users().any(|u| u.name == *name || u.nkey.as_ref() == Some(name)) {
            return fail(format!(
                "no_auth_user: {name:?} not present as user or nkey in authorization block or account configuration"
            ));
        }
    }
    if options.jetstream.domain.contains(['.', '*', '>', ' ', '\t']) {
        return fail("invalid domain name: may not contain ., * or >".into());
    }
    if let Some(first) = options.unsupported.first() {
        return fail(format!(
            "{}: {:?} is not supported by this version of natterjack, and ignoring it would not be safe",
            first.place, first.key
        ));
    }
    Ok(())
}
