//! The page for Prometheus on the real binary: what the store does and takes is on it, and its figures agree with each other.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use natterjack_tests::{Outcome, Server, eventually, is_original};

const MESSAGES: usize = 200;
const LIMIT: Duration = Duration::from_secs(60);

/// The value of a figure, labels and all.
fn value(page: &str, name: &str) -> Outcome<f64> {
    let name = format!("natterjack_{name} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    let text = line.ok_or_else(|| format!("no {name}in {page}"))?;
    Ok(text.parse()?)
}

/// Values of the lines that begin with `start`, in order.
fn values(page: &str, start: &str) -> Outcome<Vec<f64>> {
    let lines = page.lines().filter(|line| line.starts_with(start));
    let texts = lines.map(|line| line.rsplit(' ').next().unwrap_or_default());
    texts.map(|text| Ok(text.parse()?)).collect()
}

#[tokio::test]
async fn the_page_says_what_the_store_does_and_takes() -> Outcome {
    if is_original().await? {
        return Ok(());
    }
    let mut server = Server::with_config("http_port: -1\n").await?;
    let context = server.jetstream().await?;
    let config = Config {
        name: "S".into(),
        subjects: vec!["s.>".into()],
        ..Config::default()
    };
    context.create_stream(config).await?;
    for n in 0..MESSAGES {
        let subject = format!("s.{n}");
        context.publish(subject, vec![7; 100].into()).await?.await?;
    }
    let said = server.page("/metrics").await?;
    // Each was acknowledged before the next was sent.
    let syncs = value(&said, "journal_syncs_total")?;
    assert!(syncs >= MESSAGES as f64, "{said}");
    let buckets = values(&said, "natterjack_journal_sync_seconds_bucket")?;
    assert!(buckets.is_sorted() && buckets.len() > 10, "{said}");
    assert_eq!(buckets.last(), Some(&syncs));
    assert_eq!(
        value(&said, "journal_sync_seconds_count")?.total_cmp(&syncs),
        std::cmp::Ordering::Equal
    );
    assert!(value(&said, "journal_sync_seconds_sum")? > 0.0);
    assert!(value(&said, "journal_files")? >= 1.0);
    assert!(value(&said, "journal_bytes_total")? >= 100.0 * MESSAGES as f64);
    let (used, budget) = (
        value(&said, "memory_budget_used_bytes")?,
        value(&said, "memory_budget_bytes")?,
    );
    assert!(0.0 < used && used < budget, "{said}");
    // Messages go to a segment when nothing comes for a while.
    eventually("messages in segments", LIMIT, || async {
        let said = server.page("/metrics").await?;
        let drained = value(&said, "store_drained_bytes_total")? >= 100.0 * MESSAGES as f64;
        let _counted = value(&said, "store_checkpoints_total")?;
        Ok(drained.then_some(()))
    })
    .await?;
    assert!(server.terminate().await?.success());
    Ok(())
}
