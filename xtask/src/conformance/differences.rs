//! Differences from the peer that are meant, each with its reason. Never excuses one that is not listed.

use std::cell::Cell;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The list in `tests/conformance/differences.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Differences {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// Where the peer says `peer`, we say `ours`. An empty `peer` means a line that only we say, an empty `ours` that
/// replaces a whole line means one that only the peer says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// `file`, `file/case`, or `*` for all.
    transcript: String,
    peer: String,
    ours: String,
    reason: String,
    #[serde(skip)]
    used: Cell<bool>,
}

impl Differences {
    /// Reads the list.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text).context("differences.toml")?;
        for d in &list.difference {
            let complete = !d.reason.trim().is_empty() && d.peer != d.ours;
            ensure!(
                complete,
                "differences.toml: {:?} has no reason or no difference",
                d.transcript
            );
        }
        Ok(list)
    }

    /// Whether the answers of one step agree, listed differences aside.
    pub(super) fn agree(&self, file: &str, case: &str, peer: &[String], ours: &[String]) -> bool {
        if peer == ours {
            return true;
        }
        let place = format!("{file}/{case}");
        let (mut peer, mut ours) = (peer.to_vec(), ours.to_vec());
        let mut applied = Vec::new();
        for d in &self.difference {
            if ["*", file, &place].contains(&d.transcript.as_str()) && d.apply(&mut peer, &mut ours) {
                applied.push(d);
            }
        }
        let agree = peer == ours;
        if agree {
            applied.iter().for_each(|d| d.used.set(true));
        }
        agree
    }

    /// Entries that excused nothing.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = self.difference.iter().filter(|d| !d.used.get());
        unused
            .map(|d| format!("{}: {:?} -> {:?}", d.transcript, d.peer, d.ours))
            .collect()
    }
}

impl Difference {
    /// Makes the peer's lines ours; says whether that changed anything.
    fn apply(&self, peer: &mut Vec<String>, ours: &mut Vec<String>) -> bool {
        if self.peer.is_empty() {
            let before = ours.len();
            ours.retain(|line| *line != self.ours);
            return ours.len() != before;
        }
        let mut changed = false;
        for line in peer.iter_mut().filter(|l| l.contains(&self.peer)) {
            *line = line.replace(&self.peer, &self.ours);
            changed = true;
        }
        peer.retain(|line| !line.is_empty());
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn one(peer: &str, ours: &str) -> Differences {
        let text = format!(
            "[[difference]]\ntranscript = \"f/c\"\npeer = \"{peer}\"\nours = \"{ours}\"\nreason = \"because\"\n"
        );
        Differences::parse(&text).unwrap()
    }

    #[test]
    fn excuses_what_is_listed_and_only_there() {
        let list = one("go1", "rust");
        assert!(!list.agree("f", "other", &lines("a go1 b"), &lines("a rust b")));
        assert!(!list.agree("f", "c", &lines("a go1 b\nx"), &lines("a rust b\ny")));
        assert_eq!(list.unused().len(), 1);
        assert!(list.agree("f", "c", &lines("a go1 b\nx"), &lines("a rust b\nx")));
        assert_eq!(list.unused().len(), 0);
    }

    #[test]
    fn whole_lines() {
        assert!(one("gone", "").agree("f", "c", &lines("gone\nx"), &lines("x")));
        assert!(one("", "new").agree("f", "c", &lines("x"), &lines("new\nx")));
    }

    #[test]
    fn an_entry_has_a_reason() {
        let text = "[[difference]]\ntranscript = \"*\"\npeer = \"a\"\nours = \"b\"\nreason = \"\"\n";
        assert!(Differences::parse(text).is_err());
        assert!(Differences::parse("").unwrap().unused().is_empty());
    }
}
