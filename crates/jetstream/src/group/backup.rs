//! A stream on its way into an archive, and out of one.

use std::ops::ControlFlow;

use natterjack_jsapi::ApiError;
use natterjack_jsapi::errors;
use natterjack_jsapi::json::GoJson as _;
use natterjack_jsapi::stream::StreamState;
use natterjack_store::{NewRecord, Seq, flags};
use natterjack_subject::{FilterSet, is_valid_literal};

use super::Group;
use crate::archive::{CONSUMERS, Entry, Packer, STATE};
use crate::clock::Now;
use crate::command::Command;

/// Messages packed at a time.
const PACK_MESSAGES_MAX: usize = 256;

impl Group {
    /// Packs what comes before the messages: the state, and the consumers if they are wanted.
    pub fn pack_head(&self, packer: &mut Packer, consumers: bool, now: Now) -> StreamState {
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
        state
    }

    /// Packs some messages from `from` on, none behind `last`. Returns where to go on, if there is more.
    pub fn pack_messages(&self, packer: &mut Packer, mut from: Seq, last: Seq) -> Option<Seq> {
        let all = FilterSet::all();
        let mut left = PACK_MESSAGES_MAX;
        self.stream.store.scan(&all, from, &mut |passing| {
            let record = passing.record();
            if record.seq() > last {
                return ControlFlow::Break(());
            }
            from = record.seq().next();
            let place = (record.ts_ns(), record.seq().0);
            packer.add(record.subject(), place, record.headers(), record.payload());
            left -= 1;
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        (left == 0).then_some(from)
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
