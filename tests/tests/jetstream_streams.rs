//! Streams: create, look up, change, list, purge, delete, and the reading of single messages.
//! Never uses a consumer.

use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType};
use futures_util::TryStreamExt;
use natterjack_tests::{Outcome, Refusal, Server, api, fill, on_both, run};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn named(name: &str, subject: &str, storage: StorageType) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage,
        ..Config::default()
    }
}

#[test]
fn a_stream_is_created_changed_and_deleted() -> Outcome {
    on_both(async |js, storage| {
        let stream = js.create_stream(named("ORDERS", "orders.>", storage)).await?;
        assert_eq!(stream.cached_info().config.storage, storage);
        assert_eq!(
            stream.cached_info().config.duplicate_window,
            Duration::from_secs(120)
        );
        fill(&js, "orders.eu", 1..=3).await?;
        let changed = Config {
            description: Some("changed".to_owned()),
            max_messages: 10,
            subjects: vec!["orders.>".to_owned(), "returns.>".to_owned()],
            ..stream.cached_info().config.clone()
        };
        let info = js.update_stream(changed).await?;
        assert_eq!((info.config.max_messages, info.state.messages), (10, 3));
        fill(&js, "returns.eu", 4..=4).await?;
        let info = js.get_stream("ORDERS").await?.get_info().await?;
        assert_eq!(info.config.description.as_deref(), Some("changed"));
        assert_eq!(
            (
                info.state.messages,
                info.state.last_sequence,
                info.state.subjects_count
            ),
            (4, 4, 2)
        );
        assert!(js.delete_stream("ORDERS").await?.success);
        assert!(js.get_stream("ORDERS").await.is_err());
        Ok(())
    })
}

#[test]
fn creating_again_is_fine_when_equal_and_refused_when_not() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        js.create_stream(named("SAME", "same", StorageType::File)).await?;
        js.create_stream(named("SAME", "same", StorageType::File)).await?;
        let client = js.client();
        let other = api(
            &client,
            "STREAM.CREATE.SAME",
            r#"{"name":"SAME","subjects":["other"]}"#,
        )
        .await?;
        let refusal = Refusal::read(&other).ok_or("accepted")?;
        assert_eq!((refusal.code, refusal.err_code), (400, 10058));
        assert_eq!(
            refusal.description,
            "stream name already in use with a different configuration"
        );
        let overlap = api(
            &client,
            "STREAM.CREATE.OVER",
            r#"{"name":"OVER","subjects":["sam*","*"]}"#,
        )
        .await?;
        assert_eq!(Refusal::read(&overlap).map(|r| r.err_code), Some(10052));
        let overlap = api(
            &client,
            "STREAM.CREATE.OVER",
            r#"{"name":"OVER","subjects":["*"]}"#,
        )
        .await?;
        let refusal = Refusal::read(&overlap).ok_or("accepted")?;
        assert_eq!(
            (refusal.err_code, refusal.description.as_str()),
            (10065, "subjects overlap with an existing stream")
        );
        Ok(())
    })
}

#[test]
fn impossible_configurations_are_refused_with_their_numbers() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        for (subject, request, err_code) in [
            ("STREAM.CREATE.A", r#"{"name":"B"}"#, 10056),
            ("STREAM.CREATE.A", r#"{"name":"A","num_replicas":3}"#, 10074),
            ("STREAM.CREATE.A", r#"{"name":"A","subjects":["a..b"]}"#, 10052),
            ("STREAM.INFO.NOPE", "", 10059),
            ("STREAM.DELETE.NOPE", "", 10059),
            ("STREAM.UPDATE.NOPE", r#"{"name":"NOPE"}"#, 10059),
            ("STREAM.PURGE.NOPE", "", 10059),
            ("CONSUMER.INFO.NOPE.NOPE", "", 10059),
        ] {
            let answer = api(&client, subject, request).await?;
            assert_eq!(
                Refusal::read(&answer).map(|r| r.err_code),
                Some(err_code),
                "{subject} {request}: {answer}"
            );
        }
        Ok(())
    })
}

#[test]
fn streams_are_listed_in_full() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let names: BTreeSet<String> = (0..40).map(|n| format!("S{n:02}")).collect();
        for name in &names {
            js.create_stream(named(name, &format!("list.{name}"), StorageType::Memory))
                .await?;
        }
        assert_eq!(js.stream_names().try_collect::<BTreeSet<_>>().await?, names);
        let listed: BTreeSet<String> = js.streams().map_ok(|info| info.config.name).try_collect().await?;
        assert_eq!(listed, names);
        assert_eq!(js.stream_by_subject("list.S17").await?, "S17");
        assert_eq!(js.query_account().await?.streams, 40);
        Ok(())
    })
}

#[test]
fn single_messages_are_read_by_sequence_and_subject() -> Outcome {
    on_both(async |js, storage| {
        let config = Config {
            allow_direct: true,
            ..named("READ", "read.*", storage)
        };
        let stream = js.create_stream(config).await?;
        for n in 1..=9_u64 {
            fill(&js, &format!("read.{}", n % 3), n..=n).await?;
        }
        let message = stream.get_raw_message(4).await?;
        assert_eq!(
            (
                message.subject.as_str(),
                message.payload.as_ref(),
                message.sequence
            ),
            ("read.1", b"4".as_ref(), 4)
        );
        assert_eq!(
            stream.get_last_raw_message_by_subject("read.0").await?.sequence,
            9
        );
        assert_eq!(stream.direct_get(5).await?.payload, b"5".as_ref());
        assert_eq!(stream.direct_get_last_for_subject("read.1").await?.sequence, 7);
        assert_eq!(
            stream
                .direct_get_next_for_subject("read.1", Some(2))
                .await?
                .sequence,
            4
        );
        let missing = stream.get_last_raw_message_by_subject("read.9").await;
        assert_eq!(
            missing.map_err(|e| e.kind()).err(),
            Some(LastRawMessageErrorKind::NoMessageFound)
        );
        assert!(stream.direct_get(10).await.is_err());
        let per_subject: BTreeMap<_, _> = stream.info_with_subjects("read.>").await?.try_collect().await?;
        assert_eq!(per_subject, (0..3).map(|n| (format!("read.{n}"), 3)).collect());
        Ok(())
    })
}

#[test]
fn a_deleted_message_leaves_a_gap() -> Outcome {
    on_both(async |js, storage| {
        let stream = js.create_stream(named("GAP", "gap", storage)).await?;
        fill(&js, "gap", 1..=5).await?;
        assert!(stream.delete_message(3).await?);
        assert!(stream.delete_message(1).await?);
        assert!(stream.delete_message(3).await.is_err());
        assert!(stream.get_raw_message(3).await.is_err());
        let state = stream.get_info().await?.state;
        assert_eq!(
            (state.messages, state.first_sequence, state.last_sequence),
            (3, 2, 5)
        );
        assert_eq!(state.deleted_count, Some(1));
        Ok(())
    })
}

#[test]
fn purge_takes_all_or_a_part() -> Outcome {
    on_both(async |js, storage| {
        let stream = js.create_stream(named("PURGE", "purge.*", storage)).await?;
        fill(&js, "purge.a", 1..=10).await?;
        fill(&js, "purge.b", 11..=20).await?;
        assert_eq!(stream.purge().filter("purge.a").keep(2).await?.purged, 8);
        assert_eq!(stream.purge().sequence(13).await?.purged, 4);
        let state = stream.get_info().await?.state;
        assert_eq!(
            (state.messages, state.first_sequence, state.last_sequence),
            (8, 13, 20)
        );
        assert_eq!(stream.purge().await?.purged, 8);
        let state = stream.get_info().await?.state;
        assert_eq!(
            (state.messages, state.first_sequence, state.last_sequence),
            (0, 21, 20)
        );
        fill(&js, "purge.a", 21..=21).await?;
        assert_eq!(stream.get_raw_message(21).await?.payload, b"21".as_ref());
        Ok(())
    })
}

#[test]
fn sealed_and_protected_streams_keep_their_messages() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let guarded = Config {
            deny_delete: true,
            deny_purge: true,
            ..named("GUARD", "guard", StorageType::File)
        };
        let stream = js.create_stream(guarded).await?;
        fill(&js, "guard", 1..=2).await?;
        assert!(stream.delete_message(1).await.is_err());
        assert!(stream.purge().await.is_err());
        let open = js.create_stream(named("SEAL", "seal", StorageType::File)).await?;
        fill(&js, "seal", 1..=2).await?;
        let config = Config {
            sealed: true,
            discard: DiscardPolicy::New,
            ..open.cached_info().config.clone()
        };
        assert!(js.update_stream(config).await?.config.sealed);
        assert!(js.publish("seal", "3".into()).await?.await.is_err());
        assert_eq!(
            stream.get_info().await?.state.messages + open.get_info().await?.state.messages,
            4
        );
        Ok(())
    })
}
