//! What is accepted and what is refused, in the peer's words (asked with `-t`).

use std::collections::BTreeMap;

use super::*;

fn tree(text: &str) -> BTreeMap<String, Value> {
    parse(text, "c.conf", &mut NoSource).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn refusal(text: &str) -> String {
    parse(text, "c.conf", &mut NoSource)
        .map_or_else(|e| e.to_string(), |tree| panic!("{text:?} gave {tree:?}"))
}

fn kind(text: &str) -> Kind {
    tree(&format!("k: {text}\n"))["k"].kind.clone()
}

#[test]
fn scalars() {
    for (text, expected) in [
        ("1", Kind::Integer(1)),
        ("-1", Kind::Integer(-1)),
        ("1k", Kind::Integer(1_000)),
        ("1KB", Kind::Integer(1_024)),
        ("2m", Kind::Integer(2_000_000)),
        ("1gib", Kind::Integer(1 << 30)),
        ("10Gi", Kind::Integer(10 << 30)),
        ("1.5", Kind::Float(1.5)),
        ("yes", Kind::Bool(true)),
        ("OFF", Kind::Bool(false)),
        ("10s", Kind::Text("10s".into())),
        ("1h30m", Kind::Text("1h30m".into())),
        ("127.0.0.1:4222", Kind::Text("127.0.0.1:4222".into())),
        ("\"a\\tb\\x41\"", Kind::Text("a\tbA".into())),
        ("'a\\tb'", Kind::Text("a\\tb".into())),
        ("foo", Kind::Text("foo".into())),
        ("$2a$11$abc", Kind::Text("$2a$11$abc".into())),
        ("2020-01-01T00:00:00Z", Kind::Time("2020-01-01T00:00:00Z".into())),
    ] {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn separators_comments_and_braces() {
    for text in [
        "a = 1\nb: 2\nc 3",
        "a=1;b=2,c=3",
        "{ a: 1, b: 2, c: 3 }",
        "{\"a\": 1,\n \"b\": 2, 'c': 3}",
        "# x\na 1 // y\nb 2 # z\nc 3",
    ] {
        let tree = tree(text);
        let values: Vec<_> = ["a", "b", "c"].iter().map(|k| tree[*k].kind.clone()).collect();
        assert_eq!(
            values,
            [Kind::Integer(1), Kind::Integer(2), Kind::Integer(3)],
            "{text}"
        );
    }
}

#[test]
fn nesting_and_lists() {
    let tree = tree("a { b { c: [1, 2,\n 3\n 4 ] }\n d [ {x: 1}, {x: 2} ] }");
    let a = tree["a"].as_map().unwrap();
    assert_eq!(a["b"].as_map().unwrap()["c"].as_list().unwrap().len(), 4);
    assert_eq!(a["d"].as_list().unwrap().len(), 2);
}

#[test]
fn blocks() {
    assert_eq!(kind("(\nabc\n def)\n)"), Kind::Text("\nabc\n def)\n".into()));
}

/// Files and environment of a test.
#[derive(Default)]
struct Given {
    files: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl Given {
    fn new(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        let owned = |list: &[(&str, &str)]| {
            let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            list.iter().map(pair).collect()
        };
        Self {
            files: owned(files),
            environment: owned(environment),
        }
    }
}

impl Source for Given {
    fn include(&mut self, from: &str, path: &str) -> Result<(String, String), String> {
        let path = include_path(from, path);
        match self.files.get(&path) {
            Some(text) => Ok((path, text.clone())),
            None if path == "." => Err("read .: is a directory".into()),
            None => Err(format!("open {path}: no such file or directory")),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}

#[test]
fn variables_from_inner_to_outer_then_environment() {
    let mut given = Given::new(
        &[("inc.conf", "inner: 7\nother: $SIZE")],
        &[("SIZE", "1KB"), ("LIST", "[$SIZE , b]")],
    );
    let text = "TOP: 5\na { TOP: 6, b: $TOP }\nc: $TOP\nd: $SIZE\ne: $LIST\ninclude ./inc.conf;\n";
    let tree = parse(text, "c", &mut given).unwrap();
    assert_eq!(tree["a"].as_map().unwrap()["b"].kind, Kind::Integer(6));
    assert_eq!(tree["c"].kind, Kind::Integer(5));
    assert_eq!(tree["d"].kind, Kind::Integer(1024));
    assert_eq!(tree["e"].as_list().unwrap()[0].kind, Kind::Integer(1024));
    assert_eq!(tree["inner"].kind, Kind::Integer(7));
    assert_eq!(&*tree["inner"].at.file, "inc.conf");
    assert_eq!(tree["other"].kind, Kind::Integer(1024));
    assert!(tree["TOP"].used.get() && !tree["d"].used.get());
}

#[test]
fn endless_includes_and_variables_are_refused() {
    let mut given = Given::new(&[("a.conf", "include a.conf")], &[("A", "$B"), ("B", "{x: $A }")]);
    let text = parse("include a.conf", "c", &mut given).unwrap_err().to_string();
    assert!(text.ends_with("includes are nested too deeply"), "{text}");
    let text = parse("x: $A", "c", &mut given).unwrap_err().to_string();
    assert!(text.ends_with("variable reference cycle for 'A'"), "{text}");
}

#[test]
fn positions_are_the_keys() {
    let tree = tree("a: 1\n  \"b\": { c: 2 }\n");
    let at = |v: &Value| (v.at.line, v.at.column);
    assert_eq!(at(&tree["a"]), (1, 0));
    assert_eq!(at(&tree["b"]), (2, 4));
    assert_eq!(at(&tree["b"].as_map().unwrap()["c"]), (2, 10));
}

#[test]
fn deep_nesting_is_refused() {
    assert!(refusal(&"a {".repeat(10_000)).contains("nested too deeply"));
    assert!(refusal(&format!("a: {}", "[".repeat(10_000))).contains("nested too deeply"));
}

fn unescape(field: &str) -> String {
    let mut out = String::new();
    let mut rest = field.chars();
    while let Some(c) = rest.next() {
        out.push(match c {
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('0') => '\0',
                other => other.unwrap(),
            },
            c => c,
        });
    }
    out
}

/// Texts that come from the parser, and not from what the peer then makes of the tree.
fn is_parsers(answer: &str) -> bool {
    let starts = [
        "Parse error",
        "variable reference",
        "error parsing include",
        "integer ",
        "float ",
        "expected Zulu",
        "config is invalid",
        "m.conf: config has no",
    ];
    starts.iter().any(|start| answer.starts_with(start))
}

/// Whether our outcome is the peer's `answer`: the same digest, the same text, or, where the peer objects to what the
/// keys mean, a tree with the unknown keys at the same places.
fn agrees(outcome: &Result<BTreeMap<String, Value>, Error>, answer: &str) -> bool {
    match outcome {
        Err(error) => answer == error.to_string(),
        Ok(tree) => {
            if let Some(digest) = answer.strip_prefix("ok ") {
                return super::digest(tree) == digest;
            }
            let places: Vec<String> = tree
                .iter()
                .filter(|(_, value)| !value.used.get())
                .map(|(key, v)| {
                    format!(
                        "{}:{}:{}: unknown field \"{key}\"",
                        v.at.file, v.at.line, v.at.column
                    )
                })
                .collect();
            let simple = |line: &&str| line.contains("unknown field") && !line.contains('\\');
            !is_parsers(answer)
                && answer
                    .split(" | ")
                    .filter(simple)
                    .all(|l| places.iter().any(|p| p == l))
        }
    }
}

#[test]
fn verdicts_are_the_peers() {
    let mut wrong = Vec::new();
    let lines: Vec<&str> = include_str!("../testdata/verdicts.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    for line in &lines {
        let fields: Vec<String> = line.split('\t').map(unescape).collect();
        let mut given = Given::default();
        for extra in &fields[1..fields.len() - 1] {
            let (name, value) = extra[1..].split_once('=').unwrap();
            let into = if extra.starts_with('$') {
                &mut given.environment
            } else {
                &mut given.files
            };
            into.insert(name.to_owned(), value.to_owned());
        }
        let answer = fields.last().unwrap();
        let outcome = parse(&fields[0], "m.conf", &mut given);
        if !agrees(&outcome, answer) {
            wrong.push(format!("{:?}\n  peer: {answer}\n  ours: {outcome:?}", fields[0]));
        }
    }
    assert!(lines.len() > 400, "{} cases", lines.len());
    let n = wrong.len();
    assert!(
        wrong.is_empty(),
        "{n} of {} differ:\n{}",
        lines.len(),
        wrong.join("\n")
    );
}

#[test]
fn committed_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        fuzz_one(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 4, "the corpus has {files} files");
}

proptest::proptest! {
    #[test]
    fn any_text_is_answered(text in "[a-c0-9{}\\[\\]()\"'=:,;#$\\\\ .\n-]{0,60}") {
        fuzz_one(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
        fuzz_one(&bytes);
    }
}
