//! What accounts may store changes while the server runs: limits go up and down, JetStream goes off and on again.
//! Never compares with the peer; `../conformance/README.md` tells where the two differ.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{Context, context::PublishErrorKind};
use natterjack_tests::{Outcome, Server, refusal_of, run};

/// Two accounts, the first of which has `jetstream`, and the second what it says itself.
fn accounts(first: &str, second: &str) -> String {
    let account = |name: &str, jetstream: &str| {
        format!("{name} {{ jetstream {jetstream}\nusers: [ {{ user: {name}, password: x }} ] }}")
    };
    let (a, b) = (account("A", first), account("B", second));
    format!("accounts {{ {a}\n{b} }}\njetstream {{ max_mem: 1MB, max_file: 1MB }}\n")
}

async fn jetstream(server: &Server, user: &str) -> Outcome<Context> {
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), "x".into());
    Ok(async_nats::jetstream::new(options.connect(server.url()).await?))
}

fn config(name: &str, storage: StorageType) -> Config {
    Config {
        name: name.into(),
        subjects: vec![name.to_lowercase()],
        storage,
        ..Config::default()
    }
}

/// The error code that a publish is refused with, 0 when it is stored.
async fn publish(js: &Context, subject: &str, bytes: usize) -> Outcome<u64> {
    let refused = refusal_of(&js.client(), subject, &[], vec![b'x'; bytes]).await?;
    Ok(refused.map_or(0, |refused| refused.err_code))
}

/// Whether no stream takes what is published there.
async fn is_deserted(js: &Context, subject: &'static str) -> Outcome<bool> {
    let refused = js.publish(subject, "x".into()).await?.await.err();
    Ok(refused.is_some_and(|e| e.kind() == PublishErrorKind::StreamNotFound))
}

#[test]
fn limits_of_an_account_change_under_its_streams() -> Outcome {
    run(async {
        let limited = |first: &str| accounts(first, "enabled");
        let mut server = Server::with_config(&limited("{ max_file: 20000, max_streams: 1 }")).await?;
        let js = jetstream(&server, "A").await?;
        js.create_stream(config("S", StorageType::File)).await?;
        assert_eq!(publish(&js, "s", 5_000).await?, 0);
        server
            .reload(&limited("{ max_file: 2000, max_streams: 2 }"))
            .await?;
        let limits = js.query_account().await?.limits;
        assert_eq!((limits.max_storage, limits.max_streams), (Some(2_000), Some(2)));
        assert_eq!(publish(&js, "s", 5_000).await?, 10002);
        js.create_stream(config("T", StorageType::File)).await?;
        assert!(js.create_stream(config("U", StorageType::File)).await.is_err());
        server.reload(&limited("enabled")).await?;
        assert_eq!(publish(&js, "s", 5_000).await?, 0);
        js.create_stream(config("U", StorageType::File)).await?;
        Ok(())
    })
}

#[test]
fn an_account_is_promised_no_more_than_there_is() -> Outcome {
    run(async {
        let mut server = Server::with_config(&accounts("{ max_file: 600KB }", "{ max_file: 100KB }")).await?;
        server
            .reload(&accounts("{ max_file: 700KB }", "{ max_file: 600KB }"))
            .await?;
        let line = "[ERR] Error enabling jetstream on configured accounts: insufficient storage resources available (10047)";
        assert!(server.log()?.contains(line), "{}", server.log()?);
        let allowed = async |user| -> Outcome<_> {
            let info = jetstream(&server, user).await?.query_account().await?;
            Ok(info.limits.max_storage)
        };
        assert_eq!(allowed("A").await?, Some(700 * 1024));
        assert_eq!(allowed("B").await?, Some(100 * 1024));
        Ok(())
    })
}

#[test]
fn what_an_account_stored_rests_while_it_has_no_jetstream() -> Outcome {
    run(async {
        let with = |first: &str| accounts(first, "enabled");
        let mut server = Server::with_config(&with("enabled")).await?;
        let js = jetstream(&server, "A").await?;
        for (name, storage) in [("FILE", StorageType::File), ("MEMORY", StorageType::Memory)] {
            js.create_stream(config(name, storage)).await?;
        }
        assert_eq!(publish(&js, "file", 100).await?, 0);
        server.reload(&with("disabled")).await?;
        assert!(is_deserted(&js, "file").await?);
        let refused = js.query_account().await.unwrap_err();
        assert!(format!("{refused:?}").contains("10039"), "{refused:?}");
        // It rests across a restart as well.
        server.reconfigure(&with("disabled"));
        server.restart().await?;
        let js = jetstream(&server, "A").await?;
        assert!(is_deserted(&js, "file").await?);
        server.reload(&with("enabled")).await?;
        assert_eq!(js.query_account().await?.streams, 1);
        assert_eq!(publish(&js, "file", 100).await?, 0);
        let info = js.get_stream("FILE").await?.cached_info().state.clone();
        assert_eq!((info.messages, info.first_sequence), (2, 1));
        Ok(())
    })
}

#[test]
fn limits_of_the_server_change_without_a_restart() -> Outcome {
    run(async {
        let with = |room: &str, limits: &str| {
            let limits = format!("limits {{ {limits} }}");
            accounts("enabled", "enabled").replace("max_file: 1MB", &format!("max_file: {room}, {limits}"))
        };
        let mut server = Server::with_config(&with("1000", "")).await?;
        let js = jetstream(&server, "A").await?;
        js.create_stream(config("S", StorageType::File)).await?;
        let window = Duration::from_secs(20);
        let wide = Config {
            duplicate_window: window,
            ..config("T", StorageType::File)
        };
        assert_eq!(publish(&js, "s", 1_500).await?, 0);
        assert_eq!(publish(&js, "s", 1).await?, 10023);
        server.reload(&with("9000", "duplicate_window: \"10s\"")).await?;
        assert_eq!(publish(&js, "s", 1).await?, 0);
        assert!(js.create_stream(wide.clone()).await.is_err());
        server.reload(&with("9000", "")).await?;
        assert_eq!(
            js.create_stream(wide)
                .await?
                .cached_info()
                .config
                .duplicate_window,
            window
        );
        Ok(())
    })
}
