//! Markers: what is left of a subject whose last message ended by age or by its own time to live.

use natterjack_jsapi::{Nanos, headers};
use natterjack_store::{BatchBuilder, Due, Message, NewRecord, Seq, flags};

use super::Stream;
use super::text::{header, push_header};
use crate::clock::Now;

/// Whether `message` says itself that its subject is gone.
fn is_farewell(message: &Message) -> bool {
    header(message.headers(), headers::MARKER_REASON).is_some()
        || header(message.headers(), headers::KV_OPERATION) == Some(b"PURGE")
}

impl Stream {
    /// Puts a marker for what is due into `batch`, which replaces it when it is stored; `false` when it leaves none.
    pub(crate) fn mark(&mut self, now: Now, due: &Due, batch: &mut BatchBuilder) -> bool {
        let ttl = self.config.subject_delete_marker_ttl;
        if ttl.0 <= 0 {
            return false;
        }
        let Ok(message) = self.store.load(due.seq) else {
            return false;
        };
        let subject = message.subject();
        if is_farewell(&message) || self.last_of(subject) != due.seq {
            return false;
        }
        let seconds = u32::try_from(ttl.0 / 1_000_000_000).unwrap_or(u32::MAX - 1);
        let mut block = b"NATS/1.0\r\n".to_vec();
        push_header(&mut block, headers::MARKER_REASON, b"MaxAge");
        push_header(&mut block, headers::TTL, Nanos(ttl.0).to_string().as_bytes());
        push_header(&mut block, headers::ROLLUP, b"sub");
        block.extend_from_slice(b"\r\n");
        let seq = self.overlay.last_seq.next();
        let ts_ns = now.wall_ns.max(self.overlay.last_ts_ns);
        let record = NewRecord {
            seq,
            ts_ns,
            subject,
            headers: &block,
            payload: &[],
            flags: flags::MARKER | flags::ROLLUP_SUBJECT,
            ttl_s: seconds,
        };
        if !batch.push(&record) {
            return false;
        }
        self.took(seq, ts_ns);
        self.note_in_flight(subject, block.len(), 0, seq);
        true
    }

    /// The sequence and time stamp are given away.
    pub(crate) fn took(&mut self, seq: Seq, ts_ns: i64) {
        self.overlay.last_seq = seq;
        self.overlay.last_ts_ns = ts_ns;
    }
}
