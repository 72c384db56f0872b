//! Who does not read: its producers are held back, it is sent away, and that is told. And what is not remembered of who
//! listens where that is asked for.

use natterjack_tests::{Outcome, RawConnection, Server, run_within};
use serde_json::Value;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);
const ACCOUNTS: &str = "http_port: -1, max_pending: 8MiB, system_account: SYS, no_auth_user: a
    accounts { SYS: { users: [ { user: s, password: s } ] }, A: { users: [ { user: a, password: a } ] } }\n";
const QUIET: &str = r#"{"verbose":false}"#;
/// Messages of 32 KiB after which nobody can still have room for more.
const MANY: usize = 4_000;

async fn page(server: &Server, path: &str) -> Outcome<Value> {
    let answer = server.page(path).await?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
    Ok(serde_json::from_str(body)?)
}

/// Sends to somebody who does not read until the server has sent it away; what the event of that says.
async fn flood(server: &Server) -> Outcome<Value> {
    let login = r#"{"verbose":false,"user":"s","pass":"s"}"#;
    let mut admin = RawConnection::connect(server.address(), login).await?;
    admin.send(b"SUB $SYS.ACCOUNT.A.DISCONNECT 1\r\nPING\r\n").await?;
    assert_eq!(admin.line().await?, "PONG");
    let mut slow = RawConnection::connect(server.address(), QUIET).await?;
    slow.send(b"SUB flood 1\r\nPING\r\n").await?;
    assert_eq!(slow.line().await?, "PONG");
    let mut publisher = RawConnection::connect(server.address(), QUIET).await?;
    let message = format!("PUB flood 32768\r\n{}\r\n", "x".repeat(32 * 1024));
    for _ in 0..MANY {
        if server.log()?.contains("Slow Consumer Detected") {
            break;
        }
        publisher.send(message.as_bytes()).await?;
    }
    let mut head = admin.line().await?;
    while head == "PING" {
        head = admin.line().await?;
    }
    assert!(head.starts_with("MSG $SYS.ACCOUNT.A.DISCONNECT 1 "), "{head}");
    Ok(serde_json::from_str(&admin.line().await?)?)
}

#[test]
fn producers_are_held_back_before_who_does_not_read_is_sent_away() -> Outcome {
    run_within(LONG, async {
        let server = Server::with_config(ACCOUNTS).await?;
        let told = flood(&server).await?;
        assert_eq!(told["reason"], "Slow Consumer (Pending Bytes)", "{told}");
        // As it saw it: it sent nothing.
        assert_eq!(told["sent"]["msgs"], 0, "{told}");
        assert!(told["received"]["msgs"].as_u64().is_some_and(|n| n > 0), "{told}");
        let log = server.log()?;
        assert!(
            log.contains("Slow Consumer Detected: MaxPending of 8388608 Exceeded"),
            "{log}"
        );
        let varz = page(&server, "/varz").await?;
        assert!(varz["stalled_clients"].as_u64().is_some_and(|n| n > 0), "{varz}");
        assert_eq!(
            (&varz["slow_consumers"], &varz["slow_consumer_stats"]["clients"]),
            (&1.into(), &1.into())
        );
        let closed = page(&server, "/connz?state=closed").await?;
        let connections = closed["connections"].as_array().ok_or("no list")?;
        let slow = |c: &&Value| c["reason"] == "Slow Consumer (Pending Bytes)";
        assert_eq!(connections.iter().filter(slow).count(), 1, "{closed}");
        Ok(())
    })
}

#[test]
fn producers_are_not_held_back_where_that_is_off() -> Outcome {
    run_within(LONG, async {
        let server = Server::with_config(&format!("no_fast_producer_stall: true\n{ACCOUNTS}")).await?;
        flood(&server).await?;
        assert_eq!(page(&server, "/varz").await?["stalled_clients"], 0);
        Ok(())
    })
}

#[test]
fn nothing_is_remembered_where_that_is_off() -> Outcome {
    run_within(LONG, async {
        for (config, remembered) in [("", true), ("disable_sublist_cache: true", false)] {
            let server = Server::with_config(&format!("http_port: -1\n{config}\n")).await?;
            let mut raw = RawConnection::connect(server.address(), QUIET).await?;
            raw.send(b"SUB a.* 1\r\nSUB a.> q 2\r\nPUB a.b 1\r\nx\r\nPUB a.b 1\r\ny\r\nPING\r\n")
                .await?;
            let mut lines = Vec::new();
            for _ in 0..9 {
                lines.push(raw.line().await?);
            }
            lines.sort();
            assert_eq!(
                lines.join(" "),
                "MSG a.b 1 1 MSG a.b 1 1 MSG a.b 2 1 MSG a.b 2 1 PONG x x y y"
            );
            let subsz = page(&server, "/subsz").await?;
            assert_eq!(
                subsz["num_cache"].as_u64().is_some_and(|n| n > 0),
                remembered,
                "{subsz}"
            );
        }
        Ok(())
    })
}
