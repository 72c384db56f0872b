//! What a stream listens to: its subjects, acknowledgements, pulls, flow control, direct gets. Each puts what comes into
//! the stream's inbox and returns at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_jetstream::has_api_level;

use super::api::direct;
use super::inbox::{Inbox, Item, Kept, weight};
use super::stream::Stream;
use super::traced;
use crate::account::Account;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// Queue group of those that answer direct gets.
const DIRECT_QUEUE: &[u8] = b"_sys_";

fn put(stream: &Stream, message: &Routed<'_>, lane: &mut Lane, item: fn(Kept) -> Item) {
    let full = stream.inbox.push(weight(message), |inbox: &mut Inbox| {
        let kept = inbox.keep(message);
        inbox.items.push(item(kept));
    });
    if full {
        lane.wait_at(&stream.inbox.gate);
    }
}

/// Puts a message for the stream into its inbox.
pub(super) fn publish(stream: &Stream, message: &Routed<'_>, lane: &mut Lane) {
    let full = stream.inbox.push(weight(message), |inbox: &mut Inbox| {
        inbox.take_in(message, stream.room);
    });
    if full {
        lane.wait_at(&stream.inbox.gate);
    }
}

/// Messages for the stream.
#[derive(Debug)]
struct Ingest(Arc<Stream>);

impl Service for Ingest {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        publish(&self.0, message, lane);
        true
    }

    fn on_traced(&self, message: &Routed<'_>, lane: &mut Lane) -> Option<bool> {
        Some(traced::take(&self.0, message, lane))
    }
}

/// What concerns one of the stream's consumers, whose name is a token of the subject.
#[derive(Debug)]
struct ForConsumer {
    stream: Arc<Stream>,
    /// Which token, from 0.
    token: usize,
    /// Only for those that take acknowledgements.
    acks: bool,
    item: fn(Kept) -> Item,
}

impl Service for ForConsumer {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let name = natterjack_subject::tokens(message.subject).nth(self.token);
        let consumers = self.stream.consumers.read();
        let found = name.and_then(|n| consumers.get(n).copied());
        drop(consumers);
        if !found.is_some_and(|acks| acks || !self.acks) {
            return false;
        }
        put(&self.stream, message, lane, self.item);
        true
    }
}

/// Direct gets of a stream, also those that a mirror answers for its origin.
#[derive(Debug)]
struct Direct {
    stream: Arc<Stream>,
    /// Bytes of the subject before what may follow the name.
    prefix: usize,
    /// Whether it answers only while it has nearly all that its origin has.
    for_origin: bool,
}

impl Service for Direct {
    fn on_message(&self, message: &Routed<'_>, _: &mut Lane) -> bool {
        let Some(reply) = message.reply else {
            return true;
        };
        if self.for_origin && !self.stream.is_close.load(Ordering::Relaxed) {
            return false;
        }
        let subject = message.subject.get(self.prefix..).unwrap_or_default();
        let (reply, subject, body) = (reply.to_vec(), subject.to_vec(), message.payload().to_vec());
        let is_known = has_api_level(message.headers());
        self.stream.read(move |owner| {
            if is_known {
                direct::get(owner, &reply, &subject, &body);
            } else {
                direct::refuse_level(owner, &reply);
            }
        });
        true
    }
}

/// Listens to what the stream's configuration says.
pub(super) fn listen(stream: &Arc<Stream>, account: &Account) {
    let config = stream.config();
    let (name, long_form) = (&stream.name, &stream.long_form);
    let of_consumer = |subject: String, token: usize, acks: bool, item: fn(Kept) -> Item| {
        let service = ForConsumer {
            stream: Arc::clone(stream),
            token,
            acks,
            item,
        };
        Sub::service(subject.as_bytes(), Arc::new(service))
    };
    let ack = |subject: String, token: usize| of_consumer(subject, token, true, Item::Ack);
    let flow = |subject: String, token: usize| of_consumer(subject, token, false, Item::Flow);
    let mut wanted = vec![
        of_consumer(
            format!("$JS.API.CONSUMER.MSG.NEXT.{name}.*"),
            6,
            false,
            Item::Pull,
        ),
        ack(format!("$JS.ACK.{name}.*.*.*.*.*.*"), 3),
        ack(format!("$JS.ACK.{long_form}.{name}.*.*.*.*.*.*"), 5),
        ack(format!("$JS.ACK.{long_form}.{name}.*.*.*.*.*.*.>"), 5),
        flow(format!("$JS.FC.{name}.*.*"), 3),
        flow(format!("$JS.FC.{long_form}.{name}.*.*"), 5),
    ];
    for subject in &config.subjects {
        wanted.push(Sub::service(
            subject.as_bytes(),
            Arc::new(Ingest(Arc::clone(stream))),
        ));
    }
    if config.allow_direct {
        wanted.extend(direct(stream, name, false));
    }
    if let Some(mirror) = config.mirror.as_ref().filter(|_| config.mirror_direct) {
        wanted.extend(direct(stream, &mirror.name, true));
    }
    replace(&mut stream.subs.lock(), wanted, account);
}

/// Direct gets under `name`: answered by one of the streams that offer it.
fn direct(stream: &Arc<Stream>, name: &str, for_origin: bool) -> [Arc<Sub>; 2] {
    let subject = format!("$JS.API.DIRECT.GET.{name}");
    let prefix = subject.len() + 1;
    ["", ".>"].map(|suffix| {
        let service = Direct {
            stream: Arc::clone(stream),
            prefix,
            for_origin,
        };
        let subject = format!("{subject}{suffix}");
        Sub::queue_service(subject.as_bytes(), DIRECT_QUEUE, Arc::new(service))
    })
}

/// Brings what is listened to in line with `wanted`; what stays is not touched, so that nothing is missed or heard twice.
fn replace(subs: &mut Vec<Arc<Sub>>, wanted: Vec<Arc<Sub>>, account: &Account) {
    let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(subs)
        .into_iter()
        .partition(|s| wanted.iter().any(|w| w.subject == s.subject));
    for sub in wanted {
        if !stay.iter().any(|s| s.subject == sub.subject) {
            account.subscribe(&sub);
            subs.push(sub);
        }
    }
    subs.extend(stay);
    account.unsubscribe_all(&go);
}

/// Takes away what the stream listens to.
pub(super) fn silence(stream: &Stream, account: &Account) {
    let subs = std::mem::take(&mut *stream.subs.lock());
    account.unsubscribe_all(&subs);
}
