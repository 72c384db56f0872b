//! The server as a child process: start, find its port, signal, kill, start again on the same store.
//! Never reads or writes the store folder itself and never outlives its value: dropping it ends the child.

use crate::{Outcome, eventually, server_binary, within};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// What a start may take until the port is open, on a busy machine and with a store to recover.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The configuration file in the folder of a server.
const CONFIG_FILE: &str = "server.conf";
/// What an ordered end may take.
const END_LIMIT: Duration = Duration::from_secs(15);

/// How to start a server; the default is the binary under test, JetStream on, no configuration file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Flags after those the harness gives.
    pub args: Vec<String>,
    /// Text of a configuration file, given with `-c`.
    pub config: Option<String>,
    /// Another executable than the one under test, such as a link to it.
    pub executable: Option<PathBuf>,
    /// Whether one thread serves all connections: what each thread keeps for itself differs from run to run.
    pub one_thread: bool,
    /// Whether no flag says anything of JetStream, and the folder of the server is the one it runs in.
    pub bare: bool,
}

/// A running server with its own store folder and log.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    executable: PathBuf,
    options: Options,
    dir: TempDir,
}

impl Server {
    /// Starts the binary under test with JetStream.
    ///
    /// # Errors
    /// No binary, an early exit, or no open port in time.
    pub async fn start() -> Outcome<Self> {
        Self::launch(Options::default()).await
    }

    /// Starts the binary under test with a configuration file.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn with_config(config: &str) -> Outcome<Self> {
        Self::launch(Options {
            config: Some(config.to_owned()),
            ..Options::default()
        })
        .await
    }

    /// Starts a server as the options say.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn launch(options: Options) -> Outcome<Self> {
        let executable = options.executable.clone().map_or_else(server_binary, Ok)?;
        let dir = TempDir::with_prefix("natterjack-tests-")?;
        let child = spawn(&executable, &options, dir.path())?;
        let mut server = Self {
            child,
            url: String::new(),
            executable,
            options,
            dir,
        };
        server.await_port().await?;
        Ok(server)
    }

    /// Where clients connect, as a URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where clients connect, as host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url
            .split_once("//")
            .map_or(self.url.as_str(), |(_, address)| address)
    }

    /// The folder with store, log and ports file.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A client connected to this server.
    ///
    /// # Errors
    /// The connection is refused.
    pub async fn client(&self) -> Outcome<async_nats::Client> {
        Ok(async_nats::connect(self.url()).await?)
    }

    /// A JetStream context on a new connection.
    ///
    /// # Errors
    /// As [`Server::client`].
    pub async fn jetstream(&self) -> Outcome<async_nats::jetstream::Context> {
        Ok(async_nats::jetstream::new(self.client().await?))
    }

    /// The log so far, over all starts.
    ///
    /// # Errors
    /// There is no log file.
    pub fn log(&self) -> Outcome<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.dir.path().join("server.log"))?).into_owned())
    }

    /// The name of the ports file of the running process.
    ///
    /// # Errors
    /// The process has ended or wrote no such file.
    pub fn ports_file_name(&self) -> Outcome<String> {
        let path = ports_file(self.dir.path(), self.child.id().ok_or("the server has ended")?)?;
        let name = path
            .ok_or("no ports file")?
            .file_name()
            .ok_or("no file name")?
            .to_string_lossy()
            .into_owned();
        Ok(name)
    }

    /// A page of the monitoring port, which the configuration must have opened (`http_port: -1`), with its head.
    ///
    /// # Errors
    /// There is no such port, or no whole answer.
    pub async fn page(&self, path: &str) -> Outcome<String> {
        let pid = self.child.id().ok_or("the server has ended")?;
        let file = ports_file(self.dir.path(), pid)?.ok_or("no ports file")?;
        let ports: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let url = ports.pointer("/monitoring/0").and_then(Value::as_str);
        let address = url.and_then(|url| url.strip_prefix("http://"));
        let mut connection = TcpStream::connect(address.ok_or("no monitoring port")?).await?;
        // The version in which nobody sends a body in chunks.
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        within("a page", START_LIMIT, async {
            connection.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            connection.read_to_end(&mut answer).await?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        })
        .await
    }

    /// Whether the process still runs.
    ///
    /// # Errors
    /// Its state cannot be asked.
    pub fn is_running(&mut self) -> Outcome<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends a signal and leaves the process to it.
    ///
    /// # Errors
    /// The process has already ended.
    pub fn signal(&self, signal: Signal) -> Outcome {
        let pid = i32::try_from(self.child.id().ok_or("the server has ended")?)?;
        Ok(kill_process(Pid::from_raw(pid).ok_or("no process id")?, signal)?)
    }

    /// Waits for the process to end.
    ///
    /// # Errors
    /// It still runs at the deadline.
    pub async fn ended(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        within("the end of the server", limit, async {
            Ok(self.child.wait().await?)
        })
        .await
    }

    /// Kills the process as `kill -9` does and waits until it is gone.
    ///
    /// # Errors
    /// It has already ended.
    pub async fn kill(&mut self) -> Outcome {
        self.signal(Signal::KILL)?;
        self.ended(END_LIMIT).await?;
        Ok(())
    }

    /// `SIGINT`, and how the process ended.
    ///
    /// # Errors
    /// It has already ended, or does not end in time.
    pub async fn interrupt(&mut self) -> Outcome<ExitStatus> {
        self.signal(Signal::INT)?;
        self.ended(END_LIMIT).await
    }

    /// `SIGTERM`, and how the process ended.
    ///
    /// # Errors
    /// It has already ended, or does not end in time.
    pub async fn terminate(&mut self) -> Outcome<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(END_LIMIT).await
    }

    /// The configuration file of the next start.
    pub fn reconfigure(&mut self, config: &str) {
        self.options.config = Some(config.to_owned());
    }

    /// Puts another configuration in force while the process runs, and waits for it to say so. The next start has it too.
    ///
    /// # Errors
    /// It is refused, or takes longer than a start may.
    pub async fn reload(&mut self, config: &str) -> Outcome {
        let said = |log: &str| {
            log.matches("[INF] Reloaded server configuration (sha256:")
                .count()
        };
        let before = said(&self.log()?);
        self.reconfigure(config);
        std::fs::write(self.dir().join(CONFIG_FILE), config)?;
        self.signal(Signal::HUP)?;
        eventually("the reload", START_LIMIT, || async {
            Ok((said(&self.log()?) > before).then_some(()))
        })
        .await
    }

    /// Listens on the port of this start at the next starts as well, so that clients find it again.
    ///
    /// # Errors
    /// There is no port yet.
    pub fn keep_port(&mut self) -> Outcome {
        let (_, port) = self.address().rsplit_once(':').ok_or("no port")?;
        let flags = ["-p".to_owned(), port.to_owned()];
        self.options.args.extend(flags);
        Ok(())
    }

    /// Starts again on the same store; a process that still runs is killed first.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn restart(&mut self) -> Outcome {
        if self.is_running()? {
            self.kill().await?;
        }
        self.child = spawn(&self.executable, &self.options, self.dir.path())?;
        self.await_port().await
    }

    /// Waits for the ports file, which is written once clients are welcome.
    async fn await_port(&mut self) -> Outcome {
        let pid = self.child.id().ok_or("the server ended at once")?;
        let dir = self.dir.path().to_path_buf();
        let child = &mut self.child;
        let found = eventually("the ports file of the server", START_LIMIT, || {
            let probe = read_url(&dir, pid);
            let ended = child.try_wait();
            async move {
                match (probe?, ended?) {
                    (Some(url), _) => Ok(Some(url)),
                    (None, Some(status)) => Err(format!("the server ended with {status}").into()),
                    (None, None) => Ok(None),
                }
            }
        });
        let found = found.await;
        match found {
            Ok(url) => self.url = url,
            Err(error) => return Err(format!("{error}\n{}", self.last_words()).into()),
        }
        Ok(())
    }

    /// What the server said, for the text of an error.
    fn last_words(&self) -> String {
        let stderr = std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default();
        format!("stderr:\n{stderr}\nlog:\n{}", self.log().unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that has ended already has nothing to kill; the store folder goes with the value either way.
        drop(self.child.start_kill());
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Starts the process with the flags every server of the tests has.
fn spawn(executable: &Path, options: &Options, dir: &Path) -> Outcome<Child> {
    let mut command = Command::new(executable);
    command
        .args(["-a", "127.0.0.1", "-p", "-1"])
        .arg("--ports_file_dir")
        .arg(dir)
        .arg("-l")
        .arg(dir.join("server.log"));
    if options.bare {
        command.current_dir(dir);
    } else {
        command.args(["-js", "-sd"]).arg(dir.join("store"));
    }
    if let Some(text) = &options.config {
        let path = dir.join(CONFIG_FILE);
        std::fs::write(&path, text)?;
        command.arg("-c").arg(path);
    }
    if options.one_thread {
        command.env("TOKIO_WORKER_THREADS", "1");
    }
    command
        .args(&options.args)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
        .stderr(std::fs::File::create(dir.join("stderr"))?)
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

/// The ports file of this process, whatever the name of its executable.
fn ports_file(dir: &Path, pid: u32) -> Outcome<Option<PathBuf>> {
    let suffix = format!("_{pid}.ports");
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(&suffix) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// The client URL of the ports file; none while the file is missing or only half written.
fn read_url(dir: &Path, pid: u32) -> Outcome<Option<String>> {
    let Some(path) = ports_file(dir, pid)? else {
        return Ok(None);
    };
    let Ok(ports) = serde_json::from_slice::<Value>(&std::fs::read(path)?) else {
        return Ok(None);
    };
    Ok(ports
        .pointer("/nats/0")
        .and_then(Value::as_str)
        .map(ToOwned::to_owned))
}
