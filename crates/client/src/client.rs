//! The handle of a connection. Clones share the connection; when the last one and all subscriptions are gone, it closes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use natterjack_proto::Info;
use natterjack_subject::Filter;
use natterjack_subject::names::nuid;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use crate::conn;
use crate::connect;
use crate::error::{ConnectError, FlushError, PublishError, RequestError, SubscribeError};
use crate::event::Events;
use crate::headers::HeaderBlock;
use crate::message::Message;
use crate::options::{ConnectOptions, Server};
use crate::publish::{Outgoing, outgoing};
use crate::reply::PendingReply;
use crate::shared::{Entry, Phase, Shared, Sink, Waiter};
use crate::subscription::Subscription;

/// A connection to NATS. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Closes the connection with the last clone.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl ConnectOptions {
    /// Connects to `servers`: one address, or several separated by commas of which the first that answers is taken.
    ///
    /// # Errors
    /// [`ConnectError`] of the last address tried.
    pub async fn connect(self, servers: &str) -> Result<Client, ConnectError> {
        let servers = Server::parse_list(servers)?;
        let ready = connect::first_of(&servers, &self).await?;
        let shared = Shared::new(self, ready.info.as_ref().clone());
        // The task lives until the handle closes it.
        drop(tokio::spawn(conn::run(Arc::clone(&shared), servers, ready)));
        let handle = Arc::new(Handle { shared });
        Ok(Client { handle })
    }
}

impl Client {
    /// Connects with default options.
    ///
    /// # Errors
    /// As [`ConnectOptions::connect`].
    pub async fn connect(servers: &str) -> Result<Self, ConnectError> {
        ConnectOptions::new().connect(servers).await
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// What the server told about itself last.
    #[must_use]
    pub fn server_info(&self) -> Arc<Info> {
        Arc::clone(&self.shared().state.lock().info)
    }

    /// What happens to the connection from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events(self.shared().events.subscribe())
    }

    /// Longest a request waits.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.shared().options.request_timeout
    }

    /// A fresh subject for answers.
    #[must_use]
    pub fn new_inbox(&self) -> String {
        format!(
            "{}.{}",
            self.shared().options.inbox_prefix,
            nuid(&mut rand::random)
        )
    }

    /// Subscribes to `subject`, which may have wildcards.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe(&self, subject: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_bounded(subject, None, self.shared().options.subscription_messages)
    }

    /// Subscribes as a member of a queue group, of which each message reaches one member.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn queue_subscribe(&self, subject: &str, queue: &str) -> Result<Subscription, SubscribeError> {
        if queue.is_empty() || queue.contains([' ', '\t', '\r', '\n']) {
            return Err(SubscribeError::Queue);
        }
        self.subscribe_bounded(subject, Some(queue), self.shared().options.subscription_messages)
    }

    /// Subscribes with a queue of at most `messages`.
    pub(crate) fn subscribe_bounded(
        &self,
        subject: &str,
        queue: Option<&str>,
        messages: usize,
    ) -> Result<Subscription, SubscribeError> {
        Filter::parse(subject.as_bytes())?;
        let (sender, receiver) = mpsc::channel(messages);
        let dropped = Arc::new(AtomicU64::new(0));
        let entry = Entry {
            subject: subject.into(),
            queue: queue.map(Into::into),
            sink: Sink::Queue(sender),
            max: None,
            delivered: 0,
            before: 0,
            dropped: Arc::clone(&dropped),
            dropping: false,
        };
        let sid = self.shared().subscribe(entry).ok_or(SubscribeError::Closed)?;
        Ok(Subscription {
            client: self.clone(),
            sid,
            queue: receiver,
            dropped,
        })
    }

    /// Sends a request and waits for the first answer.
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::NoResponders`] if nobody listens.
    pub async fn request(&self, subject: &str, payload: impl AsRef<[u8]>) -> Result<Message, RequestError> {
        self.request_with_headers(subject, &HeaderBlock::new(), payload)
            .await
    }

    /// Sends a request with headers and waits for the first answer.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn request_with_headers(
        &self,
        subject: &str,
        headers: &HeaderBlock,
        payload: impl AsRef<[u8]>,
    ) -> Result<Message, RequestError> {
        let headers = headers.to_bytes();
        let message = outgoing(subject, None, &headers, payload.as_ref());
        self.ask(message, None).await?.wait(self.request_timeout()).await
    }

    /// Sends a request. The permit, if any, is given back when the answer comes or the wait is given up.
    pub(crate) async fn ask(
        &self,
        message: Outgoing<'_>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<PendingReply, PublishError> {
        let prefix = self.replies().ok_or(PublishError::Closed)?;
        let (sender, answer) = oneshot::channel();
        let token = {
            let mut state = self.shared().state.lock();
            state.token += 1;
            let token = state.token;
            let waiter = Waiter {
                answer: sender,
                _permit: permit,
            };
            state.waiters.insert(token, waiter);
            token
        };
        let pending = PendingReply {
            client: self.clone(),
            token,
            answer,
        };
        let reply = format!("{prefix}.{token}");
        let message = Outgoing {
            reply: Some(&reply),
            ..message
        };
        self.send(&message).await?;
        Ok(pending)
    }

    /// The subject under which all answers come; subscribed to with the first request.
    fn replies(&self) -> Option<Arc<str>> {
        if let Some(prefix) = &self.shared().state.lock().replies {
            return Some(Arc::clone(prefix));
        }
        let prefix: Arc<str> = self.new_inbox().into();
        let entry = Entry {
            subject: format!("{prefix}.*").into(),
            queue: None,
            sink: Sink::Replies,
            max: None,
            delivered: 0,
            before: 0,
            dropped: Arc::default(),
            dropping: false,
        };
        let sid = self.shared().subscribe(entry)?;
        let mut state = self.shared().state.lock();
        // Two first requests may come at once: the second finds the first's subject and gives its own up.
        if let Some(first) = &state.replies {
            let first = Arc::clone(first);
            drop(state);
            self.shared().stop(sid);
            self.shared().forget(sid);
            return Some(first);
        }
        state.replies = Some(Arc::clone(&prefix));
        Some(prefix)
    }

    /// Waits until the server has seen all that was written so far.
    ///
    /// # Errors
    /// [`FlushError`].
    pub async fn flush(&self) -> Result<(), FlushError> {
        let (sender, pong) = oneshot::channel();
        {
            let mut state = self.shared().state.lock();
            if state.phase == Phase::Closed {
                return Err(FlushError::Closed);
            }
            state.put_ping(Some(sender));
        }
        self.shared().work.notify_one();
        let longest = self.request_timeout();
        match timeout(longest, pong).await {
            Err(_) => Err(FlushError::Timeout(longest)),
            Ok(Err(_)) => Err(FlushError::Disconnected),
            Ok(Ok(())) => Ok(()),
        }
    }

    /// Ends all subscriptions after what the server has sent already, writes what is to be written, and closes. Readers
    /// get what is queued, then the end. To answer those messages first, use [`Subscription::drain`] before.
    ///
    /// # Errors
    /// [`FlushError`] when the server does not confirm; the client is closed all the same.
    pub async fn drain(&self) -> Result<(), FlushError> {
        let sids: Vec<u64> = self.shared().state.lock().entries.keys().copied().collect();
        for sid in sids {
            self.shared().stop(sid);
        }
        let flushed = self.flush().await;
        self.shared().close();
        flushed
    }

    /// Writes what is to be written and closes. Subscriptions end; later calls fail.
    pub async fn close(&self) {
        // A connection that is lost has nothing to confirm.
        if self.is_connected() {
            drop(self.flush().await);
        }
        self.shared().close();
    }

    /// Whether there is a connection at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared().state.lock().phase == Phase::Connected
    }
}
