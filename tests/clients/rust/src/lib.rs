//! Starts servers for the test files of async-nats, under the names and with the arguments those files use. The
//! program is the one `NATTERJACK_SERVER` names. Each server has a folder of its own and ends with its value.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What a start may take until the port is open, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Between two looks whether the server listens.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    config: String,
    folder: TempDir,
}

/// Servers that know each other.
#[derive(Debug)]
pub struct Cluster {
    /// All of them.
    pub servers: Vec<Server>,
}

/// A server without a configuration file, on a free port.
///
/// # Panics
/// As [`run_server`].
#[must_use]
pub fn run_basic_server() -> Server {
    run_server("")
}

/// A server with the configuration in this file, on a free port; no file where the name is empty.
///
/// # Panics
/// The server does not start.
#[must_use]
pub fn run_server(config: &str) -> Server {
    run_server_with_port(config, None)
}

/// A server with the configuration in this file, on this port.
///
/// # Panics
/// As [`run_server`].
#[must_use]
pub fn run_server_with_port(config: &str, port: Option<&str>) -> Server {
    let folder = TempDir::with_prefix("natterjack-async-nats-").expect("a folder for the server");
    let child = spawn(config, port.unwrap_or("-1"), folder.path());
    let mut server = Server {
        child,
        url: String::new(),
        config: config.to_owned(),
        folder,
    };
    server.await_port();
    server
}

/// Three servers that form a cluster.
///
/// # Panics
/// Always: the tests that ask for one are listed as left out.
#[must_use]
pub fn run_cluster(config: &str) -> Cluster {
    panic!("no cluster is started, and one was asked for with {config:?}");
}

/// Tells the server to lead its clients away and end.
///
/// # Panics
/// The order cannot be given.
pub fn set_lame_duck_mode(server: &Server) {
    let order = format!("ldm={}", server.child.id());
    let status = Command::new(program()).args(["-sl", &order]).status();
    assert!(status.expect("the order to end").success(), "{order} failed");
}

impl Server {
    /// Where clients connect.
    #[must_use]
    pub fn client_url(&self) -> String {
        self.url.clone()
    }

    /// The port clients connect to.
    ///
    /// # Panics
    /// The server said no port.
    #[must_use]
    pub fn client_port(&self) -> u16 {
        let (_, port) = self.url.rsplit_once(':').expect("a port in the URL");
        port.parse().expect("a port number")
    }

    /// Kills the server and starts it again on the same port with what it has stored.
    ///
    /// # Panics
    /// It does not start again.
    pub fn restart(&mut self) {
        let port = self.client_port().to_string();
        self.kill();
        self.child = spawn(&self.config, &port, self.folder.path());
        self.await_port();
    }

    fn kill(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }

    /// Waits for the file in which the server says where it listens.
    fn await_port(&mut self) {
        let deadline = Instant::now() + START_LIMIT;
        let ending = format!("_{}.ports", self.child.id());
        loop {
            if let Some(url) = listening(self.folder.path(), &ending) {
                self.url = url;
                return;
            }
            let ended = self.child.try_wait().expect("the state of the server");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "no server:\n{}",
                self.log()
            );
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Cluster {
    /// Where clients connect to the first server.
    #[must_use]
    pub fn client_url(&self) -> String {
        self.servers.first().map(Server::client_url).unwrap_or_default()
    }
}

fn program() -> PathBuf {
    std::env::var_os("NATTERJACK_SERVER")
        .expect("NATTERJACK_SERVER names the server to test")
        .into()
}

fn spawn(config: &str, port: &str, folder: &Path) -> Child {
    let mut command = Command::new(program());
    command.args(["-a", "127.0.0.1", "-p", port]);
    command.arg("--ports_file_dir").arg(folder);
    command
        .arg("-sd")
        .arg(folder)
        .arg("-l")
        .arg(folder.join("server.log"));
    if !config.is_empty() {
        command.args(["-c", config]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the server starts")
}

/// The client URL in the ports file with this ending, once it is there as a whole.
fn listening(folder: &Path, ending: &str) -> Option<String> {
    let names = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let file = names
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(ending))?;
    let text = std::fs::read_to_string(file).ok()?;
    let (_, rest) = text.split_once("\"nats://")?;
    let (address, _) = rest.split_once('"')?;
    Some(format!("nats://{address}"))
}
