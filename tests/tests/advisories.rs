//! What nats-server was warned of: the list names where each advisory is shown, and here are those that need a whole server.

use natterjack_tests::{Options, Outcome, RawConnection, Server, api, run};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_advisory_is_shown_or_explained() -> Outcome {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(here.join("advisories.txt"))?;
    let mut listed = BTreeSet::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (id, rest) = line.split_once(' ').ok_or(line)?;
        assert!(listed.insert(id), "{id} is listed twice");
        if let Some(reason) = rest.strip_prefix("not yet: ") {
            assert!(!reason.is_empty(), "{id} needs a reason");
            continue;
        }
        let (file, name) = rest.split_once(' ').ok_or(line)?;
        let (folder, wanted) = if file.ends_with(".rs") {
            ("tests", format!("fn {name}("))
        } else {
            ("conformance", format!("=== {name}\n"))
        };
        let text = std::fs::read_to_string(here.join(folder).join(file))?;
        assert!(text.contains(&wanted), "{file} has no {name}");
    }
    assert!(listed.len() > 35, "only {} are listed", listed.len());
    Ok(())
}

/// The number in the head of an answer.
fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn no_page_shows_a_secret() -> Outcome {
    run(async {
        let config = "http_port: -1, system_account: SYS
            accounts { SYS { users: [ { user: s, password: hidden-s } ] }
            A { users: [ { user: a, password: hidden-a } ], jetstream: enabled } }
            jetstream { key: hidden-key, cipher: aes }\n";
        let server = Server::launch(Options {
            config: Some(config.to_owned()),
            args: ["--user", "hidden-u", "--pass=hidden-p"]
                .map(str::to_owned)
                .to_vec(),
            ..Options::default()
        })
        .await?;
        let login = r#"{"verbose":false,"user":"s","pass":"hidden-s","auth_token":"hidden-t"}"#;
        let mut system = RawConnection::connect(server.address(), login).await?;
        for path in [
            "/varz",
            "/connz?auth=1&subs=detail",
            "/subsz?subs=1",
            "/accountz?acc=A",
            "/accstatz?unused=1",
            "/jsz?accounts=1&streams=1&config=1",
            "/healthz",
            "/metrics",
            "/debug/vars",
            "/",
        ] {
            let page = server.page(path).await?;
            assert_eq!(status(&page), "200", "{path}: {page}");
            assert!(!page.contains("hidden"), "{path}: {page}");
        }
        assert!(server.page("/debug/vars").await?.contains("[REDACTED]"));
        system.send(b"SUB r 1\r\n").await?;
        for page in ["VARZ", "CONNZ", "ACCOUNTZ", "JSZ", "EXPVARZ", "STATSZ"] {
            let request = format!("PUB $SYS.REQ.SERVER.PING.{page} r 0\r\n\r\n");
            system.send(request.as_bytes()).await?;
            assert!(system.line().await?.starts_with("MSG r 1 "), "{page}");
            let answer = system.line().await?;
            assert!(!answer.contains("hidden"), "{page}: {answer}");
        }
        assert!(!server.log()?.contains("hidden"), "the log tells");
        Ok(())
    })
}

#[test]
fn pages_begin_and_end_anywhere() -> Outcome {
    run(async {
        let server = Server::with_config("http_port: -1\n").await?;
        let client = server.client().await?;
        let _heard = client.subscribe("foo").await?;
        client.flush().await?;
        let ends = [
            "0",
            "1",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "99999999999999999999",
        ];
        for page in [
            "/connz?",
            "/connz?state=any&",
            "/subsz?subs=1&",
            "/jsz?accounts=1&",
        ] {
            for offset in ends {
                for limit in ends {
                    let path = format!("{page}offset={offset}&limit={limit}");
                    let answer = server.page(&path).await?;
                    let known = ["200", "400"].contains(&status(&answer));
                    assert!(known, "{path}: {answer}");
                }
            }
        }
        client.flush().await?;
        Ok(())
    })
}

#[test]
fn an_account_cannot_reach_the_streams_of_another() -> Outcome {
    run(async {
        let config = "accounts { A { users: [ { user: a, password: a } ], jetstream: enabled }
            B { users: [ { user: b, password: b } ], jetstream: enabled } }\n";
        let server = Server::with_config(config).await?;
        let options =
            |name: &str| async_nats::ConnectOptions::with_user_and_password(name.into(), name.into());
        let a = options("a").connect(server.url()).await?;
        let b = options("b").connect(server.url()).await?;
        api(&b, "STREAM.CREATE.S", r#"{"name":"S","subjects":["s"]}"#).await?;
        for request in [
            "ACCOUNT.PURGE.B",
            "STREAM.DELETE.S",
            "STREAM.PURGE.S",
            "SERVER.REMOVE",
            "META.LEADER.STEPDOWN",
            "STREAM.LEADER.STEPDOWN.S",
            "STREAM.PEER.REMOVE.S",
            "ACCOUNT.STREAM.MOVE.B.S",
        ] {
            let subject = format!("$JS.API.{request}");
            // Refused or unheard: what counts is that it does nothing.
            a.publish_with_reply(subject, "nobody", r#"{"account":"B","peer":"x"}"#.into())
                .await?;
        }
        let own = api(&a, "STREAM.INFO.S", "").await?;
        assert_eq!(own["error"]["err_code"], 10059, "{own}");
        let info = api(&b, "STREAM.INFO.S", "").await?;
        assert_eq!(info["config"]["name"], "S", "{info}");
        Ok(())
    })
}
