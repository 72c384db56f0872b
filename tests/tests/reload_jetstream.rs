//! JetStream of the whole server goes off and comes back while the server runs.
//! Never compares with the peer; `../conformance/README.md` tells where the two differ.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{Context, consumer::pull};
use futures_util::StreamExt;
use natterjack_tests::{Options, Outcome, Server, api, run};

const OFF: &str = "debug: false\n";
const ON: &str = "jetstream { store_dir: store }\n";

async fn start(config: &str) -> Outcome<Server> {
    Server::launch(Options {
        config: Some(config.to_owned()),
        args: vec!["-m".into(), "-1".into()],
        bare: true,
        ..Options::default()
    })
    .await
}

async fn stream(js: &Context, name: &str, storage: StorageType) -> Outcome {
    let config = Config {
        name: name.into(),
        storage,
        ..Config::default()
    };
    js.create_stream(config).await?;
    js.publish(name.to_owned(), "1".into()).await?.await?;
    Ok(())
}

async fn is_off(server: &Server) -> Outcome<bool> {
    let client = server.client().await?;
    let asked = client.request("$JS.API.INFO", "".into()).await;
    let page = server.page("/jsz").await?;
    let told = client.server_info().jetstream;
    Ok(asked.is_err() && page.contains("\"disabled\": true") && !told)
}

#[test]
fn streams_on_disk_are_there_again() -> Outcome {
    run(async {
        let mut server = start(ON).await?;
        let js = server.jetstream().await?;
        stream(&js, "FILE", StorageType::File).await?;
        stream(&js, "MEMORY", StorageType::Memory).await?;
        let consumer: PullConsumer = js
            .get_stream("FILE")
            .await?
            .create_consumer(pull::Config {
                durable_name: Some("c".into()),
                ..pull::Config::default()
            })
            .await?;
        let first = consumer.fetch().max_messages(1).messages().await?.next().await;
        first.ok_or("nothing came")??.double_ack().await?;
        for _ in 0..3 {
            server.reload(OFF).await?;
            assert!(is_off(&server).await?);
            assert!(js.publish("FILE", "lost".into()).await?.await.is_err());
            server.reload(ON).await?;
            assert!(!is_off(&server).await?);
        }
        js.publish("FILE", "2".into()).await?.await?;
        let info = js.query_account().await?;
        assert_eq!((info.streams, info.consumers), (1, 1));
        let next = consumer.fetch().max_messages(1).messages().await?.next().await;
        assert_eq!(&*next.ok_or("nothing came")??.payload, b"2");
        let log = server.log()?;
        for line in [
            "Reloaded: JetStream",
            "Restarting JetStream",
            "JetStream Shutdown",
        ] {
            assert_eq!(
                log.matches(&format!("[INF] {line}\n")).count(),
                [6, 3][usize::from(line != "Reloaded: JetStream")]
            );
        }
        Ok(())
    })
}

#[test]
fn who_waits_for_messages_is_told() -> Outcome {
    run(async {
        let mut server = start(ON).await?;
        let js = server.jetstream().await?;
        stream(&js, "S", StorageType::File).await?;
        let client = js.client();
        let wanted = r#"{"stream_name":"S","config":{"durable_name":"c","deliver_policy":"new","ack_policy":"explicit"}}"#;
        api(&client, "CONSUMER.DURABLE.CREATE.S.c", wanted).await?;
        let mut told = client.subscribe("told").await?;
        let request = r#"{"expires":60000000000}"#;
        client
            .publish_with_reply("$JS.API.CONSUMER.MSG.NEXT.S.c", "told", request.into())
            .await?;
        client.flush().await?;
        server.reload(OFF).await?;
        let message = tokio::time::timeout(Duration::from_secs(10), told.next()).await?;
        let message = message.ok_or("the client ended")?;
        assert_eq!(message.description.as_deref(), Some("Server Shutdown"));
        Ok(())
    })
}

#[test]
fn a_start_that_fails_leaves_it_off_until_the_next_reload() -> Outcome {
    run(async {
        let account = "accounts { A { jetstream { max_file: 1GB }\nusers: [ { user: a, password: a } ] } }\n";
        let mut server = start(account).await?;
        let few = format!("{account}jetstream {{ store_dir: store, max_file: 1MB }}\n");
        server.reload(&few).await?;
        let log = server.log()?;
        let why = "[WRN] Can't start JetStream: Error enabling jetstream on configured accounts: insufficient storage resources available (10047)";
        assert!(log.contains(why), "{log}");
        server
            .reload(&few.replace("max_file: 1MB", "max_file: 2GB"))
            .await?;
        let options = async_nats::ConnectOptions::with_user_and_password("a".into(), "a".into());
        let js = async_nats::jetstream::new(options.connect(server.url()).await?);
        assert_eq!(
            js.query_account().await?.limits.max_storage,
            Some(1024 * 1024 * 1024)
        );
        Ok(())
    })
}

#[test]
fn the_folder_is_let_go_and_another_may_be_taken() -> Outcome {
    run(async {
        let mut server = start(ON).await?;
        let js = server.jetstream().await?;
        stream(&js, "S", StorageType::File).await?;
        server.reload(OFF).await?;
        let here = server.dir().join("store/jetstream/LOCK");
        let lock = std::fs::File::options().write(true).open(here)?;
        lock.try_lock()?;
        lock.unlock()?;
        server.reload("jetstream { store_dir: other }\n").await?;
        assert!(server.dir().join("other/jetstream").is_dir());
        Ok(())
    })
}
