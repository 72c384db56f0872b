//! The JetStream API of an account: requests come in order, are read, checked by `natterjack-jetstream`, and answered in the
//! peer's words. What concerns one stream is handed to its owner in the same order; what makes, changes or removes
//! streams is done here, one after the other.

mod absent;
mod account;
mod audit;
mod backup;
mod body;
mod calls;
mod consumer;
pub(super) mod direct;
mod heading;
mod list;
mod message;
mod queue;
mod stream;
pub(super) mod system;
mod template;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_jetstream::{Effects as _, has_api_level};
use natterjack_jsapi::subjects::API_PREFIX;
use natterjack_jsapi::{ApiCall, ApiError, errors, json, response};

use self::calls::{check_before, check_before_level, clustered_only, is_read, stream_of};
use self::heading::identity;
pub(super) use self::queue::Requests;
use self::queue::{Limits, Waiting};
pub(super) use self::template::listen_all as listen_templates;
use super::account::JsAccount;
use super::owner::Owner;
use super::stream::Stream;
use super::wire::Wire;
use crate::conn::Conn;
use crate::mailbox::Mailbox;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::Service;
use crate::server::Server;

/// Calls that streams answer themselves: without a stream nobody is there.
const SERVED_ELSEWHERE: [&[u8]; 2] = [b"CONSUMER.MSG.NEXT.", b"DIRECT.GET."];
/// Longest answer to a page of subjects, entries.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Its subject behind the prefix.
    rest: String,
    /// Where the answer goes.
    reply: Vec<u8>,
    /// Its body.
    body: Vec<u8>,
    /// Whether this server has the level of the API it asks for.
    has_level: bool,
    /// Which stream is meant, where that is said: who copies from it asks for one that it knows.
    identity: Option<String>,
    /// Who asks.
    from: Option<Arc<Conn>>,
}

/// Takes requests off the account's subjects.
#[derive(Debug)]
pub(super) struct Api {
    mailbox: Arc<Mailbox<Requests>>,
    limits: Limits,
}

impl Api {
    /// The service, and the mailbox its task reads.
    pub(super) fn new(server: &Server) -> (Self, Arc<Mailbox<Requests>>) {
        let mailbox = Arc::new(Mailbox::new(REQUEST_BYTES_MAX));
        let service = Self {
            mailbox: Arc::clone(&mailbox),
            limits: Limits::of(server),
        };
        (service, mailbox)
    }
}

impl Service for Api {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let rest = message.subject.get(API_PREFIX.len()..).unwrap_or_default();
        if SERVED_ELSEWHERE.iter().any(|p| rest.starts_with(p)) {
            return false;
        }
        let request = Request {
            rest: String::from_utf8_lossy(rest).into_owned(),
            // Who does not ask for an answer gets none, but the request is carried out.
            reply: message.reply.unwrap_or_default().to_vec(),
            body: message.payload().to_vec(),
            has_level: has_api_level(message.headers()),
            identity: identity(message.headers()),
            from: message.from.cloned(),
        };
        let mut dropped = queue::Dropped::default();
        let full = self.mailbox.push(request.weight(), |requests| {
            dropped = requests.take_in(request, self.limits);
        });
        self.mailbox.settle(dropped.bytes);
        queue::report(&lane.server, dropped);
        if full {
            lane.wait_at(&self.mailbox.gate);
        }
        true
    }
}

/// Answers requests until the server ends.
pub(super) async fn serve(account: Arc<JsAccount>, mailbox: Arc<Mailbox<Requests>>) {
    let mut desk = Desk {
        wire: Wire::new(&account.jetstream.server, &account.account),
        mailbox: Arc::clone(&mailbox),
        account,
    };
    let mut requests = Requests::default();
    loop {
        mailbox.arrived().await;
        mailbox.take(&mut requests);
        for waiting in requests.drain() {
            let bytes = match waiting {
                Waiting::Call(request) => {
                    desk.serve(&request).await;
                    request.weight()
                }
                Waiting::Homeless(homeless) => {
                    let bytes = homeless.bytes();
                    desk.house(homeless).await;
                    bytes
                }
            };
            mailbox.settle(bytes);
        }
        desk.wire.lane.flush();
    }
}

/// Where an account's requests are dealt with.
struct Desk {
    account: Arc<JsAccount>,
    mailbox: Arc<Mailbox<Requests>>,
    wire: Wire,
}

impl Desk {
    async fn serve(&mut self, request: &Request) {
        let Some(call) = ApiCall::parse(&request.rest) else {
            return;
        };
        let kind = call.response();
        // A consumer listens for its reset itself on the peer, and is not there where there is no JetStream.
        let resets = matches!(call, ApiCall::ConsumerReset { .. });
        if clustered_only(&call) {
            self.refuse(request, kind, &errors::CLUSTER_REQUIRED);
        } else if !request.has_level && !resets {
            let read = check_before_level(request, &call, self.account.strict());
            let error = read.err().unwrap_or(errors::REQUIRED_API_LEVEL);
            self.refuse(request, kind, &error);
        } else if self.account.is_enabled() {
            self.dispatch(request, &call).await;
        } else if !resets {
            self.refuse(request, kind, &errors::NOT_ENABLED_FOR_ACCOUNT);
        }
        self.wire.lane.flush();
    }

    async fn dispatch(&mut self, request: &Request, call: &ApiCall<'_>) {
        match *call {
            ApiCall::Info => self.info(request).await,
            ApiCall::StreamCreate { stream } => self.create(request, stream).await,
            ApiCall::StreamUpdate { stream } => self.update(request, stream).await,
            ApiCall::StreamDelete { stream } => self.delete(request, stream).await,
            ApiCall::StreamSnapshot { stream } => self.snapshot(request, stream).await,
            ApiCall::StreamRestore { stream } => self.restore(request, stream),
            ApiCall::TemplateCreate { template } => self.template_create(request, template).await,
            ApiCall::TemplateNames => self.template_names(request),
            ApiCall::TemplateInfo { template } => self.template_info(request, template),
            ApiCall::TemplateDelete { template } => self.template_delete(request, template).await,
            ApiCall::StreamNames => self.stream_names(request),
            ApiCall::StreamList => self.stream_list(request).await,
            ApiCall::MsgNext { .. } | ApiCall::DirectGet { .. } => {}
            _ => self.hand_over(request, call),
        }
    }

    /// Gives what concerns one stream to its owner.
    fn hand_over(&mut self, request: &Request, call: &ApiCall<'_>) {
        let Some(name) = stream_of(call) else { return };
        let kind = call.response();
        if let Err(error) = check_before(request, call) {
            self.refuse(request, kind, &error);
            return;
        }
        let Some(stream) = self.account.stream(name) else {
            self.refuse_without_stream(request, call);
            return;
        };
        let desk = Asked {
            account: Arc::clone(&self.account),
            request: request.clone(),
            kind,
        };
        if is_read(call) {
            stream.read(move |owner| desk.answer(owner));
        } else {
            stream.call(move |owner| desk.answer(owner));
        }
    }

    fn refuse_without_stream(&mut self, request: &Request, call: &ApiCall<'_>) {
        if let Some(error) = absent::answer(request, call, self.account.strict()) {
            self.refuse(request, call.response(), &error);
        }
    }

    fn refuse(&mut self, request: &Request, kind: &str, error: &ApiError) {
        if self.account.is_enabled() {
            self.account.api_errors.fetch_add(1, Ordering::Relaxed);
        }
        let mut out = Vec::new();
        encode_error(&mut out, kind, error);
        self.answer(request, &out);
    }

    /// Answers a request.
    fn answer(&mut self, request: &Request, json: &[u8]) {
        self.wire.answer(&request.reply, json);
        audit::answered(&mut self.wire, &self.account, request, json);
    }

    /// A stream by name.
    fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.account.stream(name)
    }
}

fn encode_error(out: &mut Vec<u8>, kind: &str, error: &ApiError) {
    match kind {
        "stream_purge_response" => response::purge_error(out, error),
        "stream_restore_response" => response::restore_error(out, error),
        "consumer_pause_response" => response::pause_error(out, error),
        "stream_names_response"
        | "stream_list_response"
        | "consumer_names_response"
        | "consumer_list_response"
        | "stream_info_response" => response::paged_error(out, kind, error),
        _ => response::error(out, kind, error),
    }
}

/// A request on its way through a stream's owner.
struct Asked {
    account: Arc<JsAccount>,
    request: Request,
    kind: &'static str,
}

impl Asked {
    fn answer(self, owner: &mut Owner) {
        let rest = self.request.rest.clone();
        let Some(call) = ApiCall::parse(&rest) else {
            return;
        };
        let done = match call {
            ApiCall::StreamInfo { .. } => self.stream_info(owner),
            ApiCall::StreamPurge { .. } => return self.purge(owner),
            ApiCall::StreamMsgGet { .. } => return self.get_message(owner),
            ApiCall::StreamMsgDelete { .. } => return self.delete_message(owner),
            ApiCall::ConsumerNames { .. } => self.consumer_names(owner),
            ApiCall::ConsumerList { .. } => self.consumer_list(owner),
            ApiCall::ConsumerInfo { consumer, .. } => self.consumer_info(owner, consumer),
            ApiCall::ConsumerDelete { consumer, .. } => return self.consumer_delete(owner, consumer),
            ApiCall::ConsumerPause { consumer, .. } => return self.consumer_pause(owner, consumer),
            ApiCall::ConsumerUnpin { consumer, .. } => self.consumer_unpin(owner, consumer),
            ApiCall::ConsumerReset { consumer, .. } => return self.consumer_reset(owner, consumer),
            _ => return owner.create_in_turn(Box::new(|owner| self.consumer_create(owner))),
        };
        self.finish(owner, done);
    }

    /// Answers with what was written, or with the error; [`Self::finish_with`] puts headers before it.
    fn finish(&self, owner: &mut Owner, done: Result<Vec<u8>, ApiError>) {
        self.finish_with(owner, &[], done);
    }

    /// The same with headers, which an error has not.
    fn finish_with(&self, owner: &mut Owner, headers: &[u8], done: Result<Vec<u8>, ApiError>) {
        let headers = if done.is_ok() { headers } else { &[] };
        let out = done.unwrap_or_else(|error| {
            self.account.api_errors.fetch_add(1, Ordering::Relaxed);
            self.refusal(&error)
        });
        self.tell(owner, headers, &out);
    }

    /// An error as the answer to this kind of request.
    fn refusal(&self, error: &ApiError) -> Vec<u8> {
        let mut out = Vec::new();
        encode_error(&mut out, self.kind, error);
        out
    }

    fn tell(&self, owner: &mut Owner, headers: &[u8], out: &[u8]) {
        owner.wire.send(&self.request.reply, None, headers, out);
        audit::answered(&mut owner.wire, &self.account, &self.request, out);
    }

    fn parse<T: json::GoFields + Default>(&self, root: &'static str) -> Result<T, ApiError> {
        self.request.parse(root, self.account.strict())
    }

    fn success(&self) -> Vec<u8> {
        let mut out = Vec::new();
        response::success(&mut out, self.kind);
        out
    }
}
