//! What a stream keeps and what it refuses: counts, bytes, age, per subject, discard old and new.
//! Never uses a consumer except where retention is about them.

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, State, StorageType, Stream};
use natterjack_tests::{Outcome, Refusal, Server, eventually, fill, on_both, refusal_of, run, take};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(6);

fn limited(storage: StorageType) -> Config {
    Config {
        name: "LIMITS".to_owned(),
        subjects: vec!["lim.*".to_owned()],
        storage,
        ..Config::default()
    }
}

async fn state(stream: &Stream) -> Outcome<State> {
    Ok(stream.get_info().await?.state)
}

/// The number and text of a refused publish.
async fn refused(js: &Context, subject: &str, body: Vec<u8>) -> Outcome<Refusal> {
    Ok(refusal_of(&js.client(), subject, &[], body)
        .await?
        .ok_or("the publish was accepted")?)
}

fn too_much(err_code: u64, description: &str) -> Refusal {
    Refusal {
        code: 503,
        err_code,
        description: description.to_owned(),
    }
}

#[test]
fn the_oldest_messages_make_room() -> Outcome {
    on_both(async |js, storage| {
        let stream = js
            .create_stream(Config {
                max_messages: 10,
                ..limited(storage)
            })
            .await?;
        fill(&js, "lim.a", 1..=25).await?;
        let now = state(&stream).await?;
        assert_eq!(
            (now.messages, now.first_sequence, now.last_sequence),
            (10, 16, 25)
        );
        assert!(stream.get_raw_message(15).await.is_err());
        // A lower limit takes hold at once.
        js.update_stream(Config {
            max_messages: 4,
            ..limited(storage)
        })
        .await?;
        let now = state(&stream).await?;
        assert_eq!((now.messages, now.first_sequence), (4, 22));
        Ok(())
    })
}

#[test]
fn bytes_are_bounded() -> Outcome {
    on_both(async |js, storage| {
        let stream = js
            .create_stream(Config {
                max_bytes: 10_000,
                ..limited(storage)
            })
            .await?;
        for _ in 0..40 {
            js.publish("lim.a", vec![b'x'; 1_000].into()).await?.await?;
        }
        let now = state(&stream).await?;
        assert!(now.bytes <= 10_000, "{} bytes", now.bytes);
        assert!((8..10).contains(&now.messages), "{} messages", now.messages);
        assert_eq!((now.last_sequence, now.first_sequence), (40, 41 - now.messages));
        Ok(())
    })
}

#[test]
fn old_messages_expire() -> Outcome {
    on_both(async |js, storage| {
        let max_age = Duration::from_millis(500);
        let duplicate_window = Duration::from_millis(200);
        let stream = js
            .create_stream(Config {
                max_age,
                duplicate_window,
                ..limited(storage)
            })
            .await?;
        let begun = Instant::now();
        fill(&js, "lim.a", 1..=20).await?;
        eventually("expiry", SOON, || async {
            Ok((state(&stream).await?.messages == 0).then_some(()))
        })
        .await?;
        assert!(begun.elapsed() >= max_age, "expired early");
        let now = state(&stream).await?;
        assert_eq!((now.first_sequence, now.last_sequence), (21, 20));
        fill(&js, "lim.a", 21..=21).await?;
        assert_eq!(state(&stream).await?.last_sequence, 21);
        Ok(())
    })
}

#[test]
fn each_subject_keeps_its_last_ones() -> Outcome {
    on_both(async |js, storage| {
        let stream = js
            .create_stream(Config {
                max_messages_per_subject: 2,
                ..limited(storage)
            })
            .await?;
        for n in 1..=30_u64 {
            fill(&js, &format!("lim.{}", n % 3), n..=n).await?;
        }
        let now = state(&stream).await?;
        assert_eq!((now.messages, now.first_sequence, now.subjects_count), (6, 25, 3));
        fill(&js, "lim.2", 31..=32).await?;
        let now = state(&stream).await?;
        assert_eq!(
            (now.messages, now.first_sequence, now.deleted_count),
            (6, 25, Some(2))
        );
        assert!(stream.get_raw_message(26).await.is_err());
        Ok(())
    })
}

#[test]
fn a_full_stream_refuses_when_told_to() -> Outcome {
    on_both(async |js, storage| {
        let discard = DiscardPolicy::New;
        let stream = js
            .create_stream(Config {
                max_messages: 3,
                discard,
                ..limited(storage)
            })
            .await?;
        fill(&js, "lim.a", 1..=3).await?;
        let refusal = refused(&js, "lim.a", b"4".to_vec()).await?;
        assert_eq!(refusal, too_much(10077, "maximum messages exceeded"));
        assert!(stream.delete_message(2).await?);
        fill(&js, "lim.a", 4..=4).await?;
        js.delete_stream("LIMITS").await?;

        js.create_stream(Config {
            name: "BYTES".to_owned(),
            max_bytes: 3_000,
            discard,
            ..limited(storage)
        })
        .await?;
        fill(&js, "lim.a", 1..=2).await?;
        let refusal = refused(&js, "lim.a", vec![b'x'; 3_000]).await?;
        assert_eq!(refusal, too_much(10077, "maximum bytes exceeded"));
        Ok(())
    })
}

#[test]
fn a_full_subject_refuses_when_told_to() -> Outcome {
    on_both(async |js, storage| {
        let config = Config {
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages: 100,
            ..limited(storage)
        };
        let stream = js.create_stream(config).await?;
        fill(&js, "lim.a", 1..=1).await?;
        fill(&js, "lim.b", 2..=2).await?;
        let refusal = refused(&js, "lim.a", b"3".to_vec()).await?;
        assert_eq!(refusal, too_much(10077, "maximum messages per subject exceeded"));
        assert_eq!(state(&stream).await?.messages, 2);
        Ok(())
    })
}

#[test]
fn a_message_over_the_streams_size_is_refused() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        js.create_stream(Config {
            max_message_size: 100,
            ..limited(StorageType::File)
        })
        .await?;
        js.publish("lim.a", vec![b'x'; 100].into()).await?.await?;
        let refusal = refused(&js, "lim.a", vec![b'x'; 101]).await?;
        let description = "message size exceeds maximum allowed".to_owned();
        assert_eq!(
            refusal,
            Refusal {
                code: 400,
                err_code: 10054,
                description
            }
        );
        Ok(())
    })
}

#[test]
fn a_work_queue_forgets_what_was_done() -> Outcome {
    on_both(async |js, storage| {
        let retention = RetentionPolicy::WorkQueue;
        let stream = js
            .create_stream(Config {
                retention,
                ..limited(storage)
            })
            .await?;
        let durable = |name: &str| pull::Config {
            durable_name: Some(name.to_owned()),
            ..pull::Config::default()
        };
        let worker = stream.create_consumer(durable("worker")).await?;
        assert!(stream.create_consumer(durable("second")).await.is_err());
        fill(&js, "lim.a", 1..=5).await?;
        for job in take(&worker, 3).await? {
            job.double_ack().await?;
        }
        let now = state(&stream).await?;
        assert_eq!((now.messages, now.first_sequence), (2, 4));
        Ok(())
    })
}

#[test]
fn an_interest_stream_keeps_what_somebody_still_wants() -> Outcome {
    on_both(async |js, storage| {
        let retention = RetentionPolicy::Interest;
        let stream = js
            .create_stream(Config {
                retention,
                ..limited(storage)
            })
            .await?;
        fill(&js, "lim.a", 1..=3).await?;
        assert_eq!(state(&stream).await?.messages, 0);
        let durable = |name: &str| pull::Config {
            durable_name: Some(name.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ..pull::Config::default()
        };
        let (one, two) = (
            stream.create_consumer(durable("one")).await?,
            stream.create_consumer(durable("two")).await?,
        );
        fill(&js, "lim.a", 4..=6).await?;
        for message in take(&one, 3).await? {
            message.double_ack().await?;
        }
        assert_eq!(state(&stream).await?.messages, 3);
        for message in take(&two, 2).await? {
            message.double_ack().await?;
        }
        let left = eventually("the removal of two", SOON, || async {
            let now = state(&stream).await?;
            Ok((now.messages == 1).then_some(now.first_sequence))
        });
        assert_eq!(left.await?, 6);
        stream.delete_consumer("two").await?;
        eventually("the removal of the last", SOON, || async {
            Ok((state(&stream).await?.messages == 0).then_some(()))
        })
        .await?;
        Ok(())
    })
}
