//! Consumers: made, shown, paused, started over, removed.

use natterjack_jetstream::consumer::check_group_name;
use natterjack_jetstream::{Admitted, Command, Effects as _, Form, Outcome, check_form};
use natterjack_jsapi::consumer::{ConsumerInfo, CreateRequest};
use natterjack_jsapi::request::{ConsumerList, Pause, Reset, Unpin};
use natterjack_jsapi::response;
use natterjack_jsapi::{ApiCall, ApiError, GoTime, Nanos, errors, headers, versioning};
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

/// The group a request takes the pin of.
pub(super) fn wanted_unpin(request: &Request) -> Result<Unpin, ApiError> {
    let wanted: Unpin = request.whole("JSApiConsumerUnpinRequest")?;
    if wanted.group.is_empty() {
        return Err(errors::invalid_json("consumer group not specified"));
    }
    check_group_name(&wanted.group)?;
    Ok(wanted)
}

/// Whether another stream copies by a consumer.
#[derive(Debug, Clone, Copy)]
enum Copies {
    /// No.
    No,
    /// By one that goes when it is not needed.
    ByOwn,
    /// By a durable one, which starts over at this sequence of the stream, 0 for where it is.
    ByDurable(u64),
}

/// The headers that say which stream has answered.
fn identity_block(owner: &Owner) -> Vec<u8> {
    let identity = owner.group.identity();
    format!("NATS/1.0\r\n{}: {identity}\r\n\r\n", headers::STREAM_IDENTITY).into_bytes()
}

impl Asked {
    pub(super) fn consumer_create(self, owner: &mut Owner) {
        let (admitted, copies) = match self.admit(owner) {
            Ok(admitted) => admitted,
            Err(error) => return self.finish(owner, Err(error)),
        };
        match admitted {
            Admitted::Existing(id) => {
                // The peer takes it for an update like any other.
                owner
                    .group
                    .consumers()
                    .advise_paused(id, clock::now(), &mut owner.wire);
                self.finish_create(owner, id, copies);
            }
            Admitted::Proposed(command) => {
                owner.propose_consumer(command, move |owner, outcome| match outcome {
                    Outcome::Consumer(id) => self.finish_create(owner, id, copies),
                    Outcome::Failed(why) => self.finish(owner, Err(errors::consumer_create(why))),
                    _ => self.finish(owner, Err(errors::CONSUMER_NOT_FOUND)),
                })
            }
        }
    }

    /// Answers a create request. Another stream that copies is told which one this is, so that it notices when the stream
    /// was made again.
    fn finish_create(&self, owner: &mut Owner, id: u32, copies: Copies) {
        if let Copies::ByDurable(start) = copies {
            owner.group.lend(id, start, clock::now());
        }
        let done = self.created(owner, id);
        let headers = match copies {
            Copies::No => Vec::new(),
            Copies::ByOwn | Copies::ByDurable(_) => identity_block(owner),
        };
        self.finish_with(owner, &headers, done);
    }

    fn admit(&self, owner: &mut Owner) -> Result<(Admitted, Copies), ApiError> {
        let mut wanted: CreateRequest = self.parse("CreateConsumerRequest")?;
        let call = ApiCall::parse(&self.request.rest).ok_or(errors::BAD_REQUEST)?;
        let (stream, form) = form(&call).ok_or(errors::BAD_REQUEST)?;
        check_form(stream, form, &mut wanted)?;
        let name = || {
            let mut name = String::new();
            random_name(NAME_CHARS, &mut rand::random, &mut name);
            name
        };
        let mut copies = Copies::No;
        if wanted.config.direct || wanted.config.sourcing {
            owner
                .group
                .check_identity(self.request.identity.as_deref().unwrap_or_default())?;
            let start = owner.group.fit_copier(&mut wanted.config, &name());
            copies = start.map_or(Copies::ByOwn, Copies::ByDurable);
        }
        let limits = self.account.consumer_limits(owner.group.stream().config())?;
        let admitted = owner
            .group
            .admit_consumer(wanted, &limits, name, clock::now(), &owner.wire)?;
        Ok((admitted, copies))
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
        let all: Vec<String> = owner
            .group
            .consumers()
            .list()
            .map(|(name, _)| name.to_owned())
            .collect();
        let (at, names) = page(&all, wanted.offset, NAMES_MAX);
        let mut out = Vec::new();
        response::names(&mut out, self.kind, &at, "consumers", Some(&names));
        Ok(out)
    }

    pub(super) fn consumer_list(&self, owner: &mut Owner) -> Result<Vec<u8>, ApiError> {
        let wanted = self.list_request()?;
        let all: Vec<u32> = owner.group.consumers().list().map(|(_, id)| id).collect();
        let (at, ids) = page(&all, wanted.offset, CONSUMERS_MAX);
        let now = clock::now();
        let infos: Vec<ConsumerInfo> = ids
            .iter()
            .filter_map(|id| {
                let mut info = owner.group.consumer_info(*id, now)?;
                // Lists show the configuration as it is stored.
                versioning::clear_shown(&mut info.config.metadata);
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
        let wanted = wanted_unpin(&self.request)?;
        let id = Self::lookup(owner, name)?;
        let config = owner.group.consumers().config(id);
        if !config.is_some_and(|c| c.priority_groups.contains(&wanted.group)) {
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
            let mut out = Vec::new();
            response::reset_refused(&mut out, &error);
            out
        });
        // Whether that is the stream that was meant is for the one who asked to see.
        let known = self.request.identity.as_ref();
        let block = known.map_or_else(Vec::new, |_| identity_block(owner));
        // The peer answers this one with an empty reply subject.
        owner.wire.send(&self.request.reply, Some(b""), &block, &out);
    }

    fn try_reset(&self, owner: &mut Owner, id: u32) -> Result<Vec<u8>, ApiError> {
        if !self.request.has_level {
            return Err(errors::REQUIRED_API_LEVEL);
        }
        let wanted: Reset = if self.request.body.is_empty() {
            Reset::default()
        } else {
            self.request.whole("JSApiConsumerResetRequest")?
        };
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
