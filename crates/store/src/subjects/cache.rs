//! Blocks of runs read last, shared by all streams of a store. Each block has one place; the newer one takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Which block: number of its run, place in the run's file.
pub(super) type Key = (u64, u64);

type Place = Mutex<Option<(Key, Arc<[u8]>)>>;

/// Verified blocks.
#[derive(Debug)]
pub(crate) struct BlockCache {
    places: Box<[Place]>,
    runs: AtomicU64,
}

impl BlockCache {
    /// A cache of about so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let places = (bytes / super::run::BLOCK_BYTES).max(1);
        Self {
            places: (0..places).map(|_| Mutex::default()).collect(),
            runs: AtomicU64::new(1),
        }
    }

    /// A number that no other run of this store has.
    pub(super) fn next_run(&self) -> u64 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }

    fn place(&self, key: Key) -> &Place {
        let mixed = (key.0.rotate_left(40) ^ key.1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (u128::from(mixed) * self.places.len() as u128) >> 64;
        &self.places[usize::try_from(place).unwrap_or(0)]
    }

    pub(super) fn get(&self, key: Key) -> Option<Arc<[u8]>> {
        let place = self.place(key).lock();
        place
            .as_ref()
            .filter(|(found, _)| *found == key)
            .map(|(_, block)| Arc::clone(block))
    }

    pub(super) fn put(&self, key: Key, block: Arc<[u8]>) {
        *self.place(key).lock() = Some((key, block));
    }
}
