//! A server process of one run: started with an empty store, watched through `/proc`, ended with its value.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Opening a store of ten million messages takes a while.
const READY_WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Mutex<Child>,
    directory: Arc<tempfile::TempDir>,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where clients connect.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `program` and waits until it listens.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, jetstream: bool, config: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name).display().to_string();
        let mut arguments: Vec<String> = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir"]
            .map(String::from)
            .to_vec();
        arguments.extend([at(""), "-l".into(), at("log")]);
        if jetstream {
            arguments.extend(["-js".into(), "-sd".into(), at("")]);
        }
        if !config.is_empty() {
            std::fs::write(at("conf"), config)?;
            arguments.extend(["-c".into(), at("conf")]);
        }
        Self::spawn(program.to_owned(), arguments, Arc::new(directory))
    }

    fn spawn(program: PathBuf, arguments: Vec<String>, directory: Arc<tempfile::TempDir>) -> Result<Self> {
        let child = Command::new(&program)
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self {
            child: Mutex::new(child),
            directory,
            program,
            arguments,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.address = server.await_port()?;
        Ok(server)
    }

    /// Kills it without a word, and starts another on what it leaves behind.
    ///
    /// # Errors
    /// It does not start again.
    pub fn kill_and_start(&self) -> Result<Self> {
        self.end();
        for entry in std::fs::read_dir(self.directory.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "ports") {
                std::fs::remove_file(path)?;
            }
        }
        Self::spawn(
            self.program.clone(),
            self.arguments.clone(),
            Arc::clone(&self.directory),
        )
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        let mut child = self.child();
        // One that has ended already has nothing to kill.
        drop(child.kill());
        drop(child.wait());
    }

    fn await_port(&self) -> Result<SocketAddr> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(address) = self.port()? {
                return Ok(address);
            }
            if let Some(status) = self.child().try_wait()? {
                bail!("the server ended with {status}\n{}", self.log());
            }
            park_timeout(LOOK_EVERY);
        }
        bail!("the server does not listen\n{}", self.log())
    }

    fn port(&self) -> Result<Option<SocketAddr>> {
        for entry in std::fs::read_dir(self.directory.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "ports") {
                let Ok(ports) = serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path)?) else {
                    return Ok(None);
                };
                let url = ports.pointer("/nats/0").and_then(serde_json::Value::as_str);
                let address = url.and_then(|u| u.strip_prefix("nats://"));
                return Ok(address.and_then(|a| a.parse().ok()));
            }
        }
        Ok(None)
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child().id())).unwrap_or_default()
    }

    /// Processor time it has used, microseconds.
    #[must_use]
    pub fn cpu_us(&self) -> f64 {
        let stat = self.proc_file("stat");
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: f64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|f| f.parse::<f64>().ok())
            .sum();
        // A tick has been ten milliseconds on every Linux there is.
        ticks * 10_000.0
    }

    fn memory_mib(&self, name: &str) -> f64 {
        let status = self.proc_file("status");
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }

    /// The most memory it held, MiB.
    #[must_use]
    pub fn peak_mib(&self) -> f64 {
        self.memory_mib("VmHWM:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
