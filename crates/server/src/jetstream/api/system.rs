//! The API in the system account. No stream is ever there, which who asks is told; what is asked of a whole account is
//! done here, and what only a cluster does stays unanswered, as on a server alone (nats-server 2.15.1).

use std::sync::Arc;

use natterjack_jetstream::Effects as _;
use natterjack_jsapi::response;
use natterjack_jsapi::subjects::API_PREFIX;
use natterjack_jsapi::{ApiError, errors};

use super::audit;
use crate::account::Account;
use crate::jetstream::JetStream;
use crate::jetstream::wire::Wire;
use crate::mailbox::{Mailbox, Pile};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};
use crate::spawn::vital;

/// Bytes of requests that wait.
const REQUESTS_BYTES_MAX: usize = 1024 * 1024;
/// What a waiting request takes beside its text, bytes.
const REQUEST_OVERHEAD: usize = 64;
/// What only the servers of a cluster answer, or the first of them.
const OF_CLUSTERS: [&str; 4] = [
    "META.LEADER.STEPDOWN",
    "META.RESCUE",
    "SERVER.REMOVE",
    "SERVER.EVACUATE",
];
/// Begins what is asked of whole accounts.
const OF_ACCOUNTS: &str = "ACCOUNT.";

/// One request.
#[derive(Debug)]
struct Asked {
    /// Its subject behind the prefix.
    rest: String,
    reply: Vec<u8>,
    body: Vec<u8>,
    /// Whether it has headers: what has is for other servers to say.
    headed: bool,
}

impl Asked {
    fn weight(&self) -> usize {
        self.rest.len() + self.reply.len() + self.body.len() + REQUEST_OVERHEAD
    }

    /// The account that is to lose its streams.
    fn purged(&self) -> Option<&str> {
        let account = self.rest.strip_prefix("ACCOUNT.PURGE.")?;
        (!account.contains('.')).then_some(account)
    }
}

#[derive(Debug, Default)]
struct Asks(Vec<Asked>);

impl Pile for Asks {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug)]
struct Intake(Arc<Mailbox<Asks>>);

impl Service for Intake {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let rest = message.subject.get(API_PREFIX.len()..).unwrap_or_default();
        let asked = Asked {
            rest: String::from_utf8_lossy(rest).into_owned(),
            reply: message.reply.unwrap_or_default().to_vec(),
            body: message.payload().to_vec(),
            headed: !message.headers().is_empty(),
        };
        let full = self.0.push(asked.weight(), |asks| asks.0.push(asked));
        if full {
            lane.wait_at(&self.0.gate);
        }
        true
    }
}

/// Answers what is asked in the system account.
pub(in crate::jetstream) fn open(jetstream: &Arc<JetStream>, account: &Arc<Account>) {
    let mailbox = Arc::new(Mailbox::new(REQUESTS_BYTES_MAX));
    let intake = Intake(Arc::clone(&mailbox));
    let listening = (Arc::clone(account), Sub::service(b"$JS.API.>", Arc::new(intake)));
    let desk = Desk {
        wire: Wire::new(&jetstream.server, account),
        jetstream: Arc::clone(jetstream),
    };
    let task = vital("The JetStream API of the system account", desk.serve(mailbox));
    jetstream.serve(listening, task);
}

struct Desk {
    jetstream: Arc<JetStream>,
    wire: Wire,
}

impl Desk {
    async fn serve(mut self, mailbox: Arc<Mailbox<Asks>>) {
        let mut asks = Asks::default();
        loop {
            mailbox.arrived().await;
            mailbox.take(&mut asks);
            for asked in asks.0.drain(..) {
                self.answer(&asked).await;
                mailbox.settle(asked.weight());
            }
            self.wire.lane.flush();
        }
    }

    async fn answer(&mut self, asked: &Asked) {
        if asked.rest == "INFO" {
            if !asked.headed {
                self.refuse(
                    asked,
                    audit::UNKNOWN,
                    "account_info_response",
                    &errors::NOT_ENABLED_FOR_ACCOUNT,
                );
            }
        } else if let Some(name) = asked.purged() {
            if !asked.headed {
                self.purge(asked, name).await;
            }
        } else if !OF_CLUSTERS.contains(&asked.rest.as_str()) && !asked.rest.starts_with(OF_ACCOUNTS) {
            self.refuse(
                asked,
                audit::NOBODY,
                "system_response",
                &errors::NOT_ENABLED_FOR_ACCOUNT,
            );
        }
    }

    /// Removes all streams of an account. One that is not there has none.
    async fn purge(&mut self, asked: &Asked, name: &str) {
        let kind = "account_purge_response";
        if let Some(account) = self.jetstream.account(name) {
            let streams = account.streams();
            tracing::info!(
                "Purge jetstream account {name} (streams: {}, hasAccount: true)",
                streams.len()
            );
            let mut wire = Wire::new(&self.jetstream.server, &account.account);
            for stream in streams {
                let done = account.delete(&stream).await;
                // One that its own account removed meanwhile is gone as well.
                if let Err(why) = done
                    && account.stream(&stream.name).is_some()
                {
                    self.refuse(asked, audit::UNKNOWN, kind, &errors::stream_delete(why));
                    return;
                }
                audit::stream_action(&mut wire, &account, &stream.name, "DELETED", "delete");
            }
            wire.lane.flush();
        }
        let mut out = Vec::new();
        response::initiated(&mut out, kind);
        self.send(asked, audit::UNKNOWN, &out);
    }

    fn refuse(&mut self, asked: &Asked, who: &[u8], kind: &str, error: &ApiError) {
        let mut out = Vec::new();
        response::error(&mut out, kind, error);
        self.send(asked, who, &out);
    }

    fn send(&mut self, asked: &Asked, who: &[u8], json: &[u8]) {
        // The peer answers with an empty reply subject here.
        self.wire.send(&asked.reply, Some(b""), &[], json);
        let told = audit::Told {
            rest: &asked.rest,
            body: &asked.body,
            response: json,
        };
        audit::tell(&mut self.wire, &self.jetstream.server, &told, |o| {
            o.raw("client", who)
        });
    }
}
