//! Runs transcripts: texts of commands, each followed by `----` and what it must answer. `UPDATE=1` writes the answers
//! into the files instead of comparing. Only for tests; knows no command itself.

use std::fmt::Write as _;
use std::path::Path;

/// Runs every command of `testdata/<path>` through `answer` and compares.
pub(crate) fn run(path: &str, mut answer: impl FnMut(&str) -> String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (fresh, wrong) = replay(&text, &mut answer);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, fresh).unwrap();
        return;
    }
    assert!(
        wrong.is_empty(),
        "{path}: {} of its answers differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The text with fresh answers, and the commands whose answers differ.
fn replay(text: &str, answer: &mut dyn FnMut(&str) -> String) -> (String, Vec<String>) {
    let (mut fresh, mut wrong) = (String::new(), Vec::new());
    let mut lines = text.lines().enumerate().peekable();
    while let Some((n, line)) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            let _infallible = writeln!(fresh, "{line}");
            continue;
        }
        let mut expected = String::new();
        if lines.next_if(|(_, l)| *l == "----").is_some() {
            while let Some((_, l)) = lines.next_if(|(_, l)| !l.is_empty()) {
                let _infallible = writeln!(expected, "{l}");
            }
        }
        let mut got = answer(line);
        if !got.is_empty() && !got.ends_with('\n') {
            got.push('\n');
        }
        if got != expected {
            wrong.push(format!(
                "line {}: {line}\nexpected:\n{expected}got:\n{got}",
                n + 1
            ));
        }
        let _infallible = write!(fresh, "{line}\n----\n{got}");
    }
    (fresh, wrong)
}

#[test]
fn answers_are_compared_and_renewed() {
    let text = "# head\n\nsay a\n----\na\n\nsay b\n----\nc\n";
    let (fresh, wrong) = replay(text, &mut |line| line.replace("say ", ""));
    assert_eq!(fresh, "# head\n\nsay a\n----\na\n\nsay b\n----\nb\n");
    assert_eq!(wrong, ["line 7: say b\nexpected:\nc\ngot:\nb\n"]);
}
