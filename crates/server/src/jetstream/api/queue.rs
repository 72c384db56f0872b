//! What waits for the desk, in order, and how much of it may. As a rule who asks too much is made to wait; where the
//! configuration limits what waits, all of it is dropped at the limit and nobody hears of it but the system account
//! (jetstream_api.go `apiDispatch`).

use std::sync::Arc;

use natterjack_jsapi::ApiCall;
use natterjack_jsapi::advisory;
use natterjack_subject::names::nuid;

use super::Request;
use super::template::Homeless;
use crate::clock;
use crate::mailbox::Pile;
use crate::server::Server;
use crate::system;

/// Where the system account is told that requests were dropped.
const LIMIT_REACHED: &str = "$JS.EVENT.ADVISORY.API.LIMIT_REACHED";

/// Something for the desk.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A request.
    Call(Request),
    /// A message whose stream has to be made first.
    Homeless(Homeless),
}

/// What waits for the desk.
#[derive(Debug, Default)]
pub(in crate::jetstream) struct Requests {
    waiting: Vec<Waiting>,
    calls: usize,
    infos: usize,
}

impl Pile for Requests {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Requests that went without an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    requests: usize,
    /// Bytes, as the mailbox counts them.
    pub(super) bytes: usize,
    infos: bool,
}

/// How many requests may wait; `None` for as many as the mailbox takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    calls: Option<usize>,
    /// Of those that ask what is there.
    infos: Option<usize>,
}

impl Limits {
    /// As configured. What is said of all requests holds for those that ask what is there, if nothing is said of them.
    pub(super) fn of(server: &Server) -> Self {
        let options = &server.options.jetstream;
        Self {
            calls: options.request_queue_limit,
            infos: options.info_queue_limit.or(options.request_queue_limit),
        }
    }
}

/// Whether a request only asks what is there; the peer keeps a queue for these.
fn asks(request: &Request) -> bool {
    matches!(
        ApiCall::parse(&request.rest),
        Some(
            ApiCall::Info
                | ApiCall::StreamInfo { .. }
                | ApiCall::StreamNames
                | ApiCall::StreamList
                | ApiCall::ConsumerInfo { .. }
                | ApiCall::ConsumerNames { .. }
                | ApiCall::ConsumerList { .. }
        )
    )
}

impl Requests {
    /// Takes a message for which a stream is to be made.
    pub(super) fn house(&mut self, homeless: Homeless) {
        self.waiting.push(Waiting::Homeless(homeless));
    }

    /// Takes a request. Says what was dropped of its kind, with it, when that is too much.
    pub(super) fn take_in(&mut self, request: Request, limits: Limits) -> Dropped {
        let infos = (limits.calls.is_some() || limits.infos.is_some()) && asks(&request);
        self.waiting.push(Waiting::Call(request));
        let (count, limit) = if infos {
            (&mut self.infos, limits.infos)
        } else {
            (&mut self.calls, limits.calls)
        };
        *count += 1;
        if limit.is_none_or(|limit| *count < limit) {
            return Dropped::default();
        }
        *count = 0;
        let mut dropped = Dropped {
            infos,
            ..Dropped::default()
        };
        self.waiting.retain(|waiting| {
            let Waiting::Call(request) = waiting else {
                return true;
            };
            let goes = asks(request) == infos;
            if goes {
                dropped.requests += 1;
                dropped.bytes += request.weight();
            }
            !goes
        });
        dropped
    }

    /// All that waits, in order.
    pub(super) fn drain(&mut self) -> std::vec::Drain<'_, Waiting> {
        (self.calls, self.infos) = (0, 0);
        self.waiting.drain(..)
    }
}

/// Tells the system account and the log what was dropped.
pub(super) fn report(server: &Arc<Server>, dropped: Dropped) {
    if dropped.requests == 0 {
        return;
    }
    let which = if dropped.infos { " info" } else { "" };
    let requests = dropped.requests;
    tracing::warn!("JetStream API{which} queue limit reached, dropping {requests} requests");
    system::advise(server, LIMIT_REACHED, || {
        let domain = &server.options.jetstream.domain;
        let id = nuid(&mut rand::random);
        advisory::event("api_limit_reached", &id, clock::wall(), |o| {
            o.text("server", &server.name);
            o.omit("domain", domain);
            o.field("dropped", &(requests as u64));
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(rest: &str) -> Request {
        Request {
            rest: rest.to_owned(),
            reply: Vec::new(),
            body: Vec::new(),
            has_level: true,
            identity: None,
            from: None,
        }
    }

    #[test]
    fn at_its_limit_a_kind_is_dropped_whole_and_the_other_stays() {
        let limits = Limits {
            calls: Some(3),
            infos: Some(100),
        };
        let mut requests = Requests::default();
        for rest in ["STREAM.PURGE.S", "STREAM.INFO.S", "STREAM.PURGE.S"] {
            assert_eq!(requests.take_in(request(rest), limits), Dropped::default());
        }
        let dropped = requests.take_in(request("STREAM.PURGE.S"), limits);
        assert_eq!((dropped.requests, dropped.infos), (3, false));
        assert_eq!(requests.drain().count(), 1);
        assert_eq!(
            requests.take_in(request("STREAM.PURGE.S"), limits),
            Dropped::default()
        );
    }

    #[test]
    fn without_a_limit_nothing_is_dropped() {
        let limits = Limits {
            calls: None,
            infos: None,
        };
        let mut requests = Requests::default();
        for _ in 0..1_000 {
            assert_eq!(
                requests.take_in(request("STREAM.INFO.S"), limits),
                Dropped::default()
            );
        }
        assert_eq!(requests.drain().count(), 1_000);
    }
}
