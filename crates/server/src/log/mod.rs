//! Log lines in the peer's format, for `tracing`: `[pid] date time [INF] text`. Writes to standard error or a file.

mod file;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use natterjack_config::options::Logging;
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use file::{LogFile, Rotated, Rotation};

/// Target of lines after which the server ends.
pub(crate) const FATAL: &str = "natterjack_server::fatal";

/// Where lines go.
#[derive(Debug)]
enum Sink {
    Stderr,
    File(LogFile),
}

/// The lines of the process, for what changes them while it runs.
static INSTALLED: OnceLock<Lines> = OnceLock::new();
/// Whether traffic is logged: asked for each operation.
static TRACES: AtomicBool = AtomicBool::new(false);

/// Whether traffic is logged.
pub(crate) fn traces() -> bool {
    TRACES.load(Ordering::Relaxed)
}

/// Logs as `settings` ask for from now on.
///
/// # Errors
/// When the log file cannot be opened; then nothing is changed.
pub(crate) fn configure(settings: &Logging) -> io::Result<()> {
    let Some(lines) = INSTALLED.get() else {
        return Ok(());
    };
    if lines.settings.load().file != settings.file {
        let sink = Lines::sink(settings)?;
        *lines.sink.lock() = sink;
    }
    lines.settings.store(Arc::new(settings.clone()));
    TRACES.store(settings.trace, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Opens the log file again, which somebody may have moved away; says so in it.
pub(crate) fn reopen() {
    let Some(lines) = INSTALLED.get() else { return };
    let path = match &*lines.sink.lock() {
        Sink::File(file) => file.path().to_owned(),
        Sink::Stderr => {
            return tracing::info!("File log re-open ignored, not a file logger");
        }
    };
    match LogFile::open(&path) {
        Ok(file) => {
            *lines.sink.lock() = Sink::File(file);
            tracing::info!("File log re-opened");
        }
        Err(error) => tracing::error!("Unable to re-open the log file: {error}"),
    }
}

/// Writes lines.
#[derive(Debug)]
pub(crate) struct Lines {
    pid: u32,
    settings: ArcSwap<Logging>,
    sink: Mutex<Sink>,
}

impl Lines {
    /// Lines as `settings` ask for.
    ///
    /// # Errors
    /// When the log file cannot be opened.
    pub(crate) fn new(settings: &Logging) -> io::Result<Self> {
        Ok(Self {
            pid: std::process::id(),
            settings: ArcSwap::from_pointee(settings.clone()),
            sink: Mutex::new(Self::sink(settings)?),
        })
    }

    fn sink(settings: &Logging) -> io::Result<Sink> {
        settings.file.as_ref().map_or(Ok(Sink::Stderr), |path| {
            Ok(Sink::File(LogFile::open(Path::new(path))?))
        })
    }

    fn now(settings: &Logging) -> Zoned {
        let zone = if settings.time_utc {
            TimeZone::UTC
        } else {
            TimeZone::system()
        };
        Zoned::new(Timestamp::now(), zone)
    }

    /// Makes these the lines of the process.
    pub(crate) fn install(self) {
        TRACES.store(self.settings.load().trace, Ordering::Relaxed);
        // A second server in one process shares the first one's lines.
        let _first = INSTALLED.set(self);
        let subscriber = tracing_subscriber::registry().with(Installed);
        let _first = tracing::subscriber::set_global_default(subscriber);
    }

    fn line(&self, label: &str, text: &str) -> String {
        let mut line = String::with_capacity(text.len() + 48);
        let _infallible = write!(line, "[{}] ", self.pid);
        let settings = self.settings.load();
        if settings.time {
            let now = Self::now(&settings);
            let _infallible = write!(line, "{} ", now.strftime("%Y/%m/%d %H:%M:%S.%6f"));
        }
        let _infallible = writeln!(line, "[{label}] {text}");
        line
    }

    fn write(&self, line: &str) {
        let mut sink = self.sink.lock();
        match &mut *sink {
            Sink::Stderr => {
                let _nobody_to_tell = io::stderr().lock().write_all(line.as_bytes());
            }
            Sink::File(file) => {
                file.write(line);
                let settings = self.settings.load();
                let rotation = Rotation {
                    size_limit_bytes: settings.size_limit_bytes,
                    max_files: settings.max_files,
                };
                if file.is_large(rotation) {
                    self.rotate(file, rotation);
                }
            }
        }
    }

    /// Sets the file aside and says so in the fresh one. Names are in local time, whatever the lines are in.
    fn rotate(&self, file: &mut LogFile, rotation: Rotation) {
        for done in file.rotate(rotation, &Zoned::now()) {
            let line = match done {
                Rotated::Saved(path) => self.line("INF", &format!("Rotated log, backup saved as {path:?}")),
                Rotated::Purged(name) => self.line("INF", &format!("Purged log file {name:?}")),
                Rotated::Kept(path, error) => {
                    let text = format!(
                        "Unable to remove backup log file {path:?} ({error}), will attempt next rotation"
                    );
                    self.line("ERR", &text)
                }
            };
            file.write(&line);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0.push_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _infallible = write!(self.0, "{value:?}");
        }
    }
}

fn label(metadata: &Metadata<'_>) -> &'static str {
    if metadata.target() == FATAL {
        return "FTL";
    }
    match *metadata.level() {
        Level::ERROR => "ERR",
        Level::WARN => "WRN",
        Level::INFO => "INF",
        Level::DEBUG => "DBG",
        Level::TRACE => "TRC",
    }
}

/// The installed lines, as `tracing` knows them.
struct Installed;

impl<S: Subscriber> Layer<S> for Installed {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let Some(lines) = INSTALLED.get() else {
            return false;
        };
        metadata.target().starts_with("natterjack")
            && match *metadata.level() {
                Level::DEBUG => lines.settings.load().debug,
                Level::TRACE => traces(),
                _ => true,
            }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(lines) = INSTALLED.get() else { return };
        let mut text = Text(String::new());
        event.record(&mut text);
        lines.write(&lines.line(label(event.metadata()), &text.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_peers_form() {
        let lines = Lines::new(&Logging {
            time_utc: true,
            ..Logging::default()
        })
        .unwrap();
        let line = lines.line("INF", "Server is ready");
        let parts: Vec<&str> = line.split(' ').collect();
        assert_eq!(parts[0], format!("[{}]", std::process::id()));
        assert_eq!((parts[1].len(), parts[2].len()), (10, 15), "{line}");
        assert_eq!(&parts[3..].join(" "), "[INF] Server is ready\n");
    }
}
