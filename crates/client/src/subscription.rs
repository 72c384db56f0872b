//! A subscription as its reader sees it: a bounded queue of messages. Dropping it ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::client::Client;
use crate::error::FlushError;
use crate::message::Message;

/// A subscription.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) client: Client,
    pub(crate) sid: u64,
    pub(crate) queue: mpsc::Receiver<Message>,
    pub(crate) dropped: Arc<AtomicU64>,
}

impl Subscription {
    /// The next message; `None` once the subscription has ended and all that was queued is read.
    ///
    /// Cancel safe: no message is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Message> {
        self.queue.recv().await
    }

    /// A message that is queued already.
    pub fn try_next(&mut self) -> Option<Message> {
        self.queue.try_recv().ok()
    }

    /// How many messages were dropped because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Ends the subscription at once; what is queued can still be read.
    pub fn unsubscribe(&self) {
        self.client.shared().stop(self.sid);
        self.client.shared().forget(self.sid);
    }

    /// Ends the subscription when `messages` were delivered since it began.
    pub fn unsubscribe_after(&self, messages: u64) {
        self.client.shared().stop_after(self.sid, messages);
    }

    /// Ends the subscription after what the server has sent already. Read on until `None`.
    ///
    /// # Errors
    /// [`FlushError`] when the server does not confirm; the subscription is ended all the same.
    pub async fn drain(&self) -> Result<(), FlushError> {
        self.client.shared().stop(self.sid);
        let flushed = self.client.flush().await;
        self.client.shared().forget(self.sid);
        flushed
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.unsubscribe();
    }
}
