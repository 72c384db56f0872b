//! What a step of the checks came to: counts, and whether it was skipped. Never prints.

/// Counts of one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Checks that held.
    pub(crate) passed: u64,
    /// Checks that did not hold.
    pub(crate) failed: u64,
    /// Checks that were left out by their own wish.
    pub(crate) ignored: u64,
    /// Why the step could not run at all.
    pub(crate) skipped: Option<String>,
    /// What did not hold, as it was printed, to be repeated where the run ends.
    pub(crate) failures: Vec<String>,
}

/// Most lines of failures that are repeated.
const LINES: usize = 300;

impl Outcome {
    /// A step without counts of its own that ran to its end.
    pub(crate) fn of_step(success: bool) -> Self {
        Self {
            failed: u64::from(!success),
            ..Self::default()
        }
    }

    /// A step that cannot run here. Where everything must run (`CI=true`) this is a failure.
    pub(crate) fn skipped(why: String) -> Self {
        let must_run = std::env::var("CI").is_ok_and(|v| v == "true");
        Self {
            failed: u64::from(must_run),
            skipped: Some(why),
            ..Self::default()
        }
    }

    /// Nothing failed.
    pub(crate) fn is_success(&self) -> bool {
        self.failed == 0
    }

    /// Adds the counts of another step.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        let room = LINES.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.iter().take(room).cloned());
    }

    /// Keeps a line that says what did not hold.
    pub(crate) fn note(&mut self, line: &str) {
        if self.failures.len() < LINES {
            self.failures.push(line.to_owned());
        }
    }

    /// Adds the counts of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …` or
    /// `3 passed, 0 failed`, or the verdict on one of Go's tests, `--- PASS: …`. Says whether the line was one.
    pub(crate) fn add_line(&mut self, line: &str) -> bool {
        let counts = of_go(line).or_else(|| of_counts(line));
        if let Some(counts) = &counts {
            self.add(counts);
        }
        counts.is_some()
    }
}

fn of_counts(line: &str) -> Option<Outcome> {
    Some(Outcome {
        passed: count_before(line, "passed")?,
        failed: count_before(line, "failed")?,
        ignored: count_before(line, "ignored").unwrap_or(0),
        ..Outcome::default()
    })
}

fn of_go(line: &str) -> Option<Outcome> {
    let (verdict, _) = line.strip_prefix("--- ")?.split_once(": ")?;
    let (passed, failed, ignored) = match verdict {
        "PASS" => (1, 0, 0),
        "FAIL" => (0, 1, 0),
        "SKIP" => (0, 0, 1),
        _ => return None,
    };
    Some(Outcome {
        passed,
        failed,
        ignored,
        ..Outcome::default()
    })
}

/// The number standing right before `word`.
fn count_before(line: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words
        .iter()
        .position(|w| w.trim_end_matches([',', ';', '.']) == word)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_test_binary() {
        let mut sum = Outcome::default();
        let line =
            "test result: ok. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert!(sum.add_line(line));
        assert!(sum.add_line("4 passed, 0 failed"));
        assert_eq!((sum.passed, sum.failed, sum.ignored), (16, 1, 3));
    }

    #[test]
    fn verdicts_of_go() {
        let mut sum = Outcome::default();
        for line in [
            "--- PASS: TestA (0.01s)",
            "--- FAIL: TestB (2.00s)",
            "--- SKIP: TestC (0.00s)",
        ] {
            assert!(sum.add_line(line));
        }
        assert!(
            !sum.add_line("    --- PASS: TestA/part (0.01s)"),
            "it is counted with the whole"
        );
        assert_eq!((sum.passed, sum.failed, sum.ignored), (1, 1, 1));
    }

    #[test]
    fn prose_is_no_count() {
        let mut sum = Outcome::default();
        assert!(!sum.add_line("passed over in silence, failed to care"));
        assert!(!sum.add_line("running 3 tests"));
        assert_eq!(sum, Outcome::default());
    }
}
