//! What a changed configuration does to those who are connected already.
//! Never tests which options may change; that is decided in `natterjack-config`.

use natterjack_tests::{Outcome, RawConnection, Server, eventually, run};
use rustix::process::Signal;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A user with these permissions.
fn user(name: &str, permissions: &str) -> String {
    format!("{{ user: {name}, password: x, permissions: {{ {permissions} }} }}")
}

fn users(list: &[String]) -> String {
    format!("authorization {{ users: [ {} ] }}\n", list.join(", "))
}

async fn connect(server: &Server, name: &str) -> Outcome<RawConnection> {
    let options = format!(r#"{{"verbose":false,"user":"{name}","pass":"x"}}"#);
    let mut raw = RawConnection::connect(server.address(), &options).await?;
    raw.send(b"PING\r\n").await?;
    assert_eq!(raw.line().await?, "PONG");
    Ok(raw)
}

#[test]
fn a_removed_user_is_sent_away_and_another_stays() -> Outcome {
    run(async {
        let (a, b) = (user("a", "subscribe: \">\""), user("b", "subscribe: \">\""));
        let mut server = Server::with_config(&users(&[a.clone(), b])).await?;
        let mut kept = connect(&server, "a").await?;
        let mut removed = connect(&server, "b").await?;
        server.reload(&users(&[a])).await?;
        assert_eq!(
            removed.until_closed().await?,
            "-ERR 'Authorization Violation'\r\n"
        );
        kept.send(b"PING\r\n").await?;
        assert_eq!(kept.line().await?, "PONG");
        Ok(())
    })
}

#[test]
fn permissions_change_under_a_subscription() -> Outcome {
    run(async {
        let mut server = Server::with_config(&users(&[user("a", "subscribe: [\"old\", \"any\"]")])).await?;
        let mut raw = connect(&server, "a").await?;
        raw.send(b"SUB old 1\r\nSUB any 2\r\nPING\r\n").await?;
        assert_eq!(raw.line().await?, "PONG");
        server
            .reload(&users(&[user(
                "a",
                "subscribe: [\"new\", \"any\"], publish: \"any\"",
            )]))
            .await?;
        assert_eq!(
            raw.line().await?,
            "-ERR 'Permissions Violation for Subscription to \"old\" (sid \"1\")'"
        );
        raw.send(b"PUB old 0\r\n\r\nSUB new 3\r\nPUB any 2\r\nhi\r\n")
            .await?;
        for line in [
            "-ERR 'Permissions Violation for Publish to \"old\"'",
            "MSG any 2 2",
            "hi",
        ] {
            assert_eq!(raw.line().await?, line);
        }
        Ok(())
    })
}

#[test]
fn an_open_server_gets_a_lock() -> Outcome {
    run(async {
        let mut server = Server::with_config("max_payload: 1000\n").await?;
        let mut raw = RawConnection::connect(server.address(), r#"{"verbose":false}"#).await?;
        raw.send(b"PING\r\n").await?;
        assert_eq!(raw.line().await?, "PONG");
        server.reload("authorization { token: t }\n").await?;
        assert_eq!(raw.until_closed().await?, "-ERR 'Authorization Violation'\r\n");
        Ok(())
    })
}

#[test]
fn an_account_that_may_have_fewer_connections_sends_the_youngest_away() -> Outcome {
    run(async {
        let limited = |most: u32| {
            format!(
                "accounts {{ A {{ users: [ {{ user: a, password: x }} ], limits {{ max_conn: {most} }} }}, \
                 B {{ users: [ {{ user: b, password: x }} ] }} }}\n"
            )
        };
        let mut server = Server::with_config(&limited(3)).await?;
        let mut first = connect(&server, "a").await?;
        let mut other = connect(&server, "b").await?;
        let mut second = connect(&server, "a").await?;
        server.reload(&limited(1)).await?;
        assert_eq!(
            second.until_closed().await?,
            "-ERR 'maximum account active connections exceeded'\r\n"
        );
        for kept in [&mut first, &mut other] {
            kept.send(b"PING\r\n").await?;
            assert_eq!(kept.line().await?, "PONG");
        }
        server.reload(&limited(2)).await?;
        connect(&server, "a").await?;
        Ok(())
    })
}

#[test]
fn an_account_that_comes_has_jetstream() -> Outcome {
    run(async {
        let account = |name: &str| {
            format!("{name} {{ jetstream: enabled, users: [ {{ user: {name}, password: x }} ] }}")
        };
        let config = |names: &[&str]| {
            let all: Vec<String> = names.iter().map(|n| account(n)).collect();
            format!("accounts {{ {} }}\n", all.join("\n"))
        };
        let mut server = Server::with_config(&config(&["A"])).await?;
        server.reload(&config(&["A", "B"])).await?;
        let options = async_nats::ConnectOptions::with_user_and_password("B".into(), "x".into());
        let js = async_nats::jetstream::new(options.connect(server.url()).await?);
        assert_eq!(js.query_account().await?.streams, 0);
        Ok(())
    })
}

#[test]
fn what_needs_a_restart_changes_nothing() -> Outcome {
    run(async {
        let server = Server::with_config("max_payload: 1000\n").await?;
        std::fs::write(
            server.dir().join("server.conf"),
            "max_payload: 2000\nmax_subscriptions: 10\n",
        )?;
        server.signal(Signal::HUP)?;
        let line = "[ERR] Failed to reload server configuration: config reload not supported for MaxSubs: old=0, new=10";
        eventually("the refusal in the log", SOON, || async {
            Ok(server.log()?.contains(line).then_some(()))
        })
        .await?;
        assert_eq!(server.client().await?.server_info().max_payload, 1_000);
        Ok(())
    })
}
