//! `request` and `reply`: both ends of a question. Runs no program to make an answer.

use std::io::Write;

use clap::Args;
use natterjack_client::Client;

use crate::arguments;
use crate::publish::payload;

/// Arguments of `request`.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Subject.
    subject: String,
    /// Payload; standard input if absent.
    body: Option<String>,
    /// Header as `Name:Value`; may be repeated.
    #[arg(short = 'H', long)]
    header: Vec<String>,
    /// Payloads only.
    #[arg(short, long)]
    raw: bool,
    /// How many times.
    #[arg(long, default_value_t = 1)]
    count: u64,
}

impl Request {
    pub(crate) async fn run(self, client: &Client, out: &mut dyn Write) -> anyhow::Result<()> {
        let (headers, payload) = (arguments::headers(&self.header)?, payload(self.body.as_deref())?);
        for _ in 0..self.count {
            let answer = client
                .request_with_headers(&self.subject, &headers, &payload)
                .await?;
            arguments::show(&answer, self.raw, out)?;
        }
        Ok(())
    }
}

/// Arguments of `reply`.
#[derive(Debug, Args)]
pub(crate) struct Reply {
    /// Subject; may have wildcards.
    subject: String,
    /// Answer.
    #[arg(required_unless_present = "echo")]
    body: Option<String>,
    /// Answer with what was asked.
    #[arg(long, conflicts_with = "body")]
    echo: bool,
    /// Queue group.
    #[arg(short, long, default_value = "NATS-RPLY-22")]
    queue: String,
    /// End after so many answers.
    #[arg(long)]
    count: Option<u64>,
}

impl Reply {
    pub(crate) async fn run(self, client: &Client, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut questions = client.queue_subscribe(&self.subject, &self.queue).await?;
        client.flush().await?;
        writeln!(out, "Listening on {:?} in group {:?}", self.subject, self.queue)?;
        out.flush()?;
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let Some(question) = questions.next().await else {
                anyhow::bail!("the connection is closed");
            };
            arguments::show(&question, false, out)?;
            out.flush()?;
            let Some(to) = question.reply() else {
                continue;
            };
            match &self.body {
                Some(body) => client.publish(&to, body).await?,
                None => client.publish(&to, question.payload()).await?,
            }
            left -= 1;
        }
        Ok(())
    }
}
