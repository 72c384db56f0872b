//! A connection's task: reads, lets the session act on what was read, flushes once per read, keeps time, and cleans up.
//!
//! ```text
//!   socket ─▶ read buffer ─▶ parse in place ─▶ Session::on_op ─▶ lane ─▶ flush touched connections
//! ```
//! How the bytes come in is in `read.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use natterjack_proto::encode;
use tokio::io::{Interest, Ready};
use tokio::time::timeout;

use super::keepalive::Due;
use super::read::{LARGE_READ_BYTES, Read};
use super::session::Session;
use super::write::{Backlog, Flushed};
use super::{CloseReason, Conn};
use crate::clock;
use crate::router::lane::Lane;
use crate::server::Server;

/// Reads in a row before other tasks get a turn.
const READS_MAX: usize = 16;
/// A producer waits this long at most for one slow receiver.
const STALL_MAX: Duration = Duration::from_millis(10);
/// A producer pauses this long at most for one receiver whose backlog has outgrown the caches.
const PAUSE_MAX: Duration = Duration::from_millis(1);
/// What is queued when a connection ends is given this long to leave.
const LINGER: Duration = Duration::from_millis(500);

/// Serves one connection until it ends.
pub(crate) async fn serve(server: Arc<Server>, conn: Arc<Conn>) {
    let mut task = Task::new(&server, &conn);
    task.greet();
    tracing::debug!("{} - Client connection created", conn.label());
    task.run().await;
    task.finish().await;
}

/// What a connection's task keeps.
pub(super) struct Task {
    pub(super) session: Session,
    /// The beginning of an operation whose end was not read yet.
    pub(super) carry: BytesMut,
    /// Bytes until that end, as far as is known.
    pub(super) missing: usize,
    /// Whether its messages are large: those are read where they can be shared.
    pub(super) large: bool,
    /// How much is asked for at once while they are, bytes.
    pub(super) large_read: usize,
    /// Whether a proxy's header may come first.
    pub(super) proxy_header: bool,
}

impl Task {
    pub(super) fn new(server: &Arc<Server>, conn: &Arc<Conn>) -> Self {
        let account = Arc::clone(&conn.facts.lock().account);
        Self {
            session: Session::new(server, conn, Lane::new(server, &account)),
            carry: BytesMut::new(),
            missing: 0,
            large: false,
            large_read: *LARGE_READ_BYTES.start(),
            proxy_header: server.options.proxy_protocol,
        }
    }

    fn greet(&mut self) {
        let session = &mut self.session;
        let mut hello = Vec::new();
        let mut info = session.server.info_for(&session.conn, false);
        info.nonce.clone_from(&session.nonce);
        info.encode(&mut hello);
        session.say(&hello);
        session.lane.flush();
    }

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
            && !self.session.live.options.no_fast_producer_stall
        {
            // Made before looking, so that nothing that happens in between is missed.
            let drained = slow.outbound.drained.notified();
            let most = match slow.outbound.backlog() {
                Backlog::Small => Duration::ZERO,
                Backlog::Pausing => PAUSE_MAX,
                Backlog::Stalled => {
                    slow.stalls.fetch_add(1, Ordering::Relaxed);
                    let counters = &self.session.server.counters;
                    counters.stalled.fetch_add(1, Ordering::Relaxed);
                    STALL_MAX
                }
            };
            if !most.is_zero() {
                let _either = timeout(most, drained).await;
            }
        }
        if let Some(gate) = self.session.lane.gate.take() {
            gate.wait().await;
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
            clients.fetch_sub(1, Ordering::Relaxed);
        }
        let reason = conn.facts.lock().reason.unwrap_or(CloseReason::ClientClosed);
        if !reason.is_slow() && !matches!(reason, CloseReason::WriteError | CloseReason::ReadError) {
            let _late = timeout(LINGER, drain(&conn)).await;
        }
        conn.io.shutdown();
        self.session.server.on_closed(&conn, reason, subs.len());
        conn.outbound.discard();
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
