//! Key-value buckets through an independent client.
//! Never looks at the stream below a bucket, except where its name is the point.

use async_nats::jetstream::kv::{Config, CreateErrorKind, Entry, Operation, Store, UpdateErrorKind};
use async_nats::jetstream::stream::StorageType;
use futures_util::{Stream, StreamExt, TryStreamExt};
use natterjack_tests::{Outcome, Server, eventually, on_both, run, within};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);

fn bucket(storage: StorageType) -> Config {
    Config {
        bucket: "box".to_owned(),
        history: 5,
        storage,
        ..Config::default()
    }
}

async fn get(store: &Store, key: &str) -> Outcome<Option<String>> {
    let value = store.get(key).await?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

/// Key, operation and value of the next entry of a watch.
async fn next<S, E>(watch: &mut S) -> Outcome<(String, Operation, String)>
where
    S: Stream<Item = Result<Entry, E>> + Unpin,
    E: std::error::Error + Send + Sync + Debug + 'static,
{
    let entry = within("an entry", SOON, async { Ok(watch.next().await) })
        .await?
        .ok_or("the watch ended")??;
    Ok((
        entry.key,
        entry.operation,
        String::from_utf8_lossy(&entry.value).into_owned(),
    ))
}

#[test]
fn put_get_and_delete() -> Outcome {
    on_both(async |js, storage| {
        let store = js.create_key_value(bucket(storage)).await?;
        assert_eq!(get(&store, "a").await?, None);
        assert_eq!(store.put("a", "1".into()).await?, 1);
        assert_eq!(store.put("a", "2".into()).await?, 2);
        assert_eq!(store.put("deep.er/key=x", "3".into()).await?, 3);
        assert_eq!(get(&store, "a").await?.as_deref(), Some("2"));
        assert_eq!(get(&store, "deep.er/key=x").await?.as_deref(), Some("3"));
        let old = store
            .entry_for_revision("a", 1)
            .await?
            .ok_or("no first revision")?;
        assert_eq!((old.revision, old.value.as_ref()), (1, b"1".as_ref()));
        store.delete("a").await?;
        assert_eq!(get(&store, "a").await?, None);
        let entry = store.entry("a").await?.ok_or("no entry")?;
        assert_eq!((entry.operation, entry.revision), (Operation::Delete, 4));
        assert_eq!(store.put("a", "5".into()).await?, 5);
        assert_eq!(js.get_key_value("box").await?.status().await?.values(), 5);
        js.delete_key_value("box").await?;
        assert!(js.get_key_value("box").await.is_err());
        Ok(())
    })
}

#[test]
fn create_and_update_check_the_revision() -> Outcome {
    on_both(async |js, storage| {
        let store = js.create_key_value(bucket(storage)).await?;
        assert_eq!(store.create("lock", "one".into()).await?, 1);
        let taken = store.create("lock", "two".into()).await;
        assert_eq!(
            taken.map_err(|e| e.kind()).err(),
            Some(CreateErrorKind::AlreadyExists)
        );
        assert_eq!(store.update("lock", "three".into(), 1).await?, 2);
        let wrong = store.update("lock", "four".into(), 1).await;
        assert_eq!(
            wrong.map_err(|e| e.kind()).err(),
            Some(UpdateErrorKind::WrongLastRevision)
        );
        assert_eq!(get(&store, "lock").await?.as_deref(), Some("three"));
        assert!(store.delete_expect_revision("lock", Some(1)).await.is_err());
        store.delete_expect_revision("lock", Some(2)).await?;
        assert_eq!(store.create("lock", "again".into()).await?, 4);
        Ok(())
    })
}

#[test]
fn only_one_of_many_wins_a_key() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let store = js.create_key_value(bucket(StorageType::File)).await?;
        for round in 0..20 {
            let key = format!("lock.{round}");
            let tries = (0..8).map(|n| store.create(key.clone(), n.to_string().into()));
            let won = futures_util::future::join_all(tries)
                .await
                .into_iter()
                .filter(Result::is_ok)
                .count();
            assert_eq!(won, 1, "round {round}");
        }
        Ok(())
    })
}

#[test]
fn history_keeps_the_last_revisions() -> Outcome {
    on_both(async |js, storage| {
        let store = js
            .create_key_value(Config {
                history: 3,
                ..bucket(storage)
            })
            .await?;
        for n in 1..=6 {
            store.put("a", n.to_string().into()).await?;
            store.put("b", n.to_string().into()).await?;
        }
        store.delete("a").await?;
        let history: Vec<Entry> = store.history("a").await?.try_collect().await?;
        let seen: Vec<_> = history.iter().map(|e| (e.value.as_ref(), e.operation)).collect();
        let put = Operation::Put;
        assert_eq!(
            seen,
            [
                (b"5".as_ref(), put),
                (b"6".as_ref(), put),
                (b"".as_ref(), Operation::Delete)
            ]
        );
        assert_eq!(store.history("b").await?.try_collect::<Vec<_>>().await?.len(), 3);
        Ok(())
    })
}

#[test]
fn purge_leaves_only_a_marker() -> Outcome {
    on_both(async |js, storage| {
        let store = js.create_key_value(bucket(storage)).await?;
        for n in 1..=3 {
            store.put("a", n.to_string().into()).await?;
            store.put("b", n.to_string().into()).await?;
        }
        store.purge("a").await?;
        assert_eq!(get(&store, "a").await?, None);
        let history: Vec<Entry> = store.history("a").await?.try_collect().await?;
        assert_eq!(
            history.iter().map(|e| e.operation).collect::<Vec<_>>(),
            [Operation::Purge]
        );
        assert_eq!(store.history("b").await?.try_collect::<Vec<_>>().await?.len(), 3);
        assert!(store.purge_expect_revision("b", Some(1)).await.is_err());
        assert_eq!(get(&store, "b").await?.as_deref(), Some("3"));
        Ok(())
    })
}

#[test]
fn a_watch_sees_each_change() -> Outcome {
    on_both(async |js, storage| {
        let store = js.create_key_value(bucket(storage)).await?;
        store.put("before", "0".into()).await?;
        let mut all = store.watch_with_history(">").await?;
        let mut some = store.watch("a.*").await?;
        assert_eq!(
            next(&mut all).await?,
            ("before".to_owned(), Operation::Put, "0".to_owned())
        );
        store.put("a.x", "1".into()).await?;
        store.put("b.x", "2".into()).await?;
        store.delete("a.x").await?;
        store.purge("b.x").await?;
        let change = |key: &str, operation, value: &str| (key.to_owned(), operation, value.to_owned());
        for expected in [
            change("a.x", Operation::Put, "1"),
            change("b.x", Operation::Put, "2"),
            change("a.x", Operation::Delete, ""),
            change("b.x", Operation::Purge, ""),
        ] {
            assert_eq!(next(&mut all).await?, expected);
        }
        assert_eq!(next(&mut some).await?, change("a.x", Operation::Put, "1"));
        assert_eq!(next(&mut some).await?, change("a.x", Operation::Delete, ""));
        Ok(())
    })
}

#[test]
fn keys_are_those_with_a_value() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let store = js.create_key_value(bucket(StorageType::File)).await?;
        for n in 0..50 {
            store.put(format!("key.{n}"), "x".into()).await?;
        }
        store.delete("key.7").await?;
        store.purge("key.8").await?;
        let keys: BTreeSet<String> = store.keys().await?.try_collect().await?;
        assert_eq!(
            keys,
            (0..50)
                .filter(|n| ![7, 8].contains(n))
                .map(|n| format!("key.{n}"))
                .collect()
        );
        Ok(())
    })
}

#[test]
fn values_expire_with_their_bucket() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let max_age = Duration::from_millis(500);
        let store = js
            .create_key_value(Config {
                max_age,
                ..bucket(StorageType::File)
            })
            .await?;
        store.put("short", "1".into()).await?;
        assert_eq!(get(&store, "short").await?.as_deref(), Some("1"));
        eventually("expiry", SOON, || async {
            Ok(get(&store, "short").await?.is_none().then_some(()))
        })
        .await
    })
}

#[test]
fn a_bucket_outlives_the_process() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let store = server
            .jetstream()
            .await?
            .create_key_value(bucket(StorageType::File))
            .await?;
        for n in 1..=20 {
            store.put(format!("key.{}", n % 4), n.to_string().into()).await?;
        }
        store.delete("key.3").await?;
        server.terminate().await?;
        server.restart().await?;
        let store = server.jetstream().await?.get_key_value("box").await?;
        assert_eq!(get(&store, "key.0").await?.as_deref(), Some("20"));
        assert_eq!(get(&store, "key.3").await?, None);
        assert_eq!(
            store.history("key.1").await?.try_collect::<Vec<_>>().await?.len(),
            5
        );
        assert_eq!(store.put("key.0", "22".into()).await?, 22);
        Ok(())
    })
}
