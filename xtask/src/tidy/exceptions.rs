//! The list of findings we live with, each with its reason. It only shrinks: an entry that is no longer needed is
//! itself a finding.

use super::Finding;

/// Takes out of `findings` what `listed` excuses and puts in what is wrong with the list.
pub(super) fn apply(path: &str, listed: &str, mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut of_the_list = Vec::new();
    for (number, line) in (1..).zip(listed.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let (Some(rule), Some(file), Some(_reason)) = (words.next(), words.next(), words.next()) else {
            let text = "an entry is `<rule> <path> <reason>`";
            of_the_list.push(Finding::new("exception", path, number, text));
            continue;
        };
        let before = findings.len();
        findings.retain(|f| !(f.rule == rule && f.path == file));
        if findings.len() == before {
            let text = format!("`{rule} {file}` is no longer needed: take it out");
            of_the_list.push(Finding::new("exception", path, number, text));
        }
    }
    findings.append(&mut of_the_list);
    findings
}
