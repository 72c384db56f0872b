//! The client against a server: publish, subscribe, request, drain, reconnect. Uses no JetStream.

mod support;

use std::time::Duration;

use natterjack_client::{
    Client, ConnectError, ConnectOptions, Event, HeaderBlock, PublishError, RequestError, SubscribeError,
};
use support::{Server, until};

#[tokio::test]
async fn messages_reach_their_subscriptions() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    assert!(client.server_info().jetstream && client.server_info().headers);
    let mut one = client.subscribe("a.*").await.unwrap();
    let mut all = client.subscribe("a.>").await.unwrap();
    client.publish("a.b", "hi").await.unwrap();
    client
        .publish_request("a.b.c", "answer.here", "ho")
        .await
        .unwrap();
    let headers = HeaderBlock::new().with("K", "v").unwrap();
    client.publish_with_headers("a.d", &headers, "").await.unwrap();
    let message = one.next().await.unwrap();
    assert_eq!(
        (message.subject(), &message.payload()[..]),
        ("a.b".into(), &b"hi"[..])
    );
    assert!(message.reply().is_none());
    let message = one.next().await.unwrap();
    assert_eq!((message.header("K"), message.payload().len()), (Some("v"), 0));
    all.next().await.unwrap();
    assert_eq!(all.next().await.unwrap().reply().unwrap(), "answer.here");
    assert_eq!(all.next().await.unwrap().subject(), "a.d");
}

#[tokio::test]
async fn a_large_payload_arrives_whole() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut subscription = client.subscribe("big").await.unwrap();
    let payload: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    for _ in 0..10 {
        client.publish("big", &payload).await.unwrap();
    }
    for _ in 0..10 {
        assert!(subscription.next().await.unwrap().payload()[..] == payload[..]);
    }
    let refused = client.publish("big", vec![0; 2_000_000]).await;
    assert!(matches!(
        refused,
        Err(PublishError::TooLarge { limit: 1_048_576, .. })
    ));
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_it_is_sent() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    for subject in ["", "a..b", "a.*", ">", "a b", "a\r\nPUB b 0"] {
        assert!(
            matches!(client.publish(subject, "").await, Err(PublishError::Subject(_))),
            "{subject}"
        );
    }
    assert!(matches!(
        client.subscribe("a..b").await,
        Err(SubscribeError::Subject(_))
    ));
    assert!(matches!(
        client.queue_subscribe("a", "b c").await,
        Err(SubscribeError::Queue)
    ));
    client.flush().await.unwrap();
}

#[tokio::test]
async fn a_queue_group_shares() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut one = client.queue_subscribe("work", "g").await.unwrap();
    let mut two = client.queue_subscribe("work", "g").await.unwrap();
    for _ in 0..100 {
        client.publish("work", "").await.unwrap();
    }
    client.flush().await.unwrap();
    let count = |subscription: &mut natterjack_client::Subscription| {
        std::iter::from_fn(|| subscription.try_next()).count()
    };
    let (one, two) = (count(&mut one), count(&mut two));
    assert!(one + two == 100 && one > 0 && two > 0, "{one} and {two}");
}

#[tokio::test]
async fn requests_find_answers_or_say_why_not() {
    let server = Server::start();
    let options = ConnectOptions::new().request_timeout(Duration::from_millis(300));
    let client = options.connect(&server.url()).await.unwrap();
    let mut service = client.subscribe("double").await.unwrap();
    let asked = client.clone();
    let answers = tokio::spawn(async move {
        let mut tasks = Vec::new();
        for n in 0..50u32 {
            let client = asked.clone();
            tasks.push(tokio::spawn(async move {
                let answer = client.request("double", n.to_string()).await.unwrap();
                assert_eq!(
                    std::str::from_utf8(answer.payload()).unwrap(),
                    (n * 2).to_string()
                );
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    for _ in 0..50 {
        let question = service.next().await.unwrap();
        let n: u32 = std::str::from_utf8(question.payload()).unwrap().parse().unwrap();
        client
            .publish(&question.reply().unwrap(), (n * 2).to_string())
            .await
            .unwrap();
    }
    answers.await.unwrap();
    assert!(matches!(
        client.request("nobody", "").await,
        Err(RequestError::NoResponders)
    ));
    assert!(matches!(
        client.request("double", "").await,
        Err(RequestError::Timeout(_))
    ));
}

#[tokio::test]
async fn a_subscription_ends_after_its_number() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut limited = client.subscribe("n").await.unwrap();
    limited.unsubscribe_after(3);
    let mut ended = client.subscribe("n").await.unwrap();
    ended.unsubscribe();
    for n in 0..5 {
        client.publish("n", n.to_string()).await.unwrap();
    }
    for _ in 0..3 {
        limited.next().await.unwrap();
    }
    assert!(limited.next().await.is_none() && ended.next().await.is_none());
}

#[tokio::test]
async fn overflow_is_counted_and_reported() {
    let server = Server::start();
    let client = ConnectOptions::new()
        .subscription_messages(4)
        .connect(&server.url())
        .await
        .unwrap();
    let mut events = client.events();
    let mut slow = client.subscribe("s").await.unwrap();
    for _ in 0..10 {
        client.publish("s", "").await.unwrap();
    }
    client.flush().await.unwrap();
    assert_eq!(slow.dropped(), 6);
    let expected = Event::SlowConsumer {
        subject: "s".into(),
        dropped: 1,
    };
    assert_eq!(events.next().await, Some(expected));
    for _ in 0..4 {
        slow.next().await.unwrap();
    }
    assert!(slow.try_next().is_none());
}

#[tokio::test]
async fn drain_delivers_what_was_sent() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let other = Client::connect(&server.url()).await.unwrap();
    let mut subscription = client.subscribe("d").await.unwrap();
    let mut late = client.subscribe("e").await.unwrap();
    client.flush().await.unwrap();
    for _ in 0..1000 {
        other.publish("d", "x").await.unwrap();
    }
    other.flush().await.unwrap();
    subscription.drain().await.unwrap();
    let mut count = 0;
    while subscription.next().await.is_some() {
        count += 1;
    }
    assert_eq!(count, 1000);
    client.drain().await.unwrap();
    assert!(late.next().await.is_none());
    assert!(matches!(client.publish("d", "").await, Err(PublishError::Closed)));
    assert!(matches!(client.subscribe("d").await, Err(SubscribeError::Closed)));
}

#[tokio::test]
async fn what_was_published_before_the_end_arrives() {
    let server = Server::start();
    let watcher = Client::connect(&server.url()).await.unwrap();
    let mut subscription = watcher.subscribe("last").await.unwrap();
    watcher.flush().await.unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    client.publish("last", "words").await.unwrap();
    drop(client);
    assert_eq!(&subscription.next().await.unwrap().payload()[..], b"words");
}

#[tokio::test]
async fn subscriptions_survive_the_server() {
    let mut server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut events = client.events();
    let mut subscription = client.subscribe("back").await.unwrap();
    client.publish("back", "one").await.unwrap();
    subscription.next().await.unwrap();
    server.stop();
    assert!(matches!(events.next().await, Some(Event::Disconnected { .. })));
    client.publish("back", "while away").await.unwrap();
    let mut later = client.subscribe("later").await.unwrap();
    server.restart();
    assert_eq!(events.next().await, Some(Event::Reconnected));
    client.publish("later", "two").await.unwrap();
    assert_eq!(&subscription.next().await.unwrap().payload()[..], b"while away");
    assert_eq!(&later.next().await.unwrap().payload()[..], b"two");
    assert!(matches!(
        client.request("nobody", "").await,
        Err(RequestError::NoResponders)
    ));
}

#[tokio::test]
async fn a_full_buffer_refuses() {
    let mut server = Server::start();
    let options = ConnectOptions::new().reconnect_buffer_bytes(1000);
    let client = options.connect(&server.url()).await.unwrap();
    server.stop();
    until("the loss is noticed", async || !client.is_connected()).await;
    let mut refused = None;
    for _ in 0..20 {
        refused = client.publish("a", [0; 100]).await.err();
    }
    assert!(
        matches!(refused, Some(PublishError::BufferFull { limit: 1000 })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn without_reconnect_the_end_is_the_end() {
    let mut server = Server::start();
    let client = ConnectOptions::new()
        .reconnect_attempts(0)
        .connect(&server.url())
        .await
        .unwrap();
    let mut subscription = client.subscribe("a").await.unwrap();
    client.flush().await.unwrap();
    server.stop();
    assert!(subscription.next().await.is_none());
    assert!(matches!(client.publish("a", "").await, Err(PublishError::Closed)));
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let server = Server::start_with(&["--user", "joe", "--pass", "secret"]);
    let refused = Client::connect(&server.url()).await;
    assert!(
        matches!(&refused, Err(ConnectError::Refused(text)) if text == "Authorization Violation"),
        "{refused:?}"
    );
    let client = ConnectOptions::new()
        .user_password("joe", "secret")
        .connect(&server.url())
        .await
        .unwrap();
    client.flush().await.unwrap();
    let url = server.url().replace("nats://", "nats://joe:secret@");
    Client::connect(&url).await.unwrap().flush().await.unwrap();
}

#[tokio::test]
async fn the_first_server_that_answers_is_taken() {
    let server = Server::start();
    let both = format!("nats://127.0.0.1:1,{}", server.url());
    Client::connect(&both).await.unwrap().flush().await.unwrap();
    assert!(matches!(
        Client::connect("nats://127.0.0.1:1").await,
        Err(ConnectError::Io(_))
    ));
}

#[tokio::test]
async fn a_request_under_way_fails_with_the_connection() {
    let mut server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut service = client.subscribe("slow").await.unwrap();
    let asked = client.clone();
    let answer = tokio::spawn(async move { asked.request("slow", "").await });
    service.next().await.unwrap();
    server.stop();
    assert!(matches!(answer.await.unwrap(), Err(RequestError::Disconnected)));
}

#[tokio::test]
async fn options_reach_the_server() {
    let server = Server::start_with(&["--auth", "tok"]);
    assert!(matches!(
        Client::connect(&server.url()).await,
        Err(ConnectError::Refused(_))
    ));
    let options = ConnectOptions::new()
        .token("tok")
        .verbose(true)
        .pedantic(true)
        .echo(false);
    let client = options
        .inbox_prefix("_MINE")
        .connect(&server.url())
        .await
        .unwrap();
    let other = ConnectOptions::new()
        .token("tok")
        .connect(&server.url())
        .await
        .unwrap();
    assert!(client.new_inbox().starts_with("_MINE."));
    let mut subscription = client.subscribe("a").await.unwrap();
    client.flush().await.unwrap();
    client.publish("a", "own").await.unwrap();
    client.flush().await.unwrap();
    other.publish("a", "other").await.unwrap();
    assert_eq!(&subscription.next().await.unwrap().payload()[..], b"other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_wait_for_room() {
    let server = Server::start();
    let client = Client::connect(&server.url()).await.unwrap();
    let reader = Client::connect(&server.url()).await.unwrap();
    let mut messages = reader.subscribe("load").await.unwrap();
    reader.flush().await.unwrap();
    // Four times as much as may wait for the socket at once, so that publishers have to wait for each other.
    let (publishers, each) = (4, 1000);
    let tasks: Vec<_> = (0..publishers)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    client.publish("load", [7; 4096]).await.unwrap();
                }
            })
        })
        .collect();
    for _ in 0..publishers * each {
        assert_eq!(messages.next().await.unwrap().payload().len(), 4096);
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_keeps_up_loses_nothing() {
    let server = Server::start();
    let reader = Client::connect(&server.url()).await.unwrap();
    let mut messages = reader.subscribe("load").await.unwrap();
    reader.flush().await.unwrap();
    let count = 300_000;
    let client = Client::connect(&server.url()).await.unwrap();
    let publisher = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // The connection's task is the other runtime's; only the bytes are made here.
        runtime.block_on(async {
            for _ in 0..count {
                client.publish("load", "x").await.unwrap();
            }
        });
    });
    for _ in 0..count {
        let next = tokio::time::timeout(Duration::from_secs(10), messages.next()).await;
        assert!(next.is_ok(), "{} messages were dropped", messages.dropped());
    }
    assert_eq!(messages.dropped(), 0);
    publisher.join().unwrap();
}
