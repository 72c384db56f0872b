//! JetStream of one account: its streams, its limits, what it uses.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use natterjack_jetstream::Environment;
use natterjack_jetstream::consumer::{Limits as ConsumerLimits, Names};
use natterjack_jetstream::environment::ServerLimits;
use natterjack_jetstream::meta::{Assignment, Change};
use natterjack_jetstream::source::Copier;
use natterjack_jetstream::stream::{Context, Streams};
use natterjack_jetstream::usage::{Charge, Usage};
use natterjack_jsapi::account::{AccountInfo, ApiStats, Limits};
use natterjack_jsapi::request::Template;
use natterjack_jsapi::stream::{Storage, StreamConfig, StreamInfo};
use natterjack_jsapi::versioning::API_LEVEL;
use natterjack_jsapi::{ApiError, errors};
use natterjack_subject::collides;
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use super::JetStream;
use super::backup;
use super::services;
use super::stream::Stream;
use super::upstream;
use crate::account::Account;
use crate::clock;
use crate::router::sub::Sub;
use crate::spawn::vital;

/// JetStream of an account.
#[derive(Debug)]
pub(crate) struct JsAccount {
    /// The server's JetStream.
    pub(crate) jetstream: Arc<JetStream>,
    /// The account.
    pub(crate) account: Arc<Account>,
    /// Whether JetStream is on for it.
    pub(crate) enabled: bool,
    environment: Environment,
    /// What its streams hold in files and in memory.
    usage: [Arc<Usage>; 2],
    streams: RwLock<BTreeMap<String, Arc<Stream>>>,
    /// What templates listen with, by their names.
    pub(super) traps: Mutex<BTreeMap<String, Vec<Arc<Sub>>>>,
    /// Requests.
    pub(crate) api_total: AtomicU64,
    /// Requests refused.
    pub(crate) api_errors: AtomicU64,
}

/// Configurations of the account's streams at one time.
#[derive(Debug, Default)]
pub(super) struct Configs(HashMap<String, Arc<StreamConfig>>);

impl Configs {
    /// The configuration of a stream.
    pub(super) fn get(&self, name: &str) -> Option<&StreamConfig> {
        self.0.get(name).map(AsRef::as_ref)
    }
}

impl Streams for Configs {
    fn config(&self, name: &str) -> Option<&StreamConfig> {
        self.get(name)
    }

    fn overlaps(&self, subjects: &[String], except: &str) -> bool {
        let others = self.0.values().filter(|c| c.name != except);
        others.flat_map(|c| &c.subjects).any(|own| {
            subjects
                .iter()
                .any(|wanted| collides(own.as_bytes(), wanted.as_bytes()))
        })
    }
}

fn server_limits(jetstream: &JetStream) -> ServerLimits {
    let options = &jetstream.server.options;
    ServerLimits {
        duplicate_window_ns: i64::try_from(options.jetstream.max_duplicate_window_ns).unwrap_or(i64::MAX),
        max_request_batch: options.jetstream.max_request_batch,
        max_ack_pending: options.jetstream.max_ack_pending,
        default_max_consumers: options.jetstream.default_max_consumers,
    }
}

impl JsAccount {
    /// JetStream of `account`, with `limits` if it is on for it.
    pub(super) fn new(jetstream: &Arc<JetStream>, account: Arc<Account>, limits: Option<Limits>) -> Self {
        let mut environment = Environment::new(&account.name);
        environment
            .domain
            .clone_from(&jetstream.server.options.jetstream.domain);
        environment.limits = server_limits(jetstream);
        let enabled = limits.is_some();
        if let Some(limits) = limits {
            environment.account_limits = limits;
        }
        let limits = &environment.account_limits;
        let usage = [limits.max_storage, limits.max_memory].map(|max| {
            let max = u64::try_from(max).ok();
            Arc::new(Usage::new(max, errors::ACCOUNT_RESOURCES_EXCEEDED))
        });
        Self {
            jetstream: Arc::clone(jetstream),
            account,
            enabled,
            environment,
            usage,
            streams: RwLock::default(),
            traps: Mutex::default(),
            api_total: AtomicU64::new(0),
            api_errors: AtomicU64::new(0),
        }
    }

    /// What a stream's machines are told of where they are.
    pub(super) fn names(&self, stream: &str) -> Names {
        let flags = &self.jetstream.server.options.feature_flags;
        let long = flags.get("js_ack_fc_v2").copied().unwrap_or(false);
        Names {
            stream: stream.to_owned(),
            domain: self.environment.domain.clone(),
            account: self.account.name.to_string(),
            long_form: long.then(|| self.long_form()),
        }
    }

    /// What stands before the stream in ack and flow control subjects of the second form.
    pub(super) fn long_form(&self) -> String {
        let domain = &self.environment.domain;
        let domain = if domain.is_empty() { "_" } else { domain };
        format!("{domain}.{}", self.environment.account_hash)
    }

    /// `stream` as one that copies from others.
    pub(super) fn copier<'a>(&'a self, stream: &'a Stream) -> Copier<'a> {
        Copier {
            stream: &stream.name,
            account: &self.account.name,
            domain: &self.environment.domain,
        }
    }

    /// Whether unknown JSON fields are refused.
    pub(super) fn strict(&self) -> bool {
        self.jetstream.server.options.jetstream.strict
    }

    /// A stream by name.
    pub(crate) fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.streams.read().get(name).cloned()
    }

    /// All streams, by name.
    pub(crate) fn streams(&self) -> Vec<Arc<Stream>> {
        self.streams.read().values().cloned().collect()
    }

    /// Configurations of all streams.
    pub(super) fn configs(&self) -> Configs {
        let streams = self.streams.read();
        Configs(streams.iter().map(|(n, s)| (n.clone(), s.config())).collect())
    }

    /// What checks of configurations look at.
    pub(super) fn context<'a>(&'a self, configs: &'a Configs, pedantic: bool) -> Context<'a> {
        Context {
            environment: &self.environment,
            streams: configs,
            pedantic,
        }
    }

    /// Limits that concern consumers.
    pub(super) fn consumer_limits(&self) -> ConsumerLimits {
        let (server, account) = (&self.environment.limits, &self.environment.account_limits);
        let first = |a: i64, b: i64| if a > 0 { a } else { b };
        ConsumerLimits {
            max_ack_pending: first(account.max_ack_pending, server.max_ack_pending),
            max_request_batch: server.max_request_batch,
            max_consumers: first(account.max_consumers, server.default_max_consumers),
        }
    }

    /// Whether there is room for a stream; `old` is its configuration so far.
    ///
    /// # Errors
    /// The peer's.
    pub(super) fn check_room(
        &self,
        config: &StreamConfig,
        old: Option<&StreamConfig>,
    ) -> Result<(), ApiError> {
        let limits = &self.environment.account_limits;
        let streams = self.streams();
        if old.is_none() && usize::try_from(limits.max_streams).is_ok_and(|most| streams.len() >= most) {
            return Err(errors::MAXIMUM_STREAMS_LIMIT);
        }
        // A stream without a limit of its own needs room for something.
        let wanted = config.max_bytes.max(1);
        let held: i64 = streams
            .iter()
            .map(|s| s.config())
            .filter(|c| c.storage == config.storage && c.name != config.name)
            .map(|c| c.max_bytes.max(0))
            .fold(0, i64::saturating_add);
        let (of_account, of_server, error) = match config.storage {
            Storage::File => (
                limits.max_storage,
                self.jetstream.store_max,
                errors::STORAGE_RESOURCES_EXCEEDED,
            ),
            Storage::Memory => (
                limits.max_memory,
                self.jetstream.memory_max,
                errors::MEMORY_RESOURCES_EXCEEDED,
            ),
        };
        let all = held.saturating_add(wanted);
        if of_account >= 0 && all > of_account {
            return Err(error);
        }
        if all > i64::try_from(of_server).unwrap_or(i64::MAX) {
            return Err(error);
        }
        Ok(())
    }

    /// What a stream counts against.
    pub(super) fn charge(&self, storage: Storage, jetstream: &JetStream) -> Charge {
        let which = usize::from(storage == Storage::Memory);
        let limits = [&jetstream.usage[which], &self.usage[which]];
        Charge::new(limits.map(Arc::clone).to_vec())
    }

    /// What it uses.
    pub(crate) fn info(&self) -> AccountInfo {
        let mut info = AccountInfo {
            limits: self.environment.account_limits.clone(),
            domain: self.environment.domain.clone(),
            api: ApiStats {
                level: API_LEVEL,
                total: self.api_total.load(Ordering::Relaxed),
                errors: self.api_errors.load(Ordering::Relaxed),
                ..ApiStats::default()
            },
            ..AccountInfo::default()
        };
        for stream in self.streams() {
            let config = stream.config();
            let reserved = u64::try_from(config.max_bytes).unwrap_or(0);
            let bytes = stream.state.lock().bytes;
            match config.storage {
                Storage::File => {
                    info.storage += bytes;
                    info.reserved_storage += reserved;
                }
                Storage::Memory => {
                    info.memory += bytes;
                    info.reserved_memory += reserved;
                }
            }
            info.streams += 1;
            info.consumers += stream.consumers.read().len() as u64;
        }
        info
    }

    /// Its templates, by name.
    pub(super) fn templates(&self) -> Vec<Template> {
        self.jetstream.meta.read(|meta| {
            let own = meta.templates().filter(|of| *of.account == *self.account.name);
            own.map(|of| of.template.clone()).collect()
        })
    }

    /// A template by name.
    pub(super) fn template(&self, name: &str) -> Option<Template> {
        let account = &self.account.name;
        self.jetstream
            .meta
            .read(|meta| meta.template(account, name).cloned())
    }

    /// Names of the streams that a template made.
    pub(super) fn made_by(&self, template: &str) -> Vec<String> {
        let account = &self.account.name;
        self.jetstream.meta.read(|meta| meta.made_by(account, template))
    }

    /// Makes a stream whose configuration was checked; `template` is what it is made by, empty for nothing.
    pub(super) async fn create(&self, config: StreamConfig, template: &str) -> Result<(), String> {
        let assignment = Assignment {
            account: self.account.name.to_string(),
            group: self.jetstream.next_group(),
            created: clock::wall(),
            config,
            template: template.to_owned(),
        };
        let (stream, owner) = self.jetstream.make(self, &assignment)?;
        self.jetstream
            .change(Change::Create(Box::new(assignment)))
            .await?;
        vital("A stream", owner.run());
        self.add(stream);
        Ok(())
    }

    /// Makes a stream and fills it from an archive before anybody knows of it.
    pub(super) async fn restore(&self, config: StreamConfig, path: PathBuf) -> Result<StreamInfo, ApiError> {
        let assignment = Assignment {
            account: self.account.name.to_string(),
            group: self.jetstream.next_group(),
            created: clock::wall(),
            config,
            template: String::new(),
        };
        let made = self.jetstream.make(self, &assignment);
        let (stream, owner) = made.map_err(errors::stream_restore)?;
        tokio::spawn(owner.run());
        let mut done = backup::fill(&stream, path).await;
        if done.is_ok() && self.stream(&stream.name).is_some() {
            done = Err(errors::STREAM_NAME_EXIST_RESTORE_FAILED);
        }
        if done.is_ok() {
            let change = Change::Create(Box::new(assignment));
            done = self
                .jetstream
                .change(change)
                .await
                .map_err(errors::stream_restore);
        }
        if let Err(error) = done {
            Self::discard(&stream).await;
            return Err(error);
        }
        self.add(Arc::clone(&stream));
        let info = stream.ask(|owner| owner.group.info(clock::now())).await;
        info.ok_or(errors::STREAM_NOT_FOUND)
    }

    /// Ends a stream and removes all it holds.
    async fn discard(stream: &Arc<Stream>) {
        let (sender, receiver) = oneshot::channel();
        stream.call(move |owner| {
            owner.group.end("409 Consumer Deleted", &mut owner.wire);
            owner.end(sender);
        });
        if let Ok(ended) = receiver.await {
            ended.log.release();
            ended.group.into_store().destroy();
        }
    }

    /// Takes a stream in and lets it listen.
    pub(super) fn add(&self, stream: Arc<Stream>) {
        services::listen(&stream, &self.account);
        self.streams
            .write()
            .insert(stream.name.clone(), Arc::clone(&stream));
        upstream::follow(&stream, self);
    }

    /// Removes a stream with all it holds.
    pub(super) async fn delete(&self, stream: &Arc<Stream>) -> Result<(), String> {
        self.jetstream.change(Change::Delete(stream.group)).await?;
        services::silence(stream, &self.account);
        self.streams.write().remove(&stream.name);
        upstream::forget(stream, self);
        Self::discard(stream).await;
        Ok(())
    }
}
