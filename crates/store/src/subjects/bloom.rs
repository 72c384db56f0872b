//! A filter that tells of nearly every absent subject that it is absent, in ten bits a subject.

/// Bits a subject: about one absent subject in a hundred passes.
const BITS: usize = 10;
/// Bits looked at.
const PROBES: u32 = 6;

#[derive(Debug)]
pub(super) struct Bloom {
    words: Box<[u64]>,
}

impl Bloom {
    pub(super) fn new(subjects: usize) -> Self {
        Self {
            words: vec![0; (subjects * BITS).div_ceil(64).max(1)].into(),
        }
    }

    /// Word and bit of each probe.
    fn places(&self, hash: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = self.words.len() as u128 * 64;
        let step = hash.rotate_left(32) | 1;
        (0..PROBES).map(move |n| {
            let mixed = hash.wrapping_add(step.wrapping_mul(u64::from(n)));
            // The upper half of the product is evenly spread over all bits.
            let bit = (u128::from(mixed) * bits) >> 64;
            let bit = usize::try_from(bit).unwrap_or(0);
            (bit / 64, 1 << (bit % 64))
        })
    }

    pub(super) fn insert(&mut self, hash: u64) {
        for (word, bit) in self.places(hash) {
            self.words[word] |= bit;
        }
    }

    /// `false` if `hash` was never put in.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        self.places(hash).all(|(word, bit)| self.words[word] & bit != 0)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn all_that_is_in_passes_and_little_else() {
        let hasher = foldhash::fast::FixedState::default();
        let mut bloom = Bloom::new(10_000);
        (0..10_000u32).for_each(|n| bloom.insert(hasher.hash_one(n)));
        assert!((0..10_000u32).all(|n| bloom.may_contain(hasher.hash_one(n))));
        let wrong = (10_000..20_000u32)
            .filter(|n| bloom.may_contain(hasher.hash_one(*n)))
            .count();
        assert!(wrong < 400, "{wrong} of 10,000");
    }
}
