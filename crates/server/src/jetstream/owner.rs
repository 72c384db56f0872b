//! A stream's task: the only one that touches its group. A round takes all that waits, decides in order, lets consumers
//! deliver, writes once, and flushes once; entries become durable while the next round gathers.

mod creations;
mod reads;
mod tending;
mod turned_away;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use natterjack_jetstream::{Group, Incoming, Now, Outcome, Ticket, has_api_level};
use natterjack_jsapi::ack::AckSubject;
use natterjack_raft::Solo;
use natterjack_store::LogIndex;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::creations::Creations;
use self::reads::Read;
use super::api;
use super::inbox::{Inbox, Item, Kept};
use super::stream::Stream;
use super::wire::Wire;
use crate::clock;

/// Messages consumers may deliver in one round.
const ROUND_MESSAGES: usize = 1024;
/// Between looks at whether the store has caught up.
const BEHIND: Duration = Duration::from_millis(1);

/// Tokens of a flow control subject of the first form.
const FLOW_TOKENS: usize = 5;

/// What to do with the outcome of a command.
pub(super) type Then = Box<dyn FnOnce(&mut Owner, Outcome) + Send>;

/// Owns a stream.
pub(crate) struct Owner {
    pub(super) stream: Arc<Stream>,
    pub(super) group: Group,
    pub(super) wire: Wire,
    log: Solo,
    flying: VecDeque<LogIndex>,
    waiting: HashMap<Ticket, Then>,
    next_ticket: u64,
    reads: VecDeque<Read>,
    creations: Creations,
    /// Deliver subjects watched, by consumer.
    pub(super) watched: HashMap<u32, Vec<u8>>,
    upkeep_at: u64,
    /// When refused messages are next worth a line of the log.
    say_at: u64,
    wants_checkpoint: bool,
    /// Whether it only keeps what it has: JetStream is off for its account.
    pub(super) rests: bool,
    ended: Option<oneshot::Sender<Ended>>,
}

/// What is left of a stream whose task has ended.
pub(super) struct Ended {
    pub(super) group: Group,
    pub(super) log: Solo,
}

impl Owner {
    pub(super) fn new(stream: &Arc<Stream>, group: Group, log: Solo, wire: Wire) -> Self {
        let mut owner = Self {
            stream: Arc::clone(stream),
            group,
            wire,
            log,
            flying: VecDeque::new(),
            waiting: HashMap::new(),
            next_ticket: 1,
            reads: VecDeque::new(),
            creations: Creations::default(),
            watched: HashMap::new(),
            upkeep_at: 0,
            say_at: 0,
            wants_checkpoint: false,
            rests: false,
            ended: None,
        };
        let _restored = owner.group.consumers().take_changed();
        let ids: Vec<u32> = owner.group.consumers().ids().collect();
        for id in ids {
            owner.name(id);
            owner.watch(id);
        }
        owner.show();
        owner
    }

    /// Runs until the stream ends.
    pub(super) async fn run(mut self) {
        let mut spare = Inbox::default();
        let mut backlog = VecDeque::new();
        loop {
            // What waits is not taken in before what was taken has its place: its senders wait as well.
            if self.flying.is_empty() && self.group.store().is_behind() {
                self.catch_up().await;
                continue;
            }
            let mut inbox = backlog.pop_front().unwrap_or_else(|| {
                let mut inbox = std::mem::take(&mut spare);
                self.stream.inbox.take(&mut inbox);
                inbox
            });
            let more = self.round(&mut inbox) || !backlog.is_empty();
            spare = inbox;
            if self.ended.is_some() {
                break;
            }
            if self.wants_checkpoint && backlog.is_empty() {
                self.checkpoint(&mut backlog).await;
                continue;
            }
            if self.group.store().is_behind() {
                let _either = timeout(BEHIND, self.stream.inbox.arrived()).await;
                continue;
            }
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let now = clock::mono();
            let due = self.deadline_ns(clock::now()).unwrap_or(u64::MAX);
            let wait = Duration::from_nanos(due.min(self.upkeep_at).saturating_sub(now));
            // At most a little late: timers of the machines are in nanoseconds, those of the runtime in milliseconds.
            let _either = timeout(wait, self.stream.inbox.arrived()).await;
        }
        self.stream.inbox.close();
        let Self {
            group, log, ended, ..
        } = self;
        if let Some(ended) = ended {
            let _gone = ended.send(Ended { group, log });
        }
    }

    /// Ends the task once this round is over, and gives what is left to `ended`.
    pub(super) fn end(&mut self, ended: oneshot::Sender<Ended>) {
        self.read_all();
        self.ended = Some(ended);
        let account = Arc::clone(&self.wire.lane.account);
        for (id, subject) in std::mem::take(&mut self.watched) {
            account.unwatch(&subject, self.key(id));
        }
    }

    pub(super) fn key(&self, consumer: u32) -> u64 {
        u64::from(self.stream.group.0) << 32 | u64::from(consumer)
    }

    /// One round. Returns whether there is more to do at once.
    fn round(&mut self, inbox: &mut Inbox) -> bool {
        let bytes = inbox.bytes;
        let now = clock::now();
        let mut published = 0;
        for item in std::mem::take(&mut inbox.items) {
            match item {
                Item::Publish(kept) => {
                    published += 1;
                    self.publish(inbox, &kept, now);
                }
                Item::Refused(refused) => self.turn_away(inbox, &refused, now),
                Item::Pull(kept) => self.pull(inbox, &kept, now),
                Item::Ack(kept) => self.ack(inbox, &kept, now),
                Item::Flow(kept) => self.flow(inbox, &kept, now),
                Item::Committed(result) => self.committed(&result, now),
                Item::Interest(id) => self.look(id, now),
                Item::Call(call) => call(self),
            }
        }
        inbox.clear();
        self.stream.inbox.settle(bytes);
        if self.deadline_ns(now).is_some_and(|at| at <= now.mono_ns) {
            self.group.on_tick(now, &mut self.wire);
        }
        self.settle_consumers();
        let more = !self.rests && self.group.run(now, &mut self.wire, ROUND_MESSAGES);
        self.pump(now);
        if published > 0 {
            self.stream.published.fetch_add(published, Ordering::Relaxed);
        }
        // Who is told that a message is stored may ask at once for what the account holds.
        self.show();
        self.wire.lane.flush();
        if now.mono_ns >= self.upkeep_at {
            self.upkeep(now);
        }
        more
    }

    pub(super) fn show(&self) {
        let state = self.group.state();
        let last = state.last_seq;
        let before = std::mem::replace(&mut *self.stream.state.lock(), state);
        self.stream.has_told.store(false, Ordering::Release);
        if before.last_seq != last {
            self.stream.followers.notify_waiters();
        }
    }

    fn publish(&mut self, inbox: &Inbox, kept: &Kept, now: Now) {
        let message = inbox.message(kept);
        if self.group.batch_is_full() {
            self.pump(now);
        }
        let incoming = Incoming {
            subject: message.subject,
            reply: message.reply,
            headers: message.headers(),
            payload: message.payload(),
        };
        self.group.publish(now, &incoming, &mut self.wire);
    }

    /// An origin answered.
    pub(super) fn take_page(&mut self, key: &str, page: &natterjack_jetstream::source::Page) {
        self.group.take_page(key, clock::now(), page);
        let is_close = self.group.is_close_to_origin();
        self.stream.is_close.store(is_close, Ordering::Relaxed);
    }

    /// The consumer that a subject names in token `at`.
    fn consumer_in(&mut self, subject: &[u8], at: usize) -> Option<u32> {
        let name = natterjack_subject::tokens(subject).nth(at)?;
        self.group.consumers().lookup(std::str::from_utf8(name).ok()?)
    }

    fn pull(&mut self, inbox: &Inbox, kept: &Kept, now: Now) {
        let message = inbox.message(kept);
        let (Some(reply), Some(id)) = (message.reply, self.consumer_in(message.subject, 6)) else {
            return;
        };
        if !has_api_level(message.headers()) {
            api::direct::refuse_level(self, reply);
            return;
        }
        self.group
            .on_pull(id, now, reply, message.payload(), &mut self.wire);
    }

    fn ack(&mut self, inbox: &Inbox, kept: &Kept, now: Now) {
        let message = inbox.message(kept);
        let Some(ack) = AckSubject::parse(message.subject) else {
            return;
        };
        let name = std::str::from_utf8(ack.consumer).unwrap_or_default();
        let Some(id) = self.group.consumers().lookup(name) else {
            return;
        };
        let body = (message.payload(), message.reply);
        self.group.on_ack(id, now, &ack, body, &mut self.wire);
    }

    fn flow(&mut self, inbox: &Inbox, kept: &Kept, now: Now) {
        let message = inbox.message(kept);
        // The second form has domain and account before the stream.
        let long = natterjack_subject::tokens(message.subject).count() > FLOW_TOKENS;
        if let Some(id) = self.consumer_in(message.subject, if long { 5 } else { 3 }) {
            self.group
                .on_flow_reply(id, now, message.subject, message.headers(), &mut self.wire);
        }
    }

    /// Writes what is proposed, unless the store has to catch up first.
    fn pump(&mut self, now: Now) {
        if !self.group.store().is_behind() {
            self.pump_all(now);
        }
    }

    fn pump_all(&mut self, now: Now) {
        while let Some(proposal) = self.group.take_proposal(now) {
            let stream = Arc::clone(&self.stream);
            let done = Box::new(move |result| {
                stream
                    .inbox
                    .push(0, |inbox| inbox.items.push(Item::Committed(result)));
            });
            match self.log.propose(proposal.body.clone(), proposal.relaxed, done) {
                Ok(index) => {
                    self.flying.push_back(index);
                    self.group.proposed(index, proposal);
                }
                Err(error) => {
                    let outcome = self.group.refused(proposal, &error.to_string(), &mut self.wire);
                    self.resolve(outcome);
                }
            }
        }
    }

    fn committed(&mut self, result: &Result<(), natterjack_store::AppendError>, now: Now) {
        let Some(index) = self.flying.pop_front() else {
            return;
        };
        let outcome = match result {
            Ok(()) => {
                self.stream.has_told.store(true, Ordering::Release);
                self.group.committed(index, now, &mut self.wire)
            }
            Err(error) => self.group.failed(index, &error.to_string(), &mut self.wire),
        };
        if self.flying.is_empty() {
            self.log.resume();
        }
        self.resolve(outcome);
        self.read_on();
    }

    fn resolve(&mut self, outcome: Option<(Ticket, Outcome)>) {
        for (ticket, outcome) in self.group.take_ripe().into_iter().chain(outcome) {
            if let Some(then) = self.waiting.remove(&ticket) {
                then(self, outcome);
            }
        }
    }

    /// Proposes a command; `then` hears what came of it.
    pub(super) fn propose(
        &mut self,
        command: natterjack_jetstream::Command,
        then: impl FnOnce(&mut Self, Outcome) + Send + 'static,
    ) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.insert(ticket, Box::new(then));
        self.group.propose(command, Some(ticket));
    }
}
