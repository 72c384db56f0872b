//! What was acknowledged is there after `kill -9`: messages, and the acknowledgements of consumers.
//! Never tests power loss, which a process on one machine cannot show.

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, Stream};
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use natterjack_tests::{Noise, Outcome, Server, eventually, is_original, run_within, within};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const STREAMS: u64 = 3;
/// Acknowledged messages before the kill, over all streams.
const MESSAGES: usize = 10_000;
/// Publishes under way at a time, a stream. As many may be stored without our having heard of it,
/// so a smaller number makes the test notice a smaller loss.
const WINDOW: usize = 8;
const ACK_WAIT: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_secs(30);

/// What the clients of one stream were promised.
#[derive(Debug, Default)]
struct Promises {
    /// Which message is under which sequence, for each acknowledged publish.
    stored: BTreeMap<u64, u64>,
    /// Stream sequences whose acknowledgement was confirmed to the consumer, and when.
    done: BTreeMap<u64, Instant>,
    /// Stream sequences whose acknowledgement was at least sent.
    tried: BTreeSet<u64>,
}

impl Promises {
    /// Sequences that may not come again after a kill at `now`.
    fn binding(&self, now: Instant, grace: Duration) -> BTreeSet<u64> {
        self.done
            .iter()
            .filter(|(_, at)| now.duration_since(**at) >= grace)
            .map(|(sequence, _)| *sequence)
            .collect()
    }
}

type Ledger = RefCell<Promises>;

/// A server whose acknowledgements are promises, and how old a consumer's must be before it is held to them.
///
/// The original promises messages only when it syncs each write, and writes the state of consumers
/// behind its confirmations in any case, so there the last second before a kill does not count.
async fn server() -> Outcome<(Server, Duration)> {
    if is_original().await? {
        let server = Server::with_config("jetstream { sync_interval: always }\n").await?;
        return Ok((server, Duration::from_secs(1)));
    }
    Ok((Server::start().await?, Duration::ZERO))
}

/// The body of message `n`, from which everything about it can be checked again.
fn body(stream: u64, n: u64) -> Vec<u8> {
    let mut noise = Noise::new(stream << 32 | n);
    let length = 20 + noise.below(400);
    [format!("{n} ").into_bytes(), noise.bytes(length)].concat()
}

/// The number a body says it is, when the whole body is as it was sent.
fn number(stream: u64, content: &[u8]) -> Outcome<u64> {
    let digits = content.split(|b| *b == b' ').next().unwrap_or_default();
    let n = std::str::from_utf8(digits)?.parse()?;
    if content == body(stream, n) {
        Ok(n)
    } else {
        Err(format!("message {n} is damaged").into())
    }
}

fn worker() -> pull::Config {
    pull::Config {
        durable_name: Some("worker".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: 100_000,
        ..pull::Config::default()
    }
}

async fn create(js: &Context, number: u64) -> Outcome<Consumer<pull::Config>> {
    let subjects = vec![format!("d{number}.*")];
    let stream = js
        .create_stream(Config {
            name: format!("D{number}"),
            subjects,
            ..Config::default()
        })
        .await?;
    Ok(stream.create_consumer(worker()).await?)
}

/// Publishes without end from many hands and writes each acknowledgement down as soon as it is there.
async fn publish(js: &Context, stream: u64, ledger: &Ledger) -> Outcome {
    let next = Cell::new(0_u64);
    let hand = || async {
        loop {
            let n = next.get();
            next.set(n + 1);
            let ack = js
                .publish(format!("d{stream}.{}", n % 10), body(stream, n).into())
                .await?;
            let sequence = ack.await?.sequence;
            assert_eq!(
                ledger.borrow_mut().stored.insert(sequence, n),
                None,
                "a sequence was given twice"
            );
        }
    };
    let ended: Outcome<Vec<()>> = try_join_all((0..WINDOW).map(|_| hand())).await;
    ended.map(drop)
}

/// Takes messages without end, acknowledges two of three, and writes down what was confirmed.
async fn consume(consumer: &Consumer<pull::Config>, ledger: &Ledger) -> Outcome {
    loop {
        let mut batch = consumer.batch().max_messages(50).expires(STEP).messages().await?;
        let mut acks = Vec::new();
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| format!("a batch broke off: {error}"))?;
            let sequence = message.info()?.stream_sequence;
            if sequence % 3 != 0 {
                ledger.borrow_mut().tried.insert(sequence);
                acks.push(async move { message.double_ack().await.map(|()| sequence) });
            }
        }
        for confirmed in join_all(acks).await.into_iter().flatten() {
            ledger.borrow_mut().done.insert(confirmed, Instant::now());
        }
    }
}

/// Kills the server once enough was promised, with everybody still at work, and says when.
async fn kill_in_the_middle(server: &mut Server, ledgers: &[Ledger], grace: Duration) -> Outcome<Instant> {
    eventually("enough promises", STEP, || async {
        let stored: usize = ledgers.iter().map(|l| l.borrow().stored.len()).sum();
        let consumed = ledgers
            .iter()
            .all(|l| l.borrow().binding(Instant::now(), grace).len() >= 300);
        Ok((stored >= MESSAGES && consumed).then_some(()))
    })
    .await?;
    let at = Instant::now();
    server.kill().await?;
    Ok(at)
}

/// All messages of a stream by sequence, each one checked against what was sent.
async fn read_back(stream: &Stream, number_of_stream: u64) -> Outcome<BTreeMap<u64, u64>> {
    let last = stream.get_info().await?.state.last_sequence;
    let config = pull::Config {
        ack_policy: AckPolicy::None,
        deliver_policy: DeliverPolicy::All,
        ..pull::Config::default()
    };
    let reader = stream.create_consumer(config).await?;
    let mut messages = reader.stream().max_messages_per_batch(500).messages().await?;
    let mut found = BTreeMap::new();
    while found
        .last_key_value()
        .is_none_or(|(sequence, _)| *sequence < last)
    {
        let message = within("a stored message", STEP, async { Ok(messages.next().await) })
            .await?
            .ok_or("no end")??;
        found.insert(
            message.info()?.stream_sequence,
            number(number_of_stream, &message.payload)?,
        );
    }
    Ok(found)
}

/// Every stream sequence the worker is still given, until nothing is left for it.
async fn still_delivered(consumer: &Consumer<pull::Config>) -> Outcome<BTreeSet<u64>> {
    let mut seen = BTreeSet::new();
    let mut messages = consumer.stream().max_messages_per_batch(500).messages().await?;
    loop {
        let next = tokio::time::timeout(ACK_WAIT / 4, messages.next()).await;
        if let Ok(message) = next {
            let message = message.ok_or("the messages ended")??;
            seen.insert(message.info()?.stream_sequence);
            message.ack().await?;
            continue;
        }
        let info = consumer.get_info().await?;
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return Ok(seen);
        }
    }
}

/// Holds one stream against what was promised; `done` may not come again.
async fn check(js: &Context, number: u64, promises: &Promises, done: &BTreeSet<u64>) -> Outcome {
    let stream = js.get_stream(format!("D{number}")).await?;
    let found = read_back(&stream, number).await?;
    for (sequence, n) in &promises.stored {
        assert_eq!(
            found.get(sequence),
            Some(n),
            "stream {number} sequence {sequence}: lost or another message"
        );
    }
    let consumer: Consumer<pull::Config> = stream.get_consumer("worker").await?;
    let again = within("the rest of the work", STEP, still_delivered(&consumer)).await?;
    let twice: Vec<_> = again.intersection(done).collect();
    assert!(
        twice.is_empty(),
        "stream {number}: acknowledged and delivered again: {twice:?}"
    );
    let forgotten: Vec<_> = found
        .keys()
        .filter(|s| !again.contains(s) && !promises.tried.contains(s))
        .collect();
    assert!(
        forgotten.is_empty(),
        "stream {number}: never delivered: {forgotten:?}"
    );
    Ok(())
}

#[test]
fn acknowledged_work_survives_a_kill() -> Outcome {
    run_within(LIMIT, async {
        let (mut server, grace) = server().await?;
        let js = server.jetstream().await?;
        let ledgers: Vec<Ledger> = (0..STREAMS).map(|_| Ledger::default()).collect();
        let consumers = try_join_all((0..STREAMS).map(|n| create(&js, n))).await?;
        let publishing = try_join_all(
            (0..STREAMS)
                .zip(&ledgers)
                .map(|(n, ledger)| publish(&js, n, ledger)),
        );
        let consuming = try_join_all(
            consumers
                .iter()
                .zip(&ledgers)
                .map(|(c, ledger)| consume(c, ledger)),
        );
        let killed = tokio::select! {
            biased;
            killed = kill_in_the_middle(&mut server, &ledgers, grace) => killed?,
            ended = publishing => return Err(format!("publishing ended: {ended:?}").into()),
            ended = consuming => return Err(format!("consuming ended: {ended:?}").into()),
        };
        server.restart().await?;
        let js = server.jetstream().await?;
        for (number, ledger) in (0..STREAMS).zip(&ledgers) {
            let promises = ledger.take();
            check(&js, number, &promises, &promises.binding(killed, grace)).await?;
        }
        Ok(())
    })
}

#[test]
fn everything_survives_an_ordered_end() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let js = server.jetstream().await?;
        let consumer = create(&js, 0).await?;
        let ledger = Ledger::default();
        let enough = eventually("acknowledged messages", STEP, || async {
            let now = ledger.borrow();
            Ok((now.stored.len() >= 1_000 && now.done.len() >= 100).then_some(()))
        });
        tokio::select! {
            enough = enough => enough?,
            ended = publish(&js, 0, &ledger) => return Err(format!("publishing ended: {ended:?}").into()),
            ended = consume(&consumer, &ledger) => return Err(format!("consuming ended: {ended:?}").into()),
        }
        assert!(server.terminate().await?.success());
        server.restart().await?;
        let promises = ledger.take();
        let done = promises.binding(Instant::now(), Duration::ZERO);
        check(&server.jetstream().await?, 0, &promises, &done).await
    })
}

#[test]
fn deletes_purges_and_limits_survive_a_kill() -> Outcome {
    run_within(LIMIT, async {
        let (mut server, _) = server().await?;
        let js = server.jetstream().await?;
        create(&js, 0).await?;
        let stream = js.get_stream("D0").await?;
        for n in 0..50 {
            js.publish(format!("d0.{}", n % 2), body(0, n).into())
                .await?
                .await?;
        }
        for sequence in [10, 20, 30] {
            assert!(stream.delete_message(sequence).await?);
        }
        assert_eq!(stream.purge().filter("d0.1").keep(5).await?.purged, 17);
        let before = stream.get_info().await?.state;
        server.restart().await?;
        let js = server.jetstream().await?;
        let stream = js.get_stream("D0").await?;
        let after = stream.get_info().await?.state;
        assert_eq!((after.messages, after.bytes), (before.messages, before.bytes));
        assert_eq!(
            (after.first_sequence, after.last_sequence),
            (before.first_sequence, before.last_sequence)
        );
        assert_eq!(after.deleted_count, before.deleted_count);
        assert_eq!(
            read_back(&stream, 0).await?.len(),
            usize::try_from(before.messages)?
        );
        js.delete_stream("D0").await?;
        server.restart().await?;
        assert!(server.jetstream().await?.get_stream("D0").await.is_err());
        Ok(())
    })
}

/// What `/varz` says of how often the store is forced to disk: nanoseconds, and whether that is with every write.
async fn told_of_syncs(server: &Server) -> Outcome<(u64, bool)> {
    let page = server.page("/varz").await?;
    let (_, body) = page.split_once("\r\n\r\n").ok_or("no body")?;
    let told: Value = serde_json::from_str(body)?;
    let config = &told["jetstream"]["config"];
    let every = config["sync_interval"].as_u64().unwrap_or_default();
    Ok((every, config["sync_always"].as_bool().unwrap_or_default()))
}

#[test]
fn how_often_the_store_is_forced_to_disk_is_told() -> Outcome {
    run_within(LIMIT, async {
        for (every, always) in [("\"2m\"", false), ("always", true)] {
            let config = format!("http_port: -1\njetstream {{ sync_interval: {every} }}\n");
            let server = Server::with_config(&config).await?;
            let (told, is_always) = told_of_syncs(&server).await?;
            assert_eq!(is_always, always, "{every}");
            assert!(always || told == 120_000_000_000, "{every}: {told}");
        }
        Ok(())
    })
}
