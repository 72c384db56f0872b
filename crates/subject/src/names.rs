//! Names made from entropy or from other names: NUIDs and name hashes. Entropy is an argument.

use sha2::{Digest, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of a NUID.
pub const NUID_LEN: usize = 22;

/// Appends `n` random base-62 characters; `random` gives fresh random numbers.
pub fn random_name(n: usize, random: &mut dyn FnMut() -> u64, out: &mut String) {
    let mut left = 0;
    let mut word = 0;
    for _ in 0..n {
        if left == 0 {
            (word, left) = (random(), 10);
        }
        out.push(digit(word % 62));
        word /= 62;
        left -= 1;
    }
}

/// A NUID: 22 base-62 characters.
#[must_use]
pub fn nuid(random: &mut dyn FnMut() -> u64) -> String {
    let mut out = String::with_capacity(NUID_LEN);
    random_name(NUID_LEN, random, &mut out);
    out
}

/// The first `n` bytes (32 at most) of the SHA-256 of `name`, each as one base-62 character. The peer names servers,
/// accounts and consumers on the wire so: `name_hash("$G", 8)` is `szMpdrwD`.
#[must_use]
pub fn name_hash(name: &str, n: usize) -> String {
    Sha256::digest(name.as_bytes())
        .iter()
        .take(n)
        .map(|b| digit(u64::from(*b) % 62))
        .collect()
}

fn digit(n: u64) -> char {
    char::from(DIGITS[usize::try_from(n % 62).unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_as_the_peer_prints_it() {
        assert_eq!(name_hash("$G", 8), "szMpdrwD");
    }

    #[test]
    fn nuids_have_their_length_and_alphabet() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        };
        let (a, b) = (nuid(&mut random), nuid(&mut random));
        assert_eq!(a.len(), NUID_LEN);
        assert!(a.bytes().all(|c| c.is_ascii_alphanumeric()) && a != b);
    }
}
