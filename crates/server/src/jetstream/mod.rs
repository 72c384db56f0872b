//! JetStream of the server: the store, which streams there are, and the accounts that have them.

pub(crate) mod account;
mod api;
mod backup;
mod configs;
mod crossing;
pub(crate) mod domain;
mod inbox;
mod keeper;
mod limits;
mod meta;
mod owner;
pub(crate) mod place;
mod rest;
mod restore;
mod services;
pub(crate) mod stream;
pub(crate) mod switch;
mod traced;
mod upstream;
mod watch;
mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use natterjack_config::Sync;
use natterjack_jetstream::meta::{Assignment, Change, META_GROUP};
use natterjack_jetstream::usage::Usage;
use natterjack_jetstream::{Allowances, BatchLimits, Group, Silent};
use natterjack_jsapi::errors;
use natterjack_jsapi::stream::Storage as ApiStorage;
use natterjack_raft::Solo;
use natterjack_store::{GroupId, Health, OsDisk, Storage, Store, StoreOptions, StreamOptions, SyncMode};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

pub(crate) use account::JsAccount;
use meta::MetaLog;
use owner::Owner;
use place::{encryption, folder, lock, memory_budget, resources};
use stream::Stream;
use wire::Wire;

use crate::account::Account;
use crate::clock;
use crate::router::sub::Sub;
use crate::server::Server;
use crate::spawn::vital;

/// JetStream of a server.
#[derive(Debug)]
pub(crate) struct JetStream {
    /// The server.
    pub(crate) server: Arc<Server>,
    /// Where everything is.
    pub(crate) folder: PathBuf,
    store: Store,
    /// What all streams hold in files and in memory.
    usage: [Arc<Usage>; 2],
    batch_limits: Mutex<BatchLimits>,
    meta: Arc<MetaLog>,
    next: AtomicU32,
    accounts: Mutex<BTreeMap<Arc<str>, Arc<JsAccount>>>,
    /// What answers the API, and what listens for it.
    serving: Mutex<Serving>,
    lock: Mutex<Option<File>>,
}

/// What ends with JetStream.
#[derive(Debug, Default)]
struct Serving {
    tasks: Vec<JoinHandle<()>>,
    subs: Vec<(Arc<Account>, Arc<Sub>)>,
}

fn options(storage: ApiStorage) -> StreamOptions {
    StreamOptions {
        storage: match storage {
            ApiStorage::File => Storage::File,
            ApiStorage::Memory => Storage::Memory,
        },
        ..StreamOptions::default()
    }
}

impl JetStream {
    /// Opens the store in its folder.
    ///
    /// # Errors
    /// When the folder cannot be used; the text is for the log.
    pub(crate) fn open(server: &Arc<Server>) -> Result<Arc<Self>, String> {
        let folder = folder(server);
        let lock = lock(&folder)?;
        restore::remove_strays(&folder);
        let sync = match server.options.jetstream.sync {
            Sync::Always => SyncMode::Always,
            Sync::Interval(ns) => SyncMode::Interval(std::time::Duration::from_nanos(ns)),
        };
        let settings = StoreOptions {
            sync,
            encryption: encryption(&server.options),
            memory_bytes_max: memory_budget(server),
            ..StoreOptions::default()
        };
        let store = Store::open(Arc::new(OsDisk), &folder, &settings).map_err(|e| e.to_string())?;
        let meta = MetaLog::open(&store).map_err(|e| e.to_string())?;
        let (memory_max, store_max) = resources(server, &folder);
        // The journal may hold entries of streams that nobody was told of: of a restore that a stop cut short.
        let next = AtomicU32::new(meta.next_group().max(store.next_group().0));
        Ok(Arc::new(Self {
            server: Arc::clone(server),
            folder,
            store,
            usage: [store_max, memory_max]
                .map(|max| Arc::new(Usage::new(Some(max), errors::INSUFFICIENT_RESOURCES).crossed_once())),
            batch_limits: Mutex::new(limits::batch_limits(server)),
            next,
            meta: Arc::new(meta),
            accounts: Mutex::default(),
            serving: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// Brings accounts and their streams up.
    ///
    /// # Errors
    /// When the store cannot be read; the text is for the log.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), String> {
        for account in self.server.accounts.all() {
            if *account.name != *self.server.system_account() {
                let limits = self.allowances_of(&account.name);
                self.bring_up(account, limits);
            }
        }
        self.check_reserved()?;
        self.restore()?;
        let keeper = vital("The store's keeper", keeper::keep(Arc::downgrade(self)));
        self.serving.lock().tasks.push(keeper);
        for account in self.accounts() {
            self.open_api(account);
        }
        if let Some(account) = self.server.accounts.get(self.server.system_account()) {
            api::system::open(self, &account);
        }
        Ok(())
    }

    fn bring_up(self: &Arc<Self>, account: Arc<Account>, limits: Option<Allowances>) -> Arc<JsAccount> {
        let name = Arc::clone(&account.name);
        let js = Arc::new(JsAccount::new(self, account, limits));
        self.accounts.lock().insert(name, Arc::clone(&js));
        js
    }

    fn open_api(&self, account: Arc<JsAccount>) {
        let (service, mailbox) = api::Api::new(&self.server);
        let sub = Sub::service(b"$JS.API.>", Arc::new(service));
        let listening = (Arc::clone(&account.account), sub);
        api::listen_templates(&account, &mailbox);
        let task = vital("The JetStream API", api::serve(account, mailbox));
        self.serve(listening, task);
    }

    /// Has `task` answer what comes to a subscription, for as long as JetStream is on.
    fn serve(&self, listening: (Arc<Account>, Arc<Sub>), task: JoinHandle<()>) {
        let (account, sub) = &listening;
        account.subscribe(sub);
        let mut serving = self.serving.lock();
        serving.subs.push(listening);
        serving.tasks.push(task);
    }

    /// Takes in an account that came while the server runs; what it may use comes with [`Self::reconfigure`]. Streams it
    /// had before, it has again after a restart.
    pub(crate) fn adopt(self: &Arc<Self>, account: Arc<Account>) {
        self.open_api(self.bring_up(account, None));
    }

    fn restore(self: &Arc<Self>) -> Result<(), String> {
        let known = self.meta.read(|meta| meta.streams().cloned().collect::<Vec<_>>());
        let mut kept = vec![META_GROUP];
        for assignment in known {
            // Streams in memory end with the server.
            if assignment.config.storage == ApiStorage::Memory {
                self.meta.forget(Change::Delete(assignment.group));
                continue;
            }
            kept.push(assignment.group);
            let Some(account) = self.account(&assignment.account) else {
                tracing::warn!(
                    "Account {:?} of stream {:?} is not there any more",
                    assignment.account,
                    assignment.config.name
                );
                continue;
            };
            let (account_name, name) = (&assignment.account, &assignment.config.name);
            tracing::info!("  Starting restore for stream '{account_name} > {name}'");
            let since = std::time::Instant::now();
            let (stream, owner) = self.reopen(&account, &assignment)?;
            let messages = crate::banner::count(stream.state.lock().messages);
            let took = since.elapsed().as_millis();
            tracing::info!("  Restored {messages} messages for stream '{account_name} > {name}' in {took}ms");
            vital("A stream", owner.run());
            account.add(stream);
        }
        self.store.retain(&kept).map_err(|e| e.to_string())
    }

    /// A stream that did not exist.
    fn make(
        self: &Arc<Self>,
        account: &JsAccount,
        assignment: &Assignment,
    ) -> Result<(Arc<Stream>, Owner), String> {
        let options = options(assignment.config.storage);
        let (log, store) = self
            .store
            .create_stream(assignment.group, &options)
            .map_err(|e| e.to_string())?;
        let log = match assignment.config.storage {
            ApiStorage::File => Solo::durable(log),
            ApiStorage::Memory => Solo::volatile(),
        };
        let names = account.names(&assignment.config.name);
        let group = Group::new(assignment.config.clone(), assignment.created, store, names);
        Ok(self.own(account, assignment, group, log))
    }

    /// A stream that existed.
    fn reopen(
        self: &Arc<Self>,
        account: &JsAccount,
        assignment: &Assignment,
    ) -> Result<(Arc<Stream>, Owner), String> {
        let options = options(assignment.config.storage);
        let (mut log, store) = self
            .store
            .open_stream(assignment.group, &options)
            .map_err(|e| e.to_string())?;
        let now = clock::now();
        let kept = log.checkpoint().cloned();
        let checkpoint = kept.as_ref().map(|(at, state)| (*at, state.as_ref()));
        let names = account.names(&assignment.config.name);
        let (config, created) = (assignment.config.clone(), assignment.created);
        let mut group = Group::restore(config, created, store, names, checkpoint, now);
        for entry in log.replay() {
            group.replay(&entry, now, &mut Silent);
        }
        group.restored(now);
        Ok(self.own(account, assignment, group, Solo::durable(log)))
    }

    fn own(
        self: &Arc<Self>,
        account: &JsAccount,
        assignment: &Assignment,
        group: Group,
        log: Solo,
    ) -> (Arc<Stream>, Owner) {
        let mut group = group;
        let config = group.stream().config().clone();
        group.set_batch_limits(self.batch_limits.lock().clone());
        group.set_charge(account.charge(&config, self));
        let stream = Arc::new(Stream::new(
            config,
            assignment,
            account.long_form(),
            limits::room(&self.server),
        ));
        let wire = Wire::new(&self.server, &account.account);
        let owner = Owner::new(&stream, group, log, wire);
        (stream, owner)
    }

    /// Disk for streams, bytes.
    pub(crate) fn store_max(&self) -> u64 {
        self.usage[0].max()
    }

    /// Memory for streams, bytes.
    pub(crate) fn memory_max(&self) -> u64 {
        self.usage[1].max()
    }

    /// An id for a new stream.
    fn next_group(&self) -> GroupId {
        GroupId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Changes what exists, durably.
    async fn change(&self, change: Change) -> Result<(), String> {
        self.meta.change(change).await
    }

    /// JetStream of an account.
    pub(crate) fn account(&self, name: &str) -> Option<Arc<JsAccount>> {
        self.accounts.lock().get(name).cloned()
    }

    /// All accounts.
    pub(crate) fn accounts(&self) -> Vec<Arc<JsAccount>> {
        self.accounts.lock().values().cloned().collect()
    }

    /// Waits until what streams show has everything that publishers were told of.
    pub(crate) async fn shown(&self) {
        for account in self.accounts() {
            account.shown().await;
        }
    }

    /// How the store is.
    pub(crate) fn health(&self) -> Health {
        self.store.health()
    }

    /// Figures of the journal.
    pub(crate) fn journal_stats(&self) -> natterjack_store::JournalStats {
        self.store.journal_stats()
    }

    /// Figures of the work behind appends.
    pub(crate) fn store_stats(&self) -> natterjack_store::StoreStats {
        self.store.stats()
    }

    /// What streams on disk take of the memory budget.
    pub(crate) fn memory_use(&self) -> natterjack_store::MemoryUse {
        self.store.memory_use()
    }

    /// Ends all streams and makes everything durable.
    pub(crate) async fn stop(&self) {
        for account in self.accounts() {
            for stream in account.held() {
                let _ended = stream.ask(Owner::stop).await;
            }
        }
        self.meta.save();
        let store = self.store.clone();
        let _joined = tokio::task::spawn_blocking(move || store.shutdown()).await;
    }
}
