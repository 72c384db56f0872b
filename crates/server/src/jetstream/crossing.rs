//! Copies from an origin by messages: its API is asked for a consumer, what that delivers is taken in, and the origin told
//! once it is safe. Works for whoever answers on those subjects, in this account or behind it. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use natterjack_jetstream::Effects as _;
use natterjack_jetstream::source::{Arrived, Ask, Crossing, Page, Request, Start};
use natterjack_jsapi::headers;
use natterjack_subject::names::random_name;
use tokio::time::{Instant, timeout, timeout_at};

use super::account::JsAccount;
use super::stream::Stream;
use super::wire::Wire;
use crate::clock;
use crate::mailbox::{Mailbox, Pile};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// A consumer that is silent for so long, without heartbeats even, is asked for anew. An answer is waited for as long.
const STALE: Duration = Duration::from_secs(10);
/// An API that nobody listens to is tried again after this.
const UNHEARD: Duration = Duration::from_secs(1);
/// Another look whether the stream still copies, when nothing is delivered.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Another look whether what was taken in is safe.
const SETTLE: Duration = Duration::from_millis(5);
/// Bytes of deliveries that wait.
const DELIVERED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a delivery counts beside its body, bytes.
const OVERHEAD_BYTES: usize = 256;

/// A message from the origin.
#[derive(Debug)]
struct Delivered {
    subject: Box<[u8]>,
    reply: Box<[u8]>,
    headers_len: usize,
    body: Box<[u8]>,
}

impl Delivered {
    fn bytes(&self) -> usize {
        self.body.len() + OVERHEAD_BYTES
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.body.split_at(self.headers_len)
    }
}

/// What came from the origin and waits.
#[derive(Debug, Default)]
struct Post {
    answer: Option<Delivered>,
    delivered: Vec<Delivered>,
    /// How many of these came before the answer.
    before: usize,
}

impl Pile for Post {
    fn is_empty(&self) -> bool {
        self.answer.is_none() && self.delivered.is_empty()
    }
}

/// Takes answers, or deliveries.
#[derive(Debug)]
struct Intake {
    mailbox: Arc<Mailbox<Post>>,
    of_answers: bool,
}

impl Service for Intake {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let delivered = Delivered {
            subject: message.subject.into(),
            reply: message.reply.unwrap_or_default().into(),
            headers_len: message.headers_len,
            body: message.body.into(),
        };
        let full = self.mailbox.push(delivered.bytes(), |post| {
            if self.of_answers {
                post.answer = Some(delivered);
                post.before = post.delivered.len();
            } else {
                post.delivered.push(delivered);
            }
        });
        if full {
            lane.wait_at(&self.mailbox.gate);
        }
        true
    }
}

/// Where the answer to a request goes.
fn reply_subject() -> String {
    let mut reply = "$JSC.R.".to_owned();
    random_name(8, &mut rand::random, &mut reply);
    reply
}

fn send(wire: &mut Wire, request: &Request, reply: &str) -> bool {
    let subject = request.subject.as_bytes();
    let heard = wire.has_interest(subject, None);
    wire.send(subject, Some(reply.as_bytes()), &request.headers, &request.body);
    wire.lane.flush();
    heard
}

/// Sends a request whose answer does not matter.
pub(super) fn tell(account: &JsAccount, request: &Request) {
    let mut wire = Wire::new(&account.jetstream.server, &account.account);
    send(&mut wire, request, &reply_subject());
}

/// Who copies, and from where.
pub(super) struct Copying<'a> {
    pub(super) stream: &'a Stream,
    pub(super) account: &'a JsAccount,
    pub(super) key: &'a str,
}

/// A delivery whose message is not safe yet: its place in the order of deliveries and in the origin.
type Unsafe = (u64, u64);

/// What the origin waits to be told.
#[derive(Debug, Default)]
struct Owed {
    unsafe_yet: VecDeque<Unsafe>,
    /// The last that is safe.
    safe: Unsafe,
    /// Requests for flow control, and the last delivery each covers.
    asked: VecDeque<(Vec<u8>, u64)>,
}

impl Copying<'_> {
    /// Asks the origin for what `ask` says and takes in what it delivers, for as long as it does; `None` when the stream
    /// that copies has ended.
    pub(super) async fn run(&self, ask: &Ask) -> Option<()> {
        let config = self.stream.config();
        let crossing = Crossing::new(ask, self.account.copier(&config), &mut rand::random);
        let mailbox = Arc::new(Mailbox::new(DELIVERED_BYTES_MAX));
        let intake = |subject: &str, of_answers: bool| {
            let intake = Intake {
                mailbox: Arc::clone(&mailbox),
                of_answers,
            };
            Sub::service(subject.as_bytes(), Arc::new(intake))
        };
        let reply = reply_subject();
        let subs = [intake(crossing.deliver_subject(), false), intake(&reply, true)];
        for sub in &subs {
            self.account.account.subscribe(sub);
        }
        let done = self.cross(crossing, &mailbox, &reply).await;
        self.account.account.unsubscribe_all(&subs);
        done
    }

    async fn cross(&self, mut crossing: Crossing, mailbox: &Mailbox<Post>, reply: &str) -> Option<()> {
        let mut wire = Wire::new(&self.account.jetstream.server, &self.account.account);
        let heard = send(&mut wire, crossing.request(), reply);
        let wait = if heard { STALE } else { UNHEARD };
        let mut early = Vec::new();
        let Some(Post {
            answer: Some(answer),
            mut delivered,
            before,
        }) = answered(mailbox, wait, &mut early).await
        else {
            return self.stream.ask(|_| ()).await;
        };
        // One that starts over delivers again what it delivered before it was asked to.
        let first = if crossing.is_given() {
            delivered.split_off(before)
        } else {
            early.append(&mut delivered);
            early
        };
        let before = crossing.identity().to_owned();
        let (block, body) = answer.parts();
        match crossing.on_answer(block, body) {
            Ok(()) => self.take(&mut wire, mailbox, crossing, first).await,
            // It is another stream than before: what was taken of that one says nothing of this.
            Err(_) if before != crossing.identity() => {
                let page = Page {
                    identity: crossing.identity().to_owned(),
                    ..Page::default()
                };
                self.hand_over(page).await.map(drop)
            }
            Err(error) => {
                let key = self.key.to_owned();
                self.stream
                    .ask(move |owner| owner.group.upstream_failed(&key, error, clock::now()))
                    .await
            }
        }
    }

    /// Gives `page` to the stream; returns what of the origin it has taken, and up to where that is safe. `None` inside
    /// when it is not an origin any more.
    async fn hand_over(&self, page: Page) -> Option<Option<(u64, u64)>> {
        let key = self.key.to_owned();
        let followed = self.stream.ask(move |owner| {
            owner.take_page(&key, &page);
            owner.group.followed(&key)
        });
        followed.await
    }

    async fn look(&self) -> Option<Option<(u64, u64)>> {
        let key = self.key.to_owned();
        self.stream.ask(move |owner| owner.group.followed(&key)).await
    }

    async fn take(
        &self,
        wire: &mut Wire,
        mailbox: &Mailbox<Post>,
        mut crossing: Crossing,
        first: Vec<Delivered>,
    ) -> Option<()> {
        let mut owed = Owed::default();
        let mut taken = 0;
        let mut delivered = first;
        let mut silent = Duration::ZERO;
        let mut is_news = true;
        while silent < STALE {
            let followed = if is_news {
                // What was lost on the way is asked for again.
                let Some(page) = read(&mut crossing, &delivered, taken, &mut owed) else {
                    return Some(());
                };
                self.hand_over(page).await?
            } else {
                self.look().await?
            };
            let last = owed.unsafe_yet.back().map_or(0, |(_, seq)| *seq);
            // It is not an origin any more, or something is in the way: both are seen by asking again.
            let Some((now_taken, safe)) = followed.filter(|(taken, _)| *taken >= last) else {
                return Some(());
            };
            taken = now_taken;
            owed.tell(wire, &crossing, safe);
            let wait = if owed.unsafe_yet.is_empty() {
                LOOK_EVERY
            } else {
                SETTLE
            };
            is_news = timeout(wait, mailbox.arrived()).await.is_ok();
            if !is_news {
                if crossing.is_renamed(self.account.copier(&self.stream.config())) {
                    return Some(());
                }
                silent += wait;
                continue;
            }
            silent = Duration::ZERO;
            delivered = collect(mailbox).delivered;
        }
        Some(())
    }
}

fn collect(mailbox: &Mailbox<Post>) -> Post {
    let mut post = Post::default();
    mailbox.take(&mut post);
    let all = post.delivered.iter().chain(&post.answer);
    mailbox.settle(all.map(Delivered::bytes).sum());
    post
}

/// The post with the answer, if that comes in time; what is delivered before goes to `early`.
async fn answered(mailbox: &Mailbox<Post>, wait: Duration, early: &mut Vec<Delivered>) -> Option<Post> {
    let until = Instant::now() + wait;
    loop {
        timeout_at(until, mailbox.arrived()).await.ok()?;
        let post = collect(mailbox);
        if post.answer.is_some() {
            return Some(post);
        }
        early.extend(post.delivered);
    }
}

/// What was delivered, as a page; `taken` is what the stream had before.
fn read(crossing: &mut Crossing, delivered: &[Delivered], taken: u64, owed: &mut Owed) -> Option<Page> {
    let mut page = Page {
        start: (taken > 0).then_some(Start::Seq(taken + 1)),
        identity: crossing.identity().to_owned(),
        behind: crossing.take_behind(),
        ..Page::default()
    };
    for one in delivered {
        let (block, payload) = one.parts();
        match crossing.on_delivery(&one.subject, &one.reply, block, payload) {
            Arrived::Message {
                message,
                consumer_seq,
                pending,
            } => {
                owed.unsafe_yet.push_back((consumer_seq, message.seq().0));
                page.pending = pending;
                page.messages.push(message);
            }
            Arrived::Flow(subject) => {
                let covered = owed.unsafe_yet.back().map_or(owed.safe.0, |(seq, _)| *seq);
                owed.asked.push_back((subject, covered));
            }
            Arrived::Beat => {}
            Arrived::Lost => return None,
        }
    }
    Some(page)
}

impl Owed {
    /// Answers requests for flow control whose messages are in the stream up to `safe`.
    fn tell(&mut self, wire: &mut Wire, crossing: &Crossing, safe: u64) {
        while let Some(at) = self.unsafe_yet.pop_front_if(|(_, seq)| *seq <= safe) {
            self.safe = at;
        }
        let at = self.safe.0;
        while let Some((subject, _)) = self.asked.pop_front_if(|(_, covered)| *covered <= at) {
            let mut block = Vec::new();
            if crossing.acks() {
                let (consumer_seq, seq) = self.safe;
                let lines = format!(
                    "NATS/1.0\r\n{}: {consumer_seq}\r\n{}: {seq}\r\n\r\n",
                    headers::LAST_CONSUMER,
                    headers::LAST_STREAM
                );
                block.extend_from_slice(lines.as_bytes());
            }
            wire.send(&subject, None, &block, &[]);
        }
        wire.lane.flush();
    }
}
