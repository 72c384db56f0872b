//! Who is let in: token, user and password, nkey, permissions, and the words of a refusal.
//! Never tests accounts or JWT.

use async_nats::{Client, ConnectOptions, Event};
use bytes::Bytes;
use futures_util::StreamExt;
use natterjack_tests::{Outcome, RawConnection, Server, run, within};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);
const REFUSED: &str = "-ERR 'Authorization Violation'\r\n";

/// bcrypt of "s3cret", at the least cost there is.
const HASHED: &str = "$2a$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG";

/// Whether a client that connects like this is welcome and can talk.
async fn welcome(server: &Server, options: ConnectOptions) -> Outcome<bool> {
    let Ok(client) = options.connect(server.url()).await else {
        return Ok(false);
    };
    let mut inbox = client.subscribe("hello").await?;
    client.publish("hello", Bytes::new()).await?;
    within("an own message", SOON, async { Ok(inbox.next().await.is_some()) }).await
}

/// What the server says to a `CONNECT` with these options before it closes.
async fn refusal(server: &Server, options: &str) -> Outcome<String> {
    RawConnection::connect(server.address(), options)
        .await?
        .until_closed()
        .await
}

#[test]
fn a_token_opens_the_door() -> Outcome {
    run(async {
        let server = Server::with_config("authorization { token: \"open sesame\" }\n").await?;
        assert!(welcome(&server, ConnectOptions::with_token("open sesame".to_owned())).await?);
        assert!(!welcome(&server, ConnectOptions::with_token("open barley".to_owned())).await?);
        assert!(!welcome(&server, ConnectOptions::new()).await?);
        assert_eq!(
            refusal(&server, r#"{"verbose":false,"auth_token":"wrong"}"#).await?,
            REFUSED
        );
        assert_eq!(refusal(&server, r#"{"verbose":false}"#).await?, REFUSED);
        let log = server.log()?;
        assert!(
            log.contains("[ERR]") && log.contains("authentication error"),
            "{log}"
        );
        Ok(())
    })
}

#[test]
fn user_and_password_by_flag() -> Outcome {
    run(async {
        let args = ["--user", "alice", "--pass", "secret"]
            .map(ToOwned::to_owned)
            .to_vec();
        let options = natterjack_tests::Options {
            args,
            ..Default::default()
        };
        let server = Server::launch(options).await?;
        let user = |name: &str, password: &str| {
            ConnectOptions::with_user_and_password(name.to_owned(), password.to_owned())
        };
        assert!(welcome(&server, user("alice", "secret")).await?);
        assert!(!welcome(&server, user("alice", "wrong")).await?);
        assert!(!welcome(&server, user("bob", "secret")).await?);
        Ok(())
    })
}

#[test]
fn several_users_with_plain_and_hashed_passwords() -> Outcome {
    run(async {
        let users = format!("{{user: alice, password: plain}}, {{user: bob, password: \"{HASHED}\"}}");
        let server = Server::with_config(&format!("authorization {{ users: [ {users} ] }}\n")).await?;
        let user = |name: &str, password: &str| {
            ConnectOptions::with_user_and_password(name.to_owned(), password.to_owned())
        };
        assert!(welcome(&server, user("alice", "plain")).await?);
        assert!(welcome(&server, user("bob", "s3cret")).await?);
        for (name, password) in [
            ("alice", "s3cret"),
            ("bob", "plain"),
            ("bob", HASHED),
            ("carol", "plain"),
            ("", ""),
        ] {
            assert!(
                !welcome(&server, user(name, password)).await?,
                "{name} {password}"
            );
        }
        let text = refusal(&server, r#"{"verbose":false,"user":"alice","pass":"no"}"#).await?;
        assert_eq!(text, REFUSED);
        Ok(())
    })
}

#[test]
fn an_nkey_signs_the_nonce() -> Outcome {
    run(async {
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
        let public = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
        let server =
            Server::with_config(&format!("authorization {{ users: [ {{nkey: {public}}} ] }}\n")).await?;
        assert!(welcome(&server, ConnectOptions::with_nkey(seed.to_owned())).await?);
        let stranger = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";
        assert!(!welcome(&server, ConnectOptions::with_nkey(stranger.to_owned())).await?);
        assert!(!welcome(&server, ConnectOptions::new()).await?);
        let signed = format!(r#"{{"verbose":false,"nkey":"{public}","sig":"AAAA"}}"#);
        assert_eq!(refusal(&server, &signed).await?, REFUSED);
        Ok(())
    })
}

#[test]
fn nothing_passes_before_connect() -> Outcome {
    run(async {
        let server = Server::with_config("authorization { token: t, timeout: 0.5 }\n").await?;
        let mut raw = RawConnection::open(server.address()).await?;
        raw.send(b"PUB a 2\r\nhi\r\n").await?;
        assert_eq!(raw.until_closed().await?, REFUSED);
        let mut silent = RawConnection::open(server.address()).await?;
        assert_eq!(silent.until_closed().await?, "-ERR 'Authentication Timeout'\r\n");
        Ok(())
    })
}

/// A client that passes on the errors the server tells it.
async fn listening(server: &Server, user: &str) -> Outcome<(Client, tokio::sync::mpsc::Receiver<String>)> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    let options = ConnectOptions::with_user_and_password(user.to_owned(), "x".to_owned());
    let client = options.event_callback(move |event| {
        let sender = sender.clone();
        async move {
            if let Event::ServerError(error) = event {
                drop(sender.send(error.to_string()).await);
            }
        }
    });
    Ok((client.connect(server.url()).await?, receiver))
}

#[test]
fn permissions_are_held() -> Outcome {
    run(async {
        let config = "authorization { users: [ { user: a, password: x, permissions: {
            publish: { allow: [\"out.>\", \"_INBOX.>\"], deny: \"out.secret\" }
            subscribe: [\"in.*\", \"out.>\"] } } ] }\n";
        let server = Server::with_config(config).await?;
        let (client, mut errors) = listening(&server, "a").await?;
        let mut inbox = client.subscribe("out.>").await?;
        for (subject, text) in [
            ("out.secret", "Publish to \"out.secret\""),
            ("in.a", "Publish to \"in.a\""),
        ] {
            client.publish(subject, "no".into()).await?;
            let told = within("a refusal", SOON, async { Ok(errors.recv().await) })
                .await?
                .ok_or("no error")?;
            // Clients differ in the case they give the words, the server's are in the malformed tests.
            let told = told.to_lowercase();
            assert!(
                told.contains(&format!("permissions violation for {}", text.to_lowercase())),
                "{told}"
            );
        }
        let refused = client.subscribe("in.a.b").await?;
        let told = within("a refusal", SOON, async { Ok(errors.recv().await) })
            .await?
            .ok_or("no error")?;
        assert!(
            told.to_lowercase()
                .contains("permissions violation for subscription to \"in.a.b\""),
            "{told}"
        );
        drop(refused);
        client.publish("out.fine", "yes".into()).await?;
        let message = within("an allowed message", SOON, async { Ok(inbox.next().await) })
            .await?
            .ok_or("ended")?;
        assert_eq!(message.subject.as_str(), "out.fine");
        Ok(())
    })
}
