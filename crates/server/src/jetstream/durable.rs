//! Copies by a durable consumer of the origin: what it delivers is taken in, and acknowledged once it is safe. Decides
//! nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use natterjack_jetstream::source::{Durable, Page};
use natterjack_jetstream::{Admitted, Effects as _, Outcome};
use natterjack_jsapi::ack::{ACK_PREFIX, AckSubject, FLOW_PREFIX};
use natterjack_jsapi::consumer::{ConsumerConfig, CreateRequest};
use natterjack_jsapi::{ApiError, errors};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::account::JsAccount;
use super::owner::Owner;
use super::stream::Stream;
use super::wire::Wire;
use crate::clock;
use crate::mailbox::{Mailbox, Pile};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// A consumer that is silent for so long, without heartbeats even, is asked for anew.
const STALE: Duration = Duration::from_secs(10);
/// Another look whether the stream still copies, when nothing is delivered.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Another look whether what was taken in is safe.
const SETTLE: Duration = Duration::from_millis(5);
/// Bytes of notes that wait.
const NOTES_BYTES_MAX: usize = 1024 * 1024;
/// What a note of a delivery counts, bytes.
const NOTE_BYTES: usize = 64;

/// A message that was delivered.
#[derive(Debug)]
struct Note {
    seq: u64,
    pending: u64,
    ack: Vec<u8>,
    consumer_seq: u64,
}

/// What a consumer sent.
#[derive(Debug, Default)]
struct Notes {
    delivered: Vec<Note>,
    /// The last flow control request.
    flow: Option<Vec<u8>>,
    /// Anything at all.
    heard: usize,
}

impl Pile for Notes {
    fn is_empty(&self) -> bool {
        self.heard == 0
    }
}

#[derive(Debug)]
struct Intake(Arc<Mailbox<Notes>>);

impl Service for Intake {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let reply = message.reply.unwrap_or_default();
        let note = AckSubject::parse(reply).filter(|_| reply.starts_with(ACK_PREFIX));
        let note = note.map(|ack| Note {
            seq: ack.stream_seq,
            pending: ack.pending,
            consumer_seq: ack.consumer_seq,
            ack: reply.to_vec(),
        });
        let flow = reply.starts_with(FLOW_PREFIX).then(|| reply.to_vec());
        let full = self.0.push(NOTE_BYTES, |notes| {
            notes.heard += 1;
            notes.delivered.extend(note);
            notes.flow = flow.or(notes.flow.take());
        });
        if full && lane.gate.is_none() {
            lane.gate = Some(Arc::clone(&self.0.gate));
        }
        true
    }
}

/// Who copies, and from where.
pub(super) struct Copying<'a> {
    pub(super) stream: &'a Stream,
    pub(super) account: &'a JsAccount,
    pub(super) key: &'a str,
    pub(super) origin: &'a Arc<Stream>,
}

impl Copying<'_> {
    /// Takes in what `durable` delivers, for as long as it does; `None` when the stream that copies has ended.
    pub(super) async fn run(&self, durable: Durable) -> Option<()> {
        let mailbox = Arc::new(Mailbox::new(NOTES_BYTES_MAX));
        let intake = Arc::new(Intake(Arc::clone(&mailbox)));
        let sub = Sub::service(durable.deliver_subject.as_bytes(), intake);
        self.account.account.subscribe(&sub);
        let done = self.take_all(durable, &mailbox).await;
        self.account.account.unsubscribe_all(&[sub]);
        done
    }

    async fn take_all(&self, durable: Durable, mailbox: &Mailbox<Notes>) -> Option<()> {
        let made = match durable.made_as.clone() {
            Some(config) => make(self.origin, *config, self.account).await,
            None => Ok(()),
        };
        let lent = match made {
            Ok(()) => {
                let lent = self.origin.ask(move |owner| {
                    let lent = owner.group.lend(&durable, clock::now());
                    owner.settle_consumers();
                    lent
                });
                lent.await.unwrap_or(Err(errors::STREAM_NOT_FOUND))
            }
            Err(error) => Err(error),
        };
        match lent {
            Ok(Some(identity)) => self.take(mailbox, identity).await,
            Ok(None) => {
                // The peer waits for an answer that never comes, and shows nothing.
                let _elapsed = timeout(STALE, std::future::pending::<()>()).await;
                Some(())
            }
            Err(error) => {
                let key = self.key.to_owned();
                let failed = move |owner: &mut Owner| owner.group.upstream_failed(&key, error, clock::now());
                self.stream.ask(failed).await
            }
        }
    }

    async fn take(&self, mailbox: &Mailbox<Notes>, identity: String) -> Option<()> {
        let server = &self.account.jetstream.server;
        let mut wire = Wire::new(server, &self.account.account);
        let mut waiting: VecDeque<Note> = VecDeque::new();
        let mut page = Some(Page {
            identity: identity.clone(),
            ..Page::default()
        });
        let mut silent = Duration::ZERO;
        while silent < STALE {
            let last = waiting.back().map_or(0, |note| note.seq);
            let key = self.key.to_owned();
            let followed = self.stream.ask(move |owner| {
                if let Some(page) = page {
                    owner.take_page(&key, &page);
                }
                owner.group.followed(&key)
            });
            // It is not an origin any more, or something is in the way: both are seen by asking again.
            let Some((taken, safe)) = followed.await?.filter(|(taken, _)| *taken >= last) else {
                return Some(());
            };
            acknowledge(&mut wire, &mut waiting, safe);
            let wait = if waiting.is_empty() { LOOK_EVERY } else { SETTLE };
            if timeout(wait, mailbox.arrived()).await.is_err() {
                silent += wait;
                page = None;
                continue;
            }
            silent = Duration::ZERO;
            let mut notes = Notes::default();
            mailbox.take(&mut notes);
            mailbox.settle(notes.heard * NOTE_BYTES);
            if let Some(flow) = notes.flow {
                wire.send(&flow, None, &[], &[]);
                wire.lane.flush();
            }
            page = Some(self.page(&notes.delivered, &identity, taken).await);
            waiting.extend(notes.delivered);
        }
        Some(())
    }

    /// The messages that `notes` tell of.
    async fn page(&self, notes: &[Note], identity: &str, taken: u64) -> Page {
        let pending = notes.last().map_or(0, |note| note.pending);
        let seqs: Vec<u64> = notes.iter().map(|note| note.seq).collect();
        if seqs.is_empty() {
            return Page {
                identity: identity.to_owned(),
                ..Page::default()
            };
        }
        let page = self
            .origin
            .ask(move |owner| owner.group.page_of(&seqs, pending, taken));
        // An origin that has ended delivers nothing more: what follows is asked for anew.
        page.await.unwrap_or_default()
    }
}

/// Tells the consumer up to where its messages are safe.
fn acknowledge(wire: &mut Wire, waiting: &mut VecDeque<Note>, safe: u64) {
    let mut last: Option<Note> = None;
    while waiting.front().is_some_and(|note| note.seq <= safe) {
        let note = waiting.pop_front();
        // What was delivered again has the higher sequence.
        last = note.into_iter().chain(last).max_by_key(|note| note.consumer_seq);
    }
    if let Some(note) = last {
        wire.send(&note.ack, None, &[], b"+ACK");
        wire.lane.flush();
    }
}

/// Makes the consumer, or turns one that is there to where it is to deliver.
async fn make(origin: &Arc<Stream>, config: ConsumerConfig, account: &JsAccount) -> Result<(), ApiError> {
    let (sender, receiver) = oneshot::channel();
    let limits = account.consumer_limits();
    let stream_name = origin.name.clone();
    origin.call(move |owner| {
        let there = owner.group.consumers().lookup(&config.name);
        let old = there.and_then(|id| owner.group.consumers().config(id).cloned());
        let config = match old {
            Some(old) => ConsumerConfig {
                deliver_subject: config.deliver_subject,
                ..old
            },
            None => config,
        };
        let request = CreateRequest {
            stream_name,
            config,
            ..CreateRequest::default()
        };
        match owner
            .group
            .admit_consumer(request, &limits, String::new, clock::now())
        {
            Ok(Admitted::Existing(_)) => drop(sender.send(Ok(()))),
            Ok(Admitted::Proposed(command)) => owner.propose(command, move |_, outcome| {
                let done = match outcome {
                    Outcome::Failed(why) => Err(errors::consumer_create(why)),
                    _ => Ok(()),
                };
                drop(sender.send(done));
            }),
            Err(error) => drop(sender.send(Err(error))),
        }
    });
    receiver.await.unwrap_or(Err(errors::STREAM_NOT_FOUND))
}

/// Removes the consumer that was made on the way, if there is one.
pub(super) fn remove(origin: &Arc<Stream>, name: String) {
    origin.call(move |owner| {
        if let Some(id) = owner.group.consumers().lookup(&name) {
            let command = natterjack_jetstream::Command::ConsumerDelete { id };
            owner.propose(command, |_, _| {});
        }
    });
}
