//! Sorting numbers by texts that start alike, as subjects do.

use std::cmp::Ordering;

/// Bytes of a text that are compared as one number.
const KEY_BYTES: usize = 8;

/// What sorting takes for an item while it lasts, bytes: its number twice, and with its key.
pub(crate) const ITEM_BYTES: usize = size_of::<(u64, u32)>() + size_of::<u32>();

/// What `a` and `b` have in common at the start, bytes.
pub(crate) fn shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The bytes of `text` behind `skip` as a number: of two that differ, the smaller is of the smaller text.
fn key(text: &[u8], skip: usize) -> u64 {
    let rest = text.get(skip..).unwrap_or_default();
    let len = rest.len().min(KEY_BYTES);
    let mut bytes = [0; KEY_BYTES];
    bytes[..len].copy_from_slice(&rest[..len]);
    u64::from_be_bytes(bytes)
}

/// Sorts numbers by their texts: what all texts start with is left out, and of the rest the first bytes are compared as one
/// number that lies with the item. Most comparisons touch no text that way. Ties keep no order.
pub(crate) fn sort_by_text<'a>(numbers: &mut [u32], text: impl Fn(u32) -> &'a [u8]) {
    let Some(first) = numbers.first().map(|n| text(*n)) else {
        return;
    };
    let alike = numbers
        .iter()
        .fold(first.len(), |alike, n| shared(&first[..alike], text(*n)));
    let mut keyed: Vec<(u64, u32)> = numbers.iter().map(|n| (key(text(*n), alike), *n)).collect();
    keyed.sort_unstable_by(|a, b| match a.0.cmp(&b.0) {
        Ordering::Equal => text(a.1).cmp(text(b.1)),
        other => other,
    });
    numbers
        .iter_mut()
        .zip(keyed)
        .for_each(|(n, (_, sorted))| *n = sorted);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorts_as_texts_compare(texts in proptest::collection::vec("(ab\\.){0,3}[a\\x00-\\x02]{0,12}", 0..40)) {
            let mut numbers: Vec<u32> = (0..u32::try_from(texts.len()).unwrap()).collect();
            sort_by_text(&mut numbers, |n| texts[n as usize].as_bytes());
            let sorted: Vec<&str> = numbers.iter().map(|n| texts[*n as usize].as_str()).collect();
            let mut expected: Vec<&str> = texts.iter().map(String::as_str).collect();
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }
}
