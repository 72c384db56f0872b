//! The `natterjack` command: reads the command line, connects, runs one command. Writes results to standard output and
//! errors to standard error; holds no command itself.
#![forbid(unsafe_code)]

mod account;
mod arguments;
mod consumer;
mod publish;
mod request;
mod stream;
mod subscribe;

use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use natterjack_client::{Client, ConnectOptions, JetStream};

/// Server that is asked when neither the command line nor `NATS_URL` names one.
const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";

/// Talks to NATS servers.
#[derive(Debug, Parser)]
#[command(name = "natterjack", version)]
struct Cli {
    /// Servers to connect to, separated by commas [default: $NATS_URL or nats://127.0.0.1:4222].
    #[arg(short, long, global = true)]
    server: Option<String>,
    /// User name.
    #[arg(long, global = true, requires = "password")]
    user: Option<String>,
    /// Password.
    #[arg(long, global = true, requires = "user")]
    password: Option<String>,
    /// Name of the connection.
    #[arg(long, global = true, default_value = "natterjack")]
    connection_name: String,
    /// Longest wait for an answer.
    #[arg(long, global = true, default_value = "5s", value_parser = arguments::duration)]
    timeout: Duration,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Publish a message.
    #[command(name = "publish", visible_alias = "pub")]
    Publish(publish::Publish),
    /// Print messages of a subject.
    #[command(name = "subscribe", visible_alias = "sub")]
    Subscribe(subscribe::Subscribe),
    /// Send a request and print the answer.
    #[command(visible_alias = "req")]
    Request(request::Request),
    /// Answer requests.
    Reply(request::Reply),
    /// Streams.
    #[command(subcommand, visible_alias = "str")]
    Stream(stream::Stream),
    /// Consumers.
    #[command(subcommand, visible_alias = "con")]
    Consumer(consumer::Consumer),
    /// The account.
    #[command(subcommand, visible_alias = "a")]
    Account(account::Account),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version come this way, too; if nobody can read them there is nothing to do.
            drop(usage.print());
            return if usage.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match serve(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr().lock(), "natterjack: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut out = BufWriter::new(std::io::stdout());
    let done = runtime.block_on(run(cli, &mut out));
    // What was found before a failure is still worth seeing.
    out.flush()?;
    done
}

async fn run(cli: Cli, out: &mut dyn Write) -> anyhow::Result<()> {
    let client = connect(&cli).await?;
    let js = JetStream::new(client.clone());
    match cli.command {
        Command::Publish(command) => command.run(&js, out).await?,
        Command::Subscribe(command) => command.run(&client, out).await?,
        Command::Request(command) => command.run(&client, out).await?,
        Command::Reply(command) => command.run(&client, out).await?,
        Command::Stream(command) => command.run(&js, out).await?,
        Command::Consumer(command) => command.run(&js, out).await?,
        Command::Account(command) => command.run(&js, out).await?,
    }
    client.close().await;
    Ok(())
}

async fn connect(cli: &Cli) -> anyhow::Result<Client> {
    let from_environment = std::env::var("NATS_URL").ok();
    let server = cli
        .server
        .as_deref()
        .or(from_environment.as_deref())
        .unwrap_or(DEFAULT_SERVER);
    let mut options = ConnectOptions::new()
        .name(&cli.connection_name)
        .request_timeout(cli.timeout);
    if let (Some(user), Some(password)) = (&cli.user, &cli.password) {
        options = options.user_password(user, password);
    }
    options
        .connect(server)
        .await
        .with_context(|| format!("cannot connect to {server}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn short_and_long_names() {
        for line in [
            &["natterjack", "pub", "a", "b"][..],
            &["natterjack", "-s", "h", "publish", "a"],
            &[
                "natterjack",
                "sub",
                ">",
                "--count",
                "1",
                "--user",
                "u",
                "--password",
                "p",
            ],
            &[
                "natterjack",
                "stream",
                "create",
                "S",
                "--subjects",
                "a,b",
                "--max-age",
                "1h",
            ],
            &["natterjack", "consumer", "next", "S", "C", "--count", "2"],
            &["natterjack", "account", "info"],
        ] {
            assert!(Cli::try_parse_from(line).is_ok(), "{line:?}");
        }
        assert!(Cli::try_parse_from(["natterjack", "stream", "add", "S", "--storage", "tape"]).is_err());
    }
}
