//! What each step does, and the end of a schedule: everything is asked for and acknowledged.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::ack::AckSubject;
use natterjack_jsapi::consumer::{AckPolicy, DeliverPolicy};
use natterjack_jsapi::stream::Retention;
use natterjack_store::{GroupId, StreamOptions};

use super::check::{Said, after_crash, at_rest};
use super::ears::Ears;
use super::rig::{MS, Rig, names, open};
use super::schedule::{FILTERS, SUBJECTS, Step, set_filter};
use super::seen::{Model, Seen};
use crate::{Command, Group};

impl Rig {
    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Publish { subject, count } => {
                for _ in 0..count {
                    self.publish(SUBJECTS[subject], "");
                }
            }
            Step::Rollup { subject, all } => self.publish(SUBJECTS[subject], if all { "all" } else { "sub" }),
            Step::Pull { consumer, ref body } => self.pull(consumer, body),
            Step::Ack { consumer, pick, body } => self.answer(consumer, pick, body),
            Step::Pass { ms } => self.pass(ms),
            Step::Delete { pick } => {
                if let Some(seq) = self.live.keys().nth(pick).copied() {
                    self.command(Command::Delete { seq, erase: false });
                }
            }
            Step::Purge { filter, up_to, keep } => {
                let filter = FILTERS[filter].first().map_or(String::new(), |f| (*f).to_owned());
                let keep = if up_to > 0 { 0 } else { keep };
                self.command(Command::Purge { filter, up_to, keep });
            }
            Step::Hold { on: true } => drop(self.held.get_or_insert_default()),
            Step::Hold { on: false } => self.release(),
            Step::Crash => self.crash()?,
            ref other => {
                self.rest();
                self.check()?;
                self.administer(other);
            }
        }
        if self.held.is_none() {
            self.rest();
            self.check()?;
        }
        self.wrong.take().map_or(Ok(()), Err)
    }

    fn command(&mut self, command: Command) {
        self.group.propose(command, None);
        self.settle();
    }

    fn administer(&mut self, step: &Step) {
        match *step {
            Step::Filter { consumer, filter } => self.refilter(consumer, filter),
            Step::Pause { consumer, ms } => {
                let until = GoTime(self.now.plus(ms * MS).wall_ns);
                let Some(model) = self.models.get_mut(consumer).and_then(Option::as_mut) else {
                    return;
                };
                model.config.pause_until = Some(until);
                let id = model.id;
                self.command(Command::ConsumerPause {
                    id,
                    until: Some(until),
                });
            }
            Step::Interest { consumer, has } => self.interest(consumer, has),
            Step::Reset { consumer, seq } => {
                let Some(model) = self.models.get_mut(consumer).and_then(Option::as_mut) else {
                    return;
                };
                let Ok(next) = self.group.check_reset(model.id, seq) else {
                    return;
                };
                model.reset(next);
                self.group.reset_consumer(model.id, next, self.now);
                self.settle();
            }
            Step::Remove { consumer } => {
                let Some(model) = self.models.get_mut(consumer).and_then(Option::take) else {
                    return;
                };
                self.command(Command::ConsumerDelete { id: model.id });
            }
            Step::Checkpoint => {
                let (state, applied) = (self.group.checkpoint(), self.group.applied());
                self.group.store().checkpoint(applied, state.into());
                self.store.flush();
            }
            Step::Restart => self.restart(),
            _ => {}
        }
    }

    fn refilter(&mut self, consumer: usize, filter: usize) {
        let Some(model) = self.models.get_mut(consumer).and_then(Option::as_mut) else {
            return;
        };
        let mut config = model.config.clone();
        let per_subject = config.deliver_policy == DeliverPolicy::LastPerSubject;
        set_filter(&mut config, if per_subject { filter.max(1) } else { filter });
        model.refilter(config.clone(), &self.live);
        let id = model.id;
        let config = Box::new(config);
        self.command(Command::ConsumerUpdate { id, config });
    }

    fn interest(&mut self, consumer: usize, has: bool) {
        if has {
            self.fx.deaf.remove(&consumer);
        } else {
            self.fx.deaf.insert(consumer);
        }
        if let Some(Some(model)) = self.models.get(consumer)
            && !model.config.deliver_subject.is_empty()
        {
            self.group.consumers().on_interest(model.id, self.now, has);
            self.settle();
        }
    }

    fn pull(&mut self, consumer: usize, body: &str) {
        let Some(Some(model)) = self.models.get(consumer) else {
            return;
        };
        let reply = format!("in.{consumer}");
        self.group.on_pull(
            model.id,
            self.now,
            reply.as_bytes(),
            body.as_bytes(),
            &mut self.fx,
        );
        self.settle();
    }

    /// Answers one of the last deliveries.
    fn answer(&mut self, consumer: usize, pick: usize, body: &str) {
        let Some(Some(model)) = self.models.get_mut(consumer) else {
            return;
        };
        let Some(seen) = model.deliveries.iter().rev().nth(pick).cloned() else {
            return;
        };
        self.ack(consumer, &seen, body);
    }

    fn ack(&mut self, at: usize, seen: &Seen, body: &str) {
        let Some(Some(model)) = self.models.get_mut(at) else {
            return;
        };
        let floor = self.group.consumer_info(model.id, self.now).unwrap().ack_floor;
        let late = model.config.ack_policy == AckPolicy::All
            && (seen.cseq <= floor.consumer_seq || seen.sseq <= floor.stream_seq);
        match body {
            "+ACK" | "+NXT 2" | "+TERM" if !late => drop(model.acked(seen.sseq)),
            _ => {}
        }
        let reply = match body {
            "+ACK" | "+TERM" => format!("ok.{at}.{}", seen.sseq),
            "+NXT 2" => format!("in.{at}"),
            _ => format!("other.{at}"),
        };
        let ack = AckSubject::parse(seen.reply.as_bytes()).unwrap();
        let (now, body) = (self.now, (body.as_bytes(), Some(reply.as_bytes())));
        self.group.on_ack(model.id, now, &ack, body, &mut self.fx);
        self.settle();
    }

    fn said(&mut self, id: u32) -> Option<Said<'_>> {
        let info = self.group.consumer_info(id, self.now)?;
        let consumer = self.group.consumers().get(id)?;
        Some(Said { consumer, info })
    }

    fn check(&mut self) -> Result<(), String> {
        self.wrong.take().map_or(Ok(()), Err)?;
        self.each(at_rest)
    }

    fn each(
        &mut self,
        check: fn(&mut Model, &Said<'_>, &super::seen::Live) -> Result<(), String>,
    ) -> Result<(), String> {
        let live = self.live.clone();
        let mut models = std::mem::take(&mut self.models);
        let mut checked = Ok(());
        for (at, model) in models
            .iter_mut()
            .enumerate()
            .filter_map(|(at, m)| Some((at, m.as_mut()?)))
        {
            let one = match self.said(model.id) {
                Some(said) => check(model, &said, &live),
                None => Err("is not there".into()),
            };
            checked = checked.and_then(|()| one.map_err(|why| format!("consumer {at}: {why}")));
        }
        self.models = models;
        checked
    }

    /// Stops and opens again what the disk has.
    fn restart(&mut self) {
        self.store.shutdown();
        self.store = open(&self.folder);
        let options = StreamOptions::default();
        let (log, messages) = self.store.open_stream(GroupId(5), &options).unwrap();
        self.log = log;
        self.held = None;
        let kept = self.log.checkpoint().cloned();
        let checkpoint = kept.as_ref().map(|(at, state)| (*at, state.as_ref()));
        let mut unheard = Ears::default();
        let (config, now) = (self.config.clone(), self.now);
        let mut group = Group::restore(config, GoTime(0), messages, names(), checkpoint, now);
        for entry in self.log.replay() {
            group.replay(&entry, now, &mut unheard);
        }
        group.restored(now);
        self.group = group;
        self.look();
        for at in 0..self.models.len() {
            let has = !self.fx.deaf.contains(&at);
            self.interest(at, has);
        }
    }

    fn crash(&mut self) -> Result<(), String> {
        // Deliveries happen, and nobody writes them down.
        while self.group.run(self.now, &mut self.fx, 1000) {}
        let deaf = self.fx.deaf.clone();
        let all = 0..self.models.len();
        self.fx.deaf.extend(all);
        self.restart();
        self.fx.deaf = deaf;
        self.fx.out.clear();
        self.each(after_crash)?;
        for at in 0..self.models.len() {
            let has = !self.fx.deaf.contains(&at);
            self.interest(at, has);
        }
        Ok(())
    }

    /// Everything is asked for and acknowledged: nothing may be left.
    pub(super) fn drain(&mut self) -> Result<(), String> {
        self.rest();
        self.check()?;
        for at in 0..self.models.len() {
            self.interest(at, true);
            if let Some(Some(model)) = self.models.get_mut(at) {
                model.config.pause_until = None;
                let id = model.id;
                self.command(Command::ConsumerPause { id, until: None });
            }
        }
        for _ in 0..60 {
            for at in 0..self.models.len() {
                self.pull(at, r#"{"batch":20,"expires":500000000}"#);
                let Some(Some(model)) = self.models.get_mut(at) else {
                    continue;
                };
                for seen in std::mem::take(&mut model.deliveries) {
                    self.ack(at, &seen, "+ACK");
                }
            }
            self.rest();
            self.check()?;
            let busy = |m: &Model| m.to_come(&self.live) > 0 || !m.pending.is_empty();
            if !self.models.iter().flatten().any(busy) {
                return self.nothing_left();
            }
            self.pass(600);
        }
        Err("it stalls".into())
    }

    fn nothing_left(&self) -> Result<(), String> {
        if self.config.retention == Retention::Limits {
            return Ok(());
        }
        for (sseq, subject) in &self.live {
            let mut wanting = self
                .models
                .iter()
                .flatten()
                .filter(|m| m.wants(subject))
                .peekable();
            if wanting.peek().is_some() && wanting.all(|m| m.answered.contains(sseq)) {
                return Err(format!("{sseq} stays, though all have acknowledged it"));
            }
        }
        Ok(())
    }
}
