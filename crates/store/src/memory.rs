//! Memory that the streams of a store share for what they know of subjects: who has most goes to disk first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::subjects::BlockCache;

/// A stream takes at most one part in so many of what all may take.
const STREAM_SHARE: usize = 8;
/// And at most so much, bytes: more would not make it faster.
const STREAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Smaller tables are not worth a file, however many streams there are, bytes.
const STREAM_BYTES_MIN: usize = 64 * 1024;
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

    /// Notes what the stream takes. Gives whether that is too much.
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let Memory { bytes_max, used, .. } = &*self.of;
        let before = std::mem::replace(&mut self.bytes, bytes);
        // Wraps like the sum it is added to, so that a smaller figure takes off.
        let change = bytes.wrapping_sub(before);
        let total = used.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        bytes > (bytes_max / STREAM_SHARE).min(STREAM_BYTES_MAX)
            || (bytes >= STREAM_BYTES_MIN && total > *bytes_max)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_streams_share() {
        let memory = Memory::new(8 * 1024 * 1024);
        let mut shares: Vec<Share> = (0..20).map(|_| Share::new(Arc::clone(&memory))).collect();
        assert!(!shares[0].set(512 * 1024));
        assert!(shares[0].set(2 * 1024 * 1024), "more than its part");
        assert!(shares.iter_mut().any(|s| s.set(512 * 1024)), "all together");
        drop(shares);
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
    }
}
