//! Messages that found no room: their publishers are told, and the log says so now and then.

use natterjack_jetstream::{Effects as _, Now};
use natterjack_jsapi::{errors, pub_ack};

use super::Owner;
use crate::jetstream::inbox::{Inbox, Refused};

/// Between lines of the log about one stream, nanoseconds.
const SAY_EVERY_NS: u64 = 1_000_000_000;

impl Owner {
    /// Tells the publisher of a message that was not taken in.
    pub(super) fn turn_away(&mut self, inbox: &Inbox, refused: &Refused, now: Now) {
        if now.mono_ns >= self.say_at {
            self.say_at = now.mono_ns.saturating_add(SAY_EVERY_NS);
            tracing::warn!(
                "Dropping messages due to excessive stream ingest rate on '{}' > '{}': IPQ {} limit reached",
                self.wire.lane.account.name,
                self.stream.name,
                refused.limit
            );
        }
        let Some(reply) = inbox.message(&refused.kept).reply else {
            return;
        };
        let mut json = Vec::new();
        pub_ack::refused(&mut json, &self.stream.name, &errors::STREAM_TOO_MANY_REQUESTS);
        let status = b"NATS/1.0 429 Too Many Requests\r\n\r\n";
        self.wire.send(reply, None, status, &json);
    }
}
