//! A filter that tells of nearly every absent subject that it is absent, in ten bits a subject. All bits of a subject lie
//! together, so that asking takes one look at memory. It is kept on disk with the run it is of.

/// Bits a subject: one or two absent subjects in a hundred pass.
const BITS: usize = 10;
/// Bits looked at.
const PROBES: u32 = 6;
/// Words that the bits of a subject are in: together as large as what a processor reads at once.
const LINE: usize = 8;

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
        (!words.is_empty() && words.len().is_multiple_of(LINE)).then_some(Self { words })
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn new(subjects: usize) -> Self {
        let lines = (subjects * BITS).div_ceil(LINE * 64).max(1);
        Self {
            words: vec![0; lines * LINE].into(),
        }
    }

    /// The first of the words for a print.
    fn line(&self, print: u64) -> usize {
        // The upper half of the product is evenly spread over all lines.
        let line = (u128::from(print) * (self.words.len() / LINE) as u128) >> 64;
        usize::try_from(line).unwrap_or(0) * LINE
    }

    /// Word of a line and bit of each probe: nine bits each of what the line was not chosen by.
    fn places(print: u64) -> impl Iterator<Item = (usize, u64)> {
        let mixed = print.wrapping_mul(SPREAD);
        (0..PROBES).map(move |n| {
            let place = mixed >> (9 * n + 10);
            (usize::try_from(place >> 6 & 7).unwrap_or(0), 1 << (place & 63))
        })
    }

    pub(super) fn insert(&mut self, print: u64) {
        let line = self.line(print);
        for (word, bit) in Self::places(print) {
            self.words[line + word] |= bit;
        }
    }

    /// `false` if `print` was never put in.
    pub(super) fn may_contain(&self, print: u64) -> bool {
        let line = self.line(print);
        let Some(line) = self.words.get(line..line + LINE) else {
            return true;
        };
        Self::places(print).all(|(word, bit)| line[word] & bit != 0)
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
