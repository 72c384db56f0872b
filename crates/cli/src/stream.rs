//! `stream`: make, list, show, delete and purge streams, and read their messages. Asks no questions: what cannot be undone
//! wants `--force`.

use std::io::Write;

use clap::{Args, Subcommand};
use natterjack_client::JetStream;
use natterjack_jsapi::json;
use natterjack_jsapi::request::{MsgGet, Purge};
use natterjack_jsapi::stream::{Discard, Retention, Storage, StreamConfig, StreamInfo};
use natterjack_jsapi::{GoTime, Nanos};

use crate::arguments::{self, show_headers};

/// Commands about streams.
#[derive(Debug, Subcommand)]
pub(crate) enum Stream {
    /// Make a stream.
    #[command(visible_aliases = ["create", "new"])]
    Add(Box<Add>),
    /// List streams.
    #[command(visible_aliases = ["list", "l"])]
    Ls {
        /// Only streams that keep this subject.
        #[arg(long)]
        subject: Option<String>,
        /// Names only.
        #[arg(short, long)]
        names: bool,
    },
    /// Show a stream.
    #[command(visible_aliases = ["nfo", "i"])]
    Info {
        /// Stream.
        stream: String,
        /// As JSON.
        #[arg(short, long)]
        json: bool,
    },
    /// Delete a stream with all its messages.
    #[command(visible_aliases = ["delete", "del"])]
    Rm {
        /// Stream.
        stream: String,
        /// Yes, really.
        #[arg(short, long)]
        force: bool,
    },
    /// Remove messages of a stream.
    Purge(RemoveMessages),
    /// Show a stored message.
    Get(Get),
}

/// Arguments of `stream add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Name.
    stream: String,
    /// Subjects to keep, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    subjects: Vec<String>,
    /// Free text.
    #[arg(long, default_value = "")]
    description: String,
    /// `file` or `memory`.
    #[arg(long, default_value = "file", value_parser = arguments::storage)]
    storage: Storage,
    /// `limits`, `interest` or `work`.
    #[arg(long, default_value = "limits", value_parser = arguments::retention)]
    retention: Retention,
    /// `old` or `new`.
    #[arg(long, default_value = "old", value_parser = arguments::discard)]
    discard: Discard,
    /// Copies.
    #[arg(long, default_value_t = 1)]
    replicas: i64,
    /// Most messages.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_msgs: i64,
    /// Most messages of one subject.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_msgs_per_subject: i64,
    /// Most bytes.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_bytes: i64,
    /// Largest message, bytes.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_msg_size: i32,
    /// Greatest age of a message.
    #[arg(long, default_value = "0", value_parser = arguments::nanos)]
    max_age: Nanos,
    /// How long message ids are remembered.
    #[arg(long, default_value = "2m", value_parser = arguments::nanos)]
    dupe_window: Nanos,
    /// Answer direct gets.
    #[arg(long)]
    allow_direct: bool,
    /// Show the result as JSON.
    #[arg(short, long)]
    json: bool,
}

/// Arguments of `stream purge`.
#[derive(Debug, Args)]
pub(crate) struct RemoveMessages {
    /// Stream.
    stream: String,
    /// Only this subject.
    #[arg(long, default_value = "")]
    subject: String,
    /// Up to this sequence, exclusive.
    #[arg(long, default_value_t = 0)]
    seq: u64,
    /// Leave so many.
    #[arg(long, default_value_t = 0, conflicts_with = "seq")]
    keep: u64,
    /// Yes, really.
    #[arg(short, long)]
    force: bool,
}

/// Arguments of `stream get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Stream.
    stream: String,
    /// Sequence.
    #[arg(required_unless_present = "last_for")]
    id: Option<u64>,
    /// The last message of this subject.
    #[arg(short = 'S', long, conflicts_with = "id")]
    last_for: Option<String>,
}

impl Add {
    fn config(&self) -> StreamConfig {
        StreamConfig {
            name: self.stream.clone(),
            description: self.description.clone(),
            subjects: self.subjects.clone(),
            retention: self.retention,
            max_consumers: -1,
            max_msgs: self.max_msgs,
            max_bytes: self.max_bytes,
            max_age: self.max_age,
            max_msgs_per_subject: self.max_msgs_per_subject,
            max_msg_size: self.max_msg_size,
            discard: self.discard,
            storage: self.storage,
            num_replicas: self.replicas,
            duplicate_window: self.dupe_window,
            allow_direct: self.allow_direct,
            ..StreamConfig::default()
        }
    }
}

fn show(info: &StreamInfo, as_json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if as_json {
        out.write_all(&json::to_vec(info))?;
        return writeln!(out);
    }
    let (config, state) = (&info.config, &info.state);
    writeln!(out, "Stream {}", config.name)?;
    writeln!(out, "  Subjects:  {}", config.subjects.join(", "))?;
    writeln!(out, "  Storage:   {}", config.storage.as_str())?;
    writeln!(out, "  Retention: {}", config.retention.as_str())?;
    writeln!(out, "  Replicas:  {}", config.num_replicas)?;
    writeln!(out, "  Messages:  {}", state.messages)?;
    writeln!(out, "  Bytes:     {}", state.bytes)?;
    writeln!(out, "  First:     {}{}", state.first_seq, at(state.first_ts))?;
    writeln!(out, "  Last:      {}{}", state.last_seq, at(state.last_ts))?;
    writeln!(out, "  Consumers: {}", state.consumer_count)
}

fn at(time: GoTime) -> String {
    if time.is_zero() {
        String::new()
    } else {
        format!(" at {time}")
    }
}

impl Stream {
    pub(crate) async fn run(self, js: &JetStream, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => show(&js.create_stream(&add.config()).await?, add.json, out)?,
            Self::Ls { subject, names } => list(js, subject.as_deref(), names, out).await?,
            Self::Info { stream, json } => show(&js.stream_info(&stream).await?, json, out)?,
            Self::Rm { stream, force } => {
                arguments::confirmed(force, &format!("delete stream {stream}"))?;
                js.delete_stream(&stream).await?;
            }
            Self::Purge(purge) => {
                arguments::confirmed(
                    purge.force,
                    &format!("remove messages of stream {}", purge.stream),
                )?;
                let which = Purge {
                    seq: purge.seq,
                    filter: purge.subject,
                    keep: purge.keep,
                };
                let count = js.purge_stream(&purge.stream, &which).await?;
                writeln!(out, "Removed {count} messages from stream {}", purge.stream)?;
            }
            Self::Get(get) => {
                let which = MsgGet {
                    seq: get.id.unwrap_or(0),
                    last_by_subj: get.last_for.unwrap_or_default(),
                    ..MsgGet::default()
                };
                let message = js.get_message(&get.stream, &which).await?;
                writeln!(
                    out,
                    "[{}] sequence {}{}",
                    message.subject,
                    message.seq,
                    at(message.time)
                )?;
                show_headers(message.headers().iter(), out)?;
                out.write_all(&message.payload)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

async fn list(js: &JetStream, subject: Option<&str>, names: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut streams = js.stream_names(subject).await?;
    streams.sort_unstable();
    for stream in streams {
        if names {
            writeln!(out, "{stream}")?;
            continue;
        }
        let state = js.stream_info(&stream).await?.state;
        writeln!(
            out,
            "{stream:<32} {:>10} messages {:>12} bytes",
            state.messages, state.bytes
        )?;
    }
    Ok(())
}
