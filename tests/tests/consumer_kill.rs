//! Consumers of every kind under load and killed again and again with `kill -9`: what was confirmed never comes again, what was
//! not is not lost, and the state after a start is the one that was confirmed. Never tests power loss, which a process on one
//! machine cannot show.

use async_nats::jetstream::consumer::{AckPolicy, Consumer, FromConsumer, pull, push};
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_nats::jetstream::{AckKind, Context, Message};
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use natterjack_tests::{Outcome, Server, eventually, run_within};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

/// Kills, each under load and each followed by more load.
const KILLS: u64 = 5;
/// Messages stored in each stream between two kills, at least.
const STORED: usize = 400;
/// Messages each consumer confirms between two kills, at least.
const CONFIRMED: usize = 120;
/// Publishes under way at a time, a stream.
const WINDOW: usize = 4;
/// Messages answered at a time, a consumer.
const HANDS: usize = 40;
const MAX_DELIVER: u64 = 3;
const STEP: Duration = Duration::from_secs(40);
const LIMIT: Duration = Duration::from_secs(120);

/// A stream and what was promised about its messages.
#[derive(Debug)]
struct Origin {
    name: &'static str,
    retention: RetentionPolicy,
    next: Cell<u64>,
    /// Sequence and last token of the subject of each acknowledged publish.
    stored: RefCell<BTreeMap<u64, u64>>,
}

/// How a consumer takes and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each message for itself, with every kind of answer.
    Each,
    /// The same with a limit of deliveries and a backoff; some messages are never answered.
    Limited,
    /// The last of many answers for all.
    All,
    /// Pushed, each message for itself.
    Pushed,
    /// Pushed and not to be answered.
    Unanswered,
}

/// A consumer and what it was promised.
#[derive(Debug)]
struct Member {
    origin: usize,
    name: &'static str,
    way: Way,
    /// Only messages whose subject ends in this, if it is any.
    filter: Option<u64>,
    ledger: RefCell<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// How often each message came.
    seen: BTreeMap<u64, u64>,
    /// Answers were sent for these, seen or not.
    tried: BTreeSet<u64>,
    /// And these were confirmed.
    confirmed: BTreeSet<u64>,
    /// Those that were when the server was killed, and may never be seen again.
    binding: BTreeSet<u64>,
}

impl Member {
    fn new(origin: usize, name: &'static str, way: Way, filter: Option<u64>) -> Self {
        let ledger = RefCell::default();
        Self {
            origin,
            name,
            way,
            filter,
            ledger,
        }
    }

    fn takes(&self, token: u64) -> bool {
        self.filter.is_none_or(|only| only == token)
    }

    /// Writes down that a message came, which it may not do any more once it was confirmed before a kill.
    fn saw(&self, message: &Message) -> Outcome<(u64, u64)> {
        let info = message.info()?;
        let (sequence, delivered) = (info.stream_sequence, u64::try_from(info.delivered)?);
        let ledger = &mut *self.ledger.borrow_mut();
        if ledger.binding.contains(&sequence) {
            return Err(format!("{}: {sequence} was confirmed and came again", self.name).into());
        }
        *ledger.seen.entry(sequence).or_default() += 1;
        Ok((sequence, delivered))
    }

    /// What to say to a delivery; nothing for the silent ones. Once the load is over everything is done.
    fn answer(&self, sequence: u64, delivered: u64, over: bool) -> Option<AckKind> {
        let first = delivered == 1 && !over;
        match sequence % 7 {
            0 if first => Some(AckKind::Nak(Some(Duration::from_millis(50)))),
            1 => Some(AckKind::Term),
            3 if self.way == Way::Limited => None,
            4 if first => None,
            _ => Some(AckKind::Ack),
        }
    }

    async fn reply(&self, message: Message, over: bool) -> Outcome {
        let (sequence, delivered) = self.saw(&message)?;
        let Some(kind) = self.answer(sequence, delivered, over) else {
            return Ok(());
        };
        // The server may be gone at any of these, and then nothing was promised.
        if matches!(kind, AckKind::Nak(_)) {
            drop(message.ack_with(kind).await);
            return Ok(());
        }
        if sequence % 7 == 2 {
            drop(message.ack_with(AckKind::Progress).await);
        }
        self.ledger.borrow_mut().tried.insert(sequence);
        if message.double_ack_with(kind).await.is_ok() {
            self.ledger.borrow_mut().confirmed.insert(sequence);
        }
        Ok(())
    }

    /// Answers the last of these for all that came before.
    async fn reply_to_all(&self, messages: &[Message]) -> Outcome {
        for message in messages {
            self.saw(message)?;
        }
        let Some(last) = messages.last() else {
            return Ok(());
        };
        let upto = last.info()?.stream_sequence;
        // Those that were on their way to a client that is gone are answered as well, seen or not.
        self.ledger.borrow_mut().tried.extend(1..=upto);
        if last.double_ack().await.is_ok() {
            self.ledger.borrow_mut().confirmed.extend(1..=upto);
        }
        Ok(())
    }

    /// Takes and answers without end.
    async fn work(&self, js: &Context, origins: &[Origin], over: bool) -> Outcome {
        match self.way {
            Way::Pushed | Way::Unanswered => {
                let consumer: Consumer<push::Config> = find(js, origins, self).await?;
                self.read(consumer.messages().await?, over).await
            }
            Way::Each | Way::Limited | Way::All => {
                let consumer: Consumer<pull::Config> = find(js, origins, self).await?;
                let messages = consumer.stream().max_messages_per_batch(100).expires(STEP);
                self.read(messages.messages().await?, over).await
            }
        }
    }

    async fn read<E: Debug>(
        &self,
        messages: impl futures_util::Stream<Item = Result<Message, E>> + Unpin,
        over: bool,
    ) -> Outcome {
        let mut chunks = messages.ready_chunks(HANDS);
        while let Some(chunk) = chunks.next().await {
            let chunk: Vec<Message> = chunk.into_iter().filter_map(Result::ok).collect();
            match self.way {
                Way::All => self.reply_to_all(&chunk).await?,
                Way::Unanswered => self.count(&chunk)?,
                Way::Each | Way::Limited | Way::Pushed => {
                    try_join_all(chunk.into_iter().map(|m| self.reply(m, over))).await?;
                }
            }
        }
        Err(format!("{}: the messages ended", self.name).into())
    }

    /// Nothing is to be answered: what came is done, and nothing is promised about it.
    fn count(&self, messages: &[Message]) -> Outcome {
        for message in messages {
            let (sequence, _) = self.saw(message)?;
            self.ledger.borrow_mut().confirmed.insert(sequence);
        }
        Ok(())
    }

    /// The ack floor that the confirmations amount to.
    fn floor(&self, stored: &BTreeMap<u64, u64>) -> u64 {
        let ledger = self.ledger.borrow();
        let passed = |seq: &u64| {
            let elsewhere = stored.get(seq).is_some_and(|token| !self.takes(*token));
            elsewhere || ledger.confirmed.contains(seq)
        };
        (1..).take_while(passed).last().unwrap_or(0)
    }
}

async fn find<C>(js: &Context, origins: &[Origin], member: &Member) -> Outcome<Consumer<C>>
where
    C: FromConsumer + async_nats::jetstream::consumer::IntoConsumerConfig,
{
    let stream = origins[member.origin].name;
    Ok(js.get_consumer_from_stream(member.name, stream).await?)
}

fn streams() -> [Origin; 3] {
    [
        ("LIMITS", RetentionPolicy::Limits),
        ("INTEREST", RetentionPolicy::Interest),
        ("QUEUE", RetentionPolicy::WorkQueue),
    ]
    .map(|(name, retention)| Origin {
        name,
        retention,
        next: Cell::new(0),
        stored: RefCell::default(),
    })
}

fn members() -> [Member; 9] {
    [
        Member::new(0, "each", Way::Each, None),
        Member::new(0, "limited", Way::Limited, None),
        Member::new(0, "all", Way::All, None),
        Member::new(0, "pushed", Way::Pushed, None),
        Member::new(0, "unanswered", Way::Unanswered, None),
        Member::new(1, "one", Way::Each, None),
        Member::new(1, "two", Way::All, None),
        Member::new(2, "even", Way::Each, Some(0)),
        Member::new(2, "odd", Way::Pushed, Some(1)),
    ]
}

async fn create(js: &Context, origins: &[Origin], members: &[Member]) -> Outcome {
    for origin in origins {
        let config = Config {
            name: origin.name.to_owned(),
            subjects: vec![format!("{}.*", origin.name)],
            retention: origin.retention,
            ..Config::default()
        };
        js.create_stream(config).await?;
    }
    for member in members {
        let origin = origins[member.origin].name;
        let stream = js.get_stream(origin).await?;
        let limited = member.way == Way::Limited;
        let all = pull::Config {
            durable_name: Some(member.name.to_owned()),
            ack_policy: match member.way {
                Way::All => AckPolicy::All,
                Way::Unanswered => AckPolicy::None,
                Way::Each | Way::Limited | Way::Pushed => AckPolicy::Explicit,
            },
            ack_wait: Duration::from_secs(2),
            filter_subject: member.filter.map(|n| format!("{origin}.{n}")).unwrap_or_default(),
            max_deliver: if limited { MAX_DELIVER.try_into()? } else { -1 },
            backoff: if limited {
                vec![Duration::from_millis(200), Duration::from_millis(400)]
            } else {
                vec![]
            },
            max_ack_pending: 1000,
            ..pull::Config::default()
        };
        if !matches!(member.way, Way::Pushed | Way::Unanswered) {
            stream.create_consumer(all).await?;
            continue;
        }
        let pushed = push::Config {
            deliver_subject: format!("to.{}", member.name),
            durable_name: all.durable_name,
            ack_policy: all.ack_policy,
            ack_wait: all.ack_wait,
            filter_subject: all.filter_subject,
            max_ack_pending: if member.way == Way::Pushed { 1000 } else { 0 },
            ..push::Config::default()
        };
        stream.create_consumer(pushed).await?;
    }
    Ok(())
}

/// Publishes without end from many hands and writes each acknowledgement down.
async fn publish(js: &Context, origin: &Origin) -> Outcome {
    let hand = || async {
        loop {
            let n = origin.next.replace(origin.next.get() + 1);
            let subject = format!("{}.{}", origin.name, n % 2);
            let ack = js.publish(subject, n.to_string().into()).await?.await?;
            origin.stored.borrow_mut().insert(ack.sequence, n % 2);
        }
    };
    let ended: Outcome<Vec<()>> = try_join_all((0..WINDOW).map(|_| hand())).await;
    ended.map(drop)
}

/// Load until there is enough more of everything, and a kill in the middle of it.
async fn kill_under_load(server: &mut Server, origins: &[Origin], members: &[Member]) -> Outcome {
    let js = server.jetstream().await?;
    let stored = |origin: &Origin| origin.stored.borrow().len();
    let confirmed = |member: &Member| member.ledger.borrow().confirmed.len();
    let stored_before: Vec<usize> = origins.iter().map(stored).collect();
    let confirmed_before: Vec<usize> = members.iter().map(confirmed).collect();
    let enough = eventually("enough promises", STEP, || async {
        let stored = origins
            .iter()
            .zip(&stored_before)
            .all(|(o, n)| stored(o) >= n + STORED);
        let confirmed = members
            .iter()
            .zip(&confirmed_before)
            .all(|(m, n)| confirmed(m) >= n + CONFIRMED);
        Ok((stored && confirmed).then_some(()))
    });
    tokio::select! {
        biased;
        enough = enough => enough?,
        ended = try_join_all(origins.iter().map(|o| publish(&js, o))) => return Err(format!("publishing ended: {ended:?}").into()),
        ended = try_join_all(members.iter().map(|m| m.work(&js, origins, false))) => return Err(format!("consuming ended: {ended:?}").into()),
    }
    // What was confirmed by now is binding; the clients are still connected when it happens.
    for member in members.iter().filter(|m| m.way != Way::Unanswered) {
        let ledger = &mut *member.ledger.borrow_mut();
        ledger.binding.clone_from(&ledger.confirmed);
    }
    server.kill().await
}

/// Holds what the server says of each consumer against what was confirmed.
async fn check_state(js: &Context, origins: &[Origin], members: &[Member]) -> Outcome {
    for member in members.iter().filter(|m| m.way != Way::Unanswered) {
        let stored = origins[member.origin].stored.borrow().clone();
        let stream = js.get_stream(origins[member.origin].name).await?;
        let info = stream.consumer_info(member.name).await?;
        let (floor, least) = (info.ack_floor.stream_sequence, member.floor(&stored));
        assert!(
            floor >= least,
            "{}: floor {floor}, confirmed {least}",
            member.name
        );
        let tried = &member.ledger.borrow().tried;
        let mine = stored.iter().filter(|(_, token)| member.takes(**token));
        let mut unanswered = mine
            .take_while(|(seq, _)| **seq <= floor)
            .filter(|(seq, _)| !tried.contains(seq));
        let gone = unanswered.next();
        assert!(
            gone.is_none() || member.way == Way::Limited,
            "{}: nobody answered {gone:?}",
            member.name
        );
    }
    Ok(())
}

/// Takes all that is left and holds what was seen in all against what was stored.
async fn settle(js: &Context, origins: &[Origin], members: &[Member]) -> Outcome {
    let at_rest = eventually("all work done", STEP, || async {
        for member in members {
            let stream = js.get_stream(origins[member.origin].name).await?;
            let info = stream.consumer_info(member.name).await?;
            if info.num_pending != 0 || info.num_ack_pending != 0 {
                return Ok(None);
            }
        }
        Ok(Some(()))
    });
    tokio::select! {
        biased;
        at_rest = at_rest => at_rest?,
        ended = join_all(members.iter().map(|m| m.work(js, origins, true))) => return Err(format!("consuming ended: {ended:?}").into()),
    }
    for member in members {
        let ledger = member.ledger.borrow();
        let stored = origins[member.origin].stored.borrow();
        let mine = stored.iter().filter(|(_, token)| member.takes(**token));
        let lost: Vec<u64> = mine
            .map(|(seq, _)| *seq)
            .filter(|seq| !ledger.seen.contains_key(seq) && !ledger.tried.contains(seq))
            .collect();
        // Without answers a message is done when it is sent, and what was on its way at a kill is gone.
        assert!(
            lost.is_empty() || member.way == Way::Unanswered,
            "{}: never seen: {lost:?}",
            member.name
        );
        let most = ledger.seen.values().copied().max().unwrap_or(0);
        assert!(
            member.way != Way::Limited || most <= MAX_DELIVER + KILLS,
            "{}: {most} times",
            member.name
        );
    }
    for origin in &origins[1..] {
        let state = js.get_stream(origin.name).await?.cached_info().state.clone();
        assert_eq!(state.messages, 0, "{}: {state:?}", origin.name);
    }
    Ok(())
}

#[test]
fn consumers_of_every_kind_survive_kills_under_load() -> Outcome {
    run_within(LIMIT, async {
        let mut server = Server::start().await?;
        let (origins, members) = (streams(), members());
        create(&server.jetstream().await?, &origins, &members).await?;
        for _ in 0..KILLS {
            kill_under_load(&mut server, &origins, &members).await?;
            server.restart().await?;
            check_state(&server.jetstream().await?, &origins, &members).await?;
        }
        settle(&server.jetstream().await?, &origins, &members).await
    })
}
