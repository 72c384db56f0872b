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
    let tree = tree("a { b { c: [1, 2,\n 3\n 4] }\n d [ {x: 1}, {x: 2} ] }");
    let a = tree["a"].as_map().unwrap();
    assert_eq!(a["b"].as_map().unwrap()["c"].as_list().unwrap().len(), 4);
    assert_eq!(a["d"].as_list().unwrap().len(), 2);
}

#[test]
fn blocks() {
    assert_eq!(kind("(\nabc\n def)\n)"), Kind::Text("\nabc\n def)\n".into()));
}

#[test]
fn variables_from_inner_to_outer_then_environment() {
    struct Env;
    impl Source for Env {
        fn include(&mut self, _: &str, _: &str) -> Result<(String, String), String> {
            Ok(("inc.conf".into(), "inner: 7\nother: $TOP".into()))
        }
        fn env(&self, name: &str) -> Option<String> {
            match name {
                "SIZE" => Some("1KB".into()),
                "LOOP" => Some("$LOOP".into()),
                _ => None,
            }
        }
    }
    let tree = parse(
        "TOP: 5\na { TOP: 6, b: $TOP }\nc: $TOP\nd: $SIZE\ninclude ./inc.conf;\n",
        "c",
        &mut Env,
    )
    .unwrap();
    assert_eq!(tree["a"].as_map().unwrap()["b"].kind, Kind::Integer(6));
    assert_eq!(tree["c"].kind, Kind::Integer(5));
    assert_eq!(tree["d"].kind, Kind::Integer(1024));
    assert_eq!(tree["inner"].kind, Kind::Integer(7));
    assert_eq!(tree["other"].kind, Kind::Integer(5));
    assert!(tree["TOP"].used.get() && !tree["d"].used.get());
    assert_eq!(
        parse("a: $LOOP", "c", &mut Env).unwrap_err().to_string(),
        "variable reference cycle for 'LOOP'"
    );
}

#[test]
fn refusals() {
    for (text, expected) in [
        ("", "c.conf: config has no values or is empty"),
        (
            "a: 1\nb:\n",
            "Parse error on line 2: 'Expected value but found new line'",
        ),
        (
            "a: $NO\n",
            "variable reference for 'NO' on line 1 can not be found",
        ),
        (
            "a: 1 MB\n",
            "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, but got 'M' instead.'",
        ),
        ("a: .5", "Parse error on line 1: 'Floats must start with a digit'"),
        (
            "a: 99999999999999999999",
            "Parse error on line 1: 'integer '99999999999999999999' is out of the range'",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text:?}");
    }
    for text in [
        "a {",
        "a [1",
        "a: \"x",
        "a: 'x",
        "A {a:1} B {b:2}",
        "a: 1.5MB",
        "a: \"\\q\"",
        "[1]",
        "a: 2020-01-01",
    ] {
        assert!(!refusal(text).is_empty());
    }
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

#[test]
fn digest_is_the_peers() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/digests.txt")).unwrap();
    let mut cases = 0;
    for (digest, config) in text.lines().filter_map(|l| l.split_once(' ')) {
        assert_eq!(
            super::digest(&tree(&config.replace("\\n", "\n"))),
            digest,
            "{config}"
        );
        cases += 1;
    }
    assert!(cases >= 5, "{cases} cases");
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
