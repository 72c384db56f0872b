//! What a checkpoint says of a stream beside its messages, and a group begun from that.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::stream::StreamConfig;
use natterjack_store::{LogIndex, MsgStore, Seq};

use super::Group;
use crate::clock::Now;
use crate::consumer::{Names, put, put_bytes, take, take_bytes};
use crate::source::Position;

impl Group {
    /// A group over a store that was opened again, from the state of its checkpoint. Entries behind it follow by
    /// [`Self::replay`], then [`Self::restored`].
    #[must_use]
    pub fn restore(
        config: StreamConfig,
        created: GoTime,
        store: Box<dyn MsgStore>,
        names: Names,
        checkpoint: Option<(LogIndex, &[u8])>,
        now: Now,
    ) -> Self {
        // What is there was kept under the configuration of the checkpoint: that of the beginning may have allowed less.
        let mut group = Self::without_limits(config, created, store, names);
        group.restoring = true;
        if let Some((applied, bytes)) = checkpoint {
            group.applied = applied;
            let mut bytes = bytes;
            let _partial = group.decode(&mut bytes, now);
        }
        group.limit();
        group
    }

    fn decode(&mut self, bytes: &mut &[u8], now: Now) -> Option<()> {
        let config: StreamConfig = natterjack_jsapi::json::from_slice(take_bytes(bytes)?).ok()?;
        self.stream.created = GoTime(take(bytes)?.cast_signed());
        self.stream.apply_config(config, &mut natterjack_store::Unheard);
        for _ in 0..take(bytes)? {
            let (ts, seq) = (take(bytes)?.cast_signed(), Seq(take(bytes)?));
            let id = take_bytes(bytes)?.to_vec();
            self.stream.dedup.insert(&id, seq, ts);
        }
        self.consumers.decode(bytes, self.stream.store.as_mut(), now)?;
        for _ in 0..take(bytes)? {
            let key = String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?;
            let seq = take(bytes)?;
            let identity = String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?;
            self.stream.origins.insert(key, Position { seq, identity });
        }
        for _ in 0..take(bytes)? {
            let subject = take_bytes(bytes)?.to_vec();
            let (seq, at_ns) = (Seq(take(bytes)?), take(bytes)?.cast_signed());
            self.stream.schedules.set(&subject, seq, at_ns);
        }
        Some(())
    }

    /// State for a checkpoint. Only when nothing is on its way.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        debug_assert!(
            self.in_flight.is_empty(),
            "a checkpoint while entries are on their way"
        );
        let mut out = Vec::new();
        put_bytes(&mut out, &natterjack_jsapi::json::to_vec(self.stream.config()));
        put(&mut out, self.stream.created.0.cast_unsigned());
        put(&mut out, self.stream.dedup.len() as u64);
        for (id, seq, ts) in self.stream.dedup.entries() {
            put(&mut out, ts.cast_unsigned());
            put(&mut out, seq.0);
            put_bytes(&mut out, id);
        }
        self.consumers.encode(&mut out);
        put(&mut out, self.stream.origins.len() as u64);
        for (key, at) in &self.stream.origins {
            put_bytes(&mut out, key.as_bytes());
            put(&mut out, at.seq);
            put_bytes(&mut out, at.identity.as_bytes());
        }
        put(&mut out, self.stream.schedules.len() as u64);
        for (subject, seq, at_ns) in self.stream.schedules.entries() {
            put_bytes(&mut out, subject);
            put(&mut out, seq.0);
            put(&mut out, at_ns.cast_unsigned());
        }
        out
    }
}
