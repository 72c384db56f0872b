//! What the `jetstream` block says is to be seen where operators look. Holds against nats-server 2.15.1 as it does here.

use natterjack_tests::{Outcome, Server, api, run};
use serde_json::{Value, json};

async fn page(server: &Server, path: &str) -> Outcome<Value> {
    let page = server.page(path).await?;
    let (_, body) = page.split_once("\r\n\r\n").ok_or("no body")?;
    Ok(serde_json::from_str(body)?)
}

#[test]
fn the_configuration_is_on_the_pages() -> Outcome {
    run(async {
        let text = "http: \"127.0.0.1:-1\"\njetstream { max_mem: 1MB, max_file: 2MB, domain: hub, unique_tag: \"az:\", strict: false, sync: \"9s\" }\n";
        let server = Server::with_config(text).await?;
        let mut config = page(&server, "/varz").await?["jetstream"]["config"].take();
        assert_eq!(config, page(&server, "/jsz").await?["config"]);
        config
            .as_object_mut()
            .ok_or("no configuration")?
            .remove("store_dir");
        let wanted = json!({
            "max_memory": 1024 * 1024, "max_storage": 2 * 1024 * 1024, "sync_interval": 9_000_000_000_u64,
            "domain": "hub", "compress_ok": true, "unique_tag": "az:",
        });
        assert_eq!(config, wanted);
        assert!(!server.log()?.contains("Strict:"));
        Ok(())
    })
}

#[test]
fn consumers_are_listed_where_there_are_any() -> Outcome {
    run(async {
        let server = Server::with_config("http: \"127.0.0.1:-1\"\n").await?;
        let client = server.client().await?;
        for name in ["WITH", "WITHOUT"] {
            api(
                &client,
                &format!("STREAM.CREATE.{name}"),
                &format!("{{\"name\":\"{name}\"}}"),
            )
            .await?;
        }
        let consumer = "{\"stream_name\":\"WITH\",\"config\":{\"durable_name\":\"c\"}}";
        api(&client, "CONSUMER.DURABLE.CREATE.WITH.c", consumer).await?;
        let page = page(&server, "/jsz?consumers=1").await?;
        let streams = page["account_details"][0]["stream_detail"].as_array();
        for stream in streams.ok_or("no streams")? {
            let consumer = &stream["consumer_detail"][0];
            assert_eq!(consumer["name"] == "c", stream["name"] == "WITH", "{stream}");
            assert!(
                consumer["cluster"].is_null() && stream["consumer_detail"] != json!([]),
                "{stream}"
            );
        }
        Ok(())
    })
}
