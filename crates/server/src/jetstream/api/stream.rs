//! Making, changing and removing streams; what is in them.

use std::ops::ControlFlow;
use std::sync::Arc;

use natterjack_jetstream::stream::{Create, check_create, check_update};
use natterjack_jetstream::{Command, Outcome};
use natterjack_jsapi::cluster::ClusterInfo;
use natterjack_jsapi::request::{Purge, StreamInfoRequest};
use natterjack_jsapi::response::{self, Page};
use natterjack_jsapi::stream::{StreamConfig, StreamRequest};
use natterjack_jsapi::{ApiError, errors};
use natterjack_subject::Filter;

use super::{Asked, Desk, Request};
use crate::clock;
use crate::jetstream::owner::Owner;
use crate::jetstream::services;

/// Subjects of a page.
const SUBJECTS_MAX: u64 = 100_000;
/// Deleted sequences shown at most.
const DELETED_MAX: usize = 100_000;

/// What a stream may ask for and does not get yet is refused: a mirror that never copies would be worse than none.
fn check_supported(config: &StreamConfig) -> Result<(), ApiError> {
    let missing = [
        (config.mirror.is_some(), "mirrors"),
        (!config.sources.is_empty(), "sources"),
        (config.allow_msg_counter, "message counters"),
        (config.allow_atomic, "atomic batch publish"),
        (config.allow_batched, "fast batch publish"),
        (config.allow_msg_schedules, "message schedules"),
        (config.subject_delete_marker_ttl.0 > 0, "subject delete markers"),
    ];
    match missing.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(errors::stream_invalid_config(format_args!(
            "{what} are not supported by this version of natterjack"
        ))),
        None => Ok(()),
    }
}

impl Desk {
    fn stream_request(&self, request: &Request) -> Result<StreamRequest, ApiError> {
        request.parse("StreamConfigRequest", self.account.strict())
    }

    pub(super) async fn create(&mut self, request: &Request, name: &str) {
        let kind = "stream_create_response";
        match self.try_create(request, name).await {
            Ok(out) => self.wire.answer(&request.reply, &out),
            Err(error) => self.refuse(request, kind, &error),
        }
    }

    async fn try_create(&self, request: &Request, name: &str) -> Result<Vec<u8>, ApiError> {
        let wanted = self.stream_request(request)?;
        let configs = self.account.configs();
        let context = self.account.context(&configs, wanted.pedantic);
        match check_create(name, &wanted, &context)? {
            Create::Existing => {}
            Create::New(config) => {
                check_supported(&config)?;
                self.account.check_room(&config, None)?;
                self.account.create(config).await.map_err(errors::stream_create)?;
            }
        }
        let stream = self.stream(name).ok_or(errors::STREAM_NOT_FOUND)?;
        let info = stream
            .ask(|owner| owner.group.info(clock::now()))
            .await
            .ok_or(errors::STREAM_NOT_FOUND)?;
        let mut out = Vec::new();
        response::created(&mut out, &info);
        Ok(out)
    }

    pub(super) async fn update(&mut self, request: &Request, name: &str) {
        match self.try_update(request, name).await {
            Ok(out) => self.wire.answer(&request.reply, &out),
            Err(error) => self.refuse(request, "stream_update_response", &error),
        }
    }

    async fn try_update(&self, request: &Request, name: &str) -> Result<Vec<u8>, ApiError> {
        let wanted = self.stream_request(request)?;
        let configs = self.account.configs();
        let context = self.account.context(&configs, wanted.pedantic);
        let old = configs.get(name);
        let config = check_update(name, old, &wanted, &context)?;
        check_supported(&config)?;
        self.account.check_room(&config, old)?;
        let stream = self.stream(name).ok_or(errors::STREAM_NOT_FOUND)?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let account = Arc::clone(&self.account.account);
        stream.call(move |owner| {
            let command = Command::Config(Box::new(config));
            owner.propose(command, move |owner, outcome| {
                let done = match outcome {
                    Outcome::Failed(why) => Err(why),
                    _ => {
                        let config = Arc::new(owner.group.stream().config().clone());
                        *owner.stream.config.write() = config;
                        services::listen(&owner.stream, &account);
                        Ok(owner.group.info(clock::now()))
                    }
                };
                let _gone = sender.send(done);
            });
        });
        let info = receiver
            .await
            .map_err(|_| errors::STREAM_NOT_FOUND)?
            .map_err(errors::stream_update)?;
        let mut out = Vec::new();
        response::record(&mut out, "stream_update_response", &info);
        Ok(out)
    }

    pub(super) async fn delete(&mut self, request: &Request, name: &str) {
        let kind = "stream_delete_response";
        if !request.is_empty() {
            self.refuse(request, kind, &errors::NOT_EMPTY_REQUEST);
            return;
        }
        let Some(stream) = self.stream(name) else {
            self.refuse(request, kind, &errors::STREAM_NOT_FOUND);
            return;
        };
        match self.account.delete(&stream).await {
            Ok(()) => {
                let mut out = Vec::new();
                response::success(&mut out, kind);
                self.wire.answer(&request.reply, &out);
            }
            Err(why) => self.refuse(request, kind, &errors::stream_delete(why)),
        }
    }
}

impl Asked {
    pub(super) fn stream_info(&self, owner: &mut Owner) -> Result<Vec<u8>, ApiError> {
        let wanted: StreamInfoRequest = self.parse("JSApiStreamInfoRequest")?;
        let mut info = owner.group.info(clock::now());
        info.cluster = Some(ClusterInfo {
            leader: self.account.jetstream.server.name.clone(),
            ..ClusterInfo::default()
        });
        if wanted.deleted_details {
            let runs = owner.group.store().deleted(DELETED_MAX);
            info.state.deleted = runs
                .iter()
                .flat_map(|(first, count)| first.0..first.0 + count)
                .collect();
        }
        let mut at = Page::default();
        if !wanted.subjects_filter.is_empty() {
            let skip = u64::try_from(wanted.offset).unwrap_or(0);
            let subjects = &mut info.state.subjects;
            let mut seen = 0;
            if let Ok(filter) = Filter::parse(wanted.subjects_filter.as_bytes()) {
                owner.group.store().subjects(&filter, &mut |subject, count| {
                    if seen >= skip && seen < skip + SUBJECTS_MAX {
                        subjects.insert(String::from_utf8_lossy(subject).into_owned(), count);
                    }
                    seen += 1;
                    ControlFlow::Continue(())
                });
            }
            if seen > 0 {
                at = Page {
                    total: seen,
                    offset: skip.min(seen),
                    limit: SUBJECTS_MAX,
                };
            }
        }
        let mut out = Vec::new();
        response::stream_info(&mut out, &at, &info);
        Ok(out)
    }

    pub(super) fn purge(self, owner: &mut Owner) {
        let command = self.parse::<Purge>("JSApiStreamPurgeRequest").and_then(|wanted| {
            if wanted.seq > 0 && wanted.keep > 0 {
                return Err(errors::BAD_REQUEST);
            }
            owner.group.check_purge()?;
            Ok(Command::Purge {
                filter: wanted.filter,
                up_to: wanted.seq,
                keep: wanted.keep,
            })
        });
        let command = match command {
            Ok(command) => command,
            Err(error) => return self.finish(owner, Err(error)),
        };
        owner.propose(command, move |owner, outcome| {
            let done = match outcome {
                Outcome::Purged(count) => {
                    let mut out = Vec::new();
                    response::purged(&mut out, count);
                    Ok(out)
                }
                Outcome::Failed(why) => Err(errors::stream_purge_failed(why)),
                _ => Err(errors::STREAM_NOT_FOUND),
            };
            self.finish(owner, done);
        });
    }
}
