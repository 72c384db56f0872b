//! What a message costs on its way from one connection to another, in figures that do not depend on the clock:
//! allocations and calls into the kernel. Runs the real tasks of connections, on this thread.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use natterjack_config::Options;
use tokio::io::Interest;
use tokio::net::TcpListener;

use super::Conn;
use super::io::{CALLS, COPIED, Io};
use super::read::Read;
use super::task::Task;
use crate::server::Server;

/// Messages of a batch: about as many as one read takes.
const MESSAGES: u64 = 400;

const SOON: Duration = Duration::from_secs(10);

/// A client and the server's side of it.
struct Pair {
    client: TcpStream,
    task: Task,
}

impl Pair {
    async fn open(server: &Arc<Server>, listener: &TcpListener) -> Self {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        let id = server.next_conn_id();
        let most = server.options.limits.max_pending_bytes;
        let conn = Arc::new(Conn::new(
            id,
            Io::tcp(stream),
            address,
            server.first_account(),
            (most, false),
        ));
        assert!(server.on_opened(&conn));
        let task = Task::new(server, &conn);
        Self { client, task }
    }

    /// What `serve` does with bytes that have come.
    fn take_in(&mut self) {
        while !matches!(self.task.read(), Read::Blocked) {
            self.task.session.settle();
        }
    }

    /// Messages that have come to the client since it last looked.
    fn messages(&mut self, buffer: &mut [u8]) -> u64 {
        let mut got = 0;
        while let Ok(n) = self.client.read(buffer) {
            assert!(n > 0, "the server closed the connection");
            got += buffer[..n].iter().filter(|b| **b == b'M').count() as u64;
        }
        got
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).unwrap();
        self.task.session.conn.io.ready(Interest::READABLE).await.unwrap();
    }
}

/// What one batch costs, once warm.
#[derive(Debug, Clone, Copy)]
struct Cost {
    allocations: u64,
    calls: u64,
    /// Bytes of payload that were copied within the server.
    copied: u64,
}

impl Cost {
    const MOST: Self = Self {
        allocations: u64::MAX,
        calls: u64::MAX,
        copied: u64::MAX,
    };

    fn least(self, other: Self) -> Self {
        Self {
            allocations: self.allocations.min(other.allocations),
            calls: self.calls.min(other.calls),
            copied: self.copied.min(other.copied),
        }
    }
}

/// What a load is: who listens and what is sent.
#[derive(Debug, Clone, Copy)]
struct Load {
    receivers: usize,
    sub: &'static str,
    /// Copies of each message that come to clients.
    copies: u64,
    messages: u64,
    size: usize,
    /// Whether each message has a subject of its own.
    distinct: bool,
}

impl Load {
    /// What is sent in a round.
    fn batch(&self, round: u64) -> String {
        let body = "x".repeat(self.size);
        let first = round * self.messages;
        (first..first + self.messages)
            .map(|n| match self.distinct {
                true => format!("PUB a.{n} {}\r\n{body}\r\n", self.size),
                false => format!("PUB a.b {}\r\n{body}\r\n", self.size),
            })
            .collect()
    }
}

const SMALL: Load = Load {
    receivers: 1,
    sub: "SUB a.b 1",
    copies: 1,
    messages: MESSAGES,
    size: 128,
    distinct: false,
};

/// The cost of one batch of `load`.
fn cost(load: Load) -> Cost {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(load))
}

async fn measure(load: Load) -> Cost {
    let server = Server::new(Options::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut publisher = Pair::open(&server, &listener).await;
    publisher.say(b"CONNECT {\"verbose\":false}\r\n").await;
    publisher.take_in();
    let mut subscribers = Vec::new();
    for _ in 0..load.receivers {
        let mut pair = Pair::open(&server, &listener).await;
        let hello = format!("CONNECT {{\"verbose\":false}}\r\n{}\r\n", load.sub);
        pair.say(hello.as_bytes()).await;
        pair.take_in();
        pair.client.set_nonblocking(true).unwrap();
        subscribers.push(pair);
    }
    let mut delivered = vec![0; 1024 * 1024];
    // Buffers grow to what is needed in the first rounds, and members of a queue group do not get the same each time.
    let mut least = Cost::MOST;
    for round in 0..16 {
        publisher.say(load.batch(round).as_bytes()).await;
        let before = (CALLS.get(), COPIED.get());
        let counted = allocation_counter::measure(|| publisher.take_in());
        least = least.least(Cost {
            allocations: counted.count_total,
            calls: CALLS.get() - before.0,
            copied: COPIED.get() - before.1,
        });
        // Messages that are in the kernel's hands may take a moment more.
        let begun = Instant::now();
        let expected = load.messages * load.copies;
        let mut got = 0;
        while got < expected && begun.elapsed() < SOON {
            got += subscribers
                .iter_mut()
                .map(|pair| pair.messages(&mut delivered))
                .sum::<u64>();
        }
        assert_eq!(got, expected, "messages came");
    }
    least
}

#[test]
fn one_to_one_allocates_nothing() {
    let cost = cost(SMALL);
    assert_eq!(cost.allocations, 0, "for {MESSAGES} messages");
    // One read with everything, one write with everything, one look for more; the kernel may split the batch once.
    assert!(cost.calls <= 5, "{} calls for {MESSAGES} messages", cost.calls);
    // Each payload goes once into the subscriber's buffer; what a split batch leaves over is copied besides.
    let once = MESSAGES * 128;
    assert!(cost.copied <= once + 256, "{} bytes copied", cost.copied);
}

#[test]
fn subjects_that_never_come_again_allocate_nothing() {
    let cost = cost(Load {
        sub: "SUB a.* 1",
        distinct: true,
        ..SMALL
    });
    assert_eq!(cost.allocations, 0, "for {MESSAGES} messages");
}

#[test]
fn fan_out_allocates_nothing_and_writes_once_for_each_receiver() {
    let cost = cost(Load {
        receivers: 10,
        sub: "SUB a.* 1",
        copies: 10,
        ..SMALL
    });
    assert_eq!(cost.allocations, 0, "for {MESSAGES} messages to ten receivers");
    assert!(
        cost.calls <= 2 * 10 + 3,
        "{} calls for {MESSAGES} messages",
        cost.calls
    );
}

#[test]
fn queue_groups_allocate_nothing() {
    let cost = cost(Load {
        receivers: 4,
        sub: "SUB a.b workers 1",
        ..SMALL
    });
    assert_eq!(cost.allocations, 0, "for {MESSAGES} messages to a queue group");
    assert!(
        cost.calls <= 2 * 4 + 3,
        "{} calls for {MESSAGES} messages",
        cost.calls
    );
}

#[test]
fn large_payloads_are_shared_and_not_copied() {
    const LARGE: u64 = 32;
    let cost = cost(Load {
        messages: LARGE,
        size: 4096,
        ..SMALL
    });
    // Only the first message of a run may be moved: it tells that large ones come, and what follows is read where it is shared.
    assert!(
        cost.copied <= 4096,
        "{} of {} bytes copied",
        cost.copied,
        LARGE * 4096
    );
    assert!(cost.calls <= 5, "{} calls for {LARGE} messages", cost.calls);
}
