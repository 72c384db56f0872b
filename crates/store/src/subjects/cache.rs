//! Blocks of runs read last, shared by all streams of a store. Each block has one place; the newer one takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Which block: number of its run, place in the run's file.
pub(super) type Key = (u64, u64);

type Place = Mutex<Option<(Key, Arc<[u8]>)>>;

/// Verified blocks.
#[derive(Debug)]
pub(crate) struct BlockCache {
    places: Box<[Place]>,
    /// Bytes in them, and how many there may be.
    bytes: AtomicUsize,
    bytes_max: usize,
    runs: AtomicU64,
}

impl BlockCache {
    /// A cache of so many bytes, or of one block.
    pub(crate) fn new(bytes: usize) -> Self {
        let places = (bytes / super::run::BLOCK_BYTES).max(1);
        Self {
            places: (0..places).map(|_| Mutex::default()).collect(),
            bytes: AtomicUsize::new(0),
            bytes_max: bytes,
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
        let mut place = self.place(key).lock();
        let len = block.len();
        let before = place.replace((key, block)).map_or(0, |(_, old)| old.len());
        let bytes = self.bytes.fetch_add(len.wrapping_sub(before), Ordering::Relaxed);
        // Blocks with long subjects are larger than a place is meant for: together they take no more than the others would.
        if bytes.wrapping_add(len).wrapping_sub(before) > self.bytes_max {
            *place = None;
            self.bytes.fetch_sub(len, Ordering::Relaxed);
        }
    }

    /// Bytes of the blocks in it.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}
