//! Memory that the streams of a store share for what they know of subjects and for messages that are not in segments yet:
//! who has most goes to disk first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::subjects::BlockCache;

/// A stream takes at most one part in so many of what all may take.
const STREAM_SHARE: usize = 8;
/// And at most so much, bytes: more would not make it faster.
const STREAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Smaller tables are not worth a file, however many streams there are, bytes.
const STREAM_BYTES_MIN: usize = 64 * 1024;
/// Histories of subjects take at most one part in so many, whoever's they are.
const HISTORIES_SHARE: usize = 2;
/// One part in so many caches blocks read back.
const CACHE_SHARE: usize = 8;
/// The cache is not larger, bytes: the operating system keeps the files' pages as well.
const CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What all streams together take and may take.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes_max: usize,
    used: AtomicUsize,
    pub(crate) cache: Arc<BlockCache>,
}

impl Memory {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        let cache = (bytes_max / CACHE_SHARE).min(CACHE_BYTES_MAX);
        Arc::new(Self {
            bytes_max: bytes_max - cache,
            used: AtomicUsize::new(0),
            cache: Arc::new(BlockCache::new(cache)),
        })
    }
}

/// What one stream takes.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Memory>,
    bytes: usize,
}

impl Share {
    pub(crate) const fn new(of: Arc<Memory>) -> Self {
        Self { of, bytes: 0 }
    }

    /// Notes what the stream takes: a table that can go to disk at once, and what else. Gives whether the table should.
    pub(crate) fn set(&mut self, table: usize, others: usize) -> bool {
        let bytes = table.saturating_add(others);
        let before = std::mem::replace(&mut self.bytes, bytes);
        // Wraps like the sum it is added to, so that a smaller figure takes off.
        let change = bytes.wrapping_sub(before);
        self.of.used.fetch_add(change, Ordering::Relaxed);
        table > (self.of.bytes_max / STREAM_SHARE).min(STREAM_BYTES_MAX)
            || (table >= STREAM_BYTES_MIN && self.is_over())
    }

    /// Whether all streams together take more than they may.
    pub(crate) fn is_over(&self) -> bool {
        self.of.used.load(Ordering::Relaxed) > self.of.bytes_max
    }

    /// What histories of subjects may take here: less while all streams together take too much.
    pub(crate) fn histories_max(&self) -> usize {
        let most = self.of.bytes_max / HISTORIES_SHARE;
        if self.is_over() {
            most.min(STREAM_BYTES_MIN)
        } else {
            most
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0, 0);
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
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
    }
}
