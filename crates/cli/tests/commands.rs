//! The `natterjack` command against a server: what it prints, and with which exit code. Knows nothing of its insides.
#![expect(clippy::unwrap_used, reason = "what prepares a test fails it by panicking")]

#[path = "../../client/tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use support::Server;

fn command(server: &Server, line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_natterjack"));
    command
        .args(["--server", &server.url()])
        .args(line)
        .stdin(Stdio::null());
    command
}

/// Runs a command that must succeed, and returns what it printed.
fn ok(server: &Server, line: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command(server, line).output().unwrap();
    assert!(status.success(), "{line:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Runs a command that must fail, and returns its error.
fn fails(server: &Server, line: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command(server, line).output().unwrap();
    assert_eq!(
        status.code(),
        Some(1),
        "{line:?}: {}",
        String::from_utf8_lossy(&stdout)
    );
    String::from_utf8(stderr).unwrap()
}

/// Starts a command that goes on until it has what it wants, and waits for its first line.
fn start(server: &Server, line: &[&str]) -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let mut child = command(server, line).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    (child, lines)
}

fn rest(mut child: std::process::Child, lines: BufReader<std::process::ChildStdout>) -> String {
    let text = std::io::read_to_string(lines).unwrap();
    assert!(child.wait().unwrap().success());
    text
}

#[test]
fn messages_and_questions() {
    let server = Server::start();
    let (child, lines) = start(&server, &["sub", "greet.*", "--count", "2"]);
    let said = ok(&server, &["pub", "greet.joe", "hello", "-H", "K: v"]);
    assert_eq!(said, "Published 5 bytes to \"greet.joe\"\n");
    ok(&server, &["pub", "greet.ann", "hi", "--reply", "here", "--quiet"]);
    assert_eq!(
        rest(child, lines),
        "[greet.joe]\nK: v\nhello\n[greet.ann] reply here\nhi\n"
    );

    let (child, lines) = start(&server, &["reply", "ask", "42", "--count", "1"]);
    assert_eq!(ok(&server, &["request", "ask", "what?", "--raw"]), "42\n");
    assert!(rest(child, lines).contains("what?"));
    assert!(fails(&server, &["request", "ask", "what?"]).contains("no responders"));
}

#[test]
fn streams_and_consumers() {
    let server = Server::start();
    let made = ok(
        &server,
        &[
            "stream",
            "add",
            "ORDERS",
            "--subjects",
            "orders.>,new.*",
            "--storage",
            "memory",
        ],
    );
    assert!(
        made.contains("Subjects:  orders.>, new.*") && made.contains("Storage:   memory"),
        "{made}"
    );
    assert_eq!(
        ok(&server, &["pub", "-J", "orders.eu", "one"]),
        "Stored in stream ORDERS at sequence 1\n"
    );
    ok(&server, &["pub", "-J", "orders.us", "two", "--count", "2"]);
    assert_eq!(ok(&server, &["stream", "ls", "--names"]), "ORDERS\n");
    let json: serde_json::Value =
        serde_json::from_str(&ok(&server, &["stream", "info", "ORDERS", "--json"])).unwrap();
    assert_eq!(json["state"]["messages"], 3);
    assert!(ok(&server, &["stream", "get", "ORDERS", "1"]).ends_with("\none\n"));
    assert!(ok(&server, &["stream", "get", "ORDERS", "-S", "orders.us"]).contains("sequence 3"));

    ok(
        &server,
        &[
            "consumer",
            "add",
            "ORDERS",
            "C",
            "--pull",
            "--filter",
            "orders.us",
        ],
    );
    assert_eq!(ok(&server, &["consumer", "ls", "ORDERS", "--names"]), "C\n");
    assert_eq!(
        ok(
            &server,
            &["consumer", "next", "ORDERS", "C", "--count", "2", "--raw"]
        ),
        "two\ntwo\n"
    );
    assert!(fails(&server, &["consumer", "next", "ORDERS", "C", "--wait", "100ms"]).contains("no messages"));
    let info = ok(&server, &["consumer", "info", "ORDERS", "C"]);
    assert!(
        info.contains("Ack pending:  0") && info.contains("Undelivered:  0"),
        "{info}"
    );
    assert!(ok(&server, &["account", "info"]).contains("Streams:     1 of unlimited"));

    assert!(fails(&server, &["consumer", "rm", "ORDERS", "C"]).contains("--force"));
    ok(&server, &["consumer", "rm", "ORDERS", "C", "--force"]);
    assert_eq!(
        ok(&server, &["stream", "purge", "ORDERS", "-f"]),
        "Removed 3 messages from stream ORDERS\n"
    );
    ok(&server, &["stream", "rm", "ORDERS", "-f"]);
    assert_eq!(
        fails(&server, &["stream", "info", "ORDERS"]),
        "natterjack: stream not found (10059)\n"
    );
}

#[test]
fn whoever_may_not_enter_hears_so() {
    let server = Server::start_with(&["--user", "joe", "--pass", "secret"]);
    assert!(fails(&server, &["pub", "a", "b"]).contains("Authorization Violation"));
    ok(
        &server,
        &["pub", "a", "b", "--user", "joe", "--password", "secret"],
    );
    assert!(fails(&server, &["nonsense"]).contains("unrecognized"));
}
