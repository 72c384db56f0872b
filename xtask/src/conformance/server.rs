//! A server process for one transcript file: started, awaited, ended. Never outlives its value.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::transcript::Header;

const READY_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running server with its own directory.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    directory: tempfile::TempDir,
    /// Where clients connect.
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts `program` on a free port of the loopback address and waits until it says which.
    pub(super) fn start(program: &Path, header: &Header) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let at = directory.path();
        let log = std::fs::File::create(at.join("log"))?;
        let mut command = Command::new(program);
        command
            .args(["-a", "127.0.0.1", "-p", "-1"])
            .arg("--ports_file_dir")
            .arg(at)
            .args(&header.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if !header.no_jetstream {
            command.arg("-js").arg("-sd").arg(at);
        }
        if !header.config.is_empty() {
            std::fs::write(at.join("server.conf"), &header.config)?;
            command.arg("-c").arg(at.join("server.conf"));
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self {
            child,
            directory,
            address,
        };
        server.address = server.wait_until_ready(program)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, program: &Path) -> Result<SocketAddr> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(address) = listening_on(self.directory.path()) {
                return Ok(address);
            }
            if self.child.try_wait()?.is_some() {
                break;
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(10).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{} did not get ready:\n{}", program.display(), tail.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The address in the ports file, once it is there and complete.
fn listening_on(directory: &Path) -> Option<SocketAddr> {
    let file = std::fs::read_dir(directory)
        .ok()?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|p| p.extension().is_some_and(|e| e == "ports"))?;
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    let url = json["nats"][0].as_str()?;
    url.strip_prefix("nats://")?.parse().ok()
}
