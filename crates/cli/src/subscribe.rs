//! `subscribe`: prints messages as they come. Acknowledges nothing.

use std::io::Write;

use clap::Args;
use natterjack_client::Client;

use crate::arguments;

/// Arguments of `subscribe`.
#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    /// Subject; may have wildcards.
    subject: String,
    /// Queue group.
    #[arg(long)]
    queue: Option<String>,
    /// Payloads only.
    #[arg(short, long)]
    raw: bool,
    /// End after so many messages.
    #[arg(long)]
    count: Option<u64>,
}

impl Subscribe {
    pub(crate) async fn run(self, client: &Client, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut messages = match &self.queue {
            Some(queue) => client.queue_subscribe(&self.subject, queue).await?,
            None => client.subscribe(&self.subject).await?,
        };
        if let Some(count) = self.count {
            messages.unsubscribe_after(count);
        }
        client.flush().await?;
        if !self.raw {
            writeln!(out, "Subscribed to {:?}", self.subject)?;
            out.flush()?;
        }
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let message = match messages.try_next() {
                Some(message) => message,
                None => {
                    out.flush()?;
                    let Some(message) = messages.next().await else {
                        break;
                    };
                    message
                }
            };
            arguments::show(&message, self.raw, out)?;
            left -= 1;
        }
        if messages.dropped() > 0 {
            anyhow::bail!("{} messages were dropped", messages.dropped());
        }
        if left > 0 {
            anyhow::bail!("the connection is closed");
        }
        Ok(())
    }
}
