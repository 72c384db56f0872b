//! JetStream of one account: its streams, its limits, what it uses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use natterjack_jetstream::Environment;
use natterjack_jetstream::allowance::{Allowances, Used};
use natterjack_jetstream::consumer::Names;
use natterjack_jetstream::meta::{Assignment, Change};
use natterjack_jetstream::source::Copier;
use natterjack_jetstream::usage::{Charge, Usage};
use natterjack_jsapi::account::{AccountInfo, ApiStats};
use natterjack_jsapi::request::Template;
use natterjack_jsapi::stream::{Storage, StreamConfig, StreamInfo};
use natterjack_jsapi::versioning::API_LEVEL;
use natterjack_jsapi::{ApiError, errors};
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use super::JetStream;
use super::configs::Configs;
use super::limits::server_limits;
use super::restore;
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
    /// Whether JetStream is on for it. While it is not, its streams rest and nobody sees them.
    pub(super) enabled: AtomicBool,
    pub(super) environment: ArcSwap<Environment>,
    /// What its streams hold in files and in memory, by tier.
    pub(super) usage: BTreeMap<String, [Arc<Usage>; 2]>,
    pub(super) streams: RwLock<BTreeMap<String, Arc<Stream>>>,
    /// What templates listen with, by their names.
    pub(super) traps: Mutex<BTreeMap<String, Vec<Arc<Sub>>>>,
    /// Requests.
    pub(crate) api_total: AtomicU64,
    /// Requests refused.
    pub(crate) api_errors: AtomicU64,
}

impl JsAccount {
    /// JetStream of `account`, with what it may use if it is on for it.
    pub(super) fn new(
        jetstream: &Arc<JetStream>,
        account: Arc<Account>,
        allowances: Option<Allowances>,
    ) -> Self {
        let mut environment = Environment::new(&account.name);
        environment
            .domain
            .clone_from(&jetstream.server.options.jetstream.domain);
        environment.limits = server_limits(jetstream);
        let enabled = allowances.is_some();
        if let Some(allowances) = allowances {
            environment.allowances = allowances;
        }
        let usage = environment.allowances.each().map(|(tier, limits)| {
            let usage = [limits.max_storage, limits.max_memory].map(|max| {
                let max = u64::try_from(max).ok();
                Arc::new(Usage::new(max, errors::ACCOUNT_RESOURCES_EXCEEDED))
            });
            (tier.to_owned(), usage)
        });
        let usage = usage.collect();
        Self {
            jetstream: Arc::clone(jetstream),
            account,
            enabled: AtomicBool::new(enabled),
            environment: ArcSwap::from_pointee(environment),
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
            domain: self.environment.load().domain.clone(),
            account: self.account.name.to_string(),
            long_form: long.then(|| self.long_form()),
        }
    }

    /// What stands before the stream in ack and flow control subjects of the second form.
    pub(super) fn long_form(&self) -> String {
        let environment = self.environment.load();
        let domain = match environment.domain.as_str() {
            "" => "_",
            domain => domain,
        };
        format!("{domain}.{}", environment.account_hash)
    }

    /// The stream of `config` as one that copies from others.
    pub(super) fn copier<'a>(&'a self, config: &'a StreamConfig) -> Copier<'a> {
        Copier {
            stream: &config.name,
            account: &self.account.name,
            domain: &self.jetstream.server.options.jetstream.domain,
            sources: &config.sources,
        }
    }

    /// Whether unknown JSON fields are refused.
    pub(super) fn strict(&self) -> bool {
        self.jetstream.server.options.jetstream.strict
    }

    /// Whether JetStream is on for it.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    /// A stream by name.
    pub(crate) fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        let streams = self.streams.read();
        streams.get(name).filter(|_| self.is_enabled()).cloned()
    }

    /// All streams, by name; none where JetStream is not on.
    pub(crate) fn streams(&self) -> Vec<Arc<Stream>> {
        if self.is_enabled() {
            self.held()
        } else {
            Vec::new()
        }
    }

    /// All streams, by name, those that rest as well.
    pub(super) fn held(&self) -> Vec<Arc<Stream>> {
        self.streams.read().values().cloned().collect()
    }

    /// Waits until what its streams show has everything that publishers were told of.
    pub(crate) async fn shown(&self) {
        for stream in self.streams() {
            stream.shown().await;
        }
    }

    /// Configurations of all streams, and what they may use.
    pub(super) fn configs(&self) -> Configs {
        let streams = self.streams();
        Configs {
            streams: streams.iter().map(|s| (s.name.clone(), s.config())).collect(),
            environment: self.environment.load_full(),
        }
    }

    /// What a stream counts against.
    pub(super) fn charge(&self, config: &StreamConfig, jetstream: &JetStream) -> Charge {
        let which = usize::from(config.storage == Storage::Memory);
        let tier = self.environment.load().allowances.tier(config.num_replicas);
        let of_account = match self.usage.get(&tier) {
            Some(usage) => Arc::clone(&usage[which]),
            // A stream whose tier has gone keeps what it has.
            None => Arc::new(Usage::new(Some(0), errors::NO_LIMITS)),
        };
        Charge::new(vec![Arc::clone(&jetstream.usage[which]), of_account])
    }

    /// What it uses.
    pub(crate) fn info(&self) -> AccountInfo {
        let streams = self.streams();
        let configs: Vec<Arc<StreamConfig>> = streams.iter().map(|stream| stream.config()).collect();
        let copied = |name: &str| {
            let origins = configs.iter().flat_map(|c| c.mirror.iter().chain(&c.sources));
            let of_it = origins.filter(|o| o.name == name && o.consumer.is_none());
            of_it.filter(|o| upstream::is_local(o, self)).count()
        };
        let streams: Vec<(Arc<StreamConfig>, u64, u64)> = streams
            .iter()
            .map(|stream| {
                // Who copies from a stream counts as a consumer of it, though it is not listed as one.
                let consumers = stream.consumers.read().len() + copied(&stream.name);
                (stream.config(), stream.state.lock().bytes, consumers as u64)
            })
            .collect();
        let used = streams.iter().map(|(config, bytes, consumers)| Used {
            config,
            bytes: *bytes,
            consumers: *consumers,
        });
        let environment = self.environment.load();
        AccountInfo {
            domain: environment.domain.clone(),
            api: ApiStats {
                level: API_LEVEL,
                total: self.api_total.load(Ordering::Relaxed),
                errors: self.api_errors.load(Ordering::Relaxed),
                ..ApiStats::default()
            },
            ..environment.allowances.info(used)
        }
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
        let mut done = restore::fill(&stream, path).await;
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
