//! The client against servers that misbehave: silent, stale, rude. Each is a socket that follows a script.
#![expect(
    clippy::unwrap_used,
    reason = "a script that cannot be followed fails the test"
)]

use std::time::Duration;

use natterjack_client::jetstream::error::PullError;
use natterjack_client::jetstream::{ConsumeOptions, FetchOptions};
use natterjack_client::{Client, ConnectError, ConnectOptions, Event, JetStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const INFO: &str = "INFO {\"server_id\":\"X\",\"headers\":true,\"max_payload\":1000}\r\n";

/// Listens, and gives each connection to `script`.
async fn scripted<F, S>(script: F) -> String
where
    F: Fn(TcpStream) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    url
}

/// Says hello as a server does, then `more`, and keeps the socket open without reading on.
async fn greet(mut stream: TcpStream, more: &str) {
    stream.write_all(INFO.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"PING\r\n") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    stream
        .write_all(format!("PONG\r\n{more}").as_bytes())
        .await
        .unwrap();
    std::future::pending::<()>().await;
}

async fn first_loss(more: &'static str) -> String {
    let url = scripted(move |stream| greet(stream, more)).await;
    let options = ConnectOptions::new()
        .ping_interval(Duration::from_millis(20))
        .reconnect_attempts(0);
    let client = options.connect(&url).await.unwrap();
    let mut events = client.events();
    loop {
        match events.next().await.unwrap() {
            Event::Disconnected { reason } => return reason,
            Event::ServerError(text) => assert_eq!(text, "Permissions Violation"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_answers_no_pings_is_left() {
    assert_eq!(first_loss("").await, "stale connection");
    assert_eq!(
        first_loss("-ERR 'Permissions Violation'\r\n").await,
        "stale connection"
    );
}

#[tokio::test]
async fn nonsense_ends_the_connection() {
    assert!(first_loss("NONSENSE\r\n").await.contains("ERROR"));
}

#[tokio::test]
async fn a_refused_hello_says_why() {
    let refuse = |text: &'static str| {
        scripted(move |mut stream: TcpStream| async move {
            stream.write_all(text.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
    };
    let error = Client::connect(&refuse("-ERR 'maximum connections exceeded'\r\n").await).await;
    assert!(
        matches!(&error, Err(ConnectError::Refused(text)) if text == "maximum connections exceeded"),
        "{error:?}"
    );
    let error = Client::connect(&refuse("INFO {\"tls_required\":true}\r\n").await).await;
    assert!(matches!(error, Err(ConnectError::TlsRequired)), "{error:?}");
    let error = Client::connect(&refuse("HTTP/1.1 400 Bad Request\r\n").await).await;
    assert!(matches!(error, Err(ConnectError::Protocol(_))), "{error:?}");
    let options = ConnectOptions::new().connect_timeout(Duration::from_millis(50));
    let error = options.connect(&refuse("INF").await).await;
    assert!(matches!(error, Err(ConnectError::Timeout(_))), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_misses_heartbeats() {
    let url = scripted(|stream| greet(stream, "")).await;
    let js = JetStream::new(Client::connect(&url).await.unwrap());
    let consumer = js.pull_consumer("S", "C").unwrap();
    let (expires, heartbeat) = (Duration::from_secs(60), Duration::from_millis(20));
    let options = ConsumeOptions {
        expires,
        heartbeat,
        ..ConsumeOptions::default()
    };
    let mut messages = consumer.messages(options).unwrap();
    for _ in 0..2 {
        let missed = messages.next().await.unwrap();
        assert!(matches!(missed, Err(PullError::HeartbeatMissed)), "{missed:?}");
    }
    let options = FetchOptions {
        expires,
        heartbeat: Some(heartbeat),
        ..FetchOptions::default()
    };
    let missed = consumer.fetch_with(&options).await;
    assert!(matches!(missed, Err(PullError::HeartbeatMissed)), "{missed:?}");
}
