//! What a client says of a delivered message: done, not now, later, never.
//! Never tests what happens when it says nothing, which has its own file.

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::stream::StorageType;
use futures_util::StreamExt;
use natterjack_tests::{
    Outcome, Server, consumer, durable, nothing_waits, on_both, one, run, take, waits, within,
};
use std::time::{Duration, Instant};

type Pull = Consumer<pull::Config>;

/// Shorter than any ack wait below, and long enough to be seen on a busy machine.
const DELAY: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(30);

#[test]
fn an_acknowledged_message_does_not_come_again() -> Outcome {
    on_both(async |js, storage| {
        let worker = consumer(&js, storage, 5, waits(DELAY)).await?;
        let messages = take(&worker, 5).await?;
        for index in [0, 1, 3] {
            messages[index].double_ack().await?;
        }
        let info = worker.get_info().await?;
        assert_eq!((info.ack_floor.stream_sequence, info.num_ack_pending), (2, 2));
        let again = take(&worker, 2).await?;
        for (message, expected) in again.iter().zip([3, 5]) {
            assert_eq!(
                (message.info()?.stream_sequence, message.info()?.delivered),
                (expected, 2)
            );
            message.double_ack().await?;
        }
        let info = worker.get_info().await?;
        assert_eq!(
            (
                info.ack_floor.stream_sequence,
                info.num_ack_pending,
                info.num_pending
            ),
            (5, 0, 0)
        );
        assert_eq!(
            (info.ack_floor.consumer_sequence, info.delivered.consumer_sequence),
            (7, 7)
        );
        assert!(nothing_waits(&worker).await?);
        Ok(())
    })
}

#[test]
fn a_refused_message_comes_at_once_or_after_its_delay() -> Outcome {
    on_both(async |js, storage| {
        let worker = consumer(&js, storage, 1, durable()).await?;
        let (message, _, delivered) = one(&worker).await?;
        assert_eq!(delivered, 1);
        message.ack_with(AckKind::Nak(None)).await?;
        let (message, sequence, delivered) = one(&worker).await?;
        assert_eq!((sequence, delivered), (1, 2));
        let begun = Instant::now();
        message.ack_with(AckKind::Nak(Some(DELAY))).await?;
        let (_, sequence, delivered) = one(&worker).await?;
        assert_eq!((sequence, delivered), (1, 3));
        let took = begun.elapsed();
        assert!(
            took >= DELAY.mul_f64(0.9) && took < DELAY * 5,
            "came after {took:?}"
        );
        Ok(())
    })
}

#[test]
fn a_terminated_message_is_given_up() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let worker = consumer(&js, StorageType::File, 2, waits(DELAY)).await?;
        let subject = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.ACK.worker";
        let mut advisories = js.client().subscribe(subject).await?;
        let (message, sequence, _) = one(&worker).await?;
        assert_eq!(sequence, 1);
        message.double_ack_with(AckKind::Term).await?;
        let told = within("the advisory", LONG, async { Ok(advisories.next().await) }).await?;
        let advisory: serde_json::Value = serde_json::from_slice(&told.ok_or("no advisory")?.payload)?;
        assert_eq!(advisory["type"], "io.nats.jetstream.advisory.v1.terminated");
        assert_eq!(
            (&advisory["stream_seq"], &advisory["deliveries"]),
            (&1.into(), &1.into())
        );
        // The other message shows that an ack wait has passed, and the first did not come before it.
        assert_eq!(one(&worker).await?.1, 2);
        let (last, sequence, delivered) = one(&worker).await?;
        assert_eq!((sequence, delivered), (2, 2));
        last.double_ack().await?;
        assert_eq!(worker.get_info().await?.num_ack_pending, 0);
        Ok(())
    })
}

#[test]
fn one_ack_may_stand_for_all_before() -> Outcome {
    on_both(async |js, storage| {
        let worker = consumer(
            &js,
            storage,
            10,
            pull::Config {
                ack_policy: AckPolicy::All,
                ..durable()
            },
        )
        .await?;
        let messages = take(&worker, 10).await?;
        messages[6].double_ack().await?;
        let info = worker.get_info().await?;
        assert_eq!((info.ack_floor.stream_sequence, info.num_ack_pending), (7, 3));
        Ok(())
    })
}

/// Whether a request runs out unanswered: the stream has messages, but the consumer may not give them.
async fn held_back(consumer: &Pull) -> Outcome<bool> {
    let mut batch = consumer.batch().max_messages(1).expires(DELAY).messages().await?;
    within("the end of the request", LONG, async {
        Ok(batch.next().await.is_none())
    })
    .await
}

#[test]
fn open_deliveries_are_bounded() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let worker = consumer(
            &js,
            StorageType::File,
            10,
            pull::Config {
                max_ack_pending: 3,
                ..durable()
            },
        )
        .await?;
        let open = take(&worker, 3).await?;
        assert!(held_back(&worker).await?);
        assert_eq!(worker.get_info().await?.num_ack_pending, 3);
        open[1].double_ack().await?;
        assert_eq!(one(&worker).await?.1, 4);
        assert!(held_back(&worker).await?);
        Ok(())
    })
}
