//! A connection's task: reads, lets the session act on what was read, flushes once per read, keeps time, and cleans up.
//!
//! ```text
//!   socket ─▶ read buffer ─▶ parse in place ─▶ Session::on_op ─▶ lane ─▶ flush touched connections
//! ```
//! The read buffer belongs to the thread; only what is left of a half-read operation is kept by the connection.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use natterjack_proto::{Step, encode};
use tokio::io::{Interest, Ready};
use tokio::time::timeout;

use super::keepalive::Due;
use super::session::Session;
use super::write::{Flushed, SHARE_BYTES_MIN};
use super::{CloseReason, Conn};
use crate::clock;
use crate::router::lane::Lane;
use crate::server::Server;

/// One read asks the kernel for this much at most.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Reads in a row before other tasks get a turn.
const READS_MAX: usize = 16;
/// A producer waits this long at most for one slow receiver.
const STALL_MAX: Duration = Duration::from_millis(10);
/// What is queued when a connection ends is given this long to leave.
const LINGER: Duration = Duration::from_millis(500);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
}

/// What a read came to.
enum Read {
    /// Bytes were dealt with; whether the buffer was full.
    Some { more: bool },
    /// Nothing is there.
    Blocked,
    /// The connection ends.
    Ended,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(server: Arc<Server>, conn: Arc<Conn>) {
    let account = Arc::clone(&conn.facts.lock().account);
    let lane = Lane::new(&server, &account);
    let mut session = Session::new(&server, &conn, lane);
    let mut hello = Vec::new();
    let mut info = server.info_for(&conn, false);
    info.nonce.clone_from(&session.nonce);
    info.encode(&mut hello);
    session.say(&hello);
    session.lane.flush();
    tracing::debug!("{} - Client connection created", conn.label());
    let mut task = Task {
        session,
        carry: BytesMut::new(),
    };
    task.run().await;
    task.finish().await;
}

struct Task {
    session: Session,
    /// The beginning of an operation whose end was not read yet.
    carry: BytesMut,
}

impl Task {
    async fn run(&mut self) {
        let conn = Arc::clone(&self.session.conn);
        while !conn.is_closed() {
            let wait = Duration::from_nanos(self.deadline().saturating_sub(clock::mono()));
            let interest = if conn.outbound.blocked_since().is_some() {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            let ready = async {
                tokio::select! {
                    ready = conn.io.ready(interest) => Some(ready),
                    () = conn.outbound.wake.notified() => None,
                }
            };
            match timeout(wait, ready).await {
                Ok(Some(Ok(ready))) => self.on_ready(ready).await,
                Ok(Some(Err(_))) => conn.close(CloseReason::ReadError),
                Ok(None) | Err(_) => {}
            }
            self.session.refresh();
            self.on_time();
        }
    }

    fn deadline(&self) -> u64 {
        let session = &self.session;
        let mut deadline = session.keepalive.deadline();
        if let Some(auth) = session.auth_deadline {
            deadline = deadline.min(auth);
        }
        if let Some(since) = session.conn.outbound.blocked_since() {
            let waited = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let left = session
                .live
                .options
                .limits
                .write_deadline_ns
                .saturating_sub(waited);
            deadline = deadline.min(clock::mono().saturating_add(left));
        }
        deadline
    }

    fn on_time(&mut self) {
        let session = &mut self.session;
        let now = clock::mono();
        if session.auth_deadline.is_some_and(|at| at <= now) {
            let error = natterjack_proto::ServerError::AuthenticationTimeout;
            session.end(Some(&error), CloseReason::AuthenticationTimeout);
        }
        if let Some(since) = session.conn.outbound.blocked_since()
            && since.elapsed().as_nanos() > u128::from(session.live.options.limits.write_deadline_ns)
        {
            session.conn.close(CloseReason::SlowConsumerWriteDeadline);
        }
        match session.keepalive.on_time(now) {
            Due::Nothing => {}
            Due::Ping => {
                session.say(encode::PING);
                session.lane.flush();
            }
            Due::Stale => {
                let error = natterjack_proto::ServerError::StaleConnection;
                session.end(Some(&error), CloseReason::StaleConnection);
            }
        }
    }

    async fn on_ready(&mut self, ready: Ready) {
        if ready.is_writable() && self.session.conn.outbound.blocked_since().is_some() {
            let conn = &self.session.conn;
            if conn.outbound.resume(&conn.io) == Flushed::Failed {
                conn.close(CloseReason::WriteError);
            }
        }
        if !(ready.is_readable() || ready.is_read_closed()) {
            return;
        }
        for _ in 0..READS_MAX {
            let read = self.read();
            self.session.settle();
            self.hold_back().await;
            match read {
                Read::Some { more: true } if !self.session.conn.is_closed() => {}
                Read::Some { .. } | Read::Blocked => return,
                Read::Ended => {
                    self.session.conn.close(CloseReason::ClientClosed);
                    return;
                }
            }
        }
        tokio::task::yield_now().await;
    }

    /// Waits a little when receivers, or a stream, cannot keep up with what this client sends.
    async fn hold_back(&mut self) {
        if let Some(slow) = self.session.lane.take_stalled()
            && !Arc::ptr_eq(&slow, &self.session.conn)
            && slow.outbound.is_stalled()
        {
            slow.stalls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let _either = timeout(STALL_MAX, slow.outbound.drained.notified()).await;
        }
        if let Some(gate) = self.session.lane.gate.take() {
            gate.wait().await;
        }
    }

    fn read(&mut self) -> Read {
        let result = if self.carry.is_empty() {
            BUFFER.with_borrow_mut(|buffer| {
                let n = self.session.conn.io.try_read(buffer)?;
                self.on_bytes(&buffer[..n]);
                Ok((n, buffer.len()))
            })
        } else {
            self.read_more()
        };
        match result {
            Ok((0, _)) => Read::Ended,
            Ok((n, asked)) => Read::Some { more: n == asked },
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Read::Blocked,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Read::Some { more: true },
            Err(_) => {
                self.session.conn.close(CloseReason::ReadError);
                Read::Ended
            }
        }
    }

    fn read_more(&mut self) -> io::Result<(usize, usize)> {
        if self.carry.capacity() == self.carry.len() {
            self.carry.reserve(READ_BYTES_MAX);
        }
        let room = self.carry.capacity() - self.carry.len();
        let n = self.session.conn.io.try_read_buf(&mut self.carry)?;
        if n > 0 {
            self.session.keepalive.on_bytes(clock::mono());
            self.count_early(n);
            self.parse_carry();
        }
        Ok((n, room))
    }

    /// Before its CONNECT was accepted a client may not make the server hold much.
    fn count_early(&mut self, n: usize) {
        if self.session.auth_deadline.is_none() {
            return;
        }
        self.session.early_bytes += n;
        if self.session.early_bytes > self.session.live.options.limits.pre_auth_bytes_max {
            let error = natterjack_proto::ServerError::MaximumControlLine;
            self.session
                .end(Some(&error), CloseReason::MaxControlLineExceeded);
        }
    }

    fn on_bytes(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.session.keepalive.on_bytes(clock::mono());
        self.count_early(bytes.len());
        while !bytes.is_empty() && !self.session.conn.is_closed() {
            match self.session.parser.parse(bytes) {
                Step::Op { op, len } => {
                    self.session.on_op(&op, None);
                    bytes = &bytes[len..];
                }
                Step::Incomplete { needed } => {
                    self.carry.reserve(needed.unwrap_or(0).max(bytes.len() + 1024));
                    self.carry.extend_from_slice(bytes);
                    return;
                }
                Step::Fail(error) => {
                    self.session.on_parse_error(&error);
                    return;
                }
            }
        }
    }

    fn parse_carry(&mut self) {
        while !self.carry.is_empty() && !self.session.conn.is_closed() {
            let len = match self.session.parser.parse(&self.carry) {
                Step::Op { op, len } if len < SHARE_BYTES_MIN => {
                    self.session.on_op(&op, None);
                    self.carry.advance(len);
                    continue;
                }
                Step::Op { len, .. } => len,
                Step::Incomplete { needed } => {
                    let missing = needed.unwrap_or(0).saturating_sub(self.carry.len());
                    self.carry.reserve(missing);
                    return;
                }
                Step::Fail(error) => {
                    self.session.on_parse_error(&error);
                    return;
                }
            };
            // Large payloads are shared with those they go to, not copied.
            let whole = self.carry.split_to(len).freeze();
            if let Step::Op { op, .. } = self.session.parser.parse(&whole) {
                let body = match &op {
                    natterjack_proto::ClientOp::Pub(publish) => Some(whole.slice_ref(publish.body)),
                    _ => None,
                };
                self.session.on_op(&op, body.as_ref());
            }
        }
        if self.carry.is_empty() {
            self.carry = BytesMut::new();
        }
    }

    /// Takes the connection out of everything it is in.
    async fn finish(&mut self) {
        let conn = Arc::clone(&self.session.conn);
        let subs: Vec<_> = {
            let mut facts = conn.facts.lock();
            facts.subs.drain().map(|(_, sub)| sub).collect()
        };
        self.session.lane.account.unsubscribe_all(&subs);
        self.session.settle();
        if self.session.connected {
            let clients = &self.session.lane.account.clients;
            clients.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
        let reason = conn.facts.lock().reason.unwrap_or(CloseReason::ClientClosed);
        if !reason.is_slow() && !matches!(reason, CloseReason::WriteError | CloseReason::ReadError) {
            let _late = timeout(LINGER, drain(&conn)).await;
        }
        conn.io.shutdown();
        self.session.server.on_closed(&conn, reason, subs.len());
    }
}

/// Writes what is queued.
async fn drain(conn: &Conn) {
    loop {
        match conn.outbound.flush(&conn.io) {
            Flushed::Done | Flushed::Failed => return,
            Flushed::Blocked => {
                if conn.io.ready(Interest::WRITABLE).await.is_err() {
                    return;
                }
                if conn.outbound.resume(&conn.io) != Flushed::Blocked {
                    return;
                }
            }
        }
    }
}
