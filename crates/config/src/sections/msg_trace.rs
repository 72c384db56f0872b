//! `msg_trace`: where the messages of an account are traced to. Texts are those of `parseAccountMsgTrace` in nats-server's
//! `opts.go`, its slip of the pen included.

use natterjack_conf::{Kind, Value};
use natterjack_subject::is_valid_literal;

use crate::options::MessageTrace;
use crate::walk::{Findings, place};

/// Reads a destination, or a block with destination and sampling.
pub(crate) fn read(key: &str, value: &Value, f: &mut Findings) -> Option<MessageTrace> {
    let map = match &value.kind {
        Kind::Text(_) => {
            let dest = dest(key, value, f)?;
            return Some(MessageTrace { dest, sampling: 100 });
        }
        Kind::Map(map) => map,
        _ => {
            let kind = value.go_type();
            f.error(
                value,
                format!("Expected account message trace {key:?} to be a string or a map/struct, got {kind}"),
            );
            return None;
        }
    };
    let (mut to, mut share) = (None, None);
    for (name, value) in map {
        match name.to_lowercase().as_str() {
            "dest" => to = dest(name, value, f),
            "sampling" => share = sampling(name, value, f),
            _ => f.error(
                value,
                format!("Unknown field {name:?} parsing account message trace map/struct {key:?}"),
            ),
        }
    }
    if to.is_none() && share.is_some() {
        let text = "Trace destination sampling ignored since no destination was set";
        f.warnings.push(format!("{}: {text}", place(value)));
    }
    to.map(|dest| MessageTrace {
        dest,
        sampling: share.unwrap_or(100),
    })
}

fn dest(key: &str, value: &Value, f: &mut Findings) -> Option<String> {
    let Kind::Text(dest) = &value.kind else {
        f.error(
            value,
            format!("Field {key:?} should be a string, got {}", value.go_type()),
        );
        return None;
    };
    if !is_valid_literal(dest.as_bytes()) {
        f.error(value, format!("Trace destination {dest:?} is not valid"));
        return None;
    }
    Some(dest.clone())
}

fn sampling(key: &str, value: &Value, f: &mut Findings) -> Option<u8> {
    let share = match &value.kind {
        Kind::Integer(n) => *n,
        Kind::Text(text) => match text.strip_suffix('%').unwrap_or(text).parse() {
            Ok(n) => n,
            Err(_) => {
                f.error(
                    value,
                    format!("Invalid trace destination sampling value {text:?}"),
                );
                return None;
            }
        },
        _ => {
            let kind = value.go_type();
            f.error(
                value,
                format!(
                    "Trace destination sampling field {key:?} should be an integer or a percentage, got {kind}"
                ),
            );
            return None;
        }
    };
    let fits = u8::try_from(share).ok().filter(|n| (1..=100).contains(n));
    if fits.is_none() {
        f.error(
            value,
            format!("Ttrace destination sampling value {share} is invalid, needs to be [1..100]"),
        );
    }
    fits
}

#[cfg(test)]
mod tests {
    use crate::options::{MessageTrace, Options};
    use natterjack_conf::NoSource;

    /// What the account's only line makes, or the last part of what is wrong with it.
    fn read(line: &str) -> Result<Option<MessageTrace>, String> {
        let text = format!("accounts {{ A {{\n{line}\n}} }}");
        let loaded = crate::load(&text, "m.conf", &mut NoSource, Options::default()).map_err(|lines| {
            lines[0]
                .splitn(4, ':')
                .last()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })?;
        Ok(loaded.options.accounts[0].trace.clone())
    }

    #[test]
    fn destinations_and_shares() {
        let trace = |dest: &str, sampling| {
            Ok(Some(MessageTrace {
                dest: dest.into(),
                sampling,
            }))
        };
        assert_eq!(read("trace_dest: t.x"), trace("t.x", 100));
        assert_eq!(read("msg_trace: { dest: a }"), trace("a", 100));
        assert_eq!(read("msg_trace: { dest: a, sampling: 5 }"), trace("a", 5));
        assert_eq!(read("msg_trace: { dest: a, sampling: \"7%\" }"), trace("a", 7));
        assert_eq!(read("msg_trace: { sampling: 5 }"), Ok(None));
    }

    #[test]
    fn refusals_are_those_of_the_peer() {
        for (line, text) in [
            (
                "msg_trace: 5",
                "Expected account message trace \"msg_trace\" to be a string or a map/struct, got int64",
            ),
            (
                "msg_trace: {dest: \"a.*\"}",
                "Trace destination \"a.*\" is not valid",
            ),
            (
                "msg_trace: {dest: 5}",
                "Field \"dest\" should be a string, got int64",
            ),
            (
                "msg_trace: {dest: a, sampling: 0}",
                "Ttrace destination sampling value 0 is invalid, needs to be [1..100]",
            ),
            (
                "msg_trace: {dest: a, sampling: \"x%\"}",
                "Invalid trace destination sampling value \"x%\"",
            ),
            (
                "msg_trace: {dest: a, sampling: true}",
                "Trace destination sampling field \"sampling\" should be an integer or a percentage, got bool",
            ),
            (
                "msg_trace: {dest: a, foo: true}",
                "Unknown field \"foo\" parsing account message trace map/struct \"msg_trace\"",
            ),
        ] {
            assert_eq!(read(line), Err(text.to_owned()), "{line}");
        }
    }
}
