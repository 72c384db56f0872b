//! Making, changing and removing streams; what is in them.

use std::ops::ControlFlow;
use std::sync::Arc;

use natterjack_jetstream::limits::INFO_SUBJECTS_MAX;
use natterjack_jetstream::stream::{Create, check_create, check_update};
use natterjack_jetstream::{Command, Outcome};
use natterjack_jsapi::cluster::ClusterInfo;
use natterjack_jsapi::request::{Purge, StreamInfoRequest};
use natterjack_jsapi::response::{self, Page};
use natterjack_jsapi::stream::StreamRequest;
use natterjack_jsapi::{ApiError, errors};
use natterjack_subject::Filter;

use super::{Asked, Desk, Request, audit};
use crate::clock;
use crate::jetstream::owner::Owner;
use crate::jetstream::{services, upstream};

/// Deleted sequences shown at most. The peer has no such bound; this is as much as the largest message can hold.
const DELETED_MAX: usize = 4_000_000;

/// What STREAM.PURGE asks for, if it can be asked for of any stream.
pub(super) fn wanted_purge(request: &Request, strict: bool) -> Result<Purge, ApiError> {
    let wanted: Purge = request.parse("JSApiStreamPurgeRequest", strict)?;
    if wanted.seq > 0 && wanted.keep > 0 {
        return Err(errors::BAD_REQUEST);
    }
    Ok(wanted)
}

impl Desk {
    fn stream_request(&self, request: &Request) -> Result<StreamRequest, ApiError> {
        request.parse("StreamConfigRequest", self.account.strict())
    }

    pub(super) async fn create(&mut self, request: &Request, name: &str) {
        let kind = "stream_create_response";
        match self.try_create(request, name).await {
            Ok(out) => self.answer(request, &out),
            Err(error) => self.refuse(request, kind, &error),
        }
    }

    async fn try_create(&mut self, request: &Request, name: &str) -> Result<Vec<u8>, ApiError> {
        let wanted = self.stream_request(request)?;
        let configs = self.account.configs();
        let context = configs.context(wanted.pedantic);
        match check_create(name, &wanted, &context)? {
            Create::Existing => {}
            Create::New(config) => {
                self.account.check_room(&config)?;
                self.account
                    .create(config, "")
                    .await
                    .map_err(errors::stream_create)?;
                audit::stream_action(&mut self.wire, &self.account, name, "CREATED", "create");
            }
        }
        let stream = self.stream(name).ok_or(errors::STREAM_NOT_FOUND)?;
        let mut info = stream
            .ask(|owner| owner.group.info(clock::now()))
            .await
            .ok_or(errors::STREAM_NOT_FOUND)?;
        // The peer does not say here which domain it is in.
        info.domain.clear();
        let mut out = Vec::new();
        response::created(&mut out, &info);
        Ok(out)
    }

    pub(super) async fn update(&mut self, request: &Request, name: &str) {
        match self.try_update(request, name).await {
            Ok(out) => self.answer(request, &out),
            Err(error) => self.refuse(request, "stream_update_response", &error),
        }
    }

    async fn try_update(&mut self, request: &Request, name: &str) -> Result<Vec<u8>, ApiError> {
        let wanted = self.stream_request(request)?;
        let configs = self.account.configs();
        let context = configs.context(wanted.pedantic);
        let old = configs.get(name);
        let config = check_update(name, old, &wanted, &context)?;
        self.account.check_room(&config)?;
        let stream = self.stream(name).ok_or(errors::STREAM_NOT_FOUND)?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let account = Arc::clone(&self.account.account);
        stream.call(move |owner| {
            if let Err(error) = owner.group.check_consumers(&config) {
                let _gone = sender.send(Err(error));
                return;
            }
            let command = Command::Config(Box::new(config));
            owner.propose(command, move |owner, outcome| {
                let done = match outcome {
                    Outcome::Failed(why) => Err(errors::stream_update(why)),
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
        let info = receiver.await.map_err(|_| errors::STREAM_NOT_FOUND)??;
        upstream::follow(&stream, &self.account);
        audit::stream_action(&mut self.wire, &self.account, name, "UPDATED", "modify");
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
                audit::stream_action(&mut self.wire, &self.account, name, "DELETED", "delete");
                let mut out = Vec::new();
                response::success(&mut out, kind);
                self.answer(request, &out);
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
                let page = skip..skip.saturating_add(INFO_SUBJECTS_MAX);
                let mut visit = |subject: &[u8], count| {
                    let shown = page.contains(&seen);
                    shown.then(|| subjects.insert(String::from_utf8_lossy(subject).into_owned(), count));
                    seen += 1;
                    ControlFlow::Continue(())
                };
                owner.group.store().subjects(&filter, &mut visit);
            }
            if seen > 0 {
                at = Page {
                    total: seen,
                    offset: skip,
                    limit: INFO_SUBJECTS_MAX,
                };
            }
        }
        let mut out = Vec::new();
        response::stream_info(&mut out, &at, &info);
        Ok(out)
    }

    pub(super) fn purge(self, owner: &mut Owner) {
        let command = wanted_purge(&self.request, self.account.strict()).and_then(|wanted| {
            owner.group.check_purge()?;
            // What takes everything is no filter, and may move the end of the stream.
            let filter = if wanted.filter == ">" {
                String::new()
            } else {
                wanted.filter
            };
            Ok(Command::Purge {
                filter,
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
