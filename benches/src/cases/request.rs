//! Request and reply: how soon, and how many.

use std::time::Instant;

use anyhow::Result;

use super::core::connections;
use super::{Clock, Load};
use crate::meter::{Meter, Sample};
use crate::server::Server;
use crate::wire::Wire;

/// A thread that answers requests on `bench.ask` with their own body until its connection fails.
fn responder(server: &Server) -> Result<()> {
    let mut wire = Wire::connect(server.address)?;
    wire.send(b"SUB bench.ask 1\r\n")?;
    wire.sync()?;
    std::thread::spawn(move || -> Result<()> {
        let mut out = Vec::new();
        loop {
            wire.message(|reply, body| {
                out.extend_from_slice(b"PUB ");
                out.extend_from_slice(reply);
                out.extend_from_slice(format!(" {}\r\n", body.len()).as_bytes());
                out.extend_from_slice(body);
                out.extend_from_slice(b"\r\n");
            })?;
            if !wire.has_unread() {
                wire.send(&out)?;
                out.clear();
            }
        }
    });
    Ok(())
}

fn request(n: usize, size: usize) -> Vec<u8> {
    let mut out = format!("PUB bench.ask inbox.{n:03} {size}\r\n").into_bytes();
    out.resize(out.len() + size, b'x');
    out.extend_from_slice(b"\r\n");
    out
}

fn requestor(server: &Server) -> Result<Wire> {
    responder(server)?;
    let mut wire = Wire::connect(server.address)?;
    wire.send(b"SUB inbox.* 2\r\n")?;
    wire.sync()?;
    Ok(wire)
}

/// One request after the other: how long each waits.
pub(super) fn one_at_a_time(server: &Server, load: &Load, size: usize) -> Result<Sample> {
    let mut wire = requestor(server)?;
    let ask = request(0, size);
    let mut waits = Vec::new();
    let meter = Meter::start(server);
    let clock = Clock::new(load);
    while !clock.is_over() {
        let since = Instant::now();
        wire.send(&ask)?;
        wire.message(|_, _| ())?;
        waits.push(since.elapsed());
    }
    Ok(meter.stop(waits.len() as u64).with_waits(waits))
}

/// The same beside `count` connections on which nothing happens.
pub(super) fn among_idle(server: &Server, load: &Load, count: usize, size: usize) -> Result<Sample> {
    let _open = connections(server, count)?;
    one_at_a_time(server, load, size)
}

/// `depth` requests always under way.
pub(super) fn in_flight(server: &Server, load: &Load, depth: usize, size: usize) -> Result<Sample> {
    let mut wire = requestor(server)?;
    let meter = Meter::start(server);
    let clock = Clock::new(load);
    let first: Vec<u8> = (0..depth).flat_map(|n| request(n, size)).collect();
    wire.send(&first)?;
    let (mut done, mut waiting) = (0, depth);
    let mut out = Vec::new();
    let ask = request(0, size);
    while waiting > 0 {
        wire.message(|_, _| ())?;
        done += 1;
        waiting -= 1;
        if !clock.is_over() {
            out.extend_from_slice(&ask);
            waiting += 1;
        }
        if !wire.has_unread() && !out.is_empty() {
            wire.send(&out)?;
            out.clear();
        }
    }
    Ok(meter.stop(done))
}
