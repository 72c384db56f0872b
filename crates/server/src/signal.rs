//! Signals: which end the server, and how others send them.

use std::io;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Waits for a signal that ends the server; gives its name.
///
/// # Errors
/// As the system says.
pub(crate) async fn wait() -> io::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok("interrupt"),
            _ = terminate.recv() => return Ok("terminated"),
            _ = hangup.recv() => {
                tracing::warn!("Reloading the configuration is not supported yet: nothing was changed");
            }
        }
    }
}

/// Sends `name` to the process in `target`: a process id, or a file that holds one.
///
/// # Errors
/// A text for standard error.
pub(crate) fn send(name: &str, target: &str) -> Result<(), String> {
    let signal = match name {
        "stop" => Signal::KILL,
        "quit" => Signal::INT,
        "term" => Signal::TERM,
        "reopen" => Signal::USR1,
        "reload" => Signal::HUP,
        "ldm" => Signal::USR2,
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
