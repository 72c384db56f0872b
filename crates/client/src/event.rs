//! What happens to a connection beside its messages, for those who want to watch. Never blocks the connection: an
//! observer that is too slow is told how much it missed.

use tokio::sync::broadcast;

/// Something that happened to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection was lost, and why.
    Disconnected {
        /// What the server or the socket said.
        reason: String,
    },
    /// There is a connection again; subscriptions are restored.
    Reconnected,
    /// The server sent an error, e.g. a permissions violation.
    ServerError(String),
    /// A subscription began to lose messages because its queue is full.
    SlowConsumer {
        /// Its subject.
        subject: String,
        /// Messages it lost so far.
        dropped: u64,
    },
    /// The server is about to stop.
    LameDuck,
    /// The client is closed and stays so.
    Closed,
    /// So many events were missed by this observer.
    Missed(u64),
}

/// An observer of a connection.
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` once the client is gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
