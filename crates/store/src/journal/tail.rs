//! How frames get behind the last one of a file: small rounds as usual, large ones past the operating system's memory. The
//! page that the last frame ends in is remembered: the next frames begin in it, and what goes past the system's memory is
//! whole pages. Knows nothing of frames.

use std::io::{self, IoSlice};
use std::iter::once;

use crate::disk::pieces::Pieces;
use crate::disk::{DIRECT_BYTES, DiskFile};

/// Bytes of one write past the system's memory: a round of 256 messages of 4 KiB.
pub(super) const PIECE_BYTES: usize = 1024 * 1024 + 128 * 1024;

/// The page of a file that its last frame ends in.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// What is in it up to the end of that frame; `None` when somebody else has written there.
    begun: Option<Vec<u8>>,
    /// The system has it not in memory: it would have to read it before something is put behind.
    is_cold: bool,
}

impl Tail {
    /// Of a file in which `begun` was written where a page begins, and no frame yet.
    pub(super) fn behind(begun: &[u8]) -> Self {
        Self {
            begun: Some(begun.to_vec()),
            is_cold: false,
        }
    }

    /// Writes `frames`, of `total` bytes and then padding, at `at`; those that are `large` past the system's memory, if it is
    /// known what else is in the page.
    ///
    /// # Errors
    /// As the operating system says; some bytes may be written.
    pub(super) fn write(
        &mut self,
        pieces: &mut Pieces,
        file: &dyn DiskFile,
        (at, frames, total): (u64, &[&[u8]], u64),
        large: bool,
    ) -> io::Result<()> {
        let Self { begun, is_cold } = std::mem::take(self);
        let direct = large && begun.is_some();
        let before = begun.as_deref().filter(|_| direct || is_cold);
        let before = before.unwrap_or_default();
        let from = at - before.len() as u64;
        let all = once(before).chain(frames.iter().copied());
        if direct {
            pieces.write(file, from, all)?;
        } else {
            let mut slices: Vec<IoSlice<'_>> = all.map(IoSlice::new).collect();
            file.write_at(&mut slices, from)?;
        }
        *self = Self {
            begun: page_before(begun, at + total, frames, total),
            is_cold: direct,
        };
        Ok(())
    }
}

/// What is in the page before `end`, where `frames` end; `begun` is what was in the page that they begin in.
fn page_before(begun: Option<Vec<u8>>, end: u64, frames: &[&[u8]], total: u64) -> Option<Vec<u8>> {
    let wanted = usize::try_from(end % DIRECT_BYTES as u64).ok()?;
    let mut skip = match total.checked_sub(wanted as u64) {
        Some(before) => usize::try_from(before).ok()?,
        None => 0,
    };
    let mut page = match begun {
        Some(page) if total < wanted as u64 => page,
        None if total < wanted as u64 => return None,
        Some(mut page) => {
            page.clear();
            page
        }
        None => Vec::with_capacity(DIRECT_BYTES),
    };
    for frame in frames {
        let skipped = skip.min(frame.len());
        skip -= skipped;
        page.extend_from_slice(&frame[skipped..]);
    }
    page.truncate(wanted);
    Some(page)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::{Disk as _, OsDisk, direct_rest, read_open};

    const FILE_BYTES: u64 = 4 * 1024 * 1024;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever the order of large and small rounds, and of others who write, each is where it belongs, up to its padding.
        #[test]
        fn rounds_of_all_sizes_lie_one_behind_the_other(
            rounds in prop::collection::vec((
                prop_oneof![1usize..40, 500usize..9000, 15_000usize..80_000],
                any::<bool>(),
                any::<bool>(),
            ), 1..20),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let file = OsDisk.open(&folder.path().join("file")).unwrap();
            file.fill(FILE_BYTES).unwrap();
            let mut pieces = Pieces::new(PIECE_BYTES);
            let (mut tail, mut at, mut expected) = (Tail::default(), 4160, vec![0; 4160]);
            for (n, (words, large, forgets)) in rounds.into_iter().enumerate() {
                let frame = vec![u8::try_from(n + 1).unwrap(); words * 8];
                let total = 2 * frame.len() as u64;
                if at + total > FILE_BYTES {
                    break;
                }
                let padding = vec![0; direct_rest(at + total)];
                let frames = [&frame[..], &[], &frame, &padding];
                tail.write(&mut pieces, file.as_ref(), (at, &frames, total), large).unwrap();
                expected.extend_from_slice(&frame);
                expected.extend_from_slice(&frame);
                at += total;
                prop_assert!(tail.begun.as_ref().is_none_or(|b| expected.ends_with(b)));
                if forgets {
                    expected[usize::try_from(at).unwrap() - 1] = 99;
                    file.write_at(&mut [IoSlice::new(&[99])], at - 1).unwrap();
                    tail = Tail::default();
                }
            }
            let mut content = read_open(file.as_ref()).unwrap();
            prop_assert!(content.split_off(expected.len()).iter().all(|b| *b == 0));
            prop_assert!(content == expected, "what was written reads back");
        }
    }
}
