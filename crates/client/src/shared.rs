//! What the client's handles and its connection task share: subscriptions, waiting requests and bytes to be written, under
//! one lock that is never held across an await. Opens no socket.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use natterjack_proto::{Delivered, Info, encode};
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, broadcast, mpsc, oneshot};

use crate::event::Event;
use crate::limits;
use crate::message::Message;
use crate::options::ConnectOptions;

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Connected,
    Reconnecting,
    Closed,
}

/// Where the messages of a subscription go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// To the queue of its reader.
    Queue(mpsc::Sender<Message>),
    /// To the request whose token ends the subject.
    Replies,
}

/// One subscription as the connection knows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) subject: Box<str>,
    pub(crate) queue: Option<Box<str>>,
    pub(crate) sink: Sink,
    /// Ends after so many messages.
    pub(crate) max: Option<u64>,
    pub(crate) delivered: u64,
    /// Delivered by connections before this one, of which this one's server knows nothing.
    pub(crate) before: u64,
    pub(crate) dropped: Arc<AtomicU64>,
    /// Whether the message before was dropped, so that a streak is reported once.
    pub(crate) dropping: bool,
}

/// A request that waits for its answer. The permit, if any, is given back with it.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) answer: oneshot::Sender<Message>,
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) info: Arc<Info>,
    /// Bytes the writer has not taken yet.
    pub(crate) out: Vec<u8>,
    /// Pings among those bytes.
    pub(crate) out_pings: usize,
    /// Who waits for the pongs to come, oldest first; `None` is the client's own ping.
    pub(crate) pongs: VecDeque<Option<oneshot::Sender<()>>>,
    pub(crate) entries: HashMap<u64, Entry>,
    pub(crate) waiters: HashMap<u64, Waiter>,
    pub(crate) sid: u64,
    pub(crate) token: u64,
    /// The subscription all answers come to, once there was a request.
    pub(crate) replies: Option<Arc<str>>,
}

/// State, and the bells around it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: ConnectOptions,
    pub(crate) state: Mutex<State>,
    /// There is something to write, or the client was closed.
    pub(crate) work: Notify,
    /// There is room again, or the phase changed.
    pub(crate) room: Notify,
    /// The client was closed.
    pub(crate) closed: Notify,
    /// A queue was more than half full when the last message came.
    pub(crate) crowded: AtomicBool,
    pub(crate) events: broadcast::Sender<Event>,
}

impl State {
    pub(crate) fn put_sub(out: &mut Vec<u8>, sid: u64, entry: &Entry) {
        let sid = sid.to_string();
        let queue = entry.queue.as_deref().map(str::as_bytes);
        encode::sub(out, entry.subject.as_bytes(), queue, sid.as_bytes());
        if let Some(max) = entry.max {
            let rest = usize::try_from(max.saturating_sub(entry.delivered)).unwrap_or(usize::MAX);
            encode::unsub(out, sid.as_bytes(), Some(rest.max(1)));
        }
    }

    /// Appends a ping; `answer` hears of its pong.
    pub(crate) fn put_ping(&mut self, answer: Option<oneshot::Sender<()>>) {
        self.out.extend_from_slice(encode::PING);
        self.out_pings += 1;
        self.pongs.push_back(answer);
    }
}

impl Shared {
    pub(crate) fn new(options: ConnectOptions, info: Info) -> Arc<Self> {
        let state = State {
            phase: Phase::Connected,
            info: Arc::new(info),
            out: Vec::new(),
            out_pings: 0,
            pongs: VecDeque::new(),
            entries: HashMap::new(),
            waiters: HashMap::new(),
            sid: 0,
            token: 0,
            replies: None,
        };
        Arc::new(Self {
            options,
            state: Mutex::new(state),
            work: Notify::new(),
            room: Notify::new(),
            closed: Notify::new(),
            crowded: AtomicBool::new(false),
            events: broadcast::channel(limits::EVENTS).0,
        })
    }

    /// Tells whoever watches; nobody need.
    pub(crate) fn report(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// Registers a subscription and, if connected, asks the server for it. `None` once the client is closed.
    pub(crate) fn subscribe(&self, entry: Entry) -> Option<u64> {
        let mut state = self.state.lock();
        let sid = match state.phase {
            Phase::Closed => return None,
            Phase::Connected | Phase::Reconnecting => state.sid + 1,
        };
        state.sid = sid;
        // Without a connection the new one begins with all subscriptions, this one included.
        if state.phase == Phase::Connected {
            State::put_sub(&mut state.out, sid, &entry);
        }
        state.entries.insert(sid, entry);
        drop(state);
        self.work.notify_one();
        Some(sid)
    }

    /// Tells the server that no more messages are wanted; those on the way still arrive until [`Shared::forget`].
    pub(crate) fn stop(&self, sid: u64) {
        let mut state = self.state.lock();
        if state.phase == Phase::Connected && state.entries.contains_key(&sid) {
            encode::unsub(&mut state.out, sid.to_string().as_bytes(), None);
            drop(state);
            self.work.notify_one();
        }
    }

    /// Forgets a subscription: its reader gets what is queued, then the end.
    pub(crate) fn forget(&self, sid: u64) {
        let entry = self.state.lock().entries.remove(&sid);
        drop(entry);
    }

    /// Ends a subscription `max` messages after it began.
    pub(crate) fn stop_after(&self, sid: u64, max: u64) {
        let mut state = self.state.lock();
        let Some(entry) = state.entries.get_mut(&sid) else {
            return;
        };
        entry.max = Some(max);
        let (done, before) = (entry.delivered >= max, entry.before);
        if state.phase == Phase::Connected {
            let wire = usize::try_from(max - before.min(max)).ok().filter(|_| !done);
            encode::unsub(&mut state.out, sid.to_string().as_bytes(), wire);
        }
        let gone = if done { state.entries.remove(&sid) } else { None };
        drop(state);
        drop(gone);
        self.work.notify_one();
    }

    /// Hands a message to its subscription.
    pub(crate) fn deliver(&self, chunk: &Bytes, delivered: &Delivered<'_>) {
        let Some(sid) = number(delivered.sid) else {
            return;
        };
        let message = Message::new(chunk, delivered);
        let mut state = self.state.lock();
        let Some(entry) = state.entries.get_mut(&sid) else {
            return;
        };
        entry.delivered += 1;
        let mut slow = None;
        match &entry.sink {
            Sink::Queue(queue) => match queue.try_send(message) {
                Ok(()) => {
                    if queue.capacity() < queue.max_capacity() / 2 {
                        self.crowded.store(true, Ordering::Relaxed);
                    }
                    entry.dropping = false;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(_)) => slow = overflow(entry),
            },
            Sink::Replies => {
                let token = message
                    .subject_bytes()
                    .rsplit(|b| *b == b'.')
                    .next()
                    .and_then(number);
                if let Some(waiter) = token.and_then(|token| state.waiters.remove(&token)) {
                    drop(state);
                    // The asker may have stopped waiting in this moment.
                    drop(waiter.answer.send(message));
                }
                return;
            }
        }
        let done = entry.max.is_some_and(|max| entry.delivered >= max);
        let gone = if done { state.entries.remove(&sid) } else { None };
        drop(state);
        drop(gone);
        if let Some(event) = slow {
            self.report(event);
        }
    }

    /// Closes for good. What is already to be written is still written.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Closed {
            return;
        }
        let lost = state.phase == Phase::Reconnecting;
        state.phase = Phase::Closed;
        if lost {
            state.out.clear();
        }
        let entries = std::mem::take(&mut state.entries);
        let waiters = std::mem::take(&mut state.waiters);
        let pongs = std::mem::take(&mut state.pongs);
        drop(state);
        drop((entries, waiters, pongs));
        self.work.notify_one();
        self.room.notify_waiters();
        self.closed.notify_one();
        self.report(Event::Closed);
    }
}

/// Counts a message that found its queue full, and says so at the beginning of a streak.
fn overflow(entry: &mut Entry) -> Option<Event> {
    let dropped = entry.dropped.fetch_add(1, Ordering::Relaxed) + 1;
    let first = !std::mem::replace(&mut entry.dropping, true);
    first.then(|| Event::SlowConsumer {
        subject: entry.subject.to_string(),
        dropped,
    })
}

/// A decimal number as the client itself writes it.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
