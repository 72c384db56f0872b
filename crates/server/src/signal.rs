//! Signals: what they ask of the server, and how others send them.

use std::io;

use rustix::process::{Pid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The end.
    Stop,
    /// The end, unless clients are being sent away already.
    Terminate,
    /// The configuration, again.
    Reload,
    /// The log file, again.
    Reopen,
    /// The end, gently.
    LameDuck,
}

impl Asked {
    /// The signal's name, as Go gives it.
    const fn name(self) -> &'static str {
        match self {
            Self::Stop => "interrupt",
            Self::Terminate => "terminated",
            Self::Reload => "hangup",
            Self::Reopen => "user defined signal 1",
            Self::LameDuck => "user defined signal 2",
        }
    }
}

/// The signals that are listened to.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    first: Signal,
    second: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            first: signal(SignalKind::user_defined1())?,
            second: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next one; says so in the log.
    pub(crate) async fn next(&mut self) -> Asked {
        let asked = tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.first.recv() => Asked::Reopen,
            _ = self.second.recv() => Asked::LameDuck,
        };
        tracing::info!("Trapped \"{}\" signal", asked.name());
        asked
    }
}

/// Sends `name` to the process in `target`: a process id, or a file that holds one.
///
/// # Errors
/// A text for standard error.
pub(crate) fn send(name: &str, target: &str) -> Result<(), String> {
    let signal = match name {
        "stop" => rustix::process::Signal::KILL,
        "quit" => rustix::process::Signal::INT,
        "term" => rustix::process::Signal::TERM,
        "reopen" => rustix::process::Signal::USR1,
        "reload" => rustix::process::Signal::HUP,
        "ldm" => rustix::process::Signal::USR2,
        _ => return Err(format!("unknown signal \"{name}\"")),
    };
    let pid = match target.parse::<i32>() {
        Ok(pid) => pid,
        Err(_) => {
            let text = std::fs::read_to_string(target).map_err(|e| format!("{target}: {e}"))?;
            text.trim()
                .parse()
                .map_err(|_| format!("invalid pid: {}", text.trim()))?
        }
    };
    let pid = Pid::from_raw(pid).ok_or_else(|| format!("invalid pid: {pid}"))?;
    kill_process(pid, signal).map_err(|e| e.to_string())
}
