//! Core NATS: publishing, one to one, fan-out, queue groups, many subjects, idle connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::{Clock, Load, batch_of, publishes};
use crate::meter::{Meter, Sample};
use crate::server::Server;
use crate::wire::Wire;

/// What has not come by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

/// A publisher on its own thread; gives how many messages it sent.
fn publisher(address: SocketAddr, load: Load, bytes: Vec<u8>, per_write: usize) -> JoinHandle<Result<u64>> {
    std::thread::spawn(move || {
        let mut wire = Wire::connect(address)?;
        let clock = Clock::new(&load);
        let mut sent = 0;
        while !clock.is_over() {
            wire.send(&bytes)?;
            sent += per_write as u64;
        }
        wire.sync()?;
        Ok(sent)
    })
}

/// What a thread of the load came to.
pub(super) fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow!("a thread of the load panicked"))?
}

/// `connections` publish messages of `size` that nobody wants.
pub(super) fn publish(server: &Server, load: &Load, connections: usize, size: usize) -> Result<Sample> {
    let batch = batch_of(size);
    let bytes = publishes(batch, size, |_| "bench.nobody".into());
    let meter = Meter::start(server);
    let threads: Vec<_> = (0..connections)
        .map(|_| publisher(server.address, *load, bytes.clone(), batch))
        .collect();
    let sent = threads.into_iter().map(join).sum::<Result<u64>>()?;
    Ok(meter.stop(sent))
}

/// Bytes of one message on `subject` for subscription `1`.
fn delivered_len(subject: &str, size: usize) -> u64 {
    format!("MSG {subject} 1 {size}\r\n\r\n").len() as u64 + size as u64
}

/// What receivers share: how much came to all of them, and how much must.
#[derive(Debug, Default)]
struct Tally {
    came: AtomicU64,
    /// 0 while it is not known.
    expected: AtomicU64,
}

/// Reads until everything came to all receivers.
fn receiver(mut wire: Wire, tally: Arc<Tally>) -> JoinHandle<Result<()>> {
    std::thread::spawn(move || {
        wire.hurry()?;
        let mut last = Instant::now();
        loop {
            let n = wire.take()?;
            let came = tally.came.fetch_add(n, Ordering::Relaxed) + n;
            let expected = tally.expected.load(Ordering::Relaxed);
            if expected > 0 && came >= expected {
                return Ok(());
            }
            if n > 0 {
                last = Instant::now();
            } else if expected > 0 && last.elapsed() > LOST_AFTER {
                bail!("{came} of {expected} bytes came");
            }
        }
    })
}

fn subscribers(server: &Server, count: usize, sub: &str) -> Result<Vec<Wire>> {
    (0..count)
        .map(|_| {
            let mut wire = Wire::connect(server.address)?;
            wire.send(sub.as_bytes())?;
            wire.sync()?;
            Ok(wire)
        })
        .collect()
}

/// Lets `publishers` send `bytes` and `wires` receive; `copies` of each message of `len` bytes must come.
fn through(
    server: &Server,
    load: &Load,
    publishers: usize,
    bytes: &[u8],
    per_write: usize,
    wires: Vec<Wire>,
    (copies, len): (u64, u64),
) -> Result<Sample> {
    let tally = Arc::new(Tally::default());
    let meter = Meter::start(server);
    let receiving: Vec<_> = wires
        .into_iter()
        .map(|wire| receiver(wire, Arc::clone(&tally)))
        .collect();
    let sending: Vec<_> = (0..publishers)
        .map(|_| publisher(server.address, *load, bytes.to_vec(), per_write))
        .collect();
    let sent = sending.into_iter().map(join).sum::<Result<u64>>()?;
    tally.expected.store(sent * copies * len, Ordering::Relaxed);
    receiving.into_iter().map(join).collect::<Result<Vec<()>>>()?;
    Ok(meter.stop(sent * copies))
}

/// One publishes messages of `size`, `receivers` connections get each.
pub(super) fn fan_out(server: &Server, load: &Load, receivers: usize, size: usize) -> Result<Sample> {
    let batch = (batch_of(size) / receivers).max(1);
    let bytes = publishes(batch, size, |_| "bench.one".into());
    let wires = subscribers(server, receivers, "SUB bench.one 1\r\n")?;
    let copies = (receivers as u64, delivered_len("bench.one", size));
    through(server, load, 1, &bytes, batch, wires, copies)
}

/// `publishers` send to one queue group of `members`.
pub(super) fn queue(
    server: &Server,
    load: &Load,
    publishers: usize,
    members: usize,
    size: usize,
) -> Result<Sample> {
    let batch = batch_of(size);
    let bytes = publishes(batch, size, |_| "bench.queue".into());
    let wires = subscribers(server, members, "SUB bench.queue workers 1\r\n")?;
    let copies = (1, delivered_len("bench.queue", size));
    through(server, load, publishers, &bytes, batch, wires, copies)
}

/// So many subjects in turn to one wildcard: more than a cache of matches holds.
pub(super) fn many_subjects(server: &Server, load: &Load, count: usize) -> Result<Sample> {
    let subject = |n: usize| format!("bench.{n:07}.x");
    let bytes = publishes(count, 16, subject);
    let wires = subscribers(server, 1, "SUB bench.*.x 1\r\n")?;
    let copies = (1, delivered_len(&subject(0), 16));
    through(server, load, 1, &bytes, count, wires, copies)
}

/// So many subscriptions on one connection, then one message to each. Counts both.
pub(super) fn many_subscriptions(server: &Server, count: usize) -> Result<Sample> {
    let mut wire = Wire::connect(server.address)?;
    let meter = Meter::start(server);
    let subs: Vec<String> = (0..count)
        .map(|n| format!("SUB bench.{:03}.{n:06} {n}\r\n", n % 997))
        .collect();
    wire.send(subs.concat().as_bytes())?;
    wire.sync()?;
    let mut publisher = Wire::connect(server.address)?;
    let subject = |n: usize| format!("bench.{:03}.{n:06}", n % 997);
    let sending = std::thread::spawn(move || -> Result<()> {
        publisher.send(&publishes(count, 16, subject))?;
        publisher.sync()
    });
    for _ in 0..count {
        wire.message(|_, _| ())?;
    }
    join(sending)?;
    Ok(meter.stop(2 * count as u64))
}

/// So many connections that do nothing: the figure is the memory.
pub(super) fn idle(server: &Server, count: usize) -> Result<Sample> {
    let meter = Meter::start(server);
    let _open = connections(server, count)?;
    Ok(meter.stop(count as u64))
}

/// The same around one publisher and one subscriber: what they do must not be slower for it.
pub(super) fn among_idle(server: &Server, load: &Load, count: usize) -> Result<Sample> {
    let _open = connections(server, count)?;
    fan_out(server, load, 1, 128)
}

/// A receiver that never reads beside those that do. It lags at most as far as the server lets it.
pub(super) fn beside_slow(server: &Server, load: &Load, receivers: usize, size: usize) -> Result<Sample> {
    let _slow = subscribers(server, 1, "SUB bench.one 1\r\n")?;
    fan_out(server, load, receivers, size)
}

/// Connections that say who they are and then nothing.
pub(super) fn connections(server: &Server, count: usize) -> Result<Vec<TcpStream>> {
    let streams: Vec<TcpStream> = (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address)?;
            stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")?;
            Ok(stream)
        })
        .collect::<Result<_>>()?;
    for mut stream in &streams {
        let mut buffer = [0; 4096];
        let mut seen = Vec::new();
        while !seen.windows(6).any(|bytes| bytes == b"PONG\r\n") {
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                bail!("a connection was closed");
            }
            seen.extend_from_slice(&buffer[..n]);
        }
    }
    Ok(streams)
}
