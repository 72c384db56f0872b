//! Values of the command line that clap does not know: durations, headers, choices of the API. Prints nothing.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use natterjack_client::{HeaderBlock, Message};
use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ReplayPolicy};
use natterjack_jsapi::stream::{Discard, Retention, Storage};

/// A duration in Go's notation, e.g. `1h30m`; also days and years, as the official tool takes them.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    nanos(text).map(|n| Duration::from_nanos(n.as_u64()))
}

/// The same as the API carries it.
pub(crate) fn nanos(text: &str) -> Result<Nanos, String> {
    for (unit, hours) in [('d', 24), ('y', 24 * 365)] {
        if let Some(count) = text.strip_suffix(unit).and_then(|n| n.parse::<i64>().ok()) {
            let nanos = count.checked_mul(hours * 3_600_000_000_000);
            return nanos.map(Nanos).ok_or_else(|| format!("{text:?} is too long"));
        }
    }
    let nanos = Nanos::parse(text)?;
    if nanos.0 < 0 {
        Err(format!("{text:?} is negative"))
    } else {
        Ok(nanos)
    }
}

fn one_of<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, String> {
    let known = all.iter().copied().find(|one| name(*one) == text);
    known.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        format!("one of {}", names.join(", "))
    })
}

pub(crate) fn storage(text: &str) -> Result<Storage, String> {
    one_of(&[Storage::File, Storage::Memory], Storage::as_str, text)
}

pub(crate) fn retention(text: &str) -> Result<Retention, String> {
    let text = if text == "work" { "workqueue" } else { text };
    one_of(
        &[Retention::Limits, Retention::Interest, Retention::WorkQueue],
        Retention::as_str,
        text,
    )
}

pub(crate) fn discard(text: &str) -> Result<Discard, String> {
    one_of(&[Discard::Old, Discard::New], Discard::as_str, text)
}

pub(crate) fn ack(text: &str) -> Result<AckPolicy, String> {
    one_of(
        &[AckPolicy::None, AckPolicy::All, AckPolicy::Explicit],
        AckPolicy::as_str,
        text,
    )
}

pub(crate) fn replay(text: &str) -> Result<ReplayPolicy, String> {
    one_of(
        &[ReplayPolicy::Instant, ReplayPolicy::Original],
        ReplayPolicy::as_str,
        text,
    )
}

/// Headers given as `Name:Value`.
pub(crate) fn headers(given: &[String]) -> anyhow::Result<HeaderBlock> {
    let mut block = HeaderBlock::new();
    for header in given {
        let Some((name, value)) = header.split_once(':') else {
            bail!("header {header:?} is not Name:Value");
        };
        block.push(name.trim(), value.trim())?;
    }
    Ok(block)
}

/// Refuses what cannot be undone unless it was meant.
pub(crate) fn confirmed(force: bool, what: &str) -> anyhow::Result<()> {
    if force {
        return Ok(());
    }
    bail!("to {what}, add --force");
}

/// Writes headers, each on a line.
pub(crate) fn show_headers<'a>(
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for (name, value) in headers {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        writeln!(out, "{name}: {value}")?;
    }
    Ok(())
}

/// Writes a message: payload only, or with subject, reply and headers.
pub(crate) fn show(message: &Message, raw: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if !raw {
        match message.reply() {
            Some(reply) => writeln!(out, "[{}] reply {reply}", message.subject())?,
            None => writeln!(out, "[{}]", message.subject())?,
        }
        show_headers(message.headers().iter(), out)?;
    }
    out.write_all(message.payload())?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(2 * 86_400)));
        assert_eq!(duration("1y"), Ok(Duration::from_secs(365 * 86_400)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for bad in ["", "x", "5", "-1s", "9999999y"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn choices_and_headers() {
        assert_eq!(retention("work"), Ok(Retention::WorkQueue));
        assert_eq!(storage("tape"), Err("one of file, memory".into()));
        let block = headers(&["A: 1".into(), "B:two:three".into()]).unwrap();
        assert_eq!(block.to_bytes(), b"NATS/1.0\r\nA: 1\r\nB: two:three\r\n\r\n");
        assert!(headers(&["A".into()]).is_err());
    }
}
