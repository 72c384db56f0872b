//! Object stores through an independent client, with objects of many chunks.
//! Never looks at the stream below a store.

use async_nats::jetstream::object_store::{Config, ObjectInfo, ObjectMetadata, ObjectStore, UpdateMetadata};
use async_nats::jetstream::stream::StorageType;
use futures_util::{StreamExt, TryStreamExt};
use natterjack_tests::{Noise, Outcome, Server, on_both, run, within};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::AsyncReadExt;

const MIB: usize = 1024 * 1024;
const SOON: Duration = Duration::from_secs(8);

fn config(storage: StorageType) -> Config {
    Config {
        bucket: "objects".to_owned(),
        storage,
        ..Config::default()
    }
}

async fn put(store: &ObjectStore, name: &str, content: &[u8]) -> Outcome<ObjectInfo> {
    Ok(store.put(name, &mut &content[..]).await?)
}

async fn get(store: &ObjectStore, name: &str) -> Outcome<Vec<u8>> {
    let mut content = Vec::new();
    store.get(name).await?.read_to_end(&mut content).await?;
    Ok(content)
}

async fn names(store: &ObjectStore) -> Outcome<BTreeSet<String>> {
    Ok(store.list().await?.map_ok(|info| info.name).try_collect().await?)
}

#[test]
fn five_mebibytes_come_back_as_they_were() -> Outcome {
    on_both(async |js, storage| {
        let store = js.create_object_store(config(storage)).await?;
        let content = Noise::new(5).bytes(5 * MIB);
        let info = put(&store, "large", &content).await?;
        assert_eq!((info.size, info.chunks), (5 * MIB, 40));
        assert!(info.digest.ok_or("no digest")?.starts_with("SHA-256="));
        assert!(get(&store, "large").await? == content, "the content differs");
        Ok(())
    })
}

#[test]
fn objects_are_listed_replaced_and_deleted() -> Outcome {
    on_both(async |js, storage| {
        let store = js.create_object_store(config(storage)).await?;
        assert!(names(&store).await?.is_empty());
        put(&store, "a", b"first").await?;
        put(&store, "b/with spaces and ü", &Noise::new(6).bytes(300_000)).await?;
        put(&store, "empty", b"").await?;
        let all = ["a", "b/with spaces and ü", "empty"].map(ToOwned::to_owned);
        assert_eq!(names(&store).await?, BTreeSet::from(all));
        assert!(get(&store, "empty").await?.is_empty());
        put(&store, "a", b"second").await?;
        assert_eq!(get(&store, "a").await?, b"second");
        store.delete("a").await?;
        assert!(store.get("a").await.is_err());
        assert!(store.info("a").await?.deleted);
        assert_eq!(names(&store).await?.len(), 2);
        assert_eq!(get(&store, "b/with spaces and ü").await?.len(), 300_000);
        Ok(())
    })
}

#[test]
fn metadata_and_links_lead_to_their_object() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let store = js.create_object_store(config(StorageType::File)).await?;
        let named = ObjectMetadata {
            name: "named".to_owned(),
            description: Some("described".to_owned()),
            chunk_size: Some(1_000),
            ..ObjectMetadata::default()
        };
        let info = store.put(named, &mut &[7_u8; 2_500][..]).await?;
        assert_eq!((info.chunks, info.description.as_deref()), (3, Some("described")));
        let object = store.get("named").await?;
        store.add_link("link", object.info()).await?;
        assert_eq!(get(&store, "link").await?, [7_u8; 2_500]);
        let renamed = UpdateMetadata {
            name: "renamed".to_owned(),
            ..UpdateMetadata::default()
        };
        store.update_metadata("named", renamed).await?;
        assert_eq!(get(&store, "renamed").await?.len(), 2_500);
        Ok(())
    })
}

#[test]
fn a_watch_sees_new_objects() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let js = server.jetstream().await?;
        let store = js.create_object_store(config(StorageType::File)).await?;
        let mut watch = store.watch().await?;
        put(&store, "one", b"1").await?;
        put(&store, "two", b"2").await?;
        store.delete("one").await?;
        for (name, deleted) in [("one", false), ("two", false), ("one", true)] {
            let seen = within("an object", SOON, async { Ok(watch.next().await) })
                .await?
                .ok_or("the watch ended")??;
            assert_eq!((seen.name.as_str(), seen.deleted), (name, deleted));
        }
        Ok(())
    })
}

#[test]
fn a_store_outlives_the_process() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let store = server
            .jetstream()
            .await?
            .create_object_store(config(StorageType::File))
            .await?;
        let content = Noise::new(7).bytes(2 * MIB);
        put(&store, "kept", &content).await?;
        server.terminate().await?;
        server.restart().await?;
        let store = server.jetstream().await?.get_object_store("objects").await?;
        assert!(get(&store, "kept").await? == content, "the content differs");
        Ok(())
    })
}
