//! Compares answers and notes where they differ. Never changes or prints them.

use std::collections::BTreeMap;

use super::differences::Differences;
use super::player::Answers;
use super::transcript::{Case, Transcript};
use super::{Pair, Played};
use crate::outcome::Outcome;

/// Most of a long line to show before and after the first byte that differs.
const SHOWN_BEFORE: usize = 60;
const SHOWN: usize = 200;

/// Counts the cases that agree.
#[derive(Debug)]
pub(super) struct Judge {
    differences: Differences,
    pub(super) outcome: Outcome,
}

impl Judge {
    /// With the listed differences.
    pub(super) fn new(differences: Differences) -> Self {
        let outcome = Outcome::default();
        Self { differences, outcome }
    }

    /// What differs in a file, by number of the case: nothing for a case that agrees.
    pub(super) fn file(&self, file: &Transcript, pair: &Pair) -> Verdicts {
        let mut verdicts = Verdicts::new();
        for (number, case) in file.cases.iter().enumerate() {
            let peer = pair.peer.as_ref().map(|p| find(p, number));
            let ours = pair.ours.as_ref().map(|p| find(p, number));
            // Cases that the filter left out were played by nobody.
            if matches!((&peer, &ours), (Some(None) | None, Some(None) | None)) {
                continue;
            }
            let mut complaints = self.case(file, case, (peer.flatten(), ours.flatten()));
            if [peer, ours].contains(&Some(None)) {
                complaints.push("was played against one server only".to_owned());
            }
            verdicts.insert(number, complaints);
        }
        verdicts
    }

    /// Counts a file's cases, and notes what differs.
    pub(super) fn count(&mut self, file: &Transcript, verdicts: &Verdicts) {
        for (number, complaints) in verdicts {
            for complaint in complaints {
                let text = format!("FAILED {}/{}: {complaint}", file.name, file.cases[*number].name);
                text.lines().for_each(|line| self.outcome.note(line));
            }
            let failed = u64::from(!complaints.is_empty());
            self.outcome.failed += failed;
            self.outcome.passed += 1 - failed;
        }
    }

    /// Entries that are needed no more.
    pub(super) fn unused_differences(&mut self) {
        for entry in self.differences.unused() {
            let text = format!("FAILED differences.toml: no longer needed: {entry}");
            self.outcome.note(&text);
            self.outcome.failed += 1;
        }
    }

    fn case(&self, file: &Transcript, case: &Case, played: (OnePlayed<'_>, OnePlayed<'_>)) -> Vec<String> {
        let recorded: Answers = case.steps.iter().map(|s| s.recorded.clone()).collect();
        let mut complaints = Vec::new();
        let mut truth = &recorded;
        match played.0 {
            Some(Ok(peer)) => {
                let stale = first_difference(&recorded, peer, |a, b| a == b);
                complaints.extend(stale.map(|at| {
                    let hint = "the peer no longer says what is recorded (conformance --update)";
                    format!(
                        "{hint}\n{}",
                        describe(case, at, ("recorded", &recorded), ("peer", peer))
                    )
                }));
                truth = peer;
            }
            Some(Err(why)) => complaints.push(format!("peer: {why}")),
            None => {}
        }
        match played.1 {
            Some(Ok(ours)) => {
                let agree = |a: &[String], b: &[String]| self.differences.agree(&file.name, &case.name, a, b);
                let differs = first_difference(truth, ours, agree);
                complaints.extend(differs.map(|at| describe(case, at, ("peer", truth), ("ours", ours))));
            }
            Some(Err(why)) => complaints.push(format!("ours: {why}")),
            None => {}
        }
        complaints
    }
}

/// By number of the case, what differs in it.
pub(super) type Verdicts = BTreeMap<usize, Vec<String>>;

type OnePlayed<'a> = Option<&'a Result<Answers, String>>;

fn find(played: &Played, number: usize) -> OnePlayed<'_> {
    played
        .iter()
        .find(|(n, _)| *n == number)
        .map(|(_, answers)| answers)
}

/// Index of the first step that does not agree. All are looked at, so that every listed difference is used.
fn first_difference(a: &Answers, b: &Answers, agree: impl Fn(&[String], &[String]) -> bool) -> Option<usize> {
    let differing = a.iter().zip(b).enumerate().filter(|(_, (a, b))| !agree(a, b));
    let differing: Vec<usize> = differing.map(|(at, _)| at).collect();
    differing.first().copied()
}

fn describe(case: &Case, at: usize, left: (&str, &Answers), right: (&str, &Answers)) -> String {
    let (a, b) = (&left.1[at], &right.1[at]);
    let mut text = case.steps[at].text.chars().take(SHOWN).collect::<String>();
    for row in 0..a.len().max(b.len()) {
        let (x, y) = (a.get(row), b.get(row));
        if x == y {
            continue;
        }
        let none = "<nothing>".to_owned();
        let (x, y) = (x.unwrap_or(&none), y.unwrap_or(&none));
        let same = x.chars().zip(y.chars()).take_while(|(x, y)| x == y).count();
        text.push_str(&format!("\n  {:>8} {}", left.0, around(x, same)));
        text.push_str(&format!("\n  {:>8} {}", right.0, around(y, same)));
    }
    text
}

/// The part of a line that shows what differs after the first `same` characters.
fn around(line: &str, same: usize) -> String {
    let skipped = same.saturating_sub(SHOWN_BEFORE);
    let dots = if skipped > 0 { "…" } else { "" };
    let shown: String = line.chars().skip(skipped).take(SHOWN).collect();
    format!("{dots}{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "=== one\nA<\n    x\nA<\n    y\n";

    fn judged(peer: Option<&[&str]>, ours: Option<&[&str]>) -> (u64, u64) {
        let file = Transcript::parse("t", TEXT).unwrap();
        let played = |lines: &[&str]| vec![(0, Ok(lines.iter().map(|l| vec![(*l).to_owned()]).collect()))];
        let pair = Pair {
            peer: peer.map(played),
            ours: ours.map(played),
        };
        let mut judge = Judge::new(Differences::default());
        let verdicts = judge.file(&file, &pair);
        judge.count(&file, &verdicts);
        (judge.outcome.passed, judge.outcome.failed)
    }

    #[test]
    fn both_must_agree_with_each_other_and_the_record() {
        assert_eq!(judged(Some(&["x", "y"]), Some(&["x", "y"])), (1, 0));
        assert_eq!(judged(Some(&["x", "y"]), Some(&["x", "z"])), (0, 1));
        assert_eq!(judged(Some(&["x", "z"]), Some(&["x", "z"])), (0, 1));
    }

    #[test]
    fn one_alone_is_compared_with_the_record() {
        assert_eq!(judged(None, Some(&["x", "y"])), (1, 0));
        assert_eq!(judged(None, Some(&["x", "z"])), (0, 1));
        assert_eq!(judged(Some(&["x", "y"]), None), (1, 0));
    }

    #[test]
    fn a_case_that_one_player_lost_is_a_failure() {
        let file = Transcript::parse("t", TEXT).unwrap();
        let answers = vec![vec!["x".to_owned()], vec!["y".to_owned()]];
        let (peer, ours) = (Some(Vec::new()), Some(vec![(0, Ok(answers))]));
        let judge = Judge::new(Differences::default());
        assert_eq!(judge.file(&file, &Pair { peer, ours })[&0].len(), 1);
        let nobody = Pair {
            peer: Some(Vec::new()),
            ours: Some(Vec::new()),
        };
        assert!(judge.file(&file, &nobody).is_empty());
    }

    #[test]
    fn long_lines_are_shown_around_the_difference() {
        let line = format!("{}b", "a".repeat(100));
        assert_eq!(around(&line, 100), format!("…{}b", "a".repeat(60)));
        assert_eq!(around("ab", 1), "ab");
    }
}
