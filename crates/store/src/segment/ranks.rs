//! How many of the first so many slots in a list are live, for lists of which slots are deleted: counting a part of the list
//! takes two look-ups, not one for each of its slots. Made when it is asked for, and made anew once more are deleted.

use std::ops::Range;

/// Slots between two that are noted.
const STEP: usize = 64;

/// Counts, as of so many deleted slots.
#[derive(Debug)]
pub(super) struct Ranks {
    /// How many were deleted when it was made.
    pub(super) deleted: usize,
    /// Live ones before every [`STEP`]-th.
    before: Vec<u32>,
}

impl Ranks {
    /// Of a list of `len` slots.
    pub(super) fn new(len: usize, deleted: usize, is_live: impl Fn(usize) -> bool) -> Self {
        let mut before = Vec::with_capacity(len / STEP + 1);
        let mut live = 0;
        for place in 0..len {
            if place % STEP == 0 {
                before.push(live);
            }
            live += u32::from(is_live(place));
        }
        if len.is_multiple_of(STEP) {
            before.push(live);
        }
        Self { deleted, before }
    }

    /// Live ones before `place`.
    fn rank(&self, place: usize, is_live: &impl Fn(usize) -> bool) -> usize {
        let noted = self.before.get(place / STEP).map_or(0, |n| *n as usize);
        let start = place - place % STEP;
        noted + (start..place).filter(|place| is_live(*place)).count()
    }

    /// Live ones in `places`.
    pub(super) fn count(&self, places: &Range<usize>, is_live: impl Fn(usize) -> bool) -> usize {
        self.rank(places.end, &is_live) - self.rank(places.start, &is_live)
    }

    /// Bytes of memory it takes.
    pub(super) const fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.before.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_as_one_by_one(live in proptest::collection::vec(any::<bool>(), 0..300), a in 0usize..301, b in 0usize..301) {
            let ranks = Ranks::new(live.len(), 0, |place| live[place]);
            let (a, b) = (a.min(live.len()), b.min(live.len()));
            let places = a.min(b)..a.max(b);
            let expected = live[places.clone()].iter().filter(|l| **l).count();
            prop_assert_eq!(ranks.count(&places, |place| live[place]), expected);
        }
    }
}
