//! An answer that is outstanding. Dropping it gives the wait up.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::client::Client;
use crate::error::RequestError;
use crate::message::Message;

/// The answer to a request that is on its way.
#[derive(Debug)]
pub struct PendingReply {
    pub(crate) client: Client,
    pub(crate) token: u64,
    pub(crate) answer: oneshot::Receiver<Message>,
}

impl PendingReply {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`RequestError`]: nobody listens, nobody answers in time, or the connection was lost.
    pub async fn wait(mut self, longest: Duration) -> Result<Message, RequestError> {
        match tokio::time::timeout(longest, &mut self.answer).await {
            Err(_) => Err(RequestError::Timeout(longest)),
            Ok(Err(_)) => Err(RequestError::Disconnected),
            Ok(Ok(message)) if message.is_no_responders() => Err(RequestError::NoResponders),
            Ok(Ok(message)) => Ok(message),
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        let waiter = self.client.shared().state.lock().waiters.remove(&self.token);
        drop(waiter);
    }
}
