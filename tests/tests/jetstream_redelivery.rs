//! What becomes of a delivered message of which nothing is heard: when, how often, and until when it comes again.
//! Never tests the answers that end a delivery.

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::StorageType;
use futures_util::StreamExt;
use natterjack_tests::{
    Outcome, Server, consumer, durable, eventually, nothing_waits, on_both, one, run, take, waits, within,
};
use std::time::{Duration, Instant};

/// Shorter than any ack wait below, and long enough to be seen on a busy machine.
const DELAY: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(30);

#[test]
fn an_unanswered_message_comes_again_after_the_wait() -> Outcome {
    on_both(async |js, storage| {
        let worker = consumer(&js, storage, 3, waits(DELAY)).await?;
        let begun = Instant::now();
        take(&worker, 3).await?;
        let again = take(&worker, 3).await?;
        let took = begun.elapsed();
        assert!(
            took >= DELAY.mul_f64(0.9) && took < DELAY * 10,
            "came after {took:?}"
        );
        for (message, expected) in again.iter().zip(1..) {
            assert_eq!(
                (message.info()?.stream_sequence, message.info()?.delivered),
                (expected, 2)
            );
        }
        assert_eq!(worker.get_info().await?.num_redelivered, 3);
        Ok(())
    })
}

#[test]
fn deliveries_are_bounded() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let config = pull::Config {
            ack_wait: DELAY,
            max_deliver: 2,
            ..durable()
        };
        let worker = consumer(&js, StorageType::File, 1, config).await?;
        let subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ACK.worker";
        let mut advisories = js.client().subscribe(subject).await?;
        assert_eq!((one(&worker).await?.2, one(&worker).await?.2), (1, 2));
        // The consumer notices with its next attempt, which needs somebody who asks.
        let waiting = worker
            .batch()
            .max_messages(1)
            .expires(Duration::from_secs(5))
            .messages()
            .await?;
        let told = within("the advisory", LONG, async { Ok(advisories.next().await) }).await?;
        let advisory: serde_json::Value = serde_json::from_slice(&told.ok_or("no advisory")?.payload)?;
        assert_eq!(advisory["type"], "io.nats.jetstream.advisory.v1.max_deliver");
        assert_eq!(
            (&advisory["stream_seq"], &advisory["deliveries"]),
            (&1.into(), &2.into())
        );
        drop(waiting);
        assert!(nothing_waits(&worker).await?);
        Ok(())
    })
}

#[test]
fn the_backoff_grows() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let backoff = vec![Duration::from_millis(200), Duration::from_millis(1_500)];
        let config = pull::Config {
            ack_wait: backoff[0],
            max_deliver: 4,
            backoff,
            ..durable()
        };
        let worker = consumer(&js, StorageType::File, 1, config).await?;
        let mut times = Vec::new();
        for expected in 1..=3 {
            assert_eq!(one(&worker).await?.2, expected);
            times.push(Instant::now());
        }
        let (first, second) = (times[1] - times[0], times[2] - times[1]);
        assert!(
            first >= Duration::from_millis(150) && first < Duration::from_millis(1_400),
            "first after {first:?}"
        );
        assert!(
            second >= Duration::from_millis(1_400) && second < Duration::from_secs(6),
            "second after {second:?}"
        );
        Ok(())
    })
}

#[test]
fn progress_puts_the_redelivery_off() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let ack_wait = Duration::from_secs(1);
        let worker = consumer(
            &js,
            StorageType::File,
            1,
            pull::Config {
                ack_wait,
                ..durable()
            },
        )
        .await?;
        let begun = Instant::now();
        let (message, ..) = one(&worker).await?;
        let mut ticks = tokio::time::interval(Duration::from_millis(300));
        for _ in 0..6 {
            ticks.tick().await;
            assert!(nothing_waits(&worker).await?);
            message.ack_with(AckKind::Progress).await?;
        }
        js.client().flush().await?;
        let (_, sequence, delivered) = one(&worker).await?;
        assert_eq!((sequence, delivered), (1, 2));
        assert!(
            begun.elapsed() >= Duration::from_millis(2_300),
            "came after {:?}",
            begun.elapsed()
        );
        Ok(())
    })
}

#[test]
fn a_late_ack_of_a_redelivered_message_counts() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let worker = consumer(&js, StorageType::File, 1, waits(DELAY)).await?;
        let (first, ..) = one(&worker).await?;
        assert_eq!(one(&worker).await?.2, 2);
        first.double_ack().await?;
        eventually("an empty consumer", LONG, || async {
            Ok((worker.get_info().await?.num_ack_pending == 0).then_some(()))
        })
        .await?;
        assert!(nothing_waits(&worker).await?);
        Ok(())
    })
}
