//! What arrives at a stream's task: messages in one piece of memory, and everything else as items in order.

use std::ops::Range;

use bytes::Bytes;
use natterjack_store::AppendError;

use super::owner::Owner;
use crate::mailbox::Pile;
use crate::router::message::Routed;

/// Bodies of at least this many bytes are shared instead of copied.
const SHARE_BYTES_MIN: usize = 8 * 1024;
/// Room kept from one round to the next, bytes.
const ARENA_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What may wait for a stream, where that is configured; beyond it messages are refused. Otherwise producers wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Messages.
    pub(super) messages: usize,
    /// Their bytes.
    pub(super) bytes: usize,
}

/// A message that found no room.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its reply.
    pub(super) kept: Kept,
    /// Which limit it met, as the peer's log names it.
    pub(super) limit: &'static str,
}

/// Something to be done by the stream's owner.
pub(super) type Call = Box<dyn FnOnce(&mut Owner) + Send>;

/// A message kept in the arena.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    subject: Range<usize>,
    reply: Option<Range<usize>>,
    body: Range<usize>,
    shared: Option<Bytes>,
    headers_len: usize,
}

/// One thing that arrived.
pub(super) enum Item {
    /// A message for the stream.
    Publish(Kept),
    /// A message that found no room.
    Refused(Refused),
    /// Somebody wants messages: the last token of the subject is the consumer.
    Pull(Kept),
    /// An acknowledgement.
    Ack(Kept),
    /// An answer to a flow control request.
    Flow(Kept),
    /// The oldest entry on its way is durable, or failed.
    Committed(Result<(), AppendError>),
    /// Listeners on the deliver subject of a consumer may have changed.
    Interest(u32),
    /// Anything else.
    Call(Call),
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Publish(_) => "Publish",
            Self::Refused(_) => "Refused",
            Self::Pull(_) => "Pull",
            Self::Ack(_) => "Ack",
            Self::Flow(_) => "Flow",
            Self::Committed(_) => "Committed",
            Self::Interest(_) => "Interest",
            Self::Call(_) => "Call",
        })
    }
}

/// Everything that arrived since the last round.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) items: Vec<Item>,
    arena: Vec<u8>,
    /// Messages for the stream.
    messages: usize,
    /// Bytes of these.
    message_bytes: usize,
    /// Bytes as the mailbox counts them.
    pub(super) bytes: usize,
}

impl Pile for Inbox {
    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// What a message takes in a mailbox, bytes.
pub(super) fn weight(message: &Routed<'_>) -> usize {
    message.subject.len() + message.reply.map_or(0, <[u8]>::len) + message.body.len() + 64
}

impl Inbox {
    fn put(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start..self.arena.len()
    }

    /// Copies `message` in.
    pub(super) fn keep(&mut self, message: &Routed<'_>) -> Kept {
        self.bytes += weight(message);
        let subject = self.put(message.subject);
        let reply = message.reply.filter(|r| !r.is_empty()).map(|r| self.put(r));
        let shared = message.shared.filter(|b| b.len() >= SHARE_BYTES_MIN).cloned();
        let body = if shared.is_some() {
            0..0
        } else {
            self.put(message.body)
        };
        Kept {
            subject,
            reply,
            body,
            shared,
            headers_len: message.headers_len,
        }
    }

    /// Takes a message for the stream in, or its reply if there is no room for it.
    pub(super) fn take_in(&mut self, message: &Routed<'_>, room: Room) {
        let bytes = message.subject.len() + message.reply.map_or(0, <[u8]>::len) + message.body.len();
        let limit = if self.messages >= room.messages {
            Some("len")
        } else if self.message_bytes.saturating_add(bytes) > room.bytes {
            Some("size")
        } else {
            None
        };
        if let Some(limit) = limit {
            // Its place in the mailbox is that of the whole message, which the mailbox counted.
            let rest = weight(message);
            let reply = Routed {
                reply: message.reply,
                ..Routed::default()
            };
            let kept = self.keep(&reply);
            self.bytes += rest - weight(&reply);
            self.items.push(Item::Refused(Refused { kept, limit }));
            return;
        }
        self.messages += 1;
        self.message_bytes += bytes;
        let kept = self.keep(message);
        self.items.push(Item::Publish(kept));
    }

    /// A message that was kept.
    pub(super) fn message<'a>(&'a self, kept: &'a Kept) -> Routed<'a> {
        Routed {
            subject: &self.arena[kept.subject.clone()],
            reply: kept.reply.clone().map(|r| &self.arena[r]),
            headers_len: kept.headers_len,
            body: kept
                .shared
                .as_deref()
                .unwrap_or_else(|| &self.arena[kept.body.clone()]),
            shared: kept.shared.as_ref(),
            from: None,
        }
    }

    /// Empties it for the next round.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        (self.messages, self.message_bytes, self.bytes) = (0, 0, 0);
        if self.arena.capacity() > ARENA_BYTES_MAX {
            self.arena = Vec::new();
        } else {
            self.arena.clear();
        }
    }
}
