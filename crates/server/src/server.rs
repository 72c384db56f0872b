//! What all parts of a running server share. Holds no rule: tasks look here for accounts, connections and counters.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use natterjack_config::{Flags, Options};
use natterjack_jsapi::GoTime;
use natterjack_jsapi::versioning::{API_LEVEL, PEER_VERSION};
use natterjack_proto::Info;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::account::{Account, Accounts, SYSTEM_ACCOUNT, Traffic};
use crate::clock;
use crate::conn::{CloseReason, Conn};
use crate::jetstream::JetStream;
use crate::live::{self, Live};
use crate::monitor::cpu::Cpu;
use crate::strangers::Strangers;
use crate::system;

/// Commit of the peer whose behaviour is spoken.
const GIT_COMMIT: &str = "b2fd3ef";
/// Compiler of the peer whose behaviour is spoken.
const GO_VERSION: &str = "go1.27.2";

/// Counters of the whole server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Sent to clients.
    pub(crate) sent: Traffic,
    /// Received from clients.
    pub(crate) received: Traffic,
    /// Connections since the start.
    pub(crate) connections: AtomicU64,
    /// Clients dropped for being slow.
    pub(crate) slow: AtomicU64,
    /// Clients dropped for not answering.
    pub(crate) stale: AtomicU64,
    /// Times a producer was made to wait for a slow receiver.
    pub(crate) stalled: AtomicU64,
}

/// A connection that has ended, for monitoring.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The connection.
    pub(crate) conn: Arc<Conn>,
    /// Subscriptions it had.
    pub(crate) subscriptions: usize,
}

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    /// How it was started: for what cannot change.
    pub(crate) options: Options,
    /// The command line, for when the configuration is read again.
    pub(crate) flags: OnceLock<Flags>,
    /// What is in force now.
    pub(crate) live: ArcSwap<Live>,
    /// Public key, new at each start.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    xkey: String,
    /// Accounts.
    pub(crate) accounts: Accounts,
    global: Arc<Account>,
    conns: Mutex<HashMap<u64, Arc<Conn>>>,
    ended: Mutex<VecDeque<Ended>>,
    next_conn: AtomicU64,
    /// Connections that have not said who they are and must.
    pub(crate) strangers: Strangers,
    /// Counters.
    pub(crate) counters: Counters,
    /// When it started.
    pub(crate) started: GoTime,
    /// When its configuration was last read.
    pub(crate) configured: ArcSwap<GoTime>,
    /// Requests of each monitoring path.
    pub(crate) http_requests: Mutex<std::collections::BTreeMap<String, u64>>,
    /// Where it listens for clients.
    pub(crate) listening: OnceLock<SocketAddr>,
    /// Where it listens for monitoring.
    pub(crate) monitoring: OnceLock<SocketAddr>,
    /// Whether clients are served.
    pub(crate) ready: AtomicBool,
    /// Whether clients are being sent away.
    pub(crate) lame_duck: AtomicBool,
    /// JetStream, if it is on.
    jetstream: ArcSwapOption<JetStream>,
    /// One reload at a time.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Wakes those who wait for the last connection.
    pub(crate) emptied: Notify,
    /// How busy it is.
    pub(crate) cpu: Cpu,
}

impl Server {
    /// A server that does nothing yet.
    pub(crate) fn new(options: Options) -> Result<Arc<Self>, String> {
        let id = natterjack_auth::nkey::server_id(rand::random()).map_err(|e| e.to_string())?;
        let xkey = natterjack_auth::nkey::server_xkey(rand::random());
        let name = if options.server_name.is_empty() {
            id.clone()
        } else {
            options.server_name.clone()
        };
        let (accounts, global) = live::accounts(&options);
        Ok(Arc::new(Self {
            live: ArcSwap::from_pointee(Live::new(options.clone())),
            accounts,
            global,
            id,
            name,
            xkey,
            conns: Mutex::default(),
            ended: Mutex::default(),
            next_conn: AtomicU64::new(1),
            strangers: Strangers::default(),
            counters: Counters::default(),
            started: clock::wall(),
            configured: ArcSwap::from_pointee(clock::wall()),
            http_requests: Mutex::default(),
            listening: OnceLock::new(),
            monitoring: OnceLock::new(),
            ready: AtomicBool::new(false),
            lame_duck: AtomicBool::new(false),
            jetstream: ArcSwapOption::empty(),
            reloading: tokio::sync::Mutex::default(),
            emptied: Notify::new(),
            cpu: Cpu::default(),
            flags: OnceLock::new(),
            options,
        }))
    }

    /// JetStream, if it is on.
    pub(crate) fn jetstream(&self) -> Option<Arc<JetStream>> {
        self.jetstream.load_full()
    }

    /// Puts `jetstream` in the place of what there was, which is given back.
    pub(crate) fn set_jetstream(&self, jetstream: Option<Arc<JetStream>>) -> Option<Arc<JetStream>> {
        self.jetstream.swap(jetstream)
    }

    /// The account of connections that have not said who they are.
    pub(crate) fn first_account(&self) -> Arc<Account> {
        Arc::clone(&self.global)
    }

    /// A number for a new connection.
    pub(crate) fn next_conn_id(&self) -> u64 {
        self.next_conn.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a connection in; `false` when there are enough.
    pub(crate) fn on_opened(&self, conn: &Arc<Conn>) -> bool {
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let mut conns = self.conns.lock();
        let live = self.live.load();
        let limits = &live.options.limits;
        let most = limits.max_connections;
        let fits =
            (most == 0 || (conns.len() as u64) < most) && self.strangers.fits(conn.address.ip(), limits);
        if fits {
            conns.insert(conn.id, Arc::clone(conn));
        }
        fits
    }

    /// Takes a connection that has ended out.
    pub(crate) fn on_closed(self: &Arc<Self>, conn: &Arc<Conn>, reason: CloseReason, subscriptions: usize) {
        let label = conn.label();
        if reason.is_slow() {
            self.counters.slow.fetch_add(1, Ordering::Relaxed);
            let account = Arc::clone(&conn.facts.lock().account);
            account.slow_consumers.fetch_add(1, Ordering::Relaxed);
            if reason == CloseReason::SlowConsumerPendingBytes {
                let most = self.live.load().options.limits.max_pending_bytes;
                tracing::info!("{label} - Slow Consumer Detected: MaxPending of {most} Exceeded");
            } else {
                let (why, pending) = (reason.text(), conn.outbound.pending());
                tracing::info!("{label} - Slow Consumer Detected: {why}, {pending} bytes pending");
            }
        }
        if reason == CloseReason::StaleConnection {
            self.counters.stale.fetch_add(1, Ordering::Relaxed);
        }
        tracing::debug!("{label} - Client connection closed: {}", reason.text());
        if conn.joined.load(Ordering::Relaxed) {
            system::on_closed(self, conn, reason);
        }
        let mut ended = self.ended.lock();
        ended.push_back(Ended {
            conn: Arc::clone(conn),
            subscriptions,
        });
        while ended.len() > self.options.limits.max_closed_clients {
            ended.pop_front();
        }
        drop(ended);
        let mut conns = self.conns.lock();
        conns.remove(&conn.id);
        if conns.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// The open connection `id`.
    pub(crate) fn connection(&self, id: u64) -> Option<Arc<Conn>> {
        self.conns.lock().get(&id).cloned()
    }

    /// Open connections by number.
    pub(crate) fn connections(&self) -> Vec<Arc<Conn>> {
        let mut all: Vec<_> = self.conns.lock().values().cloned().collect();
        all.sort_unstable_by_key(|c| c.id);
        all
    }

    /// Number of open connections.
    pub(crate) fn connection_count(&self) -> usize {
        self.conns.lock().len()
    }

    /// Lets `visit` look at connections that have ended, oldest first.
    pub(crate) fn each_ended(&self, mut visit: impl FnMut(&Ended)) {
        self.ended.lock().iter().for_each(&mut visit);
    }

    /// Host and port that clients are told.
    fn advertised(&self, advertise: &str) -> (String, u16) {
        let address = self.listening.get();
        let port = address.map_or(0, SocketAddr::port);
        if advertise.is_empty() {
            let ip = address.map_or_else(|| IpAddr::from([0, 0, 0, 0]), SocketAddr::ip);
            return (ip.to_string(), port);
        }
        match advertise.rsplit_once(':') {
            Some((host, told)) if !told.ends_with(']') => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                // Without a port of its own, or with 0 or -1, the address is told with the port that is listened on.
                let told = told.parse().ok().filter(|n| *n != 0);
                (host.to_owned(), told.unwrap_or(port))
            }
            _ => (advertise.to_owned(), port),
        }
    }

    /// What it says of itself to nobody in particular.
    pub(crate) fn info(&self) -> Info {
        let live = self.live.load();
        let options = &live.options;
        let (host, port) = self.advertised(&options.client_advertise);
        let jetstream = self.jetstream().is_some();
        Info {
            server_id: self.id.clone(),
            server_name: self.name.clone(),
            version: PEER_VERSION.into(),
            proto: 1,
            git_commit: GIT_COMMIT.into(),
            go: GO_VERSION.into(),
            host,
            port,
            headers: !options.no_header_support,
            auth_required: live.asks_who(),
            ldm: self.lame_duck.load(Ordering::Relaxed),
            max_payload: i64::try_from(options.limits.max_payload_bytes).unwrap_or(i64::MAX),
            jetstream,
            domain: options.jetstream.domain.clone(),
            api_lvl: API_LEVEL.unsigned_abs(),
            xkey: self.xkey.clone(),
            natterjack: env!("CARGO_PKG_VERSION").into(),
            ..Info::default()
        }
    }

    /// What it says of itself to `conn`; `connected` once it knows who that is.
    pub(crate) fn info_for(&self, conn: &Conn, connected: bool) -> Info {
        let mut info = self.info();
        info.client_id = conn.id;
        // Behind a proxy the first INFO goes out before it has said who the client is.
        if connected || !self.options.proxy_protocol {
            info.client_ip = conn.client().ip().to_string();
        }
        if connected || conn.joined.load(Ordering::Relaxed) {
            // Only who has not said yet who it is may need to know that it need not.
            info.auth_required = self.live.load().directory.requires_auth();
        }
        if connected {
            let account = Arc::clone(&conn.facts.lock().account);
            info.connect_info = true;
            info.remote_account = account.name.to_string();
            info.acc_is_sys = *account.name == *self.system_account();
            if let Some(most) = account.limits.lock().max_payload {
                info.max_payload = i64::try_from(most).unwrap_or(i64::MAX);
            }
        }
        info
    }

    /// Name of the system account.
    pub(crate) fn system_account(&self) -> &str {
        if self.options.system_account.is_empty() {
            SYSTEM_ACCOUNT
        } else {
            &self.options.system_account
        }
    }
}
