//! `publish`: one message or several, plain or acknowledged by a stream. Reads its payload from standard input only when
//! the command line has none.

use std::io::{Read, Write};

use clap::Args;
use natterjack_client::JetStream;
use natterjack_client::jetstream::PublishOptions;

use crate::arguments;

/// Arguments of `publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// Subject.
    subject: String,
    /// Payload; standard input if absent.
    body: Option<String>,
    /// Subject for answers.
    #[arg(long, conflicts_with = "jetstream")]
    reply: Option<String>,
    /// Header as `Name:Value`; may be repeated.
    #[arg(short = 'H', long)]
    header: Vec<String>,
    /// How many times.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Wait for the acknowledgement of a stream.
    #[arg(short = 'J', long)]
    jetstream: bool,
    /// Say nothing.
    #[arg(short, long)]
    quiet: bool,
}

/// The payload given, or standard input to its end.
pub(crate) fn payload(given: Option<&str>) -> std::io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    match given {
        Some(text) => payload.extend_from_slice(text.as_bytes()),
        None => drop(std::io::stdin().lock().read_to_end(&mut payload)?),
    }
    Ok(payload)
}

impl Publish {
    pub(crate) async fn run(self, js: &JetStream, out: &mut dyn Write) -> anyhow::Result<()> {
        let payload = payload(self.body.as_deref())?;
        let options = PublishOptions {
            headers: arguments::headers(&self.header)?,
            ..PublishOptions::default()
        };
        for _ in 0..self.count {
            let ack = if self.jetstream {
                Some(js.publish_with(&self.subject, &payload, &options).await?)
            } else {
                self.send(js, &options, &payload).await?;
                None
            };
            match ack {
                _ if self.quiet => {}
                Some(ack) => {
                    let again = if ack.duplicate { " (duplicate)" } else { "" };
                    writeln!(
                        out,
                        "Stored in stream {} at sequence {}{again}",
                        ack.stream, ack.seq
                    )?;
                }
                None => writeln!(out, "Published {} bytes to {:?}", payload.len(), self.subject)?,
            }
        }
        // Without it a refusal by the server would go unnoticed.
        js.client().flush().await?;
        Ok(())
    }

    async fn send(&self, js: &JetStream, options: &PublishOptions, payload: &[u8]) -> anyhow::Result<()> {
        let (client, subject) = (js.client(), &self.subject);
        match &self.reply {
            Some(reply) => {
                client
                    .publish_request_with_headers(subject, reply, &options.headers, payload)
                    .await?;
            }
            None => {
                client
                    .publish_with_headers(subject, &options.headers, payload)
                    .await?
            }
        }
        Ok(())
    }
}
