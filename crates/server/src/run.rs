//! The whole program: command line, configuration, start, and orderly end.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use natterjack_conf::{Source, include_path};
use natterjack_config::{Command, Flags, Options, USAGE, check, flags, load};
use natterjack_jsapi::versioning::PEER_VERSION;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::conn::CloseReason;
use crate::jetstream::{place, switch};
use crate::log::{FATAL, Lines};
use crate::server::Server;
use crate::signal::{Asked, Signals};
use crate::{banner, fsck, lame_duck, listen, log, monitor, ports, reload, signal, system};

/// Connections are given this long to leave at the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// Files and environment for the configuration.
struct Machine;

impl Source for Machine {
    fn include(&mut self, from: &str, path: &str) -> Result<(String, String), String> {
        let path = include_path(from, path);
        Ok((read(&path)?, path))
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Go's words for what goes wrong with files.
fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        format!("open {path}: {why}")
    })
}

fn out(text: &str) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{text}");
}

fn err(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr().lock(), "{text}");
}

/// The options of flags over file over defaults; or what is wrong.
pub(crate) fn options(flags: &Flags, strict: bool) -> Result<Options, String> {
    let mut options = Options::default();
    if let Some(file) = &flags.config {
        let text = read(file)?;
        let loaded = load(&text, file, &mut Machine, options).map_err(|lines| lines.join("\n"))?;
        if strict && !loaded.warnings.is_empty() {
            return Err(loaded.warnings.join("\n"));
        }
        for warning in &loaded.warnings {
            err(warning);
        }
        options = loaded.options;
    }
    flags.apply(&mut options);
    check(&options).map_err(|e| e.to_string())?;
    Ok(options)
}

/// Runs the program with `args`, the first of which is its own name.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    match flags::parse(args.get(1..).unwrap_or_default()) {
        Command::Run(flags) => match options(&flags, false) {
            Ok(options) => run(options, &flags),
            Err(text) => {
                err(&format!("nats-server: {text}"));
                ExitCode::FAILURE
            }
        },
        Command::Check(flags) => check_file(&flags),
        Command::Version => {
            out(&format!("nats-server: v{PEER_VERSION}"));
            ExitCode::SUCCESS
        }
        Command::Help => {
            out(USAGE);
            ExitCode::SUCCESS
        }
        Command::Signal { signal, target } => match signal::send(&signal, &target) {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => {
                err(&format!("nats-server: {text}"));
                ExitCode::FAILURE
            }
        },
        Command::Fsck {
            dir,
            repair,
            json,
            export,
            config,
        } => {
            let flags = Flags::with_config(config);
            let (text, status) = match options(&flags, false) {
                Ok(options) => {
                    let encryption = place::encryption(&options);
                    fsck::run(&dir, export.as_deref(), (repair, json), encryption.as_ref())
                }
                Err(text) => (text, ExitCode::FAILURE),
            };
            out(&text);
            status
        }
        Command::Refused { text, usage, status } => {
            err(&text);
            if usage {
                out(USAGE);
            }
            ExitCode::from(status)
        }
    }
}

fn check_file(flags: &Flags) -> ExitCode {
    let file = flags.config.clone().unwrap_or_default();
    match options(flags, true) {
        Ok(options) => {
            err(&format!(
                "nats-server: configuration file {file} is valid ({})",
                options.config_digest
            ));
            ExitCode::SUCCESS
        }
        Err(text) => {
            err(&format!("nats-server: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options, flags: &Flags) -> ExitCode {
    match Lines::new(&options.logging) {
        Ok(lines) => lines.install(),
        Err(error) => {
            err(&format!("nats-server: error opening log file: {error}"));
            return ExitCode::FAILURE;
        }
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(target: FATAL, "{error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(options, flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            tracing::error!(target: FATAL, "{text}");
            ExitCode::FAILURE
        }
    }
}

/// Everything from start to end.
async fn serve(options: Options, flags: &Flags) -> Result<(), String> {
    let signals = Signals::new().map_err(|e| e.to_string())?;
    let server = Server::new(options)?;
    let _first = server.flags.set(flags.clone());
    banner::server(&server);
    if let Some(path) = &server.options.pid_file
        && let Err(error) = ports::write_pid(path)
    {
        tracing::error!("Could not write pidfile: {error}");
    }
    for account in server.accounts.all() {
        system::serve(&server, &account);
    }
    system::start(&server);
    monitor::start(&server)?;
    if server.options.jetstream.enabled {
        switch::on(&server).map_err(|why| format!("Can't start JetStream: {why}"))?;
    }
    let (host, port) = (&server.options.host, server.options.port);
    let listener =
        listen::bind(host, port).map_err(|e| format!("Error listening on port: {host}:{port}, {e}"))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let _first = server.listening.set(address);
    tracing::info!("Listening for client connections on {address}");
    if server.options.proxy_protocol {
        tracing::info!("PROXY protocol enabled for client connections");
    }
    tracing::info!("Server is ready");
    server.ready.store(true, Ordering::Release);
    let accepting = tokio::spawn(listen::accept(Arc::clone(&server), listener));
    if let Some(folder) = &server.options.ports_file_dir
        && let Err(error) = ports::write_ports(&server, folder)
    {
        tracing::error!("Error writing ports file to {folder}: {error}");
    }
    obey(&server, signals, accepting).await;
    stop(&server).await;
    Ok(())
}

/// Does what signals ask for until one of them ends the server.
async fn obey(server: &Arc<Server>, mut signals: Signals, accepting: JoinHandle<()>) {
    let mut leaving = std::pin::pin!(None);
    loop {
        let asked = match leaving.as_mut().as_pin_mut() {
            None => signals.next().await,
            Some(left) => tokio::select! {
                () = left => return,
                asked = signals.next() => asked,
            },
        };
        match asked {
            Asked::Terminate if leaving.is_some() => {}
            Asked::Stop | Asked::Terminate => {
                accepting.abort();
                return;
            }
            Asked::Reload => {
                let _logged = reload::reload(server).await;
            }
            Asked::Reopen => log::reopen(),
            Asked::LameDuck if leaving.is_some() => {}
            Asked::LameDuck => {
                accepting.abort();
                leaving.set(Some(lame_duck::send_away(server)));
            }
        }
    }
}

/// Lets go of clients, makes everything durable, and says so.
async fn stop(server: &Arc<Server>) {
    tracing::info!("Initiating Shutdown...");
    server.ready.store(false, Ordering::Release);
    if let Some(jetstream) = server.jetstream()
        && !server.lame_duck.load(Ordering::Acquire)
    {
        tracing::info!("Initiating JetStream Shutdown...");
        jetstream.stop().await;
        tracing::info!("JetStream Shutdown");
    }
    system::on_shutdown(server);
    for conn in server.connections() {
        conn.close(CloseReason::ServerShutdown);
    }
    let gone = async {
        while server.connection_count() > 0 {
            let _either = timeout(Duration::from_millis(20), server.emptied.notified()).await;
        }
    };
    let _late = timeout(GOODBYE, gone).await;
    if let Some(folder) = &server.live.load().options.ports_file_dir {
        ports::remove_ports(folder);
    }
    tracing::info!("Server Exiting..");
}
