//! The simplified API of `async-nats`: fetch, batch, sequence and stream, with each of their options, and what they hear when
//! the consumer, the server or the time is gone. Never tests what a delivery says, which has its own file.

use async_nats::jetstream::consumer::pull::{Batch, MessagesErrorKind};
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::stream::StorageType;
use async_nats::jetstream::{Context, Message};
use futures_util::StreamExt;
use natterjack_tests::{
    Outcome, Server, collect, consumer, durable, eventually, fill, run, sequences, within,
};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);
/// Long enough that no pull of a test ends by it unless the test is about that.
const EXPIRES: Duration = Duration::from_secs(20);

/// A server, a stream of so many messages, and a durable consumer of it.
async fn worker(messages: u64) -> Outcome<(Server, Context, Consumer<pull::Config>)> {
    let server = Server::start().await?;
    let js = server.jetstream().await?;
    let worker = consumer(&js, StorageType::File, messages, durable()).await?;
    Ok((server, js, worker))
}

/// All messages of a batch, acknowledged, and what ended it if it was an error.
async fn drain(mut batch: Batch) -> Outcome<(Vec<u64>, Option<String>)> {
    let mut taken: Vec<Message> = Vec::new();
    let error = loop {
        match within("a message or the end", SOON, async { Ok(batch.next().await) }).await? {
            None => break None,
            Some(Err(error)) => break Some(error.to_string()),
            Some(Ok(message)) => {
                message.double_ack().await?;
                taken.push(message);
            }
        }
    };
    Ok((sequences(&taken)?, error))
}

fn numbers(first: u64, last: u64) -> Vec<u64> {
    (first..=last).collect()
}

/// What was asked of the consumer so far, after everything before it has arrived.
async fn pulls(js: &Context, asked: &mut async_nats::Subscriber) -> Outcome<Vec<Value>> {
    let mut end = js.client().subscribe("end.of.it").await?;
    js.client().publish("end.of.it", "".into()).await?;
    within("the end", SOON, async { Ok(end.next().await) }).await?;
    let mut pulls = Vec::new();
    while let Some(Some(request)) = futures_util::FutureExt::now_or_never(asked.next()) {
        pulls.push(serde_json::from_slice(&request.payload)?);
    }
    Ok(pulls)
}

async fn listen(js: &Context) -> Outcome<async_nats::Subscriber> {
    let subject = "$JS.API.CONSUMER.MSG.NEXT.ACK.worker";
    Ok(js.client().subscribe(subject).await?)
}

#[test]
fn fetch_by_messages_bytes_and_without_waiting() -> Outcome {
    run(async {
        let (_server, js, worker) = worker(50).await?;
        let mut asked = listen(&js).await?;
        assert_eq!(
            drain(worker.fetch().max_messages(10).messages().await?).await?,
            (numbers(1, 10), None)
        );
        let weighed = worker
            .fetch()
            .max_messages(100)
            .max_bytes(1000)
            .messages()
            .await?;
        let (some, end) = drain(weighed).await?;
        assert!(some.len() > 5 && some.len() < 30, "{some:?}");
        assert!(end.is_some_and(|end| end.contains("Message Size Exceeds MaxBytes")));
        let next = 11 + u64::try_from(some.len())?;
        assert_eq!(
            drain(worker.fetch().max_messages(100).messages().await?).await?,
            (numbers(next, 50), None)
        );
        assert_eq!(
            drain(worker.fetch().max_messages(100).messages().await?).await?,
            (vec![], None)
        );
        let waiting = worker
            .fetch()
            .max_messages(2)
            .expires(EXPIRES)
            .heartbeat(Duration::from_secs(5));
        let waiting = waiting.messages().await?;
        fill(&js, "ack.a", 51..=52).await?;
        assert_eq!(drain(waiting).await?, (numbers(51, 52), None));
        let pulls = pulls(&js, &mut asked).await?;
        assert!(pulls[..4].iter().all(|pull| pull["no_wait"] == true), "{pulls:?}");
        assert_eq!(pulls[1]["max_bytes"], 1000);
        assert_eq!(
            (&pulls[4]["expires"], &pulls[4]["idle_heartbeat"]),
            (&20_000_000_000_u64.into(), &5_000_000_000_u64.into())
        );
        Ok(())
    })
}

#[test]
fn batch_by_messages_bytes_and_time() -> Outcome {
    run(async {
        let (_server, _js, worker) = worker(30).await?;
        let beats = Duration::from_millis(100);
        let ten = worker.batch().max_messages(10).expires(EXPIRES).heartbeat(beats);
        assert_eq!(drain(ten.messages().await?).await?, (numbers(1, 10), None));
        let weighed = worker.batch().max_messages(50).max_bytes(600).expires(EXPIRES);
        let (some, end) = drain(weighed.messages().await?).await?;
        assert!(!some.is_empty() && some.len() < 15, "{some:?}");
        assert!(end.is_some_and(|end| end.contains("Message Size Exceeds MaxBytes")));
        let short = worker
            .batch()
            .max_messages(50)
            .expires(Duration::from_millis(300));
        let next = 11 + u64::try_from(some.len())?;
        assert_eq!(drain(short.messages().await?).await?, (numbers(next, 30), None));
        Ok(())
    })
}

#[test]
fn sequence_is_one_batch_after_the_other() -> Outcome {
    run(async {
        let (_server, js, worker) = worker(20).await?;
        let mut batches = worker.sequence(7)?;
        for expected in [numbers(1, 7), numbers(8, 14)] {
            let batch = batches.next().await.ok_or("no batch")??;
            assert_eq!(drain(batch).await?, (expected, None));
        }
        let last = batches.next().await.ok_or("no batch")??;
        fill(&js, "ack.a", 21..=21).await?;
        assert_eq!(drain(last).await?, (numbers(15, 21), None));
        Ok(())
    })
}

#[test]
fn stream_pulls_again_at_half_of_its_messages() -> Outcome {
    run(async {
        let (_server, js, worker) = worker(200).await?;
        let mut asked = listen(&js).await?;
        let stream = worker.stream().max_messages_per_batch(10).expires(EXPIRES);
        let mut messages = stream.heartbeat(Duration::from_secs(5)).messages().await?;
        for n in 1..=200 {
            let message = collect(&mut messages, 1).await?.pop().ok_or("no message")?;
            assert_eq!(message.info()?.stream_sequence, n);
            message.ack().await?;
        }
        let pulls = pulls(&js, &mut asked).await?;
        // It asks for a whole batch whenever half of one is left, so never has more than one and a half on their way.
        assert!((20..=23).contains(&pulls.len()), "{}", pulls.len());
        for pull in &pulls {
            assert_eq!(
                (&pull["batch"], &pull["expires"], &pull["idle_heartbeat"]),
                (&10.into(), &20_000_000_000_u64.into(), &5_000_000_000_u64.into())
            );
        }
        Ok(())
    })
}

#[test]
fn stream_keeps_to_its_bytes() -> Outcome {
    run(async {
        let (_server, js, worker) = worker(200).await?;
        let mut asked = listen(&js).await?;
        let stream = worker.stream().max_bytes_per_batch(1500);
        let mut messages = stream.expires(EXPIRES).messages().await?;
        for n in 1..=200 {
            let message = collect(&mut messages, 1).await?.pop().ok_or("no message")?;
            assert_eq!(message.info()?.stream_sequence, n);
            message.ack().await?;
        }
        let pulls = pulls(&js, &mut asked).await?;
        assert!(pulls.len() > 5, "{}", pulls.len());
        assert!(pulls.iter().all(|pull| pull["max_bytes"] == 1500), "{pulls:?}");
        Ok(())
    })
}

#[test]
fn stream_pulls_anew_when_a_pull_expires() -> Outcome {
    run(async {
        let (_server, js, worker) = worker(0).await?;
        let mut asked = listen(&js).await?;
        let stream = worker.stream().expires(Duration::from_secs(1));
        let mut messages = stream.heartbeat(Duration::from_millis(300)).messages().await?;
        let publish = async {
            for _ in 0..3 {
                within("another pull", SOON, async { Ok(asked.next().await) }).await?;
            }
            fill(&js, "ack.a", 1..=1).await
        };
        let (published, taken) = tokio::join!(publish, collect(&mut messages, 1));
        published?;
        assert_eq!(sequences(&taken?)?, [1]);
        Ok(())
    })
}

#[test]
fn stream_misses_the_heartbeats_of_a_server_that_stands_still() -> Outcome {
    run(async {
        let (server, js, worker) = worker(1).await?;
        let stream = worker.stream().expires(EXPIRES);
        let mut messages = stream.heartbeat(Duration::from_millis(200)).messages().await?;
        collect(&mut messages, 1).await?[0].double_ack().await?;
        server.signal(Signal::STOP)?;
        let missed = within("the error", SOON, async { Ok(messages.next().await) }).await;
        server.signal(Signal::CONT)?;
        let missed = missed?.ok_or("the messages ended")?.err().ok_or("a message")?;
        assert_eq!(missed.kind(), MessagesErrorKind::MissingHeartbeat);
        fill(&js, "ack.a", 2..=2).await?;
        assert_eq!(sequences(&collect(&mut messages, 1).await?)?, [2]);
        Ok(())
    })
}

#[test]
fn stream_goes_on_after_a_restart() -> Outcome {
    run(async {
        let (mut server, js, worker) = worker(0).await?;
        server.keep_port()?;
        let stream = worker.stream().expires(Duration::from_secs(2));
        let mut messages = stream.heartbeat(Duration::from_millis(500)).messages().await?;
        fill(&js, "ack.a", 1..=5).await?;
        for message in collect(&mut messages, 5).await? {
            message.double_ack().await?;
        }
        server.restart().await?;
        eventually("a stream that takes messages", SOON, || async {
            let ack = js.publish("ack.a", "6".into()).await?;
            Ok(ack.await.is_ok().then_some(()))
        })
        .await?;
        let next = loop {
            match within("message 6", SOON, async { Ok(messages.next().await) }).await? {
                Some(Ok(message)) => break message,
                // While the server is away, nobody answers and no heartbeat comes.
                Some(Err(error)) => assert_ne!(error.kind(), MessagesErrorKind::ConsumerDeleted),
                None => return Err("the messages ended".into()),
            }
        };
        assert!(next.info()?.stream_sequence >= 6 && next.info()?.delivered == 1);
        Ok(())
    })
}

#[test]
fn stream_hears_that_its_consumer_is_gone_or_asks_too_much() -> Outcome {
    run(async {
        let (_server, js, worker) = worker(0).await?;
        let mut messages = worker.stream().expires(EXPIRES).messages().await?;
        let mut asked = listen(&js).await?;
        let ended =
            tokio::spawn(async move { messages.next().await.and_then(Result::err).map(|e| e.kind()) });
        within("the pull", SOON, async { Ok(asked.next().await) }).await?;
        let stream = js.get_stream("ACK").await?;
        stream.delete_consumer("worker").await?;
        assert_eq!(ended.await?, Some(MessagesErrorKind::ConsumerDeleted));
        let config = pull::Config {
            max_batch: 5,
            ..durable()
        };
        let small = stream.create_consumer(config).await?;
        let mut messages = small.stream().max_messages_per_batch(6).messages().await?;
        let refused = within("the refusal", SOON, async { Ok(messages.next().await) }).await?;
        let refused = refused.ok_or("the messages ended")?.err().ok_or("a message")?;
        assert_eq!(refused.kind(), MessagesErrorKind::RequestLimitExceeded);
        Ok(())
    })
}

#[test]
fn a_waiting_pull_hears_that_the_server_stops() -> Outcome {
    run(async {
        let (mut server, js, worker) = worker(0).await?;
        let client = js.client();
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await?;
        let body = r#"{"batch":3,"expires":20000000000}"#;
        client
            .publish_with_reply("$JS.API.CONSUMER.MSG.NEXT.ACK.worker", inbox, body.into())
            .await?;
        eventually("the request", SOON, || async {
            Ok((worker.get_info().await?.num_waiting == 1).then_some(()))
        })
        .await?;
        assert!(server.terminate().await?.success());
        let answer = within("the answer", SOON, async { Ok(answers.next().await) }).await?;
        let answer = answer.ok_or("no answer")?;
        assert_eq!(answer.description.as_deref(), Some("Server Shutdown"));
        let headers = answer.headers.ok_or("no headers")?;
        let left = headers.get("Nats-Pending-Messages").map(|n| n.as_str());
        assert_eq!(left, Some("3"));
        Ok(())
    })
}
