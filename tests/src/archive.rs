//! A backup of stream `S` over the API, and its way back.
//! Never looks into the archive.

use crate::{Outcome, api, within};
use async_nats::{Client, Subscriber};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::time::Duration;

/// What an archive may take on a busy machine.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(60);
/// Bytes on their way at a time: no bound for what tests take.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// The status of an archive that is whole.
const DONE: u16 = 204;
/// Bytes of a chunk.
const CHUNK_BYTES: usize = 4096;

/// A snapshot under way.
#[derive(Debug)]
pub struct Snapshot {
    /// What the answer says of the stream: what a restore is asked with.
    pub asked: Value,
    chunks: Subscriber,
}

impl Snapshot {
    /// Asks for a snapshot. No more than `window` bytes of it are sent before [`Snapshot::archive`] takes some.
    ///
    /// # Errors
    /// It is refused.
    pub async fn begin(client: &Client, window: usize) -> Outcome<Self> {
        let inbox = client.new_inbox();
        let chunks = client.subscribe(inbox.clone()).await?;
        let request = json!({
            "deliver_subject": inbox,
            "chunk_size": CHUNK_BYTES.min(window),
            "window_size": window,
        });
        let answer = api(client, "STREAM.SNAPSHOT.S", &request.to_string()).await?;
        let asked = json!({"config": answer["config"], "state": answer["state"]});
        Ok(Self { asked, chunks })
    }

    /// Takes all of it.
    ///
    /// # Errors
    /// It does not come in time, or ends with anything but success.
    pub async fn archive(mut self, client: &Client) -> Outcome<Vec<u8>> {
        let mut archive = Vec::new();
        let end = within("the archive", ARCHIVE_LIMIT, async {
            while let Some(chunk) = self.chunks.next().await {
                if chunk.payload.is_empty() {
                    return Ok(chunk.status);
                }
                archive.extend_from_slice(&chunk.payload);
                if let Some(ack) = chunk.reply {
                    client.publish(ack, "".into()).await?;
                }
            }
            Ok(None)
        })
        .await?;
        match end {
            Some(status) if status.as_u16() != DONE => Err(format!("it ended with {status}").into()),
            _ => Ok(archive),
        }
    }
}

/// Takes a snapshot: what the answer says of the stream, and the archive.
///
/// # Errors
/// It is refused, or does not come in time.
pub async fn snapshot(client: &Client) -> Outcome<(Value, Vec<u8>)> {
    let begun = Snapshot::begin(client, WINDOW_BYTES).await?;
    Ok((begun.asked.clone(), begun.archive(client).await?))
}

/// Sends an archive in chunks and returns the last answer.
///
/// # Errors
/// The stream may not be restored, or a chunk is refused.
pub async fn restore(client: &Client, asked: &Value, archive: &[u8]) -> Outcome<Value> {
    let answer = api(client, "STREAM.RESTORE.S", &asked.to_string()).await?;
    let to = answer["deliver_subject"]
        .as_str()
        .ok_or_else(|| format!("nowhere to send chunks: {answer}"))?;
    for chunk in archive.chunks(CHUNK_BYTES) {
        let taken = client.request(to.to_owned(), chunk.to_vec().into()).await?;
        assert!(taken.payload.is_empty(), "a chunk is taken without a word");
    }
    let done = client.request(to.to_owned(), "".into()).await?;
    Ok(serde_json::from_slice(&done.payload)?)
}
