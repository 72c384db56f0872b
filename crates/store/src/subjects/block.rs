//! Entries of a run of subjects: in order, each text without what it shares with the one before, in blocks that are
//! checked as a whole. A block starts with a whole text, so it is read without any other; so does every sixteenth entry, and
//! where these are is said behind the last, so that a subject is found by looking at a few of them.

use std::cmp::Ordering;

use crate::ids::Seq;
use crate::order::shared;

use super::SubjectState;

/// Of so many entries the first has its whole text.
const STRIDE: usize = 16;

/// What a layer says of a subject. A count of 0 says that it is gone, whatever older layers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) state: SubjectState,
    /// The count that the layers below say: what this entry takes the place of.
    pub(super) below: u64,
}

impl Known {
    /// What this entry adds to the sum over all layers.
    pub(super) const fn gain(&self) -> i64 {
        self.state.count.cast_signed() - self.below.cast_signed()
    }
}

/// A block that is being filled.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    bytes: Vec<u8>,
    last: Vec<u8>,
    entries: usize,
    /// Where entries with whole texts begin, but for the first.
    starts: Vec<[u8; 4]>,
    /// Sum of [`Known::gain`].
    pub(super) gain: i64,
}

/// Seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(u8::try_from(n & 0x7f).unwrap_or(0) | 0x80);
        n >>= 7;
    }
    out.push(u8::try_from(n).unwrap_or(0));
}

/// The number that `bytes` begins with, which is taken off.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

fn take_len(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take(bytes)?).ok()
}

impl BlockWriter {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds an entry with the subject's history, if that is known; texts ascend.
    pub(super) fn push(&mut self, text: &[u8], known: &Known, history: &[u8]) {
        if self.entries.is_multiple_of(STRIDE) {
            self.last.clear();
            if self.entries > 0 {
                let at = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
                self.starts.push(at.to_le_bytes());
            }
        }
        self.entries += 1;
        let common = shared(&self.last, text);
        put(&mut self.bytes, common as u64);
        put(&mut self.bytes, (text.len() - common) as u64);
        self.bytes.extend_from_slice(&text[common..]);
        self.last.truncate(common);
        self.last.extend_from_slice(&text[common..]);
        let state = &known.state;
        let has_history = state.count > 0 && !history.is_empty();
        let bits = u64::from(has_history) << 1 | u64::from(state.last_stale);
        put(&mut self.bytes, state.count << 2 | bits);
        if state.count > 0 {
            put(&mut self.bytes, state.last.0);
            put(&mut self.bytes, state.last.0.wrapping_sub(state.first_bound.0));
        }
        if has_history {
            put(&mut self.bytes, history.len() as u64);
            self.bytes.extend_from_slice(history);
        }
        put(&mut self.bytes, known.below);
        self.gain += known.gain();
    }

    /// The block with its checksum, which also covers `place`; the next one is begun.
    pub(super) fn finish(&mut self, place: u64, out: &mut Vec<u8>) {
        let starts = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(self.starts.as_flattened());
        self.bytes.extend_from_slice(&starts.to_le_bytes());
        out.extend_from_slice(&checksum(&self.bytes, place).to_le_bytes());
        out.append(&mut self.bytes);
        self.last.clear();
        self.starts.clear();
        self.entries = 0;
        self.gain = 0;
    }
}

fn checksum(content: &[u8], place: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

/// The content of a block at `place`, if it verifies.
pub(super) fn open(block: &[u8], place: u64) -> Option<&[u8]> {
    let (crc, content) = block.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*crc) == checksum(content, place)).then_some(content)
}

/// The entries of a block's content, and where in them those with whole texts begin, but for the first.
fn parts(content: &[u8]) -> Option<(&[u8], &[[u8; 4]])> {
    let (rest, count) = content.split_last_chunk::<4>()?;
    let starts = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(4)?;
    let (entries, starts) = rest.split_at(rest.len().checked_sub(starts)?);
    Some((entries, starts.as_chunks().0))
}

/// The entries of a block's content, for [`next`].
pub(super) fn entries(content: &[u8]) -> Option<&[u8]> {
    parts(content).map(|(entries, _)| entries)
}

fn take_known<'a>(bytes: &mut &'a [u8]) -> Option<(Known, &'a [u8])> {
    let head = take(bytes)?;
    let count = head >> 2;
    let (mut last, mut first) = (0, 0);
    if count > 0 {
        last = take(bytes)?;
        first = last.wrapping_sub(take(bytes)?);
    }
    let mut history: &[u8] = &[];
    if head & 2 != 0 {
        let len = take_len(bytes)?;
        (history, *bytes) = bytes.split_at_checked(len)?;
    }
    let known = Known {
        state: SubjectState {
            count,
            last: Seq(last),
            last_stale: head & 1 != 0,
            first_bound: Seq(first),
        },
        below: take(bytes)?,
    };
    Some((known, history))
}

/// The next entry of `bytes` and the history in it, its text put together in `text`, which holds the one before.
pub(super) fn next<'a>(bytes: &mut &'a [u8], text: &mut Vec<u8>) -> Option<(Known, &'a [u8])> {
    let (common, more) = (take_len(bytes)?, take_len(bytes)?);
    let (suffix, rest) = bytes.split_at_checked(more)?;
    text.truncate(common);
    text.extend_from_slice(suffix);
    *bytes = rest;
    take_known(bytes)
}

/// The text of an entry that has its whole.
fn whole_text(mut entry: &[u8]) -> Option<&[u8]> {
    let (_, len) = (take_len(&mut entry)?, take_len(&mut entry)?);
    entry.get(..len)
}

/// What a block's content says of `wanted`.
pub(super) fn find<'a>(content: &'a [u8], wanted: &[u8]) -> Option<(Known, &'a [u8])> {
    let (entries, starts) = parts(content)?;
    let from = |start: &[u8; 4]| {
        let at = usize::try_from(u32::from_le_bytes(*start)).ok()?;
        entries.get(at..)
    };
    let is_not_behind = |start: &[u8; 4]| {
        from(start)
            .and_then(whole_text)
            .is_some_and(|text| text <= wanted)
    };
    let before = starts.partition_point(is_not_behind);
    let start = before.checked_sub(1).and_then(|n| from(&starts[n]));
    find_from(start.unwrap_or(entries), wanted)
}

/// Looks for `wanted` from an entry with its whole text on, without putting texts together: only where an entry shares with
/// the one before exactly what that one shared with `wanted` can it come closer.
fn find_from<'a>(mut bytes: &'a [u8], wanted: &[u8]) -> Option<(Known, &'a [u8])> {
    let mut matched = 0;
    while !bytes.is_empty() {
        let (common, more) = (take_len(&mut bytes)?, take_len(&mut bytes)?);
        let (suffix, rest) = bytes.split_at_checked(more)?;
        bytes = rest;
        let known = take_known(&mut bytes)?;
        match common.cmp(&matched) {
            Ordering::Greater => {}
            Ordering::Less => return None,
            Ordering::Equal => {
                let ahead = &wanted[matched..];
                let more = shared(suffix, ahead);
                if more == suffix.len() && more == ahead.len() {
                    return Some(known);
                }
                let is_behind = more == ahead.len() || suffix.get(more) > ahead.get(more);
                if is_behind {
                    return None;
                }
                matched += more;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn known(n: u64) -> Known {
        Known {
            state: SubjectState {
                count: n % 5,
                last: Seq(if n.is_multiple_of(5) { 0 } else { n }),
                last_stale: n.is_multiple_of(3),
                first_bound: Seq(if n.is_multiple_of(5) { 0 } else { n + 1 - n % 3 }),
            },
            below: n % 7,
        }
    }

    fn history(known: &Known) -> Vec<u8> {
        let len = if known.state.count.is_multiple_of(2) {
            0
        } else {
            known.state.count
        };
        (1..=len).map(|n| u8::try_from(n).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_found(entries in proptest::collection::btree_map("[ab]{1,6}", any::<u32>(), 0..90), others in proptest::collection::vec("[abc]{1,6}", 20)) {
            let entries: BTreeMap<String, Known> = entries.into_iter().map(|(t, n)| (t, known(u64::from(n)))).collect();
            let mut writer = BlockWriter::default();
            let histories: BTreeMap<&String, Vec<u8>> = entries.iter().map(|(text, known)| (text, history(known))).collect();
            entries.iter().for_each(|(text, known)| writer.push(text.as_bytes(), known, &histories[text]));
            prop_assert_eq!(writer.gain, entries.values().map(Known::gain).sum::<i64>());
            let mut block = Vec::new();
            writer.finish(9, &mut block);
            prop_assert!(open(&block, 8).is_none());
            let content = open(&block, 9).unwrap();
            for text in entries.keys().chain(&others) {
                let expected = entries.get(text).map(|known| (*known, histories[text].as_slice()));
                prop_assert_eq!(find(content, text.as_bytes()), expected);
            }
            let (mut rest, mut text) = (super::entries(content).unwrap(), Vec::new());
            for (expected, state) in &entries {
                prop_assert_eq!(next(&mut rest, &mut text), Some((*state, histories[expected].as_slice())));
                prop_assert_eq!(&text, expected.as_bytes());
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn nothing_read_ends_the_process(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _found = find(&bytes, b"aa");
            let (mut rest, mut text) = (&bytes[..], Vec::new());
            while next(&mut rest, &mut text).is_some() {}
        }
    }
}
