//! `consumer`: make, list, show and delete consumers, and take messages from them. Asks no questions: what cannot be
//! undone wants `--force`.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use natterjack_client::JetStream;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy, ReplayPolicy};
use natterjack_jsapi::{GoTime, Nanos, json};

use crate::arguments;

/// Commands about consumers.
#[derive(Debug, Subcommand)]
pub(crate) enum Consumer {
    /// Make a consumer.
    #[command(visible_aliases = ["create", "new"])]
    Add(Box<Add>),
    /// List consumers.
    #[command(visible_alias = "list")]
    Ls {
        /// Stream.
        stream: String,
        /// Names only.
        #[arg(short, long)]
        names: bool,
    },
    /// Show a consumer.
    #[command(visible_alias = "nfo")]
    Info {
        /// Stream.
        stream: String,
        /// Consumer.
        consumer: String,
        /// As JSON.
        #[arg(short, long)]
        json: bool,
    },
    /// Delete a consumer.
    #[command(visible_aliases = ["delete", "del"])]
    Rm {
        /// Stream.
        stream: String,
        /// Consumer.
        consumer: String,
        /// Yes, really.
        #[arg(short, long)]
        force: bool,
    },
    /// Take messages from a pull consumer.
    Next(Next),
}

/// Arguments of `consumer add`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Add {
    /// Stream.
    stream: String,
    /// Name; durable unless `--ephemeral`.
    consumer: String,
    /// Forget the consumer when nobody uses it.
    #[arg(long)]
    ephemeral: bool,
    /// Deliver by pull.
    #[arg(long, conflicts_with = "target")]
    pull: bool,
    /// Deliver by push to this subject.
    #[arg(long, default_value = "")]
    target: String,
    /// Queue group of a push consumer.
    #[arg(long, default_value = "", requires = "target")]
    deliver_group: String,
    /// `all`, `new`, `last`, `subject`, a sequence, or a time back such as `1h`.
    #[arg(long, default_value = "all")]
    deliver: String,
    /// `none`, `all` or `explicit`.
    #[arg(long, default_value = "explicit", value_parser = arguments::ack)]
    ack: AckPolicy,
    /// `instant` or `original`.
    #[arg(long, default_value = "instant", value_parser = arguments::replay)]
    replay: ReplayPolicy,
    /// Only these subjects; may be repeated.
    #[arg(long)]
    filter: Vec<String>,
    /// How long an acknowledgement may take.
    #[arg(long, default_value = "0", value_parser = arguments::nanos)]
    wait: Nanos,
    /// Most deliveries of a message.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_deliver: i64,
    /// Most unacknowledged messages.
    #[arg(long, default_value_t = 0)]
    max_pending: i64,
    /// Heartbeat of a push consumer.
    #[arg(long, default_value = "0", value_parser = arguments::nanos, requires = "target")]
    heartbeat: Nanos,
    /// Flow control of a push consumer.
    #[arg(long, requires = "target")]
    flow_control: bool,
    /// Show the result as JSON.
    #[arg(short, long)]
    json: bool,
}

/// Arguments of `consumer next`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Next {
    /// Stream.
    stream: String,
    /// Consumer.
    consumer: String,
    /// How many messages.
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Longest wait.
    #[arg(long, default_value = "5s", value_parser = arguments::duration)]
    wait: Duration,
    /// Payloads only.
    #[arg(short, long)]
    raw: bool,
    /// Do not acknowledge.
    #[arg(long, conflicts_with_all = ["nak", "term"])]
    no_ack: bool,
    /// Ask for another delivery instead.
    #[arg(long, conflicts_with = "term")]
    nak: bool,
    /// Refuse further deliveries instead.
    #[arg(long)]
    term: bool,
}

impl Add {
    /// The configuration; `now_ns` is what times back count from.
    fn config(&self, now_ns: i64) -> anyhow::Result<ConsumerConfig> {
        if !self.pull && self.target.is_empty() {
            bail!("say how to deliver: --pull, or --target SUBJECT");
        }
        let mut config = ConsumerConfig {
            name: self.consumer.clone(),
            durable_name: if self.ephemeral {
                String::new()
            } else {
                self.consumer.clone()
            },
            ack_policy: self.ack,
            ack_wait: self.wait,
            max_deliver: self.max_deliver,
            replay_policy: self.replay,
            max_ack_pending: self.max_pending,
            flow_control: self.flow_control,
            deliver_subject: self.target.clone(),
            deliver_group: self.deliver_group.clone(),
            idle_heartbeat: self.heartbeat,
            ..ConsumerConfig::default()
        };
        match self.filter.as_slice() {
            [] => {}
            [one] => config.filter_subject.clone_from(one),
            several => config.filter_subjects = several.to_vec(),
        }
        config.deliver_policy = match self.deliver.as_str() {
            "all" => DeliverPolicy::All,
            "new" => DeliverPolicy::New,
            "last" => DeliverPolicy::Last,
            "subject" => DeliverPolicy::LastPerSubject,
            other => {
                if let Ok(seq) = other.parse() {
                    config.opt_start_seq = seq;
                    DeliverPolicy::ByStartSequence
                } else if let Ok(back) = arguments::nanos(other) {
                    config.opt_start_time = Some(GoTime(now_ns.saturating_sub(back.0)));
                    DeliverPolicy::ByStartTime
                } else {
                    bail!("--deliver is all, new, last, subject, a sequence or a duration, not {other:?}");
                }
            }
        };
        Ok(config)
    }
}

fn now_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

fn show(info: &ConsumerInfo, as_json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if as_json {
        out.write_all(&json::to_vec(info))?;
        return writeln!(out);
    }
    let config = &info.config;
    writeln!(out, "Consumer {} > {}", info.stream_name, info.name)?;
    match config.deliver_subject.as_str() {
        "" => writeln!(out, "  Mode:         pull")?,
        target => writeln!(out, "  Mode:         push to {target}")?,
    }
    writeln!(out, "  Deliver:      {}", config.deliver_policy.as_str())?;
    writeln!(out, "  Ack:          {}", config.ack_policy.as_str())?;
    writeln!(out, "  Replay:       {}", config.replay_policy.as_str())?;
    writeln!(
        out,
        "  Delivered:    {} (stream {})",
        info.delivered.consumer_seq, info.delivered.stream_seq
    )?;
    writeln!(
        out,
        "  Ack floor:    {} (stream {})",
        info.ack_floor.consumer_seq, info.ack_floor.stream_seq
    )?;
    writeln!(out, "  Ack pending:  {}", info.num_ack_pending)?;
    writeln!(out, "  Redelivered:  {}", info.num_redelivered)?;
    writeln!(out, "  Undelivered:  {}", info.num_pending)
}

impl Consumer {
    pub(crate) async fn run(self, js: &JetStream, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => {
                let info = js.create_consumer(&add.stream, &add.config(now_ns())?).await?;
                show(&info, add.json, out)?;
            }
            Self::Ls { stream, names } => {
                let mut consumers = js.consumer_names(&stream).await?;
                consumers.sort_unstable();
                for consumer in consumers {
                    if names {
                        writeln!(out, "{consumer}")?;
                        continue;
                    }
                    let info = js.consumer_info(&stream, &consumer).await?;
                    let (waiting, unacked) = (info.num_pending, info.num_ack_pending);
                    writeln!(
                        out,
                        "{consumer:<32} {waiting:>10} undelivered {unacked:>8} unacknowledged"
                    )?;
                }
            }
            Self::Info {
                stream,
                consumer,
                json,
            } => show(&js.consumer_info(&stream, &consumer).await?, json, out)?,
            Self::Rm {
                stream,
                consumer,
                force,
            } => {
                arguments::confirmed(force, &format!("delete consumer {stream} > {consumer}"))?;
                js.delete_consumer(&stream, &consumer).await?;
            }
            Self::Next(next) => next.run(js, out).await?,
        }
        Ok(())
    }
}

impl Next {
    async fn run(self, js: &JetStream, out: &mut dyn Write) -> anyhow::Result<()> {
        let deliveries = js
            .pull_consumer(&self.stream, &self.consumer)?
            .fetch(self.count, self.wait)
            .await?;
        if deliveries.is_empty() {
            bail!("no messages within {:?}", self.wait);
        }
        for delivery in &deliveries {
            if !self.raw {
                let info = delivery.info()?;
                writeln!(
                    out,
                    "stream sequence {}, delivery {}, {} behind it",
                    info.stream_seq, info.delivered, info.pending
                )?;
            }
            arguments::show(delivery.message(), self.raw, out)?;
            if self.nak {
                delivery.nak(None).await?;
            } else if self.term {
                delivery.term(None).await?;
            } else if !self.no_ack {
                delivery.ack_sync().await?;
            }
        }
        Ok(())
    }
}
