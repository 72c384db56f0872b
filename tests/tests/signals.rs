//! How the process ends: promptly, with the exit status of the original, and with nothing left unwritten.
//! Never tests a kill, which has its own file.

use async_nats::jetstream::stream::Config;
use async_nats::{ConnectOptions, Event};
use natterjack_tests::{Outcome, RawConnection, Server, eventually, fill, run, within};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// The original ends within a few milliseconds; a busy machine with a debug build gets more.
const PROMPT: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(10);

/// Ends a busy server by a signal and looks at everything it leaves behind.
async fn ends_well(signal: Signal, told: &str) -> Outcome {
    let mut server = Server::start().await?;
    let js = server.jetstream().await?;
    let config = Config {
        name: "KEPT".to_owned(),
        subjects: vec!["kept".to_owned()],
        ..Config::default()
    };
    js.create_stream(config).await?;
    fill(&js, "kept", 1..=500).await?;
    let ports_file = server.dir().join(server.ports_file_name()?);
    assert!(ports_file.exists());
    let mut idle = RawConnection::connect(server.address(), r#"{"verbose":false}"#).await?;
    idle.send(b"PING\r\n").await?;
    assert_eq!(idle.line().await?, "PONG");

    let begun = Instant::now();
    server.signal(signal)?;
    let status = server.ended(SOON).await?;
    assert!(begun.elapsed() < PROMPT, "took {:?}", begun.elapsed());
    assert_eq!(status.code(), Some(0), "{status}");
    idle.until_closed().await?;
    assert!(!ports_file.exists(), "the ports file is still there");
    let log = server.log()?;
    for line in [
        format!("[INF] Trapped \"{told}\" signal"),
        "[INF] Initiating Shutdown...".to_owned(),
        "[INF] Server Exiting..".to_owned(),
    ] {
        assert!(log.contains(&line), "no {line:?} in the log:\n{log}");
    }

    server.restart().await?;
    let stream = server.jetstream().await?.get_stream("KEPT").await?;
    let state = stream.get_info().await?.state;
    assert_eq!((state.messages, state.last_sequence), (500, 500));
    assert_eq!(stream.get_raw_message(500).await?.payload, b"500".as_ref());
    Ok(())
}

#[test]
fn interrupt_ends_promptly() -> Outcome {
    run(ends_well(Signal::INT, "interrupt"))
}

#[test]
fn terminate_ends_promptly() -> Outcome {
    run(ends_well(Signal::TERM, "terminated"))
}

#[test]
fn an_end_with_many_connections_is_still_prompt() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let mut connections = Vec::new();
        for _ in 0..200 {
            connections.push(RawConnection::connect(server.address(), r#"{"verbose":false}"#).await?);
        }
        let begun = Instant::now();
        assert_eq!(server.terminate().await?.code(), Some(0));
        assert!(begun.elapsed() < PROMPT, "took {:?}", begun.elapsed());
        for mut connection in connections {
            connection.until_closed().await?;
        }
        Ok(())
    })
}

#[test]
fn hangup_reads_the_configuration_again() -> Outcome {
    run(async {
        let mut server = Server::with_config("max_payload: 1000\n").await?;
        assert_eq!(server.client().await?.server_info().max_payload, 1_000);
        std::fs::write(server.dir().join("server.conf"), "max_payload: 2000\n")?;
        server.signal(Signal::HUP)?;
        eventually("the line in the log", SOON, || async {
            Ok(server
                .log()?
                .contains("Reloaded: max_payload = 2000")
                .then_some(()))
        })
        .await?;
        assert_eq!(server.client().await?.server_info().max_payload, 2_000);
        // A broken file changes nothing and ends nothing.
        std::fs::write(server.dir().join("server.conf"), "max_payload: {\n")?;
        server.signal(Signal::HUP)?;
        eventually("the refusal in the log", SOON, || async {
            Ok(server
                .log()?
                .contains("[ERR] Failed to reload server configuration")
                .then_some(()))
        })
        .await?;
        assert!(server.is_running()?);
        assert_eq!(server.client().await?.server_info().max_payload, 2_000);
        Ok(())
    })
}

#[test]
fn a_log_file_moved_away_is_opened_again() -> Outcome {
    run(async {
        let server = Server::start().await?;
        std::fs::rename(server.dir().join("server.log"), server.dir().join("server.log.1"))?;
        server.signal(Signal::USR1)?;
        eventually("a new log", SOON, || async {
            Ok(server
                .log()
                .is_ok_and(|log| log.contains("File log re-opened"))
                .then_some(()))
        })
        .await
    })
}

#[test]
fn lame_duck_mode_tells_its_clients() -> Outcome {
    run(async {
        let mut server =
            Server::with_config("lame_duck_duration: 30s\nlame_duck_grace_period: 200ms\n").await?;
        let (sender, mut events) = tokio::sync::mpsc::channel(16);
        let options = ConnectOptions::new().event_callback(move |event| {
            let sender = sender.clone();
            async move { drop(sender.send(event).await) }
        });
        let client = options.connect(server.url()).await?;
        client.flush().await?;
        server.signal(Signal::USR2)?;
        let told = within("the announcement", SOON, async {
            while let Some(event) = events.recv().await {
                if matches!(event, Event::LameDuckMode) {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        assert!(told.await?);
        assert!(
            async_nats::connect(server.url()).await.is_err(),
            "a new client was let in"
        );
        // With one client and a short grace period its close is due within a second or so, and then the end.
        drop(client);
        assert_eq!(server.ended(SOON).await?.code(), Some(0));
        Ok(())
    })
}
