//! Consumers as bytes, for checkpoints; reading any bytes gives consumers or nothing.

use natterjack_jsapi::{GoTime, json};
use natterjack_store::MsgStore;

use super::start::LastList;
use super::{Consumers, Created};
use crate::clock::Now;

impl Consumers {
    /// Appends all consumers for a checkpoint.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put(out, u64::from(self.next_id));
        put(out, self.by_name.len() as u64);
        for consumer in self.ids().filter_map(|id| self.get(id)) {
            put(out, u64::from(consumer.id));
            put_bytes(out, consumer.name.as_bytes());
            put_bytes(out, &json::to_vec(&consumer.config));
            put(out, consumer.created.0.cast_unsigned());
            let mut state = Vec::new();
            consumer.state.encode(&mut state);
            encode_list(&consumer.last_list, consumer.replay_end, &mut state);
            put_bytes(out, &state);
        }
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(&mut self, bytes: &mut &[u8], store: &mut dyn MsgStore, now: Now) -> Option<()> {
        let next_id = u32::try_from(take(bytes)?).ok()?;
        for _ in 0..take(bytes)? {
            let created = Created {
                id: u32::try_from(take(bytes)?).ok()?,
                name: String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?,
                config: json::from_slice(take_bytes(bytes)?).ok()?,
                created: GoTime(take(bytes)?.cast_signed()),
                state: take_bytes(bytes)?.to_vec(),
            };
            self.apply_create(&created, store, now);
        }
        self.next_id = self.next_id.max(next_id);
        Some(())
    }
}

pub(crate) fn put(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*head))
}

pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take(bytes)?).ok()?;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

pub(super) fn encode_list(list: &LastList, replay_end: u64, out: &mut Vec<u8>) {
    put(out, replay_end);
    put(out, list.resume);
    put(out, list.seqs.len() as u64);
    for seq in &list.seqs {
        put(out, *seq);
    }
}

pub(super) fn decode_list(bytes: &mut &[u8]) -> Option<(LastList, u64)> {
    let replay_end = take(bytes)?;
    let mut list = LastList {
        resume: take(bytes)?,
        ..LastList::default()
    };
    for _ in 0..take(bytes)? {
        list.seqs.push_back(take(bytes)?);
    }
    Some((list, replay_end))
}
