//! What is measured. A case talks to a server as clients do and says how many messages went through.

mod consumers;
mod core;
mod jetstream;
mod request;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::meter::Sample;
use crate::server::Server;

/// How much load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How long.
    pub span: Duration,
    /// Distinct subjects of the case that is about memory, and messages of those that open a store again.
    pub subjects: usize,
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// Whether the server needs JetStream.
    pub jetstream: bool,
    /// Lines of the configuration of both servers.
    pub config: &'static str,
    /// Runs it.
    pub run: Run,
}

/// What a case does.
type Run = fn(&Server, &Load) -> Result<Sample>;

const fn core(name: &'static str, run: Run) -> Case {
    Case {
        name,
        jetstream: false,
        config: "",
        run,
    }
}

const fn jetstream(name: &'static str, run: Run) -> Case {
    configured("", name, run)
}

/// JetStream with lines of configuration, on both servers.
const fn configured(config: &'static str, name: &'static str, run: Run) -> Case {
    Case {
        name,
        jetstream: true,
        config,
        run,
    }
}

/// Nothing is acknowledged before it is on disk.
const ALWAYS: &str = "jetstream { sync_interval: always }\n";
/// What was written is forced to disk now and then.
const LAZY: &str = "jetstream { sync_interval: \"2m\" }\n";
/// What is stored is encrypted.
const CHACHA: &str = "jetstream { key: bench, cipher: chacha }\n";
/// The same with the other cipher.
const AES: &str = "jetstream { key: bench, cipher: aes }\n";

/// A stream on disk, one in memory, and one that is compressed.
const FILE: &str = "\"storage\":\"file\"";
const MEMORY: &str = "\"storage\":\"memory\"";
const PACKED: &str = "\"storage\":\"file\",\"compression\":\"s2\"";

/// All cases.
pub const CASES: &[Case] = &[
    core("pub/1x16", |s, l| core::publish(s, l, 1, 16)),
    core("pub/4x16", |s, l| core::publish(s, l, 4, 16)),
    core("one_to_one/16", |s, l| core::fan_out(s, l, 1, 16)),
    core("one_to_one/256", |s, l| core::fan_out(s, l, 1, 256)),
    core("one_to_one/4k", |s, l| core::fan_out(s, l, 1, 4 * 1024)),
    core("one_to_one/32k", |s, l| core::fan_out(s, l, 1, 32 * 1024)),
    core("one_to_one/64k", |s, l| core::fan_out(s, l, 1, 64 * 1024)),
    core("fan_out/20x128", |s, l| core::fan_out(s, l, 20, 128)),
    core("fan_out/200x128", |s, l| core::fan_out(s, l, 200, 128)),
    core("queue/4to4x128", |s, l| core::queue(s, l, 4, 4, 128)),
    core("fan_out/20x128+slow", |s, l| core::beside_slow(s, l, 20, 128)),
    core("subjects/10000", |s, l| core::many_subjects(s, l, 10_000)),
    core("subjects/1000000", |s, l| core::many_subjects(s, l, 1_000_000)),
    core("subscriptions/100000", |s, _| {
        core::many_subscriptions(s, 100_000)
    }),
    core("subscriptions/300000", |s, _| {
        core::many_subscriptions(s, 300_000)
    }),
    core("request/1", |s, l| request::one_at_a_time(s, l, 128)),
    core("request/64", |s, l| request::in_flight(s, l, 64, 128)),
    core("idle/2000", |s, _| core::idle(s, 2_000)),
    core("idle/10000", |s, _| core::idle(s, 10_000)),
    core("one_among/10000", |s, l| core::among_idle(s, l, 10_000)),
    core("request_among/10000", |s, l| {
        request::among_idle(s, l, 10_000, 128)
    }),
    jetstream("js_file/default/1x128", |s, l| {
        jetstream::publish(s, l, FILE, 1, 128)
    }),
    jetstream("js_file/default/256x128", small_batches),
    jetstream("js_file/default/4x256x128", |s, l| {
        jetstream::publish_from(s, l, 4, 256, 128)
    }),
    jetstream("js_file/default/1x4k", |s, l| {
        jetstream::publish(s, l, FILE, 1, 4096)
    }),
    jetstream("js_file/default/256x4k", |s, l| {
        jetstream::publish(s, l, FILE, 256, 4096)
    }),
    jetstream("js_file/default/4x256x4k", |s, l| {
        jetstream::publish_from(s, l, 4, 256, 4096)
    }),
    configured(LAZY, "js_file/2m/256x128", small_batches),
    configured(ALWAYS, "js_file/always/256x128", small_batches),
    jetstream("js_memory/256x128", |s, l| {
        jetstream::publish(s, l, MEMORY, 256, 128)
    }),
    jetstream("js_pull/ack", |s, _| jetstream::pull(s, FILE, true)),
    jetstream("js_pull/none", |s, _| jetstream::pull(s, FILE, false)),
    jetstream("js_push/flow_control", |s, _| consumers::push(s)),
    jetstream("js_consumers/1000", |s, l| consumers::filtered(s, l, 1_000)),
    jetstream("js_consumers/idle/10000", |s, _| consumers::idle(s, 10_000)),
    configured(CHACHA, "at_rest/chacha/256x128", small_batches),
    configured(AES, "at_rest/aes/256x128", small_batches),
    jetstream("at_rest/s2/256x128", |s, l| {
        jetstream::publish(s, l, PACKED, 256, 128)
    }),
    configured(CHACHA, "at_rest/chacha/pull", |s, _| {
        jetstream::pull(s, FILE, false)
    }),
    configured(AES, "at_rest/aes/pull", |s, _| jetstream::pull(s, FILE, false)),
    jetstream("at_rest/s2/pull", |s, _| jetstream::pull(s, PACKED, false)),
    jetstream("kv/put", jetstream::put_keys),
    jetstream("kv/get", jetstream::get_keys),
    jetstream("js_subjects", jetstream::distinct),
    jetstream("reopen/one", |s, l| jetstream::reopen(s, l, 1)),
    jetstream("reopen/distinct", |s, l| jetstream::reopen(s, l, l.subjects)),
];

/// Whether `span` has passed, asked for every so many rounds.
#[derive(Debug)]
struct Clock {
    until: Instant,
}

impl Clock {
    fn new(load: &Load) -> Self {
        Self {
            until: Instant::now() + load.span,
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// `count` publishes one after the other as bytes; `subject` names the n-th.
fn publishes(count: usize, size: usize, subject: impl Fn(usize) -> String) -> Vec<u8> {
    let payload = vec![b'x'; size];
    let mut out = Vec::with_capacity(count * (size + 32));
    for n in 0..count {
        out.extend_from_slice(format!("PUB {} {size}\r\n", subject(n)).as_bytes());
        out.extend_from_slice(&payload);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// What most cases of streams on disk publish.
fn small_batches(server: &Server, load: &Load) -> Result<Sample> {
    jetstream::publish(server, load, FILE, 256, 128)
}

/// Publishes of this size that make one write.
const fn batch_of(size: usize) -> usize {
    let batch = 64 * 1024 / (size + 16);
    if batch == 0 { 1 } else { batch }
}
