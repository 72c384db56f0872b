//! Snapshots of streams that are held while scripts go on: what they should have, and whether they do.

use natterjack_store::{LogIndex, MsgStore, Snapshot};

use crate::model::{Change, Model};

/// A snapshot and what should be in it.
pub(crate) struct Pinned {
    pub(crate) stream: u32,
    model: Model,
    /// Up to here the stream has the same messages.
    shared: u64,
    snapshot: Snapshot,
}

impl Pinned {
    pub(crate) fn new(stream: u32, model: Model, log: &mut dyn MsgStore, applied: LogIndex) -> Self {
        let snapshot = log.snapshot(applied, stream.to_le_bytes().to_vec().into());
        assert_eq!(snapshot.state(), log.state());
        assert_eq!(snapshot.applied(), applied);
        assert_eq!(snapshot.owner_state()[..], stream.to_le_bytes());
        Self {
            stream,
            shared: model.last,
            model,
            snapshot,
        }
    }

    /// The stream goes on from `before`: only what is erased is gone here as well.
    pub(crate) fn hear(&mut self, change: Change, before: &Model) {
        match change {
            Change::Erase(seq) if seq <= self.shared && before.messages.contains_key(&seq) => {
                self.model.messages.remove(&seq);
            }
            Change::Truncate(last) => self.shared = self.shared.min(last),
            _ => {}
        }
    }

    /// Everything is as it was.
    pub(crate) fn check(&self) {
        if let Some(text) = self.model.differs_from(&self.snapshot) {
            panic!("a snapshot of stream {}: {text}", self.stream);
        }
    }
}
