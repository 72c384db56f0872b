//! Memory that the streams of a store share for what they know of subjects and for messages that are not in segments yet:
//! who has most goes to disk first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::subjects::BlockCache;

/// A stream takes at most one part in so many of what all may take.
const STREAM_SHARE: usize = 8;
/// And at most so much, bytes: more would not make it faster.
const STREAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Smaller tables are not worth a file while few streams share, bytes.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Nor these, however many share, bytes.
const SMALL_BYTES_MIN: usize = 4 * 1024;
/// All small tables together take one part in so many of what all may take.
const SMALL_SHARE: usize = 4;
/// Histories of what is there already are learnt at once if they take one part in so many at most.
const HISTORIES_SHARE: usize = 2;
/// One part in so many caches blocks read back.
const CACHE_SHARE: usize = 8;
/// The cache is not larger, bytes: the operating system keeps the files' pages as well.
const CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a store takes of the memory that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Taken, bytes: what streams on disk know of subjects and where messages lie, messages that are not in segments yet, and
    /// blocks of indexes that were read back.
    pub bytes: usize,
    /// What of that the blocks are, bytes.
    pub cached: usize,
    /// [`StoreOptions::memory_bytes_max`](crate::StoreOptions::memory_bytes_max).
    pub bytes_max: usize,
    /// Streams on disk that share it.
    pub streams: usize,
}

impl MemoryUse {
    /// What a stream may take beyond the limit, bytes: a small table, the one before it on its way to disk,
    /// and messages on their way to a segment.
    pub const SLACK_PER_STREAM: usize = 6 * SMALL_BYTES_MAX;
}

/// What all streams together take and may take.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes_max: usize,
    used: AtomicUsize,
    streams: AtomicUsize,
    cache_bytes_max: usize,
    pub(crate) cache: Arc<BlockCache>,
}

impl Memory {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        let cache = (bytes_max / CACHE_SHARE).min(CACHE_BYTES_MAX);
        Arc::new(Self {
            bytes_max: bytes_max - cache,
            used: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            cache_bytes_max: cache,
            cache: Arc::new(BlockCache::new(cache)),
        })
    }

    /// How much of it is taken.
    pub(crate) fn in_use(&self) -> MemoryUse {
        let cached = self.cache.bytes();
        MemoryUse {
            bytes: self.used.load(Ordering::Relaxed) + cached,
            cached,
            bytes_max: self.bytes_max + self.cache_bytes_max,
            streams: self.streams.load(Ordering::Relaxed),
        }
    }

    /// Notes memory that is taken for a while, by a copy say, until what this gives is dropped.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Taken {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Taken {
            of: Arc::clone(self),
            bytes,
        }
    }

    fn is_over(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.bytes_max
    }

    /// Tables of a stream below this stay where they are, bytes: the more streams there are, the smaller.
    fn small_bytes(&self) -> usize {
        let streams = self.streams.load(Ordering::Relaxed).max(1);
        (self.bytes_max / SMALL_SHARE / streams).clamp(SMALL_BYTES_MIN, SMALL_BYTES_MAX)
    }
}

/// Memory taken for a while.
#[derive(Debug)]
pub(crate) struct Taken {
    of: Arc<Memory>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What one stream takes.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Memory>,
    bytes: usize,
}

impl Share {
    pub(crate) fn new(of: Arc<Memory>) -> Self {
        of.streams.fetch_add(1, Ordering::Relaxed);
        Self { of, bytes: 0 }
    }

    /// Notes what the stream takes: a table that can go to disk at once, and what else. Gives whether the table should.
    pub(crate) fn set(&mut self, table: usize, others: usize) -> bool {
        let bytes = table.saturating_add(others);
        let before = std::mem::replace(&mut self.bytes, bytes);
        // Wraps like the sum it is added to, so that a smaller figure takes off.
        let change = bytes.wrapping_sub(before);
        self.of.used.fetch_add(change, Ordering::Relaxed);
        table > (self.of.bytes_max / STREAM_SHARE).min(STREAM_BYTES_MAX) || self.is_too_much(table)
    }

    /// Whether all streams together take more than they may.
    pub(crate) fn is_over(&self) -> bool {
        self.of.is_over()
    }

    /// Whether a piece of this size should go to disk because all streams together take too much.
    pub(crate) fn is_too_much(&self, bytes: usize) -> bool {
        self.is_over() && bytes >= self.of.small_bytes()
    }

    /// What histories of subjects that are learnt at once may take.
    pub(crate) fn histories_max(&self) -> usize {
        if self.is_over() {
            0
        } else {
            self.of.bytes_max / HISTORIES_SHARE
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0, 0);
        self.of.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_streams_share() {
        let memory = Memory::new(8 * 1024 * 1024);
        let mut shares: Vec<Share> = (0..20).map(|_| Share::new(Arc::clone(&memory))).collect();
        assert!(!shares[0].set(512 * 1024, 0));
        assert!(shares[0].set(2 * 1024 * 1024, 0), "more than its part");
        assert!(shares.iter_mut().any(|s| s.set(512 * 1024, 0)), "all together");
        assert!(
            shares[1].is_over() && !shares[1].set(1, 512 * 1024),
            "nothing to write"
        );
        drop(shares);
        let in_use = memory.in_use();
        assert_eq!((in_use.bytes, in_use.streams), (0, 0));
    }

    #[test]
    fn what_is_taken_for_a_while_comes_back() {
        let memory = Memory::new(1024 * 1024);
        let taken = memory.take(5000);
        assert_eq!(memory.in_use().bytes, 5000);
        drop(taken);
        assert_eq!(memory.in_use().bytes, 0);
    }

    #[test]
    fn the_more_streams_the_smaller_what_stays() {
        let memory = Memory::new(1024 * 1024);
        assert_eq!(memory.small_bytes(), SMALL_BYTES_MAX);
        let shares: Vec<Share> = (0..1000).map(|_| Share::new(Arc::clone(&memory))).collect();
        assert_eq!(memory.small_bytes(), SMALL_BYTES_MIN);
        drop(shares);
        assert_eq!(memory.small_bytes(), SMALL_BYTES_MAX);
    }
}
