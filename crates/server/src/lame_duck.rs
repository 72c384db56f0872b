//! Lame duck mode: clients are told that the server goes, and are sent away a few at a time, so that the servers they go
//! to are not overrun. When nobody is left the server ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::conn::{CloseReason, Conn};
use crate::server::Server;
use crate::system;

/// Between two closed connections at most.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Between two closed connections at least: below, several are closed at once.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// How `count` connections are spread over `span`: how many at a time, and how long between.
fn pace(count: usize, span: Duration) -> (usize, Duration) {
    let pause = span / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    if pause >= PAUSE_MIN {
        return (1, pause.min(PAUSE_MAX));
    }
    let pauses = usize::try_from(span.as_millis()).unwrap_or(usize::MAX).max(1);
    (count.div_ceil(pauses), PAUSE_MIN)
}

/// Tells clients and waits until they have gone or were sent away. New ones must not be let in any more.
pub(crate) async fn send_away(server: &Arc<Server>) {
    tracing::info!("Entering lame duck mode, stop accepting new clients");
    server.lame_duck.store(true, Ordering::Release);
    server.ready.store(false, Ordering::Release);
    if let Some(jetstream) = server.jetstream() {
        tracing::info!("Initiating JetStream Shutdown...");
        jetstream.stop().await;
        tracing::info!("JetStream Shutdown");
    }
    system::on_lame_duck(server);
    tell(server);
    let limits = &server.options.limits;
    let grace = Duration::from_nanos(limits.lame_duck_grace_ns);
    if is_empty_by(server, Instant::now() + grace).await {
        return;
    }
    tracing::info!("Closing existing clients");
    let span = Duration::from_nanos(limits.lame_duck_duration_ns).saturating_sub(grace);
    let conns = server.connections();
    let (batch, pause) = pace(conns.len(), span);
    for some in conns.chunks(batch) {
        for conn in some {
            conn.close(CloseReason::ServerShutdown);
        }
        // Jitter keeps several servers that were told at once from sending away in step.
        let waited = pause.mul_f64(f64::midpoint(1.0, rand::random::<f64>()));
        if is_empty_by(server, Instant::now() + waited).await {
            return;
        }
    }
}

/// Whether the last connection goes before `until`.
async fn is_empty_by(server: &Server, until: Instant) -> bool {
    loop {
        let emptied = server.emptied.notified();
        if server.connection_count() == 0 {
            return true;
        }
        if timeout_at(until, emptied).await.is_err() {
            return server.connection_count() == 0;
        }
    }
}

/// Sends an INFO to every client that takes them.
fn tell(server: &Server) {
    for conn in server.connections() {
        if conn.informed.load(Ordering::Relaxed) {
            tell_one(server, &conn);
        }
    }
}

/// Tells one client that it should go elsewhere.
pub(crate) fn tell_one(server: &Server, conn: &Conn) {
    let mut info = server.info_for(conn, false);
    info.ldm = true;
    conn.inform(&info);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_clients_go_quickly_and_many_in_batches() {
        assert_eq!(pace(0, Duration::from_secs(30)), (1, PAUSE_MAX));
        assert_eq!(pace(10, Duration::from_secs(110)), (1, PAUSE_MAX));
        assert_eq!(
            pace(300, Duration::from_secs(30)),
            (1, Duration::from_millis(100))
        );
        assert_eq!(pace(60_000, Duration::from_secs(30)), (2, PAUSE_MIN));
        assert_eq!(pace(10, Duration::ZERO), (10, PAUSE_MIN));
    }
}
