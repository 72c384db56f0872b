//! Consumers: made, shown, paused, started over, removed.

use std::sync::atomic::Ordering;

use natterjack_jetstream::{Admitted, Command, Effects as _, Form, Outcome, check_form};
use natterjack_jsapi::consumer::{ConsumerInfo, CreateRequest, PriorityPolicy};
use natterjack_jsapi::headers::STREAM_IDENTITY;
use natterjack_jsapi::request::{ConsumerList, Pause, Reset, Unpin};
use natterjack_jsapi::response;
use natterjack_jsapi::{ApiCall, ApiError, GoTime, Nanos, errors};
use natterjack_subject::names::random_name;

use super::list::page;
use super::{Asked, Request};
use crate::clock;
use crate::jetstream::owner::Owner;

/// Names of a page.
const NAMES_MAX: u64 = 1024;
/// Consumers of a page.
const CONSUMERS_MAX: u64 = 256;
/// Characters of a name the server makes.
const NAME_CHARS: usize = 8;

fn form<'a>(call: &ApiCall<'a>) -> Option<(&'a str, Form<'a>)> {
    match *call {
        ApiCall::ConsumerCreate {
            stream,
            consumer: None,
            ..
        } => Some((stream, Form::Unnamed)),
        ApiCall::ConsumerCreate {
            stream,
            consumer: Some(consumer),
            filter,
        } => Some((stream, Form::Named { consumer, filter })),
        ApiCall::ConsumerDurableCreate { stream, consumer } => Some((stream, Form::Durable { consumer })),
        _ => None,
    }
}

/// What a create request is told when there is no such stream.
pub(super) fn check_without_stream(request: &Request, strict: bool) -> ApiError {
    let checked = request
        .parse::<CreateRequest>("CreateConsumerRequest", strict)
        .and_then(|mut wanted| {
            let call = ApiCall::parse(&request.rest);
            let (stream, form) = call.as_ref().and_then(form).ok_or(errors::BAD_REQUEST)?;
            check_form(stream, form, &mut wanted)
        });
    checked.err().unwrap_or(errors::STREAM_NOT_FOUND)
}

impl Asked {
    pub(super) fn consumer_create(self, owner: &mut Owner, call: &ApiCall<'_>) {
        let admitted = self.admit(owner, call);
        match admitted {
            Ok(Admitted::Existing(id)) => self.finish_create(owner, Ok(id)),
            Ok(Admitted::Proposed(command)) => owner.propose(command, move |owner, outcome| {
                let done = match outcome {
                    Outcome::Consumer(id) => Ok(id),
                    Outcome::Failed(why) => Err(errors::consumer_create(why)),
                    _ => Err(errors::CONSUMER_NOT_FOUND),
                };
                self.finish_create(owner, done);
            }),
            Err(error) => self.finish(owner, Err(error)),
        }
    }

    fn admit(&self, owner: &mut Owner, call: &ApiCall<'_>) -> Result<Admitted, ApiError> {
        let mut wanted: CreateRequest = self.parse("CreateConsumerRequest")?;
        let (stream, form) = form(call).ok_or(errors::BAD_REQUEST)?;
        check_form(stream, form, &mut wanted)?;
        let name = || {
            let mut name = String::new();
            random_name(NAME_CHARS, &mut rand::random, &mut name);
            name
        };
        let limits = self.account.consumer_limits();
        owner.group.admit_consumer(wanted, &limits, name, clock::now())
    }

    /// Answers a create request. Another server that copies the stream is told which one it is, so that it notices when
    /// the stream was made again.
    fn finish_create(&self, owner: &mut Owner, done: Result<u32, ApiError>) {
        let config = done
            .as_ref()
            .ok()
            .and_then(|id| owner.group.consumers().config(*id));
        let headers = match config {
            Some(config) if config.direct || config.sourcing => {
                let identity = owner.group.identity();
                format!("NATS/1.0\r\n{STREAM_IDENTITY}: {identity}\r\n\r\n").into_bytes()
            }
            _ => Vec::new(),
        };
        let done = done.and_then(|id| self.created(owner, id));
        self.finish_with(owner, &headers, done);
    }

    fn created(&self, owner: &mut Owner, id: u32) -> Result<Vec<u8>, ApiError> {
        // Whether somebody listens already is part of the answer.
        owner.settle_consumers();
        let info = owner
            .group
            .consumer_info(id, clock::now())
            .ok_or(errors::CONSUMER_NOT_FOUND)?;
        let mut out = Vec::new();
        response::record(&mut out, self.kind, &info);
        Ok(out)
    }

    fn lookup(owner: &mut Owner, name: &str) -> Result<u32, ApiError> {
        owner
            .group
            .consumers()
            .lookup(name)
            .ok_or(errors::CONSUMER_NOT_FOUND)
    }

    pub(super) fn consumer_info(&self, owner: &mut Owner, name: &str) -> Result<Vec<u8>, ApiError> {
        let id = Self::lookup(owner, name)?;
        // Requests whose clients have gone are not waiting.
        let now = clock::now();
        owner.group.consumers().drop_deaf(id, now, &owner.wire);
        let info = owner
            .group
            .consumer_info(id, now)
            .ok_or(errors::CONSUMER_NOT_FOUND)?;
        let mut out = Vec::new();
        response::record(&mut out, self.kind, &info);
        Ok(out)
    }

    fn list_request(&self) -> Result<ConsumerList, ApiError> {
        self.parse("JSApiConsumersRequest")
    }

    pub(super) fn consumer_names(&self, owner: &mut Owner) -> Result<Vec<u8>, ApiError> {
        let wanted = self.list_request()?;
        let all: Vec<String> = owner.group.consumers().names().map(str::to_owned).collect();
        let (at, names) = page(&all, wanted.offset, NAMES_MAX);
        let mut out = Vec::new();
        response::names(&mut out, self.kind, &at, "consumers", Some(&names));
        Ok(out)
    }

    pub(super) fn consumer_list(&self, owner: &mut Owner) -> Result<Vec<u8>, ApiError> {
        let wanted = self.list_request()?;
        let all: Vec<u32> = owner.group.consumers().ids().collect();
        let (at, ids) = page(&all, wanted.offset, CONSUMERS_MAX);
        let now = clock::now();
        let infos: Vec<ConsumerInfo> = ids
            .iter()
            .filter_map(|id| {
                let mut info = owner.group.consumer_info(*id, now)?;
                // Lists show the configuration as it is stored.
                info.config
                    .metadata
                    .retain(|key, _| !key.starts_with("_nats.") || key == "_nats.req.level");
                Some(info)
            })
            .collect();
        let mut out = Vec::new();
        response::records(&mut out, self.kind, &at, "consumers", &infos);
        Ok(out)
    }

    pub(super) fn consumer_delete(self, owner: &mut Owner, name: &str) {
        let id = match Self::lookup(owner, name) {
            Ok(id) => id,
            Err(error) => return self.finish(owner, Err(error)),
        };
        owner.propose(Command::ConsumerDelete { id }, move |owner, outcome| {
            let done = match outcome {
                Outcome::Failed(why) => Err(errors::consumer_create(why)),
                _ => Ok(self.success()),
            };
            self.finish(owner, done);
        });
    }

    pub(super) fn consumer_pause(self, owner: &mut Owner, name: &str) {
        let read = self
            .parse::<Pause>("JSApiConsumerPauseRequest")
            .and_then(|wanted| Ok((Self::lookup(owner, name)?, wanted.pause_until)));
        let (id, until) = match read {
            Ok(read) => read,
            Err(error) => return self.finish(owner, Err(error)),
        };
        let until = until.filter(|t| !t.is_zero());
        owner.propose(Command::ConsumerPause { id, until }, move |owner, outcome| {
            let done = match outcome {
                Outcome::Failed(why) => Err(errors::consumer_create(why)),
                _ => {
                    let left = until.map_or(0, |t| t.0.saturating_sub(clock::wall().0));
                    let mut out = Vec::new();
                    let shown = until.unwrap_or(GoTime::ZERO);
                    response::paused(&mut out, left > 0, shown, Nanos(left.max(0)));
                    Ok(out)
                }
            };
            self.finish(owner, done);
        });
    }

    pub(super) fn consumer_unpin(&self, owner: &mut Owner, name: &str) -> Result<Vec<u8>, ApiError> {
        if self.request.body.is_empty() {
            return Err(errors::invalid_json("unexpected end of JSON input"));
        }
        let wanted: Unpin = self.parse("JSApiConsumerUnpinRequest")?;
        if wanted.group.is_empty() {
            return Err(errors::invalid_json("consumer group not specified"));
        }
        let id = Self::lookup(owner, name)?;
        let config = owner.group.consumers().config(id);
        let pinned = config.is_some_and(|c| {
            c.priority_policy == PriorityPolicy::PinnedClient && c.priority_groups.contains(&wanted.group)
        });
        if !pinned {
            return Err(errors::CONSUMER_INVALID_PRIORITY_GROUP);
        }
        let now = clock::now();
        owner.group.consumers().unpin(id, now, &mut owner.wire);
        let mut out = Vec::new();
        response::bare(&mut out, self.kind);
        Ok(out)
    }

    pub(super) fn consumer_reset(self, owner: &mut Owner, name: &str) {
        // For a consumer that is not there nobody answers.
        let Ok(id) = Self::lookup(owner, name) else { return };
        let out = self.try_reset(owner, id).unwrap_or_else(|error| {
            self.account.api_errors.fetch_add(1, Ordering::Relaxed);
            let mut out = Vec::new();
            response::reset_refused(&mut out, &error);
            out
        });
        // The peer answers this one with an empty reply subject.
        owner.wire.send(&self.request.reply, Some(b""), &[], &out);
    }

    fn try_reset(&self, owner: &mut Owner, id: u32) -> Result<Vec<u8>, ApiError> {
        let wanted: Reset = self.parse("JSApiConsumerResetRequest")?;
        let now = clock::now();
        let next = owner.group.check_reset(id, wanted.seq)?;
        owner.group.reset_consumer(id, next, now);
        let info = owner
            .group
            .consumer_info(id, now)
            .ok_or(errors::CONSUMER_NOT_FOUND)?;
        let mut out = Vec::new();
        response::reset(&mut out, &info, next);
        Ok(out)
    }
}
