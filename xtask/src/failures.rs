//! Which lines of a program's output say what failed. Never decides whether it did: its exit code does.

/// Reads what test programs print, a line at a time.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// Within the output of a failed test, which a test binary shows between its verdicts and their list.
    shown: bool,
    /// Within the list of failed tests, which follows it.
    listed: bool,
    /// The tests of that list.
    pub(crate) tests: Vec<String>,
}

impl Failures {
    /// Whether the next line of the output belongs to a failure.
    pub(crate) fn is_one(&mut self, line: &str) -> bool {
        let begins = line.starts_with("---- ") && line.ends_with(" stdout ----");
        let ends = line == "failures:" || line.starts_with("test result:");
        self.shown = begins || (self.shown && !ends);
        self.listed = line == "failures:" || (self.listed && !begins && !ends);
        if let (true, Some(test)) = (self.listed, line.strip_prefix("    ")) {
            self.tests.push(test.to_owned());
        }
        let is_verdict = line.starts_with("test ") && line.ends_with(" ... FAILED");
        let begins_with = |beginnings: &[&str]| beginnings.iter().any(|b| line.starts_with(b));
        self.shown || is_verdict || begins_with(&["FAILED ", "not ok", "--- FAIL: "])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_and_what_it_printed() {
        let output = "test good ... ok\ntest bad ... FAILED\n\nfailures:\n\n---- bad stdout ----\nleft: 1\n\nfailures:\n    bad\n\ntest result: FAILED. 1 passed";
        let mut failures = Failures::default();
        let kept: Vec<&str> = output.lines().filter(|line| failures.is_one(line)).collect();
        assert_eq!(
            kept,
            ["test bad ... FAILED", "---- bad stdout ----", "left: 1", ""]
        );
        assert_eq!(failures.tests, ["bad"]);
    }

    #[test]
    fn what_a_program_calls_failed() {
        let mut failures = Failures::default();
        assert!(failures.is_one("FAILED put: no answer"));
        assert!(!failures.is_one("ok put"));
    }
}
