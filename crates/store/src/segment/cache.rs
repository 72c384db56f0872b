//! Blocks that were read lately, as they are without compression and encryption: a scan decodes a block once, not once a
//! message. Shared by all streams of a store and bounded.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;

/// Parts that are locked one by one.
const PARTS: usize = 16;
/// Bytes kept in a part, at most; larger blocks are not kept.
const PART_BYTES_MAX: usize = 1024 * 1024;

/// Which block of which segment.
type Key = (u64, u64);

#[derive(Debug, Default)]
struct Part {
    /// The one used last is in front.
    blocks: VecDeque<(Key, Bytes)>,
    bytes: usize,
}

/// The blocks.
#[derive(Debug, Default)]
pub(crate) struct BlockCache {
    parts: [Mutex<Part>; PARTS],
}

impl BlockCache {
    fn part(&self, key: Key) -> &Mutex<Part> {
        &self.parts[usize::try_from(key.0 % PARTS as u64).unwrap_or(0)]
    }

    /// The block that starts at `key.1` of segment `key.0`.
    pub(super) fn get(&self, key: Key) -> Option<Bytes> {
        let mut part = self.part(key).lock();
        let place = part.blocks.iter().position(|(k, _)| *k == key)?;
        if place > 0
            && let Some(found) = part.blocks.remove(place)
        {
            part.blocks.push_front(found);
        }
        part.blocks.front().map(|(_, block)| block.clone())
    }

    pub(super) fn put(&self, key: Key, block: &Bytes) {
        if block.len() > PART_BYTES_MAX {
            return;
        }
        let mut part = self.part(key).lock();
        part.remove(key);
        part.bytes += block.len();
        part.blocks.push_front((key, block.clone()));
        while part.bytes > PART_BYTES_MAX
            && let Some((_, oldest)) = part.blocks.pop_back()
        {
            part.bytes -= oldest.len();
        }
    }

    /// Forgets a block whose records have changed.
    pub(super) fn forget(&self, key: Key) {
        self.part(key).lock().remove(key);
    }
}

impl Part {
    fn remove(&mut self, key: Key) {
        if let Some(place) = self.blocks.iter().position(|(k, _)| *k == key)
            && let Some((_, block)) = self.blocks.remove(place)
        {
            self.bytes -= block.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let cache = BlockCache::default();
        let block = Bytes::from(vec![0; PART_BYTES_MAX / 4]);
        for start in 0..4 {
            cache.put((0, start), &block);
        }
        assert!(cache.get((0, 0)).is_some());
        cache.put((0, 4), &block);
        let kept: Vec<bool> = (0..5).map(|start| cache.get((0, start)).is_some()).collect();
        assert_eq!(kept, [true, false, true, true, true]);
        cache.forget((0, 4));
        assert!(cache.get((0, 4)).is_none());
        cache.put((0, 9), &Bytes::from(vec![0; PART_BYTES_MAX + 1]));
        assert!(cache.get((0, 9)).is_none() && cache.get((0, 3)).is_some());
    }
}
