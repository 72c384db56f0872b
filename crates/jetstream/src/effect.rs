//! Everything a stream's machines may ask of the world, as one trait the driver implements.
//!
//! Calls are made in order and carried out in order. The machines never look at a socket, a clock or a
//! subscription table: what they need to know comes back as the return value of a call.

use natterjack_store::Message;

/// What came of trying to hand a message to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// At least one subscriber took it.
    Taken {
        /// Bytes queued for the subscriber, as counted against a pull request's `max_bytes` and flow control.
        bytes: usize,
    },
    /// Nobody listens on the subject any more.
    NoInterest,
}

/// A stored message on its way to a consumer's subscriber.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Where to: the push consumer's deliver subject or the pull request's reply subject.
    pub to: &'a [u8],
    /// Deliver group of a push consumer: one member of that queue group gets it.
    pub group: Option<&'a [u8]>,
    /// The stored message; its own subject is what the subscriber sees.
    pub message: &'a Message,
    /// The ack subject, shown as the reply.
    pub reply: &'a [u8],
    /// Header lines (`Key: value\r\n`…) added behind the stored ones, e.g. `Nats-Pin-Id`. Empty for none.
    pub extra_headers: &'a [u8],
    /// Send no payload (`headers_only`); `extra_headers` then carries `Nats-Msg-Size`.
    pub headers_only: bool,
}

/// Carries out what the machines decide. Implemented by the server's stream task and by recorders in tests.
pub trait Effects {
    /// Hands a stored message to a subscriber.
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Handed;

    /// Sends a message made by the server: pub acks (`headers` empty), statuses (`payload` empty), replies to acks,
    /// republished messages, API answers sent late. `reply` is the reply subject shown to the receiver, if any.
    fn send(&mut self, to: &[u8], reply: Option<&[u8]>, headers: &[u8], payload: &[u8]) -> Handed;

    /// Whether somebody listens on `subject` (in the queue group `group`, when given).
    fn has_interest(&self, subject: &[u8], group: Option<&[u8]>) -> bool;

    /// Whether an advisory on `subject` would be heard; asked before the JSON is made.
    fn wants_advisory(&self, subject: &[u8]) -> bool;

    /// Publishes an advisory or metric body on `subject` in the stream's account.
    fn advisory(&mut self, subject: &[u8], json: &[u8]);

    /// Whether the system account would hear an advisory on `subject`.
    fn wants_system_advisory(&self, _subject: &[u8]) -> bool {
        false
    }

    /// Publishes an advisory in the system account.
    fn system_advisory(&mut self, _subject: &[u8], _json: &[u8]) {}

    /// Lets what was sent so far leave at once: what comes next takes a while.
    fn flush(&mut self) {}

    /// A fresh random number: inbox suffixes, pin ids, jitter. The leader writes what it chose into the entry.
    fn random(&mut self) -> u64;
}

/// Carries nothing out: for what happens unheard.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Effects for Silent {
    fn deliver(&mut self, _delivery: &Delivery<'_>) -> Handed {
        Handed::NoInterest
    }

    fn send(&mut self, _to: &[u8], _reply: Option<&[u8]>, _headers: &[u8], _payload: &[u8]) -> Handed {
        Handed::NoInterest
    }

    fn has_interest(&self, _subject: &[u8], _group: Option<&[u8]>) -> bool {
        false
    }

    fn wants_advisory(&self, _subject: &[u8]) -> bool {
        false
    }

    fn advisory(&mut self, _subject: &[u8], _json: &[u8]) {}

    fn random(&mut self) -> u64 {
        0
    }
}
