//! The outbound side of a connection: what waits for the socket, who writes it, and when a reader of ours is too slow.
//!
//! Any task may queue; the bytes of one call stay together. Whoever queued first flushes once, at the end of its batch,
//! straight from its own task; only when the socket would block does the connection's own task take over. Never blocks
//! and never awaits.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::chunks::{Chunk, pool_take, queue_give, queue_take, write_chunks};
use super::io::{Io, count_copy};
pub(crate) use super::parts::Parts;

/// Payloads of at least this many bytes are shared with the read buffer instead of being copied.
pub(crate) const SHARE_BYTES_MIN: usize = 3 * 1024;
/// A copied chunk is closed at this size, so that one connection's backlog is many moderate allocations.
const CHUNK_BYTES_MAX: usize = 128 * 1024;
/// Producers pause for a moment beyond this backlog: what waits stays in the processor's caches, and memory that grew with
/// a backlog need not be made and cleared over and over.
const PAUSE_BYTES: usize = 1024 * 1024;

const _: () = assert!(SHARE_BYTES_MIN < CHUNK_BYTES_MAX);

/// What came of queueing bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queued {
    /// Queued, and the caller is now the one who must flush.
    Claimed,
    /// Queued; somebody else has promised to flush.
    Joined,
    /// Not queued: the connection is closed.
    Closed,
    /// Not queued: more than the connection's `max_pending` waits already. The caller closes it.
    TooSlow,
}

/// What came of a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing of what this caller queued is left, or another writer is at it.
    Done,
    /// The socket would block; the connection's task goes on when it is writable.
    Blocked,
    /// The socket failed.
    Failed,
}

/// What a backlog asks of producers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backlog {
    /// Nothing.
    Small,
    /// A moment.
    Pausing,
    /// To wait: soon nothing more fits.
    Stalled,
}

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the queue"
)]
struct State {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    /// Bytes of the first chunk that the socket has taken already.
    written: usize,
    pending: usize,
    limit: usize,
    claimed: bool,
    writing: bool,
    again: bool,
    blocked: bool,
    /// What the write deadline is counted for, until all of it is gone.
    late: Option<Late>,
    /// Whether the deadline begins anew with whatever the socket takes.
    retry: bool,
    closed: bool,
    /// Whether the backlog was let go of.
    gone: bool,
    messages: u64,
    bytes: u64,
}

/// What waited when the socket refused bytes.
#[derive(Debug, Clone, Copy)]
struct Late {
    since: Instant,
    /// Bytes of it that are left.
    left: usize,
}

/// The outbound queue of one connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    state: Mutex<State>,
    /// Wakes the connection's task: the socket blocked, or it was closed.
    pub(crate) wake: Notify,
    /// Wakes stalled producers once the backlog has shrunk.
    pub(crate) drained: Notify,
}

impl Outbound {
    /// An empty queue that refuses beyond `limit` pending bytes. With `retry` a write that comes on is never late.
    pub(crate) fn new(limit: usize, retry: bool) -> Self {
        Self {
            state: Mutex::new(State {
                limit,
                retry,
                ..State::default()
            }),
            wake: Notify::new(),
            drained: Notify::new(),
        }
    }

    /// Queues one message. Returns whether the caller must flush, and whether the backlog calls for producers to wait.
    pub(crate) fn queue_message(&self, parts: &Parts<'_>) -> (Queued, bool) {
        let len = parts.len();
        let mut state = self.state.lock();
        if let Some(refused) = state.refuse(len) {
            return (refused, false);
        }
        state.make_room(len.min(SHARE_BYTES_MIN));
        let tail = &mut state.tail;
        tail.extend_from_slice(parts.head);
        tail.extend_from_slice(parts.sid);
        tail.extend_from_slice(parts.tail);
        match parts.shared {
            Some(shared) if parts.body.len() >= SHARE_BYTES_MIN => {
                let copied = std::mem::take(tail);
                state.chunks.push_back(Chunk::Copied(copied));
                state.chunks.push_back(Chunk::Shared(shared.clone()));
                state.tail = pool_take();
                state.tail.extend_from_slice(b"\r\n");
            }
            _ => {
                tail.extend_from_slice(parts.body);
                tail.extend_from_slice(b"\r\n");
                count_copy(parts.body.len());
            }
        }
        state.pending += len;
        state.messages += 1;
        state.bytes += parts.body.len() as u64;
        let pause = state.pending > state.pause_mark();
        (state.claim(), pause)
    }

    /// Queues protocol bytes that are no message (`INFO`, `PING`, `-ERR`…).
    pub(crate) fn queue_protocol(&self, bytes: &[u8]) -> Queued {
        let mut state = self.state.lock();
        if let Some(refused) = state.refuse(bytes.len()) {
            return refused;
        }
        state.make_room(bytes.len());
        state.tail.extend_from_slice(bytes);
        state.pending += bytes.len();
        state.claim()
    }

    /// Writes what waits, until it is gone or the socket would block.
    pub(crate) fn flush(&self, io: &Io) -> Flushed {
        loop {
            let (mut chunks, written) = {
                let mut state = self.state.lock();
                state.claimed = false;
                if state.writing {
                    state.again = true;
                    return Flushed::Done;
                }
                if state.blocked {
                    return Flushed::Blocked;
                }
                if state.chunks.is_empty() && state.tail.is_empty() {
                    return Flushed::Done;
                }
                state.writing = true;
                state.again = false;
                state.take()
            };
            let outcome = write_chunks(io, &mut chunks, written);
            let mut state = self.state.lock();
            state.writing = false;
            match outcome {
                Ok(progress) => {
                    if state.gone {
                        // Let go of meanwhile: what is left is nobody's.
                        return Flushed::Failed;
                    }
                    let before = state.pending;
                    state.pending = state.pending.saturating_sub(progress.taken);
                    let crossed = |mark: usize| before > mark && state.pending <= mark;
                    if crossed(state.stall_mark()) || crossed(state.pause_mark() / 2) {
                        self.drained.notify_waiters();
                    }
                    if !chunks.is_empty() {
                        state.put_back(chunks, progress.written);
                        state.on_blocked(progress.taken, Instant::now());
                        drop(state);
                        self.wake.notify_one();
                        return Flushed::Blocked;
                    }
                    state.late = None;
                    queue_give(chunks);
                    if !state.again {
                        return Flushed::Done;
                    }
                }
                Err(_) => {
                    state.close();
                    drop(state);
                    self.drained.notify_waiters();
                    return Flushed::Failed;
                }
            }
        }
    }

    /// The socket is writable again: the connection's task goes on with the backlog.
    pub(crate) fn resume(&self, io: &Io) -> Flushed {
        self.state.lock().blocked = false;
        self.flush(io)
    }

    /// While the socket refuses bytes: when the write deadline began.
    pub(crate) fn blocked_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        state.late.filter(|_| state.blocked).map(|late| late.since)
    }

    /// What the backlog asks of producers.
    pub(crate) fn backlog(&self) -> Backlog {
        let state = self.state.lock();
        match state.pending {
            _ if state.closed => Backlog::Small,
            pending if pending > state.stall_mark() => Backlog::Stalled,
            pending if pending > state.pause_mark() => Backlog::Pausing,
            _ => Backlog::Small,
        }
    }

    /// Bytes waiting for the socket.
    pub(crate) fn pending(&self) -> usize {
        self.state.lock().pending
    }

    /// Messages and payload bytes queued so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.messages, state.bytes)
    }

    /// Lets go of what waits: nobody will read it any more.
    pub(crate) fn discard(&self) {
        self.state.lock().close();
    }

    /// Refuses everything from now on; what is queued already may still be flushed once by the closing task.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_one();
        self.drained.notify_waiters();
    }
}

impl State {
    fn refuse(&self, len: usize) -> Option<Queued> {
        if self.closed {
            return Some(Queued::Closed);
        }
        // A single message larger than the limit may pass when nothing waits.
        if self.pending > 0 && self.pending + len > self.limit {
            return Some(Queued::TooSlow);
        }
        None
    }

    /// Beyond this producers are stalled.
    const fn stall_mark(&self) -> usize {
        self.limit / 4 * 3
    }

    /// Beyond this producers pause.
    fn pause_mark(&self) -> usize {
        self.stall_mark().min(PAUSE_BYTES)
    }

    fn make_room(&mut self, len: usize) {
        if self.tail.capacity() == 0 {
            self.tail = pool_take();
        } else if !self.tail.is_empty() && self.tail.len() + len > CHUNK_BYTES_MAX {
            // What follows a full chunk will fill one too: growing there step by step would copy it once more.
            let mut next = pool_take();
            next.reserve(CHUNK_BYTES_MAX);
            let full = std::mem::replace(&mut self.tail, next);
            self.chunks.push_back(Chunk::Copied(full));
        }
    }

    fn claim(&mut self) -> Queued {
        if self.claimed {
            return Queued::Joined;
        }
        self.claimed = true;
        Queued::Claimed
    }

    fn take(&mut self) -> (VecDeque<Chunk>, usize) {
        let mut chunks = std::mem::replace(&mut self.chunks, queue_take());
        if !self.tail.is_empty() {
            chunks.push_back(Chunk::Copied(std::mem::take(&mut self.tail)));
        }
        (chunks, std::mem::take(&mut self.written))
    }

    fn put_back(&mut self, mut rest: VecDeque<Chunk>, written: usize) {
        rest.append(&mut self.chunks);
        self.chunks = rest;
        self.written = written;
    }

    /// The socket took `taken` bytes and no more. The deadline is for all that waited when it began, as the peer's is.
    fn on_blocked(&mut self, taken: usize, now: Instant) {
        self.blocked = true;
        match &mut self.late {
            Some(late) if late.left > taken && !(self.retry && taken > 0) => late.left -= taken,
            _ => {
                let left = self.pending;
                self.late = Some(Late { since: now, left });
            }
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.gone = true;
        self.chunks.clear();
        self.tail = Vec::new();
        self.pending = 0;
        self.blocked = false;
        self.late = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Since when a write is late, in seconds, after the socket took so many bytes of 100 in each second.
    fn late_since(retry: bool, taken: &[usize]) -> u64 {
        let start = Instant::now();
        let mut state = State {
            retry,
            pending: 100,
            ..State::default()
        };
        for (at, taken) in taken.iter().enumerate() {
            state.on_blocked(*taken, start + Duration::from_secs(at as u64));
        }
        state.late.map(|late| (late.since - start).as_secs()).unwrap()
    }

    #[test]
    fn the_write_deadline_is_for_all_that_waited() {
        assert_eq!(late_since(false, &[0, 0, 0]), 0);
        assert_eq!(late_since(false, &[10, 30, 30]), 0);
        assert_eq!(
            late_since(false, &[10, 30, 70]),
            2,
            "that was all: the next deadline"
        );
    }

    #[test]
    fn a_write_that_comes_on_may_begin_its_deadline_anew() {
        assert_eq!(late_since(true, &[0, 0, 0]), 0);
        assert_eq!(late_since(true, &[10, 30, 0]), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_backlog_may_be_discarded_while_it_is_written() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..50 {
            let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
            let _open = client.unwrap();
            let io = Arc::new(Io::tcp(server.unwrap().0));
            io.ready(tokio::io::Interest::WRITABLE).await.unwrap();
            let outbound = Arc::new(Outbound::new(1 << 30, false));
            assert_eq!(outbound.queue_protocol(&vec![b'x'; 4 << 20]), Queued::Claimed);
            let (other, socket) = (Arc::clone(&outbound), Arc::clone(&io));
            let flush = tokio::task::spawn_blocking(move || other.flush(&socket));
            outbound.discard();
            let _any = flush.await.unwrap();
            assert_eq!(outbound.pending(), 0);
            assert_eq!(outbound.queue_protocol(b"y"), Queued::Closed);
        }
    }
}
