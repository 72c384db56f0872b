//! The list of what transcripts show of `-ERR` texts and INFO fields, held against the sources of the protocol and against
//! the transcripts. Never plays anything.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::transcript::{Case, Step, Transcript};

/// `tests/conformance/coverage.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coverage {
    errors: BTreeMap<String, String>,
    info: BTreeMap<String, String>,
    status: BTreeMap<String, String>,
    consumer: BTreeMap<String, String>,
}

/// The sources that the list is held against.
#[derive(Debug, Clone, Copy)]
struct Sources<'a> {
    errors: &'a str,
    info: &'a str,
    consumers: &'a str,
    consumer_config: &'a str,
}

/// What is wrong with the list `text`, given the sources, and what `read` finds under a path.
fn check(
    text: &str,
    sources: Sources<'_>,
    transcripts: &[Transcript],
    read: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    let list: Coverage = toml::from_str(text).context("coverage.toml")?;
    let texts = error_texts(sources.errors);
    let variants = members(sources.errors, "pub enum ServerError {", "    ", &[",", " {"]);
    let fields = members(sources.info, "pub struct Info {", "    pub ", &[":"]);
    let configured = sources.consumer_config.split("\n    }\n");
    let configured = configured.map(|part| members(part, "pub struct ConsumerConfig:", "        ", &[":"]));
    let configured: Vec<String> = configured.flatten().collect();
    for (wanted, listed) in [
        (&variants, &list.errors),
        (&fields, &list.info),
        (&configured, &list.consumer),
    ] {
        ensure!(!wanted.is_empty(), "nothing was found in the sources");
        for name in wanted {
            ensure!(listed.contains_key(name), "coverage.toml: {name} is missing");
        }
        for name in listed.keys() {
            ensure!(wanted.contains(name), "coverage.toml: there is no {name}");
        }
    }
    for (name, place) in &list.errors {
        let text = texts.get(name).with_context(|| format!("{name} has no text"))?;
        shown(place, &format!("-ERR '{text}"), transcripts, &read)?;
    }
    for (name, place) in &list.info {
        shown(place, &format!("\"{name}\":"), transcripts, &read)?;
    }
    for (name, place) in &list.consumer {
        all_ways(place, name, transcripts)?;
    }
    for begin in status_lines(sources.consumers) {
        let listed = list.status.keys().any(|line| line.starts_with(&begin));
        ensure!(listed, "coverage.toml: {begin:?} is missing");
    }
    for (line, place) in &list.status {
        shown(place, &format!("NATS/1.0 {line}"), transcripts, &read)?;
    }
    Ok(())
}

fn shown(
    place: &str,
    said: &str,
    transcripts: &[Transcript],
    read: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    if place.starts_with("not yet: ") {
        return Ok(());
    }
    if let Some(test) = place.strip_prefix("test: ") {
        let (file, name) = test.split_once(' ').with_context(|| place.to_owned())?;
        let text = read(&format!("tests/tests/{file}")).with_context(|| place.to_owned())?;
        ensure!(
            text.contains(&format!("fn {name}()")),
            "there is no test {place:?}"
        );
        return Ok(());
    }
    let case = case_at(place, transcripts)?;
    let lines = case.steps.iter().flat_map(|s| &s.recorded);
    ensure!(
        lines.into_iter().any(|l| l.contains(said)),
        "{place} does not say {said:?}"
    );
    Ok(())
}

/// Whether a case shows a field of a consumer's configuration left out, given, refused, and in an update.
fn all_ways(place: &str, field: &str, transcripts: &[Transcript]) -> Result<()> {
    let case = case_at(place, transcripts)?;
    let creates = case.steps.iter().filter(|s| s.text.contains(".CONSUMER.CREATE."));
    let creates: Vec<&Step> = creates.collect();
    let given = |s: &&&Step| s.text.contains(&format!("\"{field}\":"));
    let update = |s: &&&Step| s.text.contains("\"action\":\"update\"");
    let refused = |s: &&&Step| s.recorded.iter().any(|line| line.contains("\"error\":"));
    let any = |what: &dyn Fn(&&&Step) -> bool| creates.iter().any(|s| what(&s));
    let ways = [
        ("leaves it out", any(&|s| !given(s) && !update(s) && !refused(s))),
        ("gives it", any(&|s| given(s) && !update(s) && !refused(s))),
        ("has it refused", any(&|s| given(s) && !update(s) && refused(s))),
        ("updates it", any(&|s| given(s) && update(s))),
    ];
    for (way, is_there) in ways {
        ensure!(is_there, "{place}: nothing {way}");
    }
    Ok(())
}

fn case_at<'a>(place: &str, transcripts: &'a [Transcript]) -> Result<&'a Case> {
    let (file, case) = place.split_once('/').with_context(|| place.to_owned())?;
    let found = transcripts.iter().find(|t| t.name == file);
    let case = found.and_then(|t| t.cases.iter().find(|c| c.name == case));
    case.with_context(|| format!("there is no case {place:?}"))
}

/// Names of the members of the item that begins with `head`, on lines with this indent, up to one of `ends`.
fn members(source: &str, head: &str, indent: &str, ends: &[&str]) -> Vec<String> {
    let body = source.split_once(head).map_or("", |(_, rest)| rest);
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    let lines = body.lines().filter_map(|line| line.strip_prefix(indent));
    let lines = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
    lines
        .filter_map(|line| {
            let end = ends.iter().filter_map(|end| line.find(end)).min()?;
            Some(line[..end].to_owned())
        })
        .collect()
}

/// The fixed beginning of each variant's text.
fn error_texts(source: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let body = source.split_once("pub fn text").map_or("", |(_, rest)| rest);
    let mut variant = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("Self::") {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
            variant = rest[..end.unwrap_or(rest.len())].to_owned();
        }
        let quoted = line.split('"').nth(1).filter(|text| !text.is_empty());
        if let Some(text) = quoted {
            let fixed = text.split('{').next().unwrap_or_default();
            texts.entry(variant.clone()).or_insert_with(|| fixed.to_owned());
        }
    }
    texts
}

/// The fixed beginnings of the status lines in a source: texts that begin with a number of three digits.
fn status_lines(source: &str) -> Vec<String> {
    let texts = source.split('"').skip(1);
    let is_status = |text: &&str| {
        let (code, rest) = text.split_at_checked(3).unwrap_or_default();
        code.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with(' ')
    };
    texts
        .filter(is_status)
        .filter_map(|text| text.split('{').next().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_refusal_and_field_is_shown() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let source = |path| read(path).unwrap();
        let transcripts = super::super::load(&root.join(super::super::FOLDER)).unwrap();
        let (errors, info) = (
            source("crates/proto/src/errors.rs"),
            source("crates/proto/src/info.rs"),
        );
        let consumers = std::fs::read_dir(root.join("crates/jetstream/src/consumer")).unwrap();
        let consumers: String = consumers
            .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
            .collect();
        assert!(status_lines(&consumers).len() > 10);
        let list = source("tests/conformance/coverage.toml");
        let sources = Sources {
            errors: &errors,
            info: &info,
            consumers: &consumers,
            consumer_config: &source("crates/jsapi/src/consumer.rs"),
        };
        check(&list, sources, &transcripts, read).unwrap();
    }

    const ERRORS: &str = "pub enum ServerError {\n    /// A.\n    A,\n    B {\n        x: u8,\n    },\n}\n\
        pub fn text\n Self::A => \"aa\".into(),\n Self::B { x } => {\n format!(\"bb {}\", x)\n";
    const STATUS: &str = "x(\"409 S\");";
    const CONFIG: &str =
        "    pub struct ConsumerConfig: \"c\" {\n        /// Q.\n        q: u64 => \"q\", omit;\n    }\n";
    const FIELD: &str = "=== two\n\
        req A $JS.API.CONSUMER.CREATE.S {\"config\":{}}\n    MSG | {}\n\
        req A $JS.API.CONSUMER.CREATE.S {\"config\":{\"q\":1}}\n    MSG | {}\n\
        req A $JS.API.CONSUMER.CREATE.S {\"config\":{\"q\":-1}}\n    MSG | {\"error\":1}\n\
        req A $JS.API.CONSUMER.CREATE.S {\"action\":\"update\",\"config\":{\"q\":2}}\n    MSG | {}\n";
    const INFO: &str = "pub struct Info {\n    pub f: u8,\n}\n";

    fn checked(errors: &str, transcript: &str) -> Result<()> {
        held(errors, &format!("{transcript}{FIELD}"))
    }

    fn held(errors: &str, transcript: &str) -> Result<()> {
        let list = format!(
            "[errors]\n{errors}\n[info]\nf = \"not yet: x\"\n[status]\n\"409 S\" = \"t/one\"\n[consumer]\nq = \"t/two\"\n"
        );
        let transcripts = [Transcript::parse("t", transcript).unwrap()];
        let sources = Sources {
            errors: ERRORS,
            info: INFO,
            consumers: STATUS,
            consumer_config: CONFIG,
        };
        check(&list, sources, &transcripts, |_| None)
    }

    #[test]
    fn a_field_is_shown_in_all_ways() {
        let errors = "=== one\nA<\n    -ERR 'aa'\n    -ERR 'bb 1'\n    HMSG | NATS/1.0 409 S |\n";
        let lists = "A = \"t/one\"\nB = \"t/one\"";
        assert!(held(lists, &format!("{errors}{FIELD}")).is_ok());
        for way in [2, 4, 6, 8] {
            let mut lines: Vec<&str> = FIELD.lines().collect();
            lines.drain(way - 1..=way);
            let why = held(lists, &format!("{errors}{}\n", lines.join("\n"))).unwrap_err();
            assert!(why.to_string().contains("t/two: nothing"), "{way}: {why}");
        }
    }

    #[test]
    fn what_is_missing_or_says_something_else_is_found() {
        let errors = "=== one\nA<\n    -ERR 'aa'\n    -ERR 'bb 1'\n";
        assert!(
            checked("A = \"t/one\"\nB = \"t/one\"", errors).is_err(),
            "no status line"
        );
        let text = &format!("{errors}    HMSG | NATS/1.0 409 S |\n");
        assert!(checked("A = \"t/one\"\nB = \"t/one\"", text).is_ok());
        assert!(checked("A = \"t/one\"", text).is_err());
        assert!(checked("A = \"t/one\"\nB = \"t/two\"", text).is_err());
        assert!(checked("A = \"t/one\"\nB = \"t/one\"\nC = \"t/one\"", text).is_err());
        assert!(checked("A = \"t/one\"\nB = \"t/one\"", "=== one\nA<\n    -ERR 'aa'\n").is_err());
        assert_eq!(
            status_lines("f(\"409 A {x}\") \"2.1\" \"404 B\""),
            ["409 A ", "404 B"]
        );
    }
}
