//! A filter that tells of nearly every absent subject that it is absent, in ten bits a subject. It is kept on disk with the
//! run it is of.

/// Bits a subject: about one absent subject in a hundred passes.
const BITS: usize = 10;
/// Bits looked at.
const PROBES: u32 = 6;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// The lower half of a product, xored with the other half.
fn fold(n: u64) -> u64 {
    let wide = u128::from(n) * u128::from(SPREAD);
    let [low, high] = [wide, wide >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    low ^ high
}

/// What a filter knows `text` by. Part of the format on disk: the same in every process.
pub(super) fn print_of(text: &[u8]) -> u64 {
    let mut print = SEED.wrapping_mul(text.len() as u64 + 1);
    for piece in text.chunks(8) {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        print = fold(print ^ u64::from_le_bytes(word));
    }
    fold(print)
}

#[derive(Debug)]
pub(super) struct Bloom {
    words: Box<[u64]>,
}

impl Bloom {
    /// One that was written: its words as they were.
    pub(super) fn of_words(words: Box<[u64]>) -> Option<Self> {
        (!words.is_empty()).then_some(Self { words })
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

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
    use super::*;

    fn print(n: u32) -> u64 {
        print_of(format!("subject.{n}.of.many").as_bytes())
    }

    #[test]
    fn all_that_is_in_passes_and_little_else() {
        let mut bloom = Bloom::new(10_000);
        (0..10_000).for_each(|n| bloom.insert(print(n)));
        let read = Bloom::of_words(bloom.words().into()).unwrap();
        assert!((0..10_000).all(|n| read.may_contain(print(n))));
        let wrong = (10_000..20_000).filter(|n| read.may_contain(print(*n))).count();
        assert!(wrong < 400, "{wrong} of 10,000");
    }

    #[test]
    fn prints_are_the_same_for_ever() {
        assert_eq!(print_of(b""), 0xc9d8_74ca_57d9_e055);
        assert_eq!(print_of(b"orders.new"), 0x9db8_e5b9_c160_21ed);
        assert_ne!(print_of(b"a"), print_of(b"a\0"));
    }
}
