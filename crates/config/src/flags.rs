//! The command line, by the rules of Go's flags: one dash or two, values joined by `=` or apart.

use crate::options::Options;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a server.
    Run(Box<Flags>),
    /// Only check the configuration file.
    Check(Box<Flags>),
    /// Print the version.
    Version,
    /// Print the usage.
    Help,
    /// Send a signal to a running server.
    Signal {
        /// Signal name.
        signal: String,
        /// Process id or pid file, empty to search.
        target: String,
    },
    /// Verify a store directory.
    Fsck {
        /// The directory.
        dir: String,
        /// Mend what can be mended.
        repair: bool,
        /// Report as JSON.
        json: bool,
        /// Write every message that can be read to this new file.
        export: Option<String>,
        /// The configuration that has the key of an encrypted store.
        config: Option<String>,
    },
    /// The command line makes no sense: a text for standard error, whether usage follows, and the exit status.
    Refused {
        /// What is wrong.
        text: String,
        /// Whether to print the usage as well.
        usage: bool,
        /// Exit status.
        status: u8,
    },
}

/// Flags as given; they win over the configuration file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    /// The configuration file.
    pub config: Option<String>,
    values: Vec<(Id, String)>,
}

impl Flags {
    /// A command line that only names a configuration file.
    #[must_use]
    pub const fn with_config(config: Option<String>) -> Self {
        Self {
            config,
            values: Vec::new(),
        }
    }
}

/// Which flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id {
    Addr,
    Port,
    Name,
    Pid,
    HttpPort,
    Config,
    Check,
    Signal,
    ClientAdvertise,
    PortsFileDir,
    Log,
    Logtime,
    LogtimeUtc,
    LogSizeLimit,
    MaxTracedMsgLen,
    Debug,
    Trace,
    TraceVerbose,
    DebugTrace,
    DebugTraceVerbose,
    JetStream,
    StoreDir,
    User,
    Pass,
    Auth,
    Version,
    Help,
    HelpTls,
    /// Known in the peer, its feature is to come.
    Later,
}

struct Flag {
    names: &'static [&'static str],
    id: Id,
    switch: bool,
}

const fn value(names: &'static [&'static str], id: Id) -> Flag {
    Flag {
        names,
        id,
        switch: false,
    }
}

const fn switch(names: &'static [&'static str], id: Id) -> Flag {
    Flag {
        names,
        id,
        switch: true,
    }
}

/// Every flag, once.
const FLAGS: &[Flag] = &[
    value(&["a", "addr", "net"], Id::Addr),
    value(&["p", "port"], Id::Port),
    value(&["n", "name", "server_name"], Id::Name),
    value(&["P", "pid"], Id::Pid),
    value(&["m", "http_port"], Id::HttpPort),
    value(&["c", "config"], Id::Config),
    switch(&["t"], Id::Check),
    value(&["sl", "signal"], Id::Signal),
    value(&["client_advertise"], Id::ClientAdvertise),
    value(&["ports_file_dir"], Id::PortsFileDir),
    value(&["l", "log"], Id::Log),
    switch(&["T", "logtime"], Id::Logtime),
    switch(&["logtime_utc"], Id::LogtimeUtc),
    value(&["log_size_limit"], Id::LogSizeLimit),
    value(&["max_traced_msg_len"], Id::MaxTracedMsgLen),
    switch(&["D", "debug"], Id::Debug),
    switch(&["V", "trace"], Id::Trace),
    switch(&["VV"], Id::TraceVerbose),
    switch(&["DV"], Id::DebugTrace),
    switch(&["DVV"], Id::DebugTraceVerbose),
    switch(&["js", "jetstream"], Id::JetStream),
    value(&["sd", "store_dir"], Id::StoreDir),
    value(&["user"], Id::User),
    value(&["pass"], Id::Pass),
    value(&["auth"], Id::Auth),
    switch(&["v", "version"], Id::Version),
    switch(&["h", "help"], Id::Help),
    switch(&["help_tls"], Id::HelpTls),
    value(&["ms", "https_port"], Id::Later),
    switch(&["s", "syslog"], Id::Later),
    value(&["r", "remote_syslog"], Id::Later),
    switch(&["tls"], Id::Later),
    switch(&["tlsverify"], Id::Later),
    value(&["tlscert"], Id::Later),
    value(&["tlskey"], Id::Later),
    value(&["tlscacert"], Id::Later),
    value(&["routes"], Id::Later),
    value(&["cluster", "cluster_listen"], Id::Later),
    value(&["cluster_name"], Id::Later),
    switch(&["no_advertise"], Id::Later),
    value(&["cluster_advertise"], Id::Later),
    value(&["connect_retries"], Id::Later),
    value(&["profile"], Id::Later),
];

/// Reads the command line without the program's name.
#[must_use]
pub fn parse(args: &[String]) -> Command {
    let mut flags = Flags::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let Some(body) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
            return word(arg, rest.as_slice());
        };
        if body.is_empty() || body.starts_with(['-', '=']) {
            return refused(format!("bad flag syntax: {arg}"));
        }
        let (name, joined) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some(flag) = FLAGS.iter().find(|f| f.names.contains(&name)) else {
            return refused(format!("flag provided but not defined: -{name}"));
        };
        let value = match (flag.switch, joined) {
            (true, None) => "true".to_owned(),
            (_, Some(value)) => value,
            (false, None) => match rest.next() {
                Some(value) => value.clone(),
                None => return refused(format!("flag needs an argument: -{name}")),
            },
        };
        if let Err(text) = check_value(flag, name, &value) {
            return refused(text);
        }
        flags.values.push((flag.id, value));
    }
    finish(flags)
}

fn refused(text: String) -> Command {
    // The peer prints the usage and exits with 0.
    Command::Refused {
        text,
        usage: true,
        status: 0,
    }
}

fn check_value(flag: &Flag, name: &str, value: &str) -> Result<(), String> {
    if flag.switch && parse_bool(value).is_none() {
        return Err(format!(
            "invalid boolean value {value:?} for -{name}: parse error"
        ));
    }
    let numeric = matches!(
        flag.id,
        Id::Port | Id::HttpPort | Id::LogSizeLimit | Id::MaxTracedMsgLen
    );
    if numeric && value.parse::<i64>().is_err() {
        return Err(format!("invalid value {value:?} for flag -{name}: parse error"));
    }
    Ok(())
}

fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A bare word: a subcommand, or a mistake.
fn word(word: &str, rest: &[String]) -> Command {
    match word {
        "version" => Command::Version,
        "help" => Command::Help,
        "fsck" => fsck(rest),
        _ => Command::Refused {
            text: format!("unrecognized command: {word:?}"),
            usage: false,
            status: 1,
        },
    }
}

fn fsck(rest: &[String]) -> Command {
    let (mut dir, mut export, mut config) = (None, None, None);
    let (mut repair, mut json) = (false, false);
    let mut rest = rest.iter();
    while let Some(arg) = rest.next() {
        match arg.trim_start_matches('-') {
            "c" | "config" if arg.starts_with('-') => config = rest.next().cloned(),
            "repair" if arg.starts_with('-') => repair = true,
            "json" if arg.starts_with('-') => json = true,
            "export" if arg.starts_with('-') => {
                export = rest.next().cloned();
                if export.is_none() {
                    return Command::Refused {
                        text: "fsck: --export needs a file".into(),
                        usage: false,
                        status: 1,
                    };
                }
            }
            other if !arg.starts_with('-') && dir.is_none() => dir = Some(other.to_owned()),
            _ => {
                return Command::Refused {
                    text: format!("fsck: unexpected argument {arg:?}"),
                    usage: false,
                    status: 1,
                };
            }
        }
    }
    match dir {
        Some(dir) => Command::Fsck {
            dir,
            repair,
            json,
            export,
            config,
        },
        None => Command::Refused {
            text: "fsck: a store directory is needed".into(),
            usage: false,
            status: 1,
        },
    }
}

fn finish(mut flags: Flags) -> Command {
    let on = |flags: &Flags, id: Id| flags.last(id).and_then(parse_bool).unwrap_or(false);
    if on(&flags, Id::Help) || on(&flags, Id::HelpTls) {
        return Command::Help;
    }
    if on(&flags, Id::Version) {
        return Command::Version;
    }
    if let Some(signal) = flags.last(Id::Signal) {
        let (signal, target) = signal.split_once('=').unwrap_or((signal, ""));
        return Command::Signal {
            signal: signal.to_owned(),
            target: target.to_owned(),
        };
    }
    flags.config = flags
        .last(Id::Config)
        .map(str::to_owned)
        .filter(|c| !c.is_empty());
    if on(&flags, Id::Check) {
        if flags.config.is_none() {
            let text = "must specify [-c, --config] option to check configuration file syntax".into();
            return Command::Refused {
                text,
                usage: false,
                status: 1,
            };
        }
        return Command::Check(Box::new(flags));
    }
    if flags
        .values
        .iter()
        .any(|(id, value)| *id == Id::Later && !matches!(value.as_str(), "" | "0" | "false"))
    {
        let text =
            "TLS, clustering, syslog and profiling flags are not supported by this version of natterjack";
        return Command::Refused {
            text: text.into(),
            usage: false,
            status: 1,
        };
    }
    Command::Run(Box::new(flags))
}

impl Flags {
    fn last(&self, id: Id) -> Option<&str> {
        self.values
            .iter()
            .rev()
            .find(|(i, _)| *i == id)
            .map(|(_, v)| v.as_str())
    }

    /// Puts the flags over `options`.
    pub fn apply(&self, options: &mut Options) {
        for (id, value) in &self.values {
            let on = parse_bool(value).unwrap_or(false);
            let log = &mut options.logging;
            match id {
                Id::Addr => options.host.clone_from(value),
                Id::Port => options.port = value.parse().unwrap_or(options.port),
                Id::Name => options.server_name.clone_from(value),
                Id::Pid => options.pid_file = Some(value.clone()),
                Id::HttpPort => options.http_port = value.parse().unwrap_or(0),
                Id::ClientAdvertise => options.client_advertise.clone_from(value),
                Id::PortsFileDir => options.ports_file_dir = Some(value.clone()),
                Id::Log => log.file = Some(value.clone()),
                Id::Logtime => log.time = on,
                Id::LogtimeUtc => log.time_utc = on,
                Id::LogSizeLimit => log.size_limit_bytes = value.parse().unwrap_or(0),
                Id::MaxTracedMsgLen => log.max_traced_message_bytes = value.parse().unwrap_or(0),
                Id::Debug => log.debug = on,
                Id::Trace => log.trace = on,
                Id::TraceVerbose => (log.trace, log.trace_verbose) = (on, on),
                Id::DebugTrace => (log.debug, log.trace) = (on, on),
                Id::DebugTraceVerbose => (log.debug, log.trace, log.trace_verbose) = (on, on, on),
                Id::JetStream => options.jetstream.enabled = on,
                Id::StoreDir => options.jetstream.store_dir = Some(value.clone()),
                Id::User => options.authorization.user = Some(value.clone()),
                Id::Pass => options.authorization.password = Some(value.clone()),
                Id::Auth => options.authorization.token = Some(value.clone()),
                Id::Config | Id::Check | Id::Signal | Id::Version | Id::Help | Id::HelpTls | Id::Later => {}
            }
        }
    }
}

/// What `-h` prints.
pub const USAGE: &str = "\
Usage: natterjack-server [options]
       natterjack-server fsck <store_dir> [--export <file>] [--repair] [--json] [-c <file with the key>]

Server Options:
    -a, --addr, --net <host>         Listen on this address (default: 0.0.0.0)
    -p, --port <port>                Listen on this port (default: 4222, -1 for a free one)
    -n, --name, --server_name <name> Name of the server (default: its id)
    -P, --pid <file>                 Write the process id to a file
    -m, --http_port <port>           Monitoring over HTTP on this port
    -c, --config <file>              Configuration file
    -t                               Check the configuration file and exit
    -sl, --signal <signal>[=<pid>]   Send a signal to a running server:
                                     ldm, stop, quit, term, reopen, reload
        --client_advertise <string>  Address that clients are told
        --ports_file_dir <dir>       Write a file with the ports in use to this folder

Logging Options:
    -l, --log <file>                 Log to a file
    -T, --logtime                    Put the time before log lines (default: true)
        --logtime_utc                In UTC
        --log_size_limit <bytes>     Rotate the log file beyond this size
    -D, --debug                      Log debugging lines
    -V, --trace                      Log the protocol
    -VV                              Log the protocol, system account included
    -DV                              Both -D and -V
    -DVV                             Both -D and -VV
        --max_traced_msg_len <n>     Show so much of traced payloads (default: all)

JetStream Options:
    -js, --jetstream                 Turn JetStream on
    -sd, --store_dir <dir>           Folder for its data

Authorization Options:
        --user <user>                User that clients need
        --pass <password>            Password that clients need
        --auth <token>               Token that clients need

Common Options:
    -h, --help                       Show this text
    -v, --version                    Show the version
";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Command {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn options(line: &str) -> Options {
        let Command::Run(flags) = run(line) else {
            panic!("{line}: {:?}", run(line))
        };
        let mut options = Options::default();
        flags.apply(&mut options);
        options
    }

    #[test]
    fn one_dash_or_two_joined_or_apart() {
        for line in [
            "-p 5000 -js -sd /x -a h",
            "--port=5000 --jetstream --store_dir=/x --addr h",
            "-port 5000 -js=true -sd=/x -net=h",
        ] {
            let o = options(line);
            assert_eq!(
                (o.port, o.jetstream.enabled, o.host.as_str()),
                (5000, true, "h"),
                "{line}"
            );
            assert_eq!(o.storage(), Some("/x"));
        }
        let o = options("-DV -T=false");
        assert!(o.logging.debug && o.logging.trace && !o.logging.time && !o.logging.trace_verbose);
        assert!(!options("-js -js=false").jetstream.enabled);
    }

    #[test]
    fn refusals_as_in_the_peer() {
        let text = |line: &str| match run(line) {
            Command::Refused { text, status, .. } => (text, status),
            other => panic!("{other:?}"),
        };
        assert_eq!(text("-nope"), ("flag provided but not defined: -nope".into(), 0));
        assert_eq!(text("-p"), ("flag needs an argument: -p".into(), 0));
        assert_eq!(
            text("-p x"),
            ("invalid value \"x\" for flag -p: parse error".into(), 0)
        );
        assert_eq!(
            text("-js=maybe"),
            ("invalid boolean value \"maybe\" for -js: parse error".into(), 0)
        );
        assert_eq!(text("foo"), ("unrecognized command: \"foo\"".into(), 1));
        assert_eq!(
            text("-t"),
            (
                "must specify [-c, --config] option to check configuration file syntax".into(),
                1
            )
        );
        assert_eq!(text("--routes nats://x:1").1, 1);
    }

    #[test]
    fn commands() {
        assert_eq!(run("-v"), Command::Version);
        assert_eq!(run("version"), Command::Version);
        assert_eq!(run("--help"), Command::Help);
        assert_eq!(
            run("-sl=ldm=/x.pid"),
            Command::Signal {
                signal: "ldm".into(),
                target: "/x.pid".into()
            }
        );
        assert_eq!(
            run("fsck /d --json -c f.conf"),
            Command::Fsck {
                dir: "/d".into(),
                repair: false,
                json: true,
                export: None,
                config: Some("f.conf".into()),
            }
        );
        assert_eq!(
            run("fsck --export /f /d --repair"),
            Command::Fsck {
                dir: "/d".into(),
                repair: true,
                json: false,
                export: Some("/f".into()),
                config: None,
            }
        );
        assert!(matches!(run("fsck /d --export"), Command::Refused { .. }));
        assert!(matches!(run("-t -c f"), Command::Check(_)));
    }
}
