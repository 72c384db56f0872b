//! A stream on its way into an archive, and out of one.

use std::ops::ControlFlow;

use bytes::Bytes;
use natterjack_jsapi::ApiError;
use natterjack_jsapi::errors;
use natterjack_jsapi::json::GoJson as _;
use natterjack_jsapi::stream::StreamState;
use natterjack_store::{NewRecord, Seq, Snapshot, flags};
use natterjack_subject::is_valid_literal;

use super::Group;
use crate::archive::{CONSUMERS, Entry, Packer, STATE};
use crate::clock::Now;
use crate::command::Command;

/// Messages packed at a time.
const PACK_MESSAGES_MAX: usize = 256;
/// No more are packed once they are this long, bytes.
const PACK_BYTES_MAX: usize = 1024 * 1024;

/// Packs some messages of `snapshot` from `from` on; damaged ones are left out. Returns where to go on, if there is more.
pub fn pack_messages(snapshot: &Snapshot, packer: &mut Packer, mut from: Seq) -> Option<Seq> {
    let (mut left, mut bytes) = (PACK_MESSAGES_MAX, 0);
    let mut is_enough = false;
    snapshot.scan(from, &mut |seq, found| {
        from = seq.next();
        if let Ok(passing) = found {
            let record = passing.record();
            let place = (record.ts_ns(), seq.0);
            packer.add(record.subject(), place, record.headers(), record.payload());
            bytes += record.stride();
        }
        left -= 1;
        is_enough = left == 0 || bytes >= PACK_BYTES_MAX;
        if is_enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    is_enough.then_some(from)
}

impl Group {
    /// Pins the messages, and packs what comes before them: the state, and the consumers if they are wanted. Whatever is done
    /// to the stream afterwards is not in the archive.
    pub fn pack_head(&mut self, packer: &mut Packer, consumers: bool, now: Now) -> (StreamState, Snapshot) {
        let state = self.info(now).state;
        let mut json = Vec::new();
        state.encode(&mut json);
        packer.add(STATE.as_bytes(), (now.wall_ns, 0), &[], &json);
        if consumers {
            for (name, json) in self.consumers.stored(now) {
                let name = format!("{CONSUMERS}{name}");
                packer.add(name.as_bytes(), (now.wall_ns, 0), &[], &json);
            }
        }
        (state, self.stream.store.snapshot(self.applied, Bytes::new()))
    }

    /// Takes a message out of an archive over.
    ///
    /// # Errors
    /// When it does not fit behind those before it.
    pub fn unpack_message(&mut self, entry: &Entry) -> Result<(), ApiError> {
        let bad = || errors::stream_restore("archive: invalid archive stream");
        let last = self.stream.overlay.last_seq;
        if entry.seq <= last.0 || !is_valid_literal(&entry.name) {
            return Err(bad());
        }
        let seq = Seq(entry.seq);
        if seq != last.next() {
            self.give_up(seq.previous(), entry.ts_ns);
        }
        let (asked, ttl_s) = self.stream.restored_flags(&entry.headers);
        let record = NewRecord {
            seq,
            ts_ns: entry.ts_ns,
            subject: &entry.name,
            headers: &entry.headers,
            payload: &entry.payload,
            flags: asked,
            ttl_s,
        };
        if !self.batch.push(&record) {
            return Err(bad());
        }
        if asked & flags::MSG_ID != 0
            && let Some(id) = crate::stream::value(&entry.headers, natterjack_jsapi::headers::MSG_ID)
        {
            self.stream.dedup.insert(id, seq, entry.ts_ns);
        }
        self.stream.took(seq, entry.ts_ns);
        self.stream
            .note_in_flight(&entry.name, entry.headers.len(), entry.payload.len(), seq);
        Ok(())
    }

    /// All messages are there: what the stream gave away behind them is given up, and the consumers follow.
    ///
    /// # Errors
    /// When a consumer cannot be read.
    pub fn unpack_end(
        &mut self,
        last: u64,
        consumers: &[(String, Vec<u8>)],
        now: Now,
    ) -> Result<(), ApiError> {
        if last > self.stream.overlay.last_seq.0 {
            self.give_up(Seq(last), now.wall_ns);
        }
        for (name, text) in consumers {
            let created = self
                .consumers
                .from_stored(name, text, last, now)
                .ok_or_else(|| errors::stream_restore(format_args!("consumer {name:?} is not valid")))?;
            self.propose_in_order(&Command::ConsumerCreate(Box::new(created)), None);
        }
        Ok(())
    }
}
