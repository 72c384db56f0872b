//! Consumers: pushed with flow control, a thousand on one stream, and thousands that have nothing to do.

use std::time::Duration;

use anyhow::Result;

use super::jetstream::{api, fill, in_flight, with_stream};
use super::{Clock, FILE, Load};
use crate::meter::{Meter, Sample};
use crate::server::Server;
use crate::wire::Wire;

/// Messages the push case reads.
const KEPT: usize = 200_000;
/// How long idle consumers are watched.
const IDLE: Duration = Duration::from_secs(3);

/// Consumers a stream may have unless it says otherwise.
const A_STREAM: usize = 1_000;

/// Makes a consumer of a stream from the fields of its configuration.
fn consumer(wire: &mut Wire, stream: &str, name: &str, fields: &str) -> Result<()> {
    let body =
        format!("{{\"stream_name\":\"{stream}\",\"config\":{{\"durable_name\":\"{name}\",{fields}}}}}");
    api(wire, &format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), &body)
}

/// Reads a full stream as an ordered push consumer does: nothing acknowledged, flow control answered.
pub(super) fn push(server: &Server) -> Result<Sample> {
    let mut wire = with_stream(server, &format!("\"subjects\":[\"bench.>\"],{FILE}"))?;
    fill(&mut wire, KEPT, |_| "bench.a".to_owned())?;
    wire.send(b"SUB deliver.here 2\r\n")?;
    let meter = Meter::start(server);
    let fields = "\"deliver_subject\":\"deliver.here\",\"ack_policy\":\"none\",\"flow_control\":true,\
                  \"idle_heartbeat\":5000000000,\"mem_storage\":true,\"num_replicas\":1";
    let body = format!("{{\"stream_name\":\"BENCH\",\"config\":{{\"durable_name\":\"P\",{fields}}}}}");
    wire.send(
        format!(
            "PUB $JS.API.CONSUMER.DURABLE.CREATE.BENCH.P inbox.api {}\r\n{body}\r\n",
            body.len()
        )
        .as_bytes(),
    )?;
    let mut got = 0;
    let mut out = Vec::new();
    // The answer to the request is one of them.
    while got <= KEPT {
        wire.message(|reply, body| {
            if !body.starts_with(b"NATS/1.0 100") {
                got += 1;
            } else if !reply.is_empty() {
                out.extend_from_slice(b"PUB ");
                out.extend_from_slice(reply);
                out.extend_from_slice(b" 0\r\n\r\n");
            }
        })?;
        if !out.is_empty() {
            wire.send(&out)?;
            out.clear();
        }
    }
    Ok(meter.stop(KEPT as u64))
}

/// Publishes over the subjects of `count` push consumers, each of which takes its own, and reads what they deliver.
pub(super) fn filtered(server: &Server, load: &Load, count: usize) -> Result<Sample> {
    let mut wire = with_stream(server, &format!("\"subjects\":[\"bench.>\"],{FILE}"))?;
    for n in 0..count {
        // Only a literal subscription counts as somebody who listens.
        wire.send(format!("SUB deliver.{n} 2{n}\r\n").as_bytes())?;
        let fields = format!(
            "\"deliver_subject\":\"deliver.{n}\",\"ack_policy\":\"none\",\"filter_subject\":\"bench.{n}\""
        );
        consumer(&mut wire, "BENCH", &format!("C{n}"), &fields)?;
    }
    let mut n = 0;
    let meter = Meter::start(server);
    let clock = Clock::new(load);
    // A publish has two answers: that it is stored, and its delivery.
    let done = in_flight(&mut wire, 512, |out| {
        if n % 2 == 0 {
            let subject = n / 2 % count;
            out.extend_from_slice(format!("PUB bench.{subject} inbox.ack 128\r\n").as_bytes());
            out.resize(out.len() + 128, b'x');
            out.extend_from_slice(b"\r\n");
        }
        n += 1;
        n % 2 == 1 || !clock.is_over()
    })?;
    Ok(meter.stop(done / 2))
}

/// Makes `count` pull consumers and leaves them alone: memory, and processor time a second.
pub(super) fn idle(server: &Server, count: usize) -> Result<Sample> {
    let mut wire = Wire::connect(server.address)?;
    wire.send(b"SUB inbox.> 1\r\n")?;
    let made = Meter::start(server);
    for n in 0..count {
        let stream = format!("BENCH{}", n / A_STREAM);
        if n % A_STREAM == 0 {
            let config = format!("{{\"name\":\"{stream}\",\"subjects\":[\"{stream}.>\"]}}");
            api(&mut wire, &format!("STREAM.CREATE.{stream}"), &config)?;
        }
        let fields = format!("\"ack_policy\":\"explicit\",\"filter_subject\":\"{stream}.{n}\"");
        consumer(&mut wire, &stream, &format!("C{n}"), &fields)?;
    }
    let rate = made.stop(count as u64).rate;
    let watched = Meter::start(server);
    std::thread::park_timeout(IDLE);
    wire.sync()?;
    Ok(Sample {
        rate,
        ..watched.stop(IDLE.as_secs())
    })
}
