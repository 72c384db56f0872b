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
use super::io::{CALLS, Io};
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
            most,
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

/// Allocations and calls of one batch to `receivers` subscriptions `sub`, once warm; `copies` of each message come.
fn cost(receivers: usize, sub: &str, copies: u64) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::new(Options::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut publisher = Pair::open(&server, &listener).await;
        publisher.say(b"CONNECT {\"verbose\":false}\r\n").await;
        publisher.take_in();
        let mut subscribers = Vec::new();
        for _ in 0..receivers {
            let mut pair = Pair::open(&server, &listener).await;
            pair.say(format!("CONNECT {{\"verbose\":false}}\r\n{sub}\r\n").as_bytes())
                .await;
            pair.take_in();
            pair.client.set_nonblocking(true).unwrap();
            subscribers.push(pair);
        }
        let message = format!("PUB a.b 128\r\n{}\r\n", "x".repeat(128));
        let batch = message.repeat(usize::try_from(MESSAGES).unwrap());
        let mut delivered = vec![0; 256 * 1024];
        // Buffers grow to what is needed in the first rounds, and members of a queue group do not get the same each time.
        let (mut calls, mut allocations) = (u64::MAX, u64::MAX);
        for _ in 0..16 {
            publisher.say(batch.as_bytes()).await;
            let before = CALLS.get();
            let counted = allocation_counter::measure(|| publisher.take_in());
            calls = calls.min(CALLS.get() - before);
            allocations = allocations.min(counted.count_total);
            // Messages that are in the kernel's hands may take a moment more.
            let begun = Instant::now();
            let expected = MESSAGES * copies;
            let mut got = 0;
            while got < expected && begun.elapsed() < SOON {
                got += subscribers
                    .iter_mut()
                    .map(|pair| pair.messages(&mut delivered))
                    .sum::<u64>();
            }
            assert_eq!(got, expected, "messages came");
        }
        (allocations, calls)
    })
}

#[test]
fn one_to_one_allocates_nothing() {
    let (allocations, calls) = cost(1, "SUB a.b 1", 1);
    assert_eq!(allocations, 0, "for {MESSAGES} messages");
    // One read with everything, one write with everything, one look for more; the kernel may split the batch once.
    assert!(calls <= 5, "{calls} calls for {MESSAGES} messages");
}

#[test]
fn fan_out_allocates_nothing_and_writes_once_for_each_receiver() {
    let (allocations, calls) = cost(10, "SUB a.* 1", 10);
    assert_eq!(allocations, 0, "for {MESSAGES} messages to ten receivers");
    assert!(calls <= 2 * 10 + 3, "{calls} calls for {MESSAGES} messages");
}

#[test]
fn queue_groups_allocate_nothing() {
    let (allocations, calls) = cost(4, "SUB a.b workers 1", 1);
    assert_eq!(allocations, 0, "for {MESSAGES} messages to a queue group");
    assert!(calls <= 2 * 4 + 3, "{calls} calls for {MESSAGES} messages");
}
