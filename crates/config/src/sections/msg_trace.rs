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
