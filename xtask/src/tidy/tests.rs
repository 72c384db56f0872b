//! Each rule on the smallest text that breaks it and the nearest that does not. Reads no file of the checkout.

use super::{Finding, edges, exceptions, layout, source};
use crate::workspace::Package;

const WAITING: &str = concat!("sle", "ep");
const PLACE: &str = concat!("/ho", "me/someone");

fn rules(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    let findings = source::check(path, text);
    findings.into_iter().map(|f| (f.rule, f.line)).collect()
}

fn code(body: &str) -> Vec<(&'static str, usize)> {
    rules("crates/x/src/lib.rs", &format!("//! A file.\n{body}"))
}

#[test]
fn a_file_says_what_it_is() {
    assert_eq!(
        rules("crates/x/src/lib.rs", "use std::fs;\n"),
        [("first-line", 1)]
    );
    assert_eq!(code("use std::fs;\n"), []);
    assert_eq!(rules("crates/x/notes.md", "text\n"), []);
}

#[test]
fn length_counts_no_tests() {
    let long = "fn f() {}\n".repeat(350);
    assert_eq!(code(&long), [("length", 1)]);
    assert_eq!(rules("crates/x/src/tests.rs", &format!("//! T.\n{long}")), []);
    assert_eq!(rules("tests/core/a.rs", &format!("//! T.\n{long}")), []);
    assert_eq!(
        rules("crates/x/src/e.rs", &format!("//! Generated from it.\n{long}")),
        []
    );
    let short = "fn f() {}\n".repeat(300);
    assert_eq!(
        code(&format!("{short}#[cfg(test)]\nmod tests {{\n{short}}}\n")),
        []
    );
    assert_eq!(
        code(&format!("{short}#[cfg(test)]\nmod tests;\n{short}")),
        [("length", 1)]
    );
}

#[test]
fn waiting_by_the_clock_is_banned_everywhere() {
    assert_eq!(code(&format!("std::thread::{WAITING}(d);\n")), [("wait", 2)]);
    assert_eq!(code(&format!("// {WAITING} a little\n")), [("wait", 2)]);
    assert_eq!(
        rules("tests/clients/a.py", &format!("asyncio.{WAITING}(1)\n")),
        [("wait", 1)]
    );
    assert_eq!(code(&format!("let {WAITING}er = 1;\n")), []);
    assert_eq!(rules("crates/x/README.md", &format!("no {WAITING}\n")), []);
}

#[test]
fn channels_have_a_bound_or_a_reason() {
    assert_eq!(code("let c = mpsc::unbounded_channel();\n"), [("unbounded", 2)]);
    assert_eq!(code("let c = std::sync::mpsc::channel();\n"), [("unbounded", 2)]);
    assert_eq!(code("let c = unbounded();\n"), [("unbounded", 2)]);
    assert_eq!(code("// unbounded: one per file\nlet c = mpsc::channel();\n"), []);
    assert_eq!(code("let c = mpsc::channel(8);\n"), []);
    assert_eq!(code("let c = mpsc::channel::<u8>(8);\n"), []);
    assert_eq!(code("let c = mpsc::channel::<u8>();\n"), [("unbounded", 2)]);
    assert_eq!(rules("tests/a.rs", "//! T.\nlet c = mpsc::channel();\n"), []);
}

#[test]
fn prints_are_for_tests() {
    assert_eq!(code("fn f() { println!(\"x\"); }\n"), [("print", 2)]);
    assert_eq!(code("#[cfg(test)]\nmod tests {\n    println!();\n}\n"), []);
    assert_eq!(
        code("#[cfg(test)]\nmod tests {\n}\nfn f() { eprintln!(); }\n"),
        [("print", 5)]
    );
    assert_eq!(code("// println!() is not for us\nlet s = \"println!\";\n"), []);
    assert_eq!(
        rules("crates/x/src/tests.rs", "//! T.\ndbg!(1);\n"),
        [("print", 2)]
    );
}

#[test]
fn paths_of_one_machine() {
    assert_eq!(code(&format!("let p = \"{PLACE}\";\n")), [("path", 2)]);
    assert_eq!(
        rules("crates/x/README.md", &format!("in {PLACE}\n")),
        [("path", 1)]
    );
    assert_eq!(rules("crates/x/README.md", &format!("in a{PLACE}\n")), []);
}

#[test]
fn unfinished_code() {
    assert_eq!(code("fn f() { todo!() }\n"), [("unfinished", 2)]);
    assert_eq!(code("fn f() { unimplemented!() }\n"), [("unfinished", 2)]);
    assert_eq!(code("// todo!\n"), []);
}

#[test]
fn pointers_live_in_one_file() {
    let body = "//! A file.\nunsafe { f() }\n";
    assert_eq!(rules("crates/x/src/lib.rs", body), [("unsafe", 2)]);
    assert_eq!(rules("crates/store/src/segment/map.rs", body), []);
}

fn edges_of(path: &str, manifest: &str) -> Vec<(&'static str, usize)> {
    let package = Package {
        name: "x".into(),
        path: path.into(),
        manifest: manifest.parse().unwrap(),
    };
    let findings = edges::check(&package, manifest);
    findings.into_iter().map(|f| (f.rule, f.line)).collect()
}

#[test]
fn edges_are_those_of_the_table() {
    let lints = "lints.workspace = true\n";
    let with = |dependencies: &str| format!("{lints}{dependencies}");
    let subject = with("[dependencies]\nnatterjack-subject.workspace = true\n");
    assert_eq!(edges_of("crates/jsapi", &subject), []);
    assert_eq!(edges_of("crates/proto", &subject), [("edge", 3)]);
    assert_eq!(edges_of("crates/unheard-of", &subject), [("edge", 1)]);
    assert_eq!(edges_of("tests", &subject), []);
    let of_target = with("[target.'cfg(unix)'.dependencies]\nnatterjack-subject = \"1\"\n");
    assert_eq!(edges_of("crates/conf", &of_target), [("edge", 3)]);
    let of_tests = with("[dev-dependencies]\nnatterjack-store.workspace = true\n");
    assert_eq!(edges_of("crates/proto", &of_tests), []);
    let tokio = with("[dependencies]\ntokio = \"1\"\n");
    assert_eq!(edges_of("crates/store", &tokio), [("edge", 3)]);
    assert_eq!(edges_of("crates/server", &tokio), []);
    assert_eq!(edges_of("crates/proto", "[dependencies]\n"), [("lints", 1)]);
}

#[test]
fn crates_bring_their_files_and_the_top_level_stays_small() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("crates/x/README.md", "");
    write("crates/x/LICENSE", "");
    let missing = layout::package(root.path(), "crates/x");
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].path, "crates/x/CHANGELOG.md");
    assert_eq!(layout::package(root.path(), "xtask"), []);

    write(".hidden", "");
    write("notes.txt", "");
    let top = layout::top_level(root.path()).unwrap();
    assert_eq!(top.len(), 1);
    assert_eq!(top[0].path, "notes.txt");

    assert_eq!(layout::named_files(root.path()).len(), 1);
    write(
        "crates/README.md",
        "see `x/README.md`, `x/gone.rs` and `f.rs`\n`crates/x/README.md`\n",
    );
    let named = layout::named_files(root.path());
    assert_eq!(named.len(), 1);
    assert!(named[0].text.contains("x/gone.rs"));
}

#[test]
fn names_in_backticks() {
    let text = "a `b/c.rs` d `e.rs`\n`f/{g,h}.rs` `i/j.md`\n";
    assert_eq!(layout::names(text), [(1, "b/c.rs"), (2, "i/j.md")]);
}

#[test]
fn exceptions_only_shrink() {
    let finding = Finding::new("length", "a.rs", 1, "long");
    let list = "# why\nlength a.rs one table in one place\n";
    assert_eq!(exceptions::apply("list", list, vec![finding.clone()]), []);
    let unused = exceptions::apply("list", list, Vec::new());
    assert_eq!((unused.len(), unused[0].line), (1, 2));
    let without_reason = exceptions::apply("list", "length a.rs\n", vec![finding]);
    assert_eq!(without_reason.len(), 2);
}
