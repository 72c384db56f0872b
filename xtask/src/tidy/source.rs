//! Rules on the text of one file: its first line, its length, words that do not belong. Never looks at another file.

use super::Finding;

/// Longest source file, tests not counted.
const LINES_MAX: usize = 350;
/// Files that may have `unsafe`: the map of a segment, and what sets the allocator up.
const UNSAFE: &[&str] = &["crates/store/src/segment/map.rs", "crates/server/src/main.rs"];

// Put together here so that this file does not break its own rules.
const WAITING: &str = concat!("sle", "ep");
const PLACES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
];
const PRINTS: &[&str] = &["println!", "print!", "eprintln!", "eprint!"];
const UNFINISHED: &[&str] = &["todo!", "unimplemented!"];
const UNBOUNDED: &[&str] = &["unbounded_channel", "unbounded(", "unbounded::<"];
/// The channel of the standard library without a bound; a test may keep what few messages it gets.
const STANDARD: &[&str] = &["mpsc::channel()", "mpsc::channel::<"];
const POINTERS: &[&str] = &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];

/// All findings in `text`.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.ends_with(".rs") {
        code(path, text, &mut findings);
    }
    let code_or_test = [".rs", ".py", ".sh"].iter().any(|e| path.ends_with(e));
    for (number, line) in (1..).zip(text.lines()) {
        if code_or_test && has_word(line, WAITING) {
            let text = format!("`{WAITING}`: wait for a condition, with a deadline");
            findings.push(Finding::new("wait", path, number, text));
        }
        if let Some(place) = PLACES.iter().find(|p| names_place(line, p)) {
            let text = format!("`{place}`: a path of one machine");
            findings.push(Finding::new("path", path, number, text));
        }
    }
    findings
}

fn code(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let first = text.lines().next().unwrap_or_default();
    if !first.starts_with("//! ") {
        let text = "no `//!` line saying what this file is and what it never does";
        findings.push(Finding::new("first-line", path, 1, text));
    }
    let whole_file_is_test = is_test_file(path);
    let mut inside_test_module = false;
    let mut counted = 0;
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        inside_test_module |= begins_test_module(&lines[at..]);
        let is_test = whole_file_is_test || inside_test_module;
        counted += usize::from(!is_test);
        let before = at.checked_sub(1).map_or("", |b| lines[b].trim());
        words(
            path,
            at + 1,
            &Line {
                line,
                before,
                is_test,
            },
            findings,
        );
        if *line == "}" {
            inside_test_module = false;
        }
    }
    if counted > LINES_MAX && !first.contains("Generated from") {
        let text = format!("{counted} lines without tests, {LINES_MAX} at most: give a part its own file");
        findings.push(Finding::new("length", path, 1, text));
    }
}

struct Line<'a> {
    line: &'a str,
    before: &'a str,
    is_test: bool,
}

fn words(path: &str, number: usize, at: &Line<'_>, findings: &mut Vec<Finding>) {
    let code = only_code(at.line);
    let found = |words: &[&'static str]| words.iter().copied().find(|w| has_start(&code, w));
    let mut add = |rule, text| findings.push(Finding::new(rule, path, number, text));
    let standard = found(STANDARD).filter(|_| !at.is_test && at.line.contains("()"));
    if let Some(word) = found(UNBOUNDED).or(standard)
        && !at.before.starts_with("// unbounded: ")
        && !code.trim_start().starts_with("use ")
    {
        add(
            "unbounded",
            format!("`{word}`: give a bound, or a line `// unbounded: <why>` above"),
        );
    }
    if let Some(word) = found(PRINTS).filter(|_| !at.is_test) {
        add("print", format!("`{word}`: write to a stream one was given"));
    }
    if found(&["dbg!"]).is_some() {
        add("print", "`dbg!`: left over".to_owned());
    }
    if let Some(word) = found(UNFINISHED) {
        add("unfinished", format!("`{word}`: not finished"));
    }
    if found(POINTERS).is_some() && !UNSAFE.contains(&path) {
        add("unsafe", format!("`unsafe` outside {}", UNSAFE.join(", ")));
    }
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}

/// A module of tests at the margin: the attribute, then the module's first line.
fn begins_test_module(lines: &[&str]) -> bool {
    let mut lines = lines.iter();
    lines.next().is_some_and(|l| l.starts_with("#[cfg(test)]"))
        && lines
            .find(|l| !l.starts_with("#["))
            .is_some_and(|l| l.starts_with("mod ") && l.ends_with('{'))
}

/// `line` without what stands in strings and comments. Strings over several lines are not understood.
fn only_code(line: &str) -> String {
    let line = line.replace("'\"'", "' '");
    let mut code = String::new();
    let mut inside = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if inside => {
                chars.next();
            }
            '"' => inside = !inside,
            '/' if !inside && chars.peek() == Some(&'/') => break,
            c if !inside => code.push(c),
            _ => {}
        }
    }
    code
}

/// `needle` in `line`, not in the middle of a longer word.
fn has_start(line: &str, needle: &str) -> bool {
    line.match_indices(needle)
        .any(|(at, _)| !ends_in_word(&line[..at]))
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        let ends = !after.is_some_and(|c| c.is_ascii_alphanumeric());
        let before = line[..at].chars().next_back();
        ends && !before.is_some_and(|c| c.is_ascii_alphanumeric())
    })
}

fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || "._-}>*$".contains(c))
    })
}

fn ends_in_word(text: &str) -> bool {
    text.chars()
        .next_back()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}
