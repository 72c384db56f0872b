//! A backup of stream `S` over the API, and its way back.
//! Never looks into the archive.

use crate::{Outcome, api, within};
use async_nats::Client;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::time::Duration;

/// What an archive may take on a busy machine.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a chunk.
const CHUNK_BYTES: usize = 4096;

/// Takes a snapshot: what the answer says of the stream, and the archive.
///
/// # Errors
/// It is refused, or does not come in time.
pub async fn snapshot(client: &Client) -> Outcome<(Value, Vec<u8>)> {
    let inbox = client.new_inbox();
    let mut chunks = client.subscribe(inbox.clone()).await?;
    let request = json!({"deliver_subject": inbox, "chunk_size": CHUNK_BYTES}).to_string();
    let answer = api(client, "STREAM.SNAPSHOT.S", &request).await?;
    let mut archive = Vec::new();
    within("the archive", ARCHIVE_LIMIT, async {
        while let Some(chunk) = chunks.next().await.filter(|chunk| !chunk.payload.is_empty()) {
            archive.extend_from_slice(&chunk.payload);
            if let Some(ack) = chunk.reply {
                client.publish(ack, "".into()).await?;
            }
        }
        Ok(())
    })
    .await?;
    let asked = json!({"config": answer["config"], "state": answer["state"]});
    Ok((asked, archive))
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
