//! Entry points for fuzzers: any bytes, no panic, and rules that must agree with each other.

use crate::{collides, is_literal, is_subset, is_valid_subject, matches};

/// Cuts `input` at the first zero byte into two subjects and compares what the rules say of them.
///
/// # Panics
/// When two rules disagree: that is the finding.
pub fn fuzz_one(input: &[u8]) {
    let cut = input.iter().position(|b| *b == 0).unwrap_or(input.len());
    let (a, b) = (&input[..cut], input.get(cut + 1..).unwrap_or_default());
    assert_eq!(collides(a, b), collides(b, a), "overlap is symmetric");
    if is_valid_subject(a) && is_valid_subject(b) {
        if is_subset(a, b) {
            assert!(collides(a, b), "a subset overlaps");
        }
        if is_literal(a) {
            assert_eq!(
                matches(a, b),
                collides(a, b),
                "a literal overlaps what matches it"
            );
        }
    }
    if let (Ok(source), Ok(destination)) = (std::str::from_utf8(a), std::str::from_utf8(b))
        && let Ok(transform) = crate::transform::Transform::new(source, destination)
    {
        let _kept = transform.apply(a, &mut || 1);
    }
}

#[cfg(test)]
mod tests {
    use super::fuzz_one;

    #[test]
    fn committed_corpus_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            fuzz_one(&std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files >= 14, "the corpus has {files} files");
    }

    proptest::proptest! {
        #[test]
        fn random_bytes(input in proptest::collection::vec(0u8..64, 0..40)) {
            fuzz_one(&input);
        }

        #[test]
        fn near_subjects(input in "[ab*>.\0]{0,20}") {
            fuzz_one(input.as_bytes());
        }
    }
}
