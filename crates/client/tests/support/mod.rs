//! A server for tests: the binary `NATTERJACK_SERVER` names, or the workspace's own, on loopback with a port of its
//! choice. Never waits without a deadline, and never outlives its owner.
#![expect(clippy::unwrap_used, reason = "a server that cannot start is a failed test")]

#[allow(dead_code, reason = "not every test binary has to do with streams")]
pub(crate) mod orders;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest a server may take to start.
const START: Duration = Duration::from_secs(20);

/// A running server.
#[allow(dead_code, reason = "only a server that is started again needs all of it")]
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    binary: PathBuf,
    dir: tempfile::TempDir,
    flags: Vec<String>,
    port: u16,
}

fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("NATTERJACK_SERVER") {
        return named.into();
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/natterjack-server");
    assert!(
        own.is_file(),
        "no server at {}: build it with `cargo build -p natterjack-server`, or name one in NATTERJACK_SERVER",
        own.display()
    );
    own
}

impl Server {
    /// Starts a server with JetStream.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with JetStream and further flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let (dir, binary) = (tempfile::tempdir().unwrap(), binary());
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        let (child, port) = launch(&binary, dir.path(), &flags, -1);
        Self {
            child,
            binary,
            dir,
            flags,
            port,
        }
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once.
    pub(crate) fn stop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it again on the same port with the same files.
    #[allow(dead_code, reason = "not every test binary starts a server again")]
    pub(crate) fn restart(&mut self) {
        self.stop();
        (self.child, _) = launch(&self.binary, self.dir.path(), &self.flags, i32::from(self.port));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(binary: &Path, dir: &Path, flags: &[String], port: i32) -> (Child, u16) {
    let mut child = Command::new(binary)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(dir.join("store"))
        .arg("--ports_file_dir")
        .arg(dir)
        .args(flags)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
    let name = binary.file_name().unwrap().to_string_lossy().into_owned();
    let ports = dir.join(format!("{name}_{}.ports", child.id()));
    let deadline = Instant::now() + START;
    loop {
        if let Some(port) = read_port(&ports) {
            return (child, port);
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{} ended at once: {status}", binary.display());
        }
        assert!(
            Instant::now() < deadline,
            "no {} within {START:?}",
            ports.display()
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The port in the ports file, once it is written completely.
fn read_port(file: &Path) -> Option<u16> {
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    json["nats"][0].as_str()?.rsplit_once(':')?.1.parse().ok()
}

/// Asks `condition` again and again until it holds; fails after ten seconds.
#[allow(dead_code, reason = "not every test binary has something to wait for")]
pub(crate) async fn until<F: AsyncFnMut() -> bool>(what: &str, mut condition: F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !condition().await {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        ticks.tick().await;
    }
}
