//! Consumers: where they start, what they see, how long they live, how they are managed.
//! Never tests ways of delivery or acknowledgements, which have their own files.

use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::{StorageType, Stream};
use futures_util::TryStreamExt;
use natterjack_tests::{
    Outcome, Refusal, Server, api, eventually, fill, memory_and_file, nine, nothing_waits, on_both, run,
};
use natterjack_tests::{sequences, take};
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);

/// Everything a consumer with this configuration sees of the nine.
async fn seen(stream: &Stream, config: pull::Config, count: usize) -> Outcome<Vec<u64>> {
    let consumer = stream.create_consumer(config).await?;
    let messages = take(&consumer, count).await?;
    assert!(nothing_waits(&consumer).await?, "more than {count} messages");
    let name = consumer.cached_info().name.clone();
    assert!(stream.delete_consumer(&name).await?.success);
    sequences(&messages)
}

#[test]
fn each_policy_starts_where_it_should() -> Outcome {
    on_both(async |js, storage| {
        let stream = nine(&js, storage).await?;
        let with = |deliver_policy| pull::Config {
            deliver_policy,
            ..pull::Config::default()
        };
        assert_eq!(
            seen(&stream, with(DeliverPolicy::All), 9).await?,
            (1..=9).collect::<Vec<_>>()
        );
        assert_eq!(seen(&stream, with(DeliverPolicy::Last), 1).await?, [9]);
        let filter_subject = "con.*".to_owned();
        let last = pull::Config {
            filter_subject,
            ..with(DeliverPolicy::LastPerSubject)
        };
        assert_eq!(seen(&stream, last, 3).await?, [7, 8, 9]);
        let from = DeliverPolicy::ByStartSequence { start_sequence: 6 };
        assert_eq!(seen(&stream, with(from), 4).await?, [6, 7, 8, 9]);
        let start_time = stream.get_raw_message(5).await?.time;
        let from = DeliverPolicy::ByStartTime { start_time };
        assert_eq!(seen(&stream, with(from), 5).await?, [5, 6, 7, 8, 9]);
        let fresh = stream.create_consumer(with(DeliverPolicy::New)).await?;
        assert!(nothing_waits(&fresh).await?);
        fill(&js, "con.0", 10..=10).await?;
        assert_eq!(sequences(&take(&fresh, 1).await?)?, [10]);
        Ok(())
    })
}

#[test]
fn filters_choose_subjects() -> Outcome {
    on_both(async |js, storage| {
        let stream = nine(&js, storage).await?;
        let one = pull::Config {
            filter_subject: "con.1".to_owned(),
            ..pull::Config::default()
        };
        assert_eq!(seen(&stream, one.clone(), 3).await?, [1, 4, 7]);
        let last = pull::Config {
            deliver_policy: DeliverPolicy::Last,
            ..one
        };
        assert_eq!(seen(&stream, last, 1).await?, [7]);
        let filter_subjects = vec!["con.1".to_owned(), "con.2".to_owned()];
        let two = pull::Config {
            filter_subjects: filter_subjects.clone(),
            ..pull::Config::default()
        };
        assert_eq!(seen(&stream, two, 6).await?, [1, 2, 4, 5, 7, 8]);
        let deliver_policy = DeliverPolicy::LastPerSubject;
        let last_two = pull::Config {
            filter_subjects,
            deliver_policy,
            ..pull::Config::default()
        };
        assert_eq!(seen(&stream, last_two, 2).await?, [7, 8]);
        Ok(())
    })
}

#[test]
fn a_durable_goes_on_where_it_was() -> Outcome {
    run(async {
        for storage in memory_and_file() {
            let server = Server::start().await?;
            let js = server.jetstream().await?;
            let stream = nine(&js, storage).await?;
            let config = pull::Config {
                durable_name: Some("keeps".to_owned()),
                ..pull::Config::default()
            };
            let first = stream.create_consumer(config.clone()).await?;
            for message in take(&first, 4).await? {
                message.double_ack().await?;
            }
            let other: Consumer<pull::Config> = server
                .jetstream()
                .await?
                .get_consumer_from_stream("keeps", "CON")
                .await?;
            assert_eq!(sequences(&take(&other, 5).await?)?, [5, 6, 7, 8, 9]);
            let info = stream.create_consumer(config).await?.get_info().await?;
            assert_eq!(
                (
                    info.ack_floor.stream_sequence,
                    info.num_ack_pending,
                    info.num_pending
                ),
                (4, 5, 0)
            );
        }
        Ok(())
    })
}

#[test]
fn an_idle_ephemeral_goes_away() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let stream = nine(&js, StorageType::File).await?;
        let config = pull::Config {
            inactive_threshold: Duration::from_millis(300),
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        // Open deliveries would count as activity.
        for message in take(&consumer, 9).await? {
            message.double_ack().await?;
        }
        eventually("the end of the consumer", SOON, || async {
            Ok(stream
                .consumer_names()
                .try_collect::<Vec<_>>()
                .await?
                .is_empty()
                .then_some(()))
        })
        .await?;
        assert!(consumer.get_info().await.is_err());
        Ok(())
    })
}

#[test]
fn consumers_are_listed_changed_and_deleted() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let stream = nine(&js, StorageType::File).await?;
        let names: BTreeSet<String> = (0..10).map(|n| format!("c{n}")).collect();
        let durable = |name: &str| pull::Config {
            durable_name: Some(name.to_owned()),
            ..pull::Config::default()
        };
        for name in &names {
            stream.create_consumer(durable(name)).await?;
        }
        assert_eq!(stream.consumer_names().try_collect::<BTreeSet<_>>().await?, names);
        assert_eq!(stream.consumers().try_collect::<Vec<_>>().await?.len(), 10);
        let changed = pull::Config {
            max_ack_pending: 7,
            description: Some("changed".to_owned()),
            ..durable("c3")
        };
        assert_eq!(
            stream
                .update_consumer(changed)
                .await?
                .cached_info()
                .config
                .max_ack_pending,
            7
        );
        let fixed = pull::Config {
            deliver_policy: DeliverPolicy::Last,
            ack_policy: AckPolicy::None,
            ..durable("c4")
        };
        assert!(stream.update_consumer(fixed).await.is_err());
        assert!(
            stream
                .create_consumer_strict(pull::Config {
                    max_ack_pending: 9,
                    ..durable("c5")
                })
                .await
                .is_err()
        );
        assert!(stream.delete_consumer("c3").await?.success);
        let client = js.client();
        for (subject, request) in [("CONSUMER.INFO.CON.c3", ""), ("CONSUMER.DELETE.CON.c3", "")] {
            let refusal = Refusal::read(&api(&client, subject, request).await?).ok_or("accepted")?;
            assert_eq!((refusal.code, refusal.err_code), (404, 10014));
            assert_eq!(refusal.description, "consumer not found");
        }
        assert_eq!(stream.get_info().await?.state.consumer_count, 9);
        Ok(())
    })
}
