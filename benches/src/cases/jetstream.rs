//! JetStream: acknowledged publishes, pull consumers, keys and values.

use std::time::Instant;

use anyhow::{Result, bail};

use super::core::join;
use super::{Clock, FILE, Load};
use crate::meter::{Meter, Sample};
use crate::server::Server;
use crate::wire::Wire;

/// Messages a pull asks for.
const PULL: usize = 500;
/// Messages a pull case reads.
const KEPT: usize = 200_000;
/// Times a full stream is read, each time through another consumer.
const PASSES: usize = 5;
/// Keys of the key and value cases.
const KEYS: usize = 1_000_000;

fn is_error(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"error\"").is_some()
}

/// A request to the API; an error answer is an error.
pub(super) fn api(wire: &mut Wire, subject: &str, body: &str) -> Result<()> {
    wire.send(format!("PUB $JS.API.{subject} inbox.api {}\r\n{body}\r\n", body.len()).as_bytes())?;
    let refusal =
        wire.message(|_, body| is_error(body).then(|| String::from_utf8_lossy(body).into_owned()))?;
    if let Some(text) = refusal {
        bail!("{subject}: {text}");
    }
    Ok(())
}

pub(super) fn with_stream(server: &Server, more: &str) -> Result<Wire> {
    let mut wire = Wire::connect(server.address)?;
    wire.send(b"SUB inbox.> 1\r\n")?;
    api(
        &mut wire,
        "STREAM.CREATE.BENCH",
        &format!("{{\"name\":\"BENCH\",{more}}}"),
    )?;
    Ok(wire)
}

/// Sends what `next` gives, `depth` at a time, until it gives nothing; each answer frees a place. How many were answered.
pub(super) fn in_flight(
    wire: &mut Wire,
    depth: usize,
    mut next: impl FnMut(&mut Vec<u8>) -> bool,
) -> Result<u64> {
    let mut out = Vec::new();
    let mut waiting = 0;
    let mut done = 0;
    let mut more = true;
    loop {
        while more && waiting < depth {
            more = next(&mut out);
            waiting += usize::from(more);
        }
        if !out.is_empty() {
            wire.send(&out)?;
            out.clear();
        }
        if waiting == 0 {
            return Ok(done);
        }
        loop {
            if wire.message(|_, body| is_error(body))? {
                bail!("a message was refused");
            }
            waiting -= 1;
            done += 1;
            if !wire.has_unread() || waiting == 0 {
                break;
            }
        }
    }
}

/// Publishes `count` messages of 128 bytes, 256 under way; `subject` names the n-th. How many were stored.
pub(super) fn fill(wire: &mut Wire, count: usize, subject: impl Fn(usize) -> String) -> Result<u64> {
    let mut n = 0;
    in_flight(wire, 256, |out| {
        if n == count {
            return false;
        }
        out.extend_from_slice(format!("PUB {} inbox.ack 128\r\n", subject(n)).as_bytes());
        out.resize(out.len() + 128, b'x');
        out.extend_from_slice(b"\r\n");
        n += 1;
        true
    })
}

/// What a case of publishes has in its stream.
const LIMITED: &str = "\"max_bytes\":1000000000";

/// A publish of `size` bytes that is acknowledged to `inbox`.
fn publish_to(inbox: &str, size: usize) -> Vec<u8> {
    let mut one = format!("PUB bench.a {inbox} {size}\r\n").into_bytes();
    one.resize(one.len() + size, b'x');
    one.extend_from_slice(b"\r\n");
    one
}

/// Publishes to a stream with `kind` in its configuration, `depth` unacknowledged at a time.
pub(super) fn publish(server: &Server, load: &Load, kind: &str, depth: usize, size: usize) -> Result<Sample> {
    let mut wire = with_stream(server, &format!("\"subjects\":[\"bench.>\"],{kind},{LIMITED}"))?;
    let one = publish_to("inbox.ack", size);
    let mut waits = Vec::new();
    let meter = Meter::start(server);
    let clock = Clock::new(load);
    let mut since = Instant::now();
    let done = in_flight(&mut wire, depth, |out| {
        if depth == 1 {
            waits.push(since.elapsed());
            since = Instant::now();
        }
        out.extend_from_slice(&one);
        !clock.is_over()
    })?;
    let sample = meter.stop(done);
    Ok(if depth == 1 {
        sample.with_waits(waits.split_off(1))
    } else {
        sample
    })
}

/// The same from `connections`, each with `depth` unacknowledged at a time.
pub(super) fn publish_from(
    server: &Server,
    load: &Load,
    connections: usize,
    depth: usize,
    size: usize,
) -> Result<Sample> {
    let stream = with_stream(server, &format!("\"subjects\":[\"bench.>\"],{FILE},{LIMITED}"))?;
    let mut wires = Vec::new();
    for n in 0..connections {
        let mut wire = Wire::connect(server.address)?;
        wire.send(format!("SUB acks.{n}.* 1\r\n").as_bytes())?;
        wire.sync()?;
        wires.push((wire, publish_to(&format!("acks.{n}.ack"), size)));
    }
    let (load, meter) = (*load, Meter::start(server));
    let threads: Vec<_> = wires
        .into_iter()
        .map(|(mut wire, one)| {
            std::thread::spawn(move || {
                let clock = Clock::new(&load);
                in_flight(&mut wire, depth, |out| {
                    out.extend_from_slice(&one);
                    !clock.is_over()
                })
            })
        })
        .collect();
    let done = threads.into_iter().map(join).sum::<Result<u64>>()?;
    drop(stream);
    Ok(meter.stop(done))
}

/// Reads a full stream with `kind` in its configuration through pull consumers, one after the other, with or without
/// acknowledging each message. Several passes, so that what a server still does for the filling is not all that counts.
pub(super) fn pull(server: &Server, kind: &str, acks: bool) -> Result<Sample> {
    let mut wire = with_stream(server, &format!("\"subjects\":[\"bench.>\"],{kind}"))?;
    fill(&mut wire, KEPT, |_| "bench.a".to_owned())?;
    let policy = if acks { "explicit" } else { "none" };
    for pass in 0..PASSES {
        let config = format!(
            "{{\"stream_name\":\"BENCH\",\"config\":{{\"durable_name\":\"C{pass}\",\"ack_policy\":\"{policy}\",\"max_ack_pending\":10000}}}}"
        );
        api(
            &mut wire,
            &format!("CONSUMER.DURABLE.CREATE.BENCH.C{pass}"),
            &config,
        )?;
    }
    let meter = Meter::start(server);
    for pass in 0..PASSES {
        read_all(&mut wire, &format!("C{pass}"), acks)?;
    }
    Ok(meter.stop((PASSES * KEPT) as u64))
}

/// Pulls all that a full stream holds through one consumer.
fn read_all(wire: &mut Wire, consumer: &str, acks: bool) -> Result<()> {
    let body = format!("{{\"batch\":{PULL}}}");
    let ask = format!(
        "PUB $JS.API.CONSUMER.MSG.NEXT.BENCH.{consumer} inbox.next {}\r\n{body}\r\n",
        body.len()
    );
    wire.send(ask.repeat(2).as_bytes())?;
    let mut out = Vec::new();
    for n in 1..=KEPT {
        wire.message(|reply, _| {
            if acks {
                out.extend_from_slice(b"PUB ");
                out.extend_from_slice(reply);
                out.extend_from_slice(b" 4\r\n+ACK\r\n");
            }
        })?;
        if n % PULL == 0 && n + PULL < KEPT {
            out.extend_from_slice(ask.as_bytes());
        }
        if (!wire.has_unread() || out.len() > 32 * 1024) && !out.is_empty() {
            wire.send(&out)?;
            out.clear();
        }
    }
    wire.send(&out)?;
    wire.sync()
}

/// One message on each of many subjects: what is of interest is the memory.
pub(super) fn distinct(server: &Server, load: &Load) -> Result<Sample> {
    let mut wire = with_stream(server, "\"subjects\":[\"bench.>\"]")?;
    let meter = Meter::start(server);
    let done = fill_small(&mut wire, load.subjects, load.subjects)?;
    Ok(meter.stop(done))
}

/// Publishes messages of 16 bytes, on so many subjects in turn.
fn fill_small(wire: &mut Wire, count: usize, subjects: usize) -> Result<u64> {
    let mut n = 0;
    in_flight(wire, 1024, |out| {
        if n == count {
            return false;
        }
        let (region, device) = (n % subjects % 50, n % subjects);
        out.extend_from_slice(
            format!("PUB bench.region{region:02}.device{device:08}.temp inbox.ack 16\r\n").as_bytes(),
        );
        out.extend_from_slice(b"xxxxxxxxxxxxxxxx\r\n");
        n += 1;
        true
    })
}

/// Fills a stream with messages on so many subjects, kills the server, and waits until another tells of all of them: messages
/// a second are those that it has again.
pub(super) fn reopen(server: &Server, load: &Load, subjects: usize) -> Result<Sample> {
    let mut wire = with_stream(server, "\"subjects\":[\"bench.>\"]")?;
    let filled = fill_small(&mut wire, load.subjects, subjects)?;
    drop(wire);
    let since = Instant::now();
    let again = server.kill_and_start()?;
    let meter = Meter::of_whole_life(&again, since);
    let mut wire = Wire::connect(again.address)?;
    wire.send(b"SUB inbox.> 1\r\n")?;
    wire.send(b"PUB $JS.API.STREAM.INFO.BENCH inbox.api 0\r\n\r\n")?;
    let found = wire.message(|_, body| {
        let info: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        info.pointer("/state/messages")
            .and_then(serde_json::Value::as_u64)
    })?;
    let sample = meter.stop(filled);
    if found != Some(filled) {
        bail!("{found:?} of {filled} messages are there again");
    }
    Ok(sample)
}

fn with_bucket(server: &Server) -> Result<Wire> {
    with_stream(
        server,
        "\"subjects\":[\"$KV.B.>\"],\"max_msgs_per_subject\":1,\"allow_rollup_hdrs\":true,\"deny_delete\":true,\
         \"discard\":\"new\",\"allow_direct\":true",
    )
}

/// Puts distinct keys, 256 under way.
fn put_all(wire: &mut Wire) -> Result<u64> {
    fill(wire, KEYS, |n| format!("$KV.B.key.{n}"))
}

/// Puts distinct keys into a bucket.
pub(super) fn put_keys(server: &Server, _: &Load) -> Result<Sample> {
    let mut wire = with_bucket(server)?;
    let meter = Meter::start(server);
    let done = put_all(&mut wire)?;
    Ok(meter.stop(done))
}

/// Gets keys in no order, 100 under way.
pub(super) fn get_keys(server: &Server, load: &Load) -> Result<Sample> {
    let mut wire = with_bucket(server)?;
    put_all(&mut wire)?;
    let meter = Meter::start(server);
    let clock = Clock::new(load);
    let mut n: usize = 7;
    let done = in_flight(&mut wire, 100, |out| {
        n = (n * 48_271 + 11) % KEYS;
        out.extend_from_slice(
            format!("PUB $JS.API.DIRECT.GET.BENCH.$KV.B.key.{n} inbox.get 0\r\n\r\n").as_bytes(),
        );
        !clock.is_over()
    })?;
    Ok(meter.stop(done))
}
