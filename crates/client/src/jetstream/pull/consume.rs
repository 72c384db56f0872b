//! A function called for each message of a continuous pull, in a task of its own. Calls it for one message at a time.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{ConsumeOptions, Messages, PullConsumer};
use crate::jetstream::delivery::Delivery;
use crate::jetstream::error::PullError;

/// How a continuous pull is to end.
#[derive(Debug)]
enum End {
    /// At once.
    Stop,
    /// After what has come.
    Drain,
}

/// A continuous pull in a task of its own. Dropping it ends it as [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Consuming {
    end: mpsc::Sender<End>,
    task: JoinHandle<()>,
}

impl PullConsumer {
    /// Pulls continuously and calls `take` for each message and each error, one at a time. It ends by itself after an
    /// error that [is final](PullError::is_final) and when the client is closed.
    ///
    /// # Errors
    /// As [`messages`](Self::messages).
    pub fn consume<F, Fut>(&self, options: ConsumeOptions, take: F) -> Result<Consuming, PullError>
    where
        F: FnMut(Result<Delivery, PullError>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let messages = self.messages(options)?;
        let (end, ends) = mpsc::channel(1);
        let task = tokio::spawn(run(messages, ends, take));
        Ok(Consuming { end, task })
    }
}

async fn run<F, Fut>(mut messages: Messages, mut ends: mpsc::Receiver<End>, mut take: F)
where
    F: FnMut(Result<Delivery, PullError>) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut draining = false;
    loop {
        let next = tokio::select! {
            biased;
            end = ends.recv(), if !draining => match end {
                Some(End::Drain) => {
                    messages.drain();
                    draining = true;
                    continue;
                }
                Some(End::Stop) | None => return,
            },
            next = messages.next() => next,
        };
        match next {
            Some(next) => take(next).await,
            None => return,
        }
    }
}

impl Consuming {
    /// Ends it and waits until the call under way has returned. Messages that came and were not given to the function come
    /// again to others, when the time to acknowledge them is over.
    pub async fn stop(self) {
        self.finish(End::Stop).await;
    }

    /// Asks for no more, and waits until the function was called for all that has come.
    pub async fn drain(self) {
        self.finish(End::Drain).await;
    }

    /// Waits until it has ended by itself.
    pub async fn closed(self) {
        self.join().await;
    }

    async fn finish(self, how: End) {
        // A task that has ended listens no more, which is what is wanted.
        drop(self.end.send(how).await);
        self.join().await;
    }

    async fn join(self) {
        let Self { end, task } = self;
        let ended = task.await;
        drop(end);
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
