//! `account`: what the account uses and may use. Changes nothing.

use std::io::Write;

use clap::Subcommand;
use natterjack_client::JetStream;

/// Commands about the account.
#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Connection, use and limits.
    #[command(visible_alias = "nfo")]
    Info,
}

fn limit(n: i64) -> String {
    if n < 0 { "unlimited".into() } else { n.to_string() }
}

impl Account {
    pub(crate) async fn run(self, js: &JetStream, out: &mut dyn Write) -> anyhow::Result<()> {
        let Self::Info = self;
        let server = js.client().server_info();
        writeln!(out, "Server:      {} ({})", server.server_name, server.version)?;
        writeln!(out, "Client id:   {}", server.client_id)?;
        writeln!(out, "Max payload: {}", server.max_payload)?;
        if !server.jetstream {
            writeln!(out, "JetStream:   off")?;
            return Ok(());
        }
        let info = js.account_info().await?;
        let limits = &info.limits;
        writeln!(
            out,
            "Memory:      {} of {}",
            info.memory,
            limit(limits.max_memory)
        )?;
        writeln!(
            out,
            "Storage:     {} of {}",
            info.storage,
            limit(limits.max_storage)
        )?;
        writeln!(
            out,
            "Streams:     {} of {}",
            info.streams,
            limit(limits.max_streams)
        )?;
        writeln!(
            out,
            "Consumers:   {} of {}",
            info.consumers,
            limit(limits.max_consumers)
        )?;
        writeln!(
            out,
            "API:         {} requests, {} errors",
            info.api.total, info.api.errors
        )?;
        Ok(())
    }
}
