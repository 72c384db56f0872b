//! The text form of a script and of the answers recorded in it. Never talks to a server.

use anyhow::{Context, Result, bail, ensure};

use super::step::Action;

/// Answers stand below their step, this far in.
const INDENT: &str = "    ";

/// One file of `tests/conformance`.
#[derive(Debug)]
pub(super) struct Transcript {
    /// The file's name without its ending.
    pub(super) name: String,
    pub(super) header: Header,
    pub(super) cases: Vec<Case>,
    /// All lines that are not answers.
    script: Vec<String>,
}

/// What the servers of a file are started with.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// More flags.
    pub(super) flags: Vec<String>,
    /// Text of a configuration file, empty for none.
    pub(super) config: String,
    /// CONNECT of connections that were not opened by `open`.
    pub(super) connect: Option<String>,
    /// A stream that is there before the first case and stays. The peer removes a directory together with the
    /// last stream in it, now and then only after the next stream has begun to use it.
    pub(super) keep: Option<String>,
    /// Started without JetStream.
    pub(super) no_jetstream: bool,
}

/// One named run of steps on fresh connections.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// One line of a script.
#[derive(Debug)]
pub(super) struct Step {
    /// Index into the lines that are not answers.
    at: usize,
    pub(super) text: String,
    pub(super) action: Action,
    /// The peer's answer when the transcript was last updated.
    pub(super) recorded: Vec<String>,
}

impl Transcript {
    /// Reads the text of the file `name`.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self> {
        let mut transcript = Self {
            name: name.to_owned(),
            header: Header::default(),
            cases: Vec::new(),
            script: Vec::new(),
        };
        for (number, line) in (1..).zip(text.lines()) {
            transcript
                .line(line)
                .with_context(|| format!("{name}.txt:{number}: {line}"))?;
        }
        ensure!(!transcript.cases.is_empty(), "{name}.txt has no case");
        Ok(transcript)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        if let Some(answer) = line.strip_prefix(INDENT) {
            let step = self.cases.last_mut().and_then(|c| c.steps.last_mut());
            step.context("an answer without a step")?
                .recorded
                .push(answer.to_owned());
            return Ok(());
        }
        let at = self.script.len();
        self.script.push(line.to_owned());
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(name) = line.strip_prefix("=== ") {
            ensure!(self.cases.iter().all(|c| c.name != name), "this name is taken");
            let (name, steps) = (name.to_owned(), Vec::new());
            self.cases.push(Case { name, steps });
        } else if let Some(case) = self.cases.last_mut() {
            let (text, recorded) = (line.to_owned(), Vec::new());
            let action = Action::parse(line)?;
            case.steps.push(Step {
                at,
                text,
                action,
                recorded,
            });
        } else {
            self.header_line(line)?;
        }
        Ok(())
    }

    fn header_line(&mut self, line: &str) -> Result<()> {
        if let Some(text) = line.strip_prefix("config|") {
            self.header.config.push_str(text);
            self.header.config.push('\n');
        } else if let Some(flags) = line.strip_prefix("flags: ") {
            let flags = flags.split_whitespace().map(str::to_owned);
            self.header.flags.extend(flags);
        } else if let Some(json) = line.strip_prefix("connect: ") {
            self.header.connect = Some(json.to_owned());
        } else if let Some(stream) = line.strip_prefix("keep: ") {
            self.header.keep = Some(stream.to_owned());
        } else if line == "jetstream: off" {
            self.header.no_jetstream = true;
        } else {
            bail!("a header line is `flags: …`, `config|…`, `connect: …`, `keep: …` or `jetstream: off`");
        }
        Ok(())
    }

    /// The file's text with `answers` (by case, by step) in the place of the recorded ones. A case without new
    /// answers keeps its old ones.
    pub(super) fn with_answers(&self, answers: &[(usize, Vec<Vec<String>>)]) -> String {
        let mut below: Vec<&[String]> = vec![&[]; self.script.len()];
        for (number, case) in self.cases.iter().enumerate() {
            let new = answers.iter().find(|(n, _)| *n == number).map(|(_, a)| a);
            for (at, step) in case.steps.iter().enumerate() {
                below[step.at] = new.map_or(&step.recorded, |a| &a[at]);
            }
        }
        let mut text = String::new();
        for (line, answers) in self.script.iter().zip(below) {
            text.push_str(line);
            text.push('\n');
            for answer in answers {
                text.push_str(INDENT);
                text.push_str(answer);
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# What it is\nflags: -V\nconfig|a: 1\n\n=== one\nA> PING\nA<\n    PONG\n\n=== two\nA<\n";

    #[test]
    fn reads_header_cases_and_answers() {
        let t = Transcript::parse("t", TEXT).unwrap();
        assert_eq!(
            (t.header.flags[0].as_str(), t.header.config.as_str()),
            ("-V", "a: 1\n")
        );
        assert_eq!(t.cases.len(), 2);
        assert_eq!(t.cases[0].steps[1].recorded, ["PONG"]);
    }

    #[test]
    fn answers_are_put_in_place() {
        let t = Transcript::parse("t", TEXT).unwrap();
        assert_eq!(t.with_answers(&[]), TEXT);
        let new = vec![vec![], vec!["x".to_owned(), "y".to_owned()]];
        let expected = TEXT.replace("    PONG\n", "    x\n    y\n");
        assert_eq!(t.with_answers(&[(0, new)]), expected);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(Transcript::parse("t", "port: 1\n=== a\nA<\n").is_err());
        assert!(Transcript::parse("t", "=== a\nA<\n=== a\nA<\n").is_err());
        assert!(Transcript::parse("t", "=== a\ndance A\n").is_err());
        assert!(Transcript::parse("t", "# nothing\n").is_err());
    }
}
