//! Ways of delivery: pull requests and their ends, push, groups, ordered consumers, headers alone.
//! Never tests acknowledgements, which have their own file.

use async_nats::HeaderMap;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{
    Consumer, DeliverPolicy, FromConsumer, IntoConsumerConfig, pull, push,
};
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use futures_util::{StreamExt, TryStreamExt};
use natterjack_tests::{
    Outcome, Server, collect, eventually, fill, nine, on_both, run, sequences, take, within,
};
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);

async fn push_consumer<C: IntoConsumerConfig + FromConsumer>(
    stream: &Stream,
    config: C,
) -> Outcome<Consumer<C>> {
    Ok(stream.create_consumer(config).await?)
}

#[test]
fn pull_requests_end_by_count_bytes_and_time() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let stream = nine(&js, StorageType::File).await?;
        let consumer = stream.create_consumer(pull::Config::default()).await?;
        let mut four = consumer.fetch().max_messages(4).messages().await?;
        let mut count = 0;
        while let Some(message) = within("a message", SOON, async { Ok(four.next().await) }).await? {
            message?.ack().await?;
            count += 1;
        }
        assert_eq!(count, 4);
        let expires = Duration::from_millis(300);
        let mut many = consumer
            .batch()
            .max_messages(100)
            .expires(expires)
            .messages()
            .await?;
        let mut rest = Vec::new();
        while let Some(message) =
            within("a message or the end", SOON, async { Ok(many.next().await) }).await?
        {
            rest.push(message?);
        }
        assert_eq!(sequences(&rest)?, [5, 6, 7, 8, 9]);
        let waiting = consumer.batch().max_messages(1).expires(SOON).messages().await?;
        fill(&js, "con.0", 10..=10).await?;
        let late: Vec<Message> =
            within("the late message", SOON, async { waiting.try_collect().await }).await?;
        assert_eq!(sequences(&late)?, [10]);
        Ok(())
    })
}

#[test]
fn a_long_pull_gives_everything_in_order() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let config = Config {
            name: "LONG".to_owned(),
            subjects: vec!["long".to_owned()],
            ..Config::default()
        };
        let stream = js.create_stream(config).await?;
        fill(&js, "long", 1..=3_000).await?;
        let consumer = stream.create_consumer(pull::Config::default()).await?;
        let mut messages = consumer.stream().max_messages_per_batch(100).messages().await?;
        for expected in 1..=3_000_u64 {
            let message = collect(&mut messages, 1).await?.pop().ok_or("no message")?;
            assert_eq!(message.info()?.stream_sequence, expected);
            assert_eq!(message.payload, expected.to_string().as_bytes());
            message.ack().await?;
        }
        eventually("all acks", SOON, || async {
            Ok((consumer.get_info().await?.ack_floor.stream_sequence == 3_000).then_some(()))
        })
        .await
    })
}

#[test]
fn a_push_consumer_delivers_to_its_subject() -> Outcome {
    on_both(async |js, storage| {
        let stream = nine(&js, storage).await?;
        let config = push::Config {
            durable_name: Some("push".to_owned()),
            deliver_subject: js.client().new_inbox(),
            idle_heartbeat: Duration::from_secs(1),
            flow_control: true,
            ..push::Config::default()
        };
        let consumer = push_consumer(&stream, config).await?;
        assert!(!consumer.get_info().await?.push_bound);
        let mut messages = consumer.messages().await?;
        let first = collect(&mut messages, 9).await?;
        assert_eq!(sequences(&first)?, (1..=9).collect::<Vec<_>>());
        assert!(consumer.get_info().await?.push_bound);
        for message in &first {
            message.double_ack().await?;
        }
        fill(&js, "con.1", 10..=12).await?;
        assert_eq!(sequences(&collect(&mut messages, 3).await?)?, [10, 11, 12]);
        Ok(())
    })
}

#[test]
fn a_push_group_shares() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let stream = nine(&js, StorageType::File).await?;
        let config = push::Config {
            durable_name: Some("group".to_owned()),
            deliver_subject: "deliver.here".to_owned(),
            deliver_group: Some("workers".to_owned()),
            deliver_policy: DeliverPolicy::New,
            ..push::Config::default()
        };
        let consumer = push_consumer(&stream, config).await?;
        let (one, two) = (consumer.messages().await?, consumer.messages().await?);
        js.client().flush().await?;
        eventually("a bound consumer", SOON, || async {
            Ok(consumer.get_info().await?.push_bound.then_some(()))
        })
        .await?;
        fill(&js, "con.0", 10..=109).await?;
        let mut both = futures_util::stream::select(one, two);
        let got: BTreeSet<u64> = sequences(&collect(&mut both, 100).await?)?.into_iter().collect();
        assert_eq!(got, (10..=109).collect());
        Ok(())
    })
}

#[test]
fn ordered_consumers_see_each_message_once_and_in_order() -> Outcome {
    on_both(async |js, storage| {
        let stream = nine(&js, storage).await?;
        fill(&js, "con.0", 10..=1_000).await?;
        let config = push::OrderedConfig {
            deliver_subject: js.client().new_inbox(),
            ..push::OrderedConfig::default()
        };
        let mut pushed = push_consumer(&stream, config).await?.messages().await?;
        let expected: Vec<u64> = (1..=1_000).collect();
        assert_eq!(sequences(&collect(&mut pushed, 1_000).await?)?, expected);
        let config = pull::OrderedConfig {
            filter_subject: "con.0".to_owned(),
            ..pull::OrderedConfig::default()
        };
        let mut pulled = stream.create_consumer(config).await?.messages().await?;
        let got = sequences(&collect(&mut pulled, 994).await?)?;
        assert_eq!((got[0], got[1], got[2], got[3]), (3, 6, 9, 10));
        assert!(got.is_sorted());
        Ok(())
    })
}

#[test]
fn headers_only_leaves_the_body_out() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let stream = nine(&js, StorageType::File).await?;
        let mut headers = HeaderMap::new();
        headers.insert("Kind", "test");
        js.publish_with_headers("con.0", headers, "twelve bytes".into())
            .await?
            .await?;
        let deliver_policy = DeliverPolicy::Last;
        let config = pull::Config {
            headers_only: true,
            deliver_policy,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        let message = take(&consumer, 1).await?.pop().ok_or("no message")?;
        let headers = message.headers.as_ref().ok_or("no headers")?;
        assert!(message.payload.is_empty());
        assert_eq!(headers.get("Nats-Msg-Size").map(|v| v.as_str()), Some("12"));
        assert_eq!(headers.get("Kind").map(|v| v.as_str()), Some("test"));
        Ok(())
    })
}
