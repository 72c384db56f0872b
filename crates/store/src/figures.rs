//! What a store has done since it was opened, for who watches it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures about the work that is done behind appends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Checkpoints of streams that were made durable.
    pub checkpoints: u64,
    /// Bytes of messages copied to segments.
    pub drained_bytes: u64,
}

/// The same as it is counted.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    checkpoints: AtomicU64,
    drained_bytes: AtomicU64,
}

impl Figures {
    /// A checkpoint of a stream is durable.
    pub(crate) fn checkpointed(&self) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bytes of messages are in a segment.
    pub(crate) fn drained(&self, bytes: usize) {
        self.drained_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> StoreStats {
        StoreStats {
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
            drained_bytes: self.drained_bytes.load(Ordering::Relaxed),
        }
    }
}
