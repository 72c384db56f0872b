//! The task that owns the socket: writes what is to be written, hands out what comes in, and connects again when the
//! connection is lost. Keeps no message of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use natterjack_proto::{Info, ServerOp, ServerParser, Step, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::connect::{self, Ready};
use crate::event::Event;
use crate::limits;
use crate::options::Server;
use crate::shared::{Phase, Shared, State};

/// How a connection ended.
enum End {
    /// The client was closed and everything is written.
    Closed,
    /// The connection is gone.
    Lost(String),
}

/// Serves connections, one after another, until the client is closed.
pub(crate) async fn run(shared: Arc<Shared>, mut servers: Vec<Server>, first: Ready) {
    let mut ready = first;
    loop {
        learn(&mut servers, &ready.info);
        let End::Lost(reason) = serve(&shared, ready).await else {
            return;
        };
        lost(&shared, reason);
        match again(&shared, &servers).await {
            Some(next) => ready = next,
            None => return shared.close(),
        }
        restore(&shared, &ready.info);
    }
}

/// Adds servers the cluster told about.
fn learn(servers: &mut Vec<Server>, info: &Info) {
    for url in &info.connect_urls {
        if let Ok(server) = Server::parse(url)
            && servers.len() < limits::SERVERS_MAX
            && servers.iter().all(|known| known.address != server.address)
        {
            servers.push(server);
        }
    }
}

/// Serves one connection to its end.
async fn serve(shared: &Shared, ready: Ready) -> End {
    let Ready { stream, rest, .. } = ready;
    let (reader, writer) = stream.into_split();
    tokio::select! {
        end = read(shared, reader, rest) => end,
        end = write(shared, writer) => end,
        end = keep_alive(shared) => end,
    }
}

/// Asks now and then whether the server is there, and ends when it is not.
async fn keep_alive(shared: &Shared) -> End {
    let mut ticks = tokio::time::interval(shared.options.ping_interval);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let mut state = shared.state.lock();
        let own = state.pongs.iter().filter(|pong| pong.is_none()).count();
        if own >= limits::PINGS_OUT_MAX {
            return End::Lost("stale connection".into());
        }
        state.put_ping(None);
        drop(state);
        shared.work.notify_one();
    }
}

async fn write(shared: &Shared, mut writer: OwnedWriteHalf) -> End {
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        let closed = {
            let mut state = shared.state.lock();
            std::mem::swap(&mut state.out, &mut chunk);
            state.out_pings = 0;
            state.phase == Phase::Closed
        };
        if !chunk.is_empty() {
            shared.room.notify_waiters();
            let written = if closed {
                timeout(limits::CLOSE_TIMEOUT, writer.write_all(&chunk)).await
            } else {
                Ok(writer.write_all(&chunk).await)
            };
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return End::Lost(error.to_string()),
                Err(_) => return End::Closed,
            }
            // One large burst must not keep its memory for ever.
            chunk.shrink_to(limits::OUTBOUND_BYTES_MAX);
        } else if closed {
            // The peer may be gone already; there is nobody left to tell.
            drop(writer.shutdown().await);
            return End::Closed;
        } else {
            shared.work.notified().await;
        }
    }
}

async fn read(shared: &Shared, mut reader: OwnedReadHalf, mut buffer: BytesMut) -> End {
    let mut said = None;
    let mut needed = 0;
    loop {
        if buffer.len() >= needed && !buffer.is_empty() {
            let chunk = buffer.split().freeze();
            match hand_out(shared, &chunk, &mut said) {
                Ok((used, more)) => {
                    needed = more;
                    buffer.extend_from_slice(&chunk[used..]);
                }
                Err(reason) => return End::Lost(reason),
            }
            // A fast server always has more: without this, readers on the same thread would find their queues overflown.
            let crowded = shared.crowded.swap(false, Ordering::Relaxed);
            for _ in 0..if crowded { limits::YIELDS_WHEN_CROWDED } else { 1 } {
                tokio::task::yield_now().await;
            }
        }
        buffer.reserve(limits::READ_BYTES.max(needed.saturating_sub(buffer.len())));
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return End::Lost(said.unwrap_or_else(|| "connection closed by the server".into())),
            Ok(_) => {}
            Err(error) => return End::Lost(said.unwrap_or_else(|| error.to_string())),
        }
    }
}

/// Acts on all whole operations in `chunk`. Returns how much of it they are, and the length that completes the next one.
fn hand_out(shared: &Shared, chunk: &Bytes, said: &mut Option<String>) -> Result<(usize, usize), String> {
    let parser = ServerParser::default();
    let mut at = 0;
    loop {
        match parser.parse(&chunk[at..]) {
            Step::Op { op, len } => {
                at += len;
                on_op(shared, chunk, &op, said);
            }
            Step::Incomplete { needed } => return Ok((at, needed.unwrap_or(0))),
            Step::Fail(error) => return Err(error.to_string()),
        }
    }
}

fn on_op(shared: &Shared, chunk: &Bytes, op: &ServerOp<'_>, said: &mut Option<String>) {
    match op {
        ServerOp::Msg(delivered) => shared.deliver(chunk, delivered),
        ServerOp::Ping => {
            shared.state.lock().out.extend_from_slice(encode::PONG);
            shared.work.notify_one();
        }
        ServerOp::Pong => {
            let waiting = shared.state.lock().pongs.pop_front().flatten();
            if let Some(waiting) = waiting {
                // Whoever flushed may have stopped waiting.
                let _ = waiting.send(());
            }
        }
        ServerOp::Err { text } => {
            let text = String::from_utf8_lossy(text).into_owned();
            *said = Some(text.clone());
            shared.report(Event::ServerError(text));
        }
        ServerOp::Info { json } => {
            if let Ok(info) = Info::parse(json) {
                let leaving = info.ldm;
                shared.state.lock().info = Arc::new(info);
                if leaving {
                    shared.report(Event::LameDuck);
                }
            }
        }
        ServerOp::Ok => {}
    }
}

/// Notes that the connection is gone: what was written may be lost, and those who wait for an answer hear so.
fn lost(shared: &Shared, reason: String) {
    let mut state = shared.state.lock();
    if state.phase == Phase::Closed {
        return;
    }
    state.phase = Phase::Reconnecting;
    let unsent = state.out_pings;
    let sent = state.pongs.len().saturating_sub(unsent);
    let pongs: Vec<_> = state.pongs.drain(..sent).collect();
    let waiters = std::mem::take(&mut state.waiters);
    drop(state);
    drop((pongs, waiters));
    shared.room.notify_waiters();
    shared.report(Event::Disconnected { reason });
}

/// Tries all servers in turn, with growing waits between the rounds. `None` when the client is closed or gives up.
async fn again(shared: &Shared, servers: &[Server]) -> Option<Ready> {
    let mut wait = limits::RECONNECT_WAIT_MIN;
    for _ in 0..shared.options.reconnect_attempts {
        if shared.state.lock().phase == Phase::Closed {
            return None;
        }
        tokio::select! {
            ready = connect::first_of(servers, &shared.options) => {
                if let Ok(ready) = ready {
                    return Some(ready);
                }
            }
            () = shared.closed.notified() => return None,
        }
        if timeout(jittered(wait), shared.closed.notified()).await.is_ok() {
            return None;
        }
        wait = (wait * 2).min(limits::RECONNECT_WAIT_MAX);
    }
    None
}

/// Between half and all of `wait`, so that the clients of a restarted server do not come at once.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.5..=1.0))
}

/// Puts all subscriptions before what waits to be written, and opens for publishers again.
fn restore(shared: &Shared, info: &Info) {
    let mut state = shared.state.lock();
    state.info = Arc::new(info.clone());
    let mut out = Vec::new();
    for (sid, entry) in &mut state.entries {
        entry.before = entry.delivered;
        State::put_sub(&mut out, *sid, entry);
    }
    out.append(&mut state.out);
    state.out = out;
    if state.phase == Phase::Reconnecting {
        state.phase = Phase::Connected;
    }
    drop(state);
    shared.work.notify_one();
    shared.room.notify_waiters();
    shared.report(Event::Reconnected);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ConnectOptions;
    use crate::shared::{Entry, Sink};
    use tokio::sync::mpsc;

    fn shared_with(queue: usize) -> (Arc<Shared>, mpsc::Receiver<crate::message::Message>) {
        let shared = Shared::new(ConnectOptions::default(), Info::default());
        let (sender, receiver) = mpsc::channel(queue);
        let entry = Entry {
            subject: "a.>".into(),
            queue: None,
            sink: Sink::Queue(sender),
            max: None,
            delivered: 0,
            before: 0,
            dropped: Arc::default(),
            dropping: false,
        };
        assert_eq!(shared.subscribe(entry), Some(1));
        (shared, receiver)
    }

    #[test]
    fn any_chunking_gives_the_same_messages() {
        let text = b"MSG a.b 1 2\r\nhi\r\nPING\r\nHMSG a.c 1 r 18 20\r\nNATS/1.0\r\nK: v\r\n\r\nho\r\n+OK\r\nMSG x 9 0\r\n\r\n";
        for cut in 0..=text.len() {
            let (shared, mut messages) = shared_with(8);
            let mut said = None;
            let first = Bytes::copy_from_slice(&text[..cut]);
            let (used, needed) = hand_out(&shared, &first, &mut said).unwrap();
            assert!(needed == 0 || needed > cut - used, "cut at {cut}");
            let rest = Bytes::copy_from_slice(&text[used..]);
            assert_eq!(
                hand_out(&shared, &rest, &mut said),
                Ok((rest.len(), 0)),
                "cut at {cut}"
            );
            let (b, c) = (messages.try_recv().unwrap(), messages.try_recv().unwrap());
            assert_eq!((b.subject(), &b.payload()[..]), ("a.b".into(), &b"hi"[..]));
            assert_eq!((c.header("K"), &c.payload()[..]), (Some("v"), &b"ho"[..]));
            assert!(messages.try_recv().is_err());
            assert!(shared.state.lock().out.ends_with(b"PONG\r\n"));
        }
    }

    #[test]
    fn a_lost_connection_fails_only_what_was_written() {
        let (shared, _messages) = shared_with(8);
        let (written, mut first) = tokio::sync::oneshot::channel();
        let (waiting, mut second) = tokio::sync::oneshot::channel();
        shared.state.lock().put_ping(Some(written));
        shared.state.lock().out_pings = 0;
        shared.state.lock().put_ping(Some(waiting));
        lost(&shared, "test".into());
        assert_eq!(
            first.try_recv(),
            Err(tokio::sync::oneshot::error::TryRecvError::Closed)
        );
        assert_eq!(
            second.try_recv(),
            Err(tokio::sync::oneshot::error::TryRecvError::Empty)
        );
        assert_eq!(shared.state.lock().phase, Phase::Reconnecting);
    }

    #[test]
    fn a_new_connection_asks_for_what_is_still_wanted() {
        let (shared, mut messages) = shared_with(8);
        shared.stop_after(1, 5);
        assert_eq!(shared.state.lock().out, b"SUB a.> 1\r\nUNSUB 1 5\r\n");
        let two = Bytes::from_static(b"MSG a.b 1 0\r\n\r\nMSG a.b 1 0\r\n\r\n");
        assert!(hand_out(&shared, &two, &mut None).is_ok());
        shared.state.lock().out.clear();
        lost(&shared, "test".into());
        encode::publish(&mut shared.state.lock().out, b"x", None, b"", b"");
        restore(&shared, &Info::default());
        assert_eq!(
            shared.state.lock().out,
            b"SUB a.> 1\r\nUNSUB 1 3\r\nPUB x 0\r\n\r\n"
        );
        shared.state.lock().out.clear();
        shared.stop_after(1, 4);
        assert_eq!(shared.state.lock().out, b"UNSUB 1 2\r\n");
        assert!(hand_out(&shared, &two, &mut None).is_ok());
        assert!(shared.state.lock().entries.is_empty());
        assert_eq!(std::iter::from_fn(|| messages.try_recv().ok()).count(), 4);
    }
}
