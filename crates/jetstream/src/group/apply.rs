//! What a committed entry does. Cannot fail, and does the same wherever and whenever it is applied.

use std::collections::HashMap;
use std::ops::ControlFlow;

use natterjack_jsapi::stream::{Retention, StreamConfig};
use natterjack_store::{Batch, Committed, EntryBody, Purge, RecordView, Removed, Seq, flags};
use natterjack_subject::Filter;

use super::{Group, Outcome};
use crate::clock::Now;
use crate::command::Command;
use crate::effect::Effects;

/// Collects what leaves the store.
#[derive(Default)]
struct Gone {
    messages: Vec<(Seq, Vec<u8>)>,
    /// Whether somebody wants to hear of them.
    heard: bool,
    /// The newest message that came.
    newest: Seq,
    /// Of what left because another came, which that was. Kept where it is asked for.
    causes: Option<HashMap<Seq, Seq>>,
}

impl Gone {
    fn heard(heard: bool) -> Self {
        Self {
            heard,
            ..Self::default()
        }
    }

    /// Whether `seq` had left when `came` came.
    fn left_before(&self, seq: Seq, came: Seq) -> bool {
        let causes = self.causes.as_ref();
        causes
            .and_then(|c| c.get(&seq))
            .is_some_and(|cause| *cause < came)
    }
}

impl Removed for Gone {
    fn removed(&mut self, seq: Seq, subject: &[u8]) {
        if let Some(causes) = &mut self.causes {
            causes.insert(seq, self.newest);
        }
        if self.heard {
            self.messages.push((seq, subject.to_vec()));
        }
    }

    fn comes(&mut self, seq: Seq) {
        self.newest = seq;
    }

    fn listens(&self) -> bool {
        self.heard || self.causes.is_some()
    }
}

/// A message that takes the place of those before it: on its subject, or all.
type Rollup<'a> = (Seq, Option<&'a [u8]>);

fn rollup(record: RecordView<'_>) -> Option<Rollup<'_>> {
    match record.flags() & (flags::ROLLUP_SUBJECT | flags::ROLLUP_ALL) {
        0 => None,
        flags::ROLLUP_SUBJECT => Some((record.seq(), Some(record.subject()))),
        _ => Some((record.seq(), None)),
    }
}

impl Group {
    pub(super) fn apply_entry(&mut self, entry: &Committed, now: Now, fx: &mut dyn Effects) -> Outcome {
        self.applied = entry.index;
        self.stream.applied = entry.index;
        match &entry.body {
            EntryBody::Messages(_) => {
                self.apply_messages(entry, now, fx);
                Outcome::Done
            }
            EntryBody::Command(bytes) => match Command::decode(bytes) {
                Some(command) => self.apply_command(command, now, fx),
                None => Outcome::Failed("unknown command".into()),
            },
        }
    }

    fn apply_messages(&mut self, entry: &Committed, now: Now, fx: &mut dyn Effects) {
        let EntryBody::Messages(batch) = &entry.body else {
            return;
        };
        let mut gone = Gone::heard(!self.consumers.is_empty() && !self.restoring);
        let republishing = self.stream.republish.is_some() && !self.restoring;
        let previous = if republishing {
            gone.causes = Some(HashMap::new());
            self.previous_of(batch)
        } else {
            Vec::new()
        };
        self.stream.store.append(entry, &mut gone);
        for (n, (_, record)) in batch.records().enumerate() {
            self.note_stored(record);
            if record.flags() & flags::SCHEDULE != 0 {
                self.note_schedule(record, now, fx);
            }
            if let Some(previous) = previous.get(n)
                && record.flags() & flags::SKIP == 0
            {
                let is_gone = gone.left_before(*previous, record.seq());
                let previous = if is_gone { Seq::ZERO } else { *previous };
                self.stream.republish(record, previous, fx);
            }
        }
        let mut rollups: Vec<Rollup<'_>> = Vec::new();
        if gone.heard {
            rollups.extend(batch.records().filter_map(|(_, r)| rollup(r)));
        }
        // What was rolled up goes without a word, as what is purged, unless it was a single message.
        let by = |(seq, subject): &(Seq, Vec<u8>)| {
            let covers = |(by, only): &(Seq, Option<&[u8]>)| *seq < *by && only.is_none_or(|s| s == *subject);
            rollups.iter().position(covers)
        };
        let mut taken = vec![0u64; rollups.len()];
        gone.messages.iter().filter_map(by).for_each(|at| taken[at] += 1);
        for one in &gone.messages {
            let quiet = by(one).is_some_and(|at| taken[at] > 1);
            self.consumers.on_removed(now, one.0, &one.1, quiet, fx);
        }
        let first = self.stream.store.state().first_seq;
        for (seq, subject) in rollups {
            self.consumers.on_rolled_up(seq, subject, first, now);
        }
    }

    /// The last sequence the subject of each message had before it, which may be that of one before it in the entry.
    fn previous_of(&mut self, batch: &Batch) -> Vec<Seq> {
        let mut last: HashMap<&[u8], Seq> = HashMap::new();
        let kept = batch.records().map(|(_, record)| {
            let known = match record.flags() & flags::SKIP {
                0 => last.insert(record.subject(), record.seq()),
                _ => None,
            };
            known.unwrap_or_else(|| self.stream.store.last_for(record.subject()).unwrap_or(Seq::ZERO))
        });
        kept.collect()
    }

    /// A schedule that has been used up goes.
    fn note_schedule(&mut self, record: RecordView<'_>, now: Now, fx: &mut dyn Effects) {
        let Some(subject) = self.stream.note_schedule(record, now) else {
            return;
        };
        let purge = Purge {
            filter: Filter::parse(&subject).ok(),
            up_to: Some(record.seq()),
            keep: 0,
        };
        if purge.filter.is_some() {
            let mut gone = Gone::heard(!self.restoring && !self.consumers.is_empty());
            self.stream.store.purge(&purge, &mut gone);
            self.removed(gone, true, now, fx);
        }
    }

    /// What follows from a stored message beside its being there.
    fn note_stored(&mut self, record: RecordView<'_>) {
        let skipped = record.flags() & flags::SKIP != 0;
        if record.flags() & flags::SOURCED != 0 {
            self.stream.note_sourced(record.headers());
        }
        if self.restoring {
            if record.flags() & flags::MSG_ID != 0
                && let Some(id) = crate::stream::header(record.headers(), natterjack_jsapi::headers::MSG_ID)
            {
                // An id may come again behind its window, as it could then.
                self.stream.dedup.expire(record.ts_ns());
                self.stream.dedup.insert(id, record.seq(), record.ts_ns());
            }
            return;
        }
        if skipped {
            return;
        }
        let size = natterjack_store::accounted(
            self.stream.storage(),
            record.subject().len(),
            record.headers().len(),
            record.payload().len(),
        );
        self.stream.settle(record.subject(), record.seq(), size);
        if !self.consumers.is_empty() {
            self.consumers.on_stored(record.seq(), record.subject());
        }
    }

    fn apply_command(&mut self, command: Command, now: Now, fx: &mut dyn Effects) -> Outcome {
        match command {
            Command::Config(config) => self.apply_config(*config, now, fx),
            Command::Purge { filter, up_to, keep } => {
                self.stream.starts_at_one |= up_to == 0 && keep == 0 && filter.is_empty();
                self.apply_purge((&filter, up_to, keep), now, fx)
            }
            Command::Delete { seq, erase } => {
                let mut gone = Gone::heard(!self.restoring);
                self.stream.store.remove(Seq(seq), erase, &mut gone);
                self.removed(gone, false, now, fx);
                Outcome::Done
            }
            Command::Expire { ranges } => {
                self.remove_ranges(&ranges, now, fx);
                self.stream.expiring = false;
                Outcome::Done
            }
            Command::ConsumerCreate(created) => {
                self.consumers
                    .apply_create(&created, self.stream.store.as_mut(), now);
                self.consumers.advise_paused(created.id, now, fx);
                Outcome::Consumer(created.id)
            }
            Command::ConsumerUpdate { id, config } => {
                let refiltered =
                    self.consumers
                        .apply_update(id, *config, self.stream.store.as_mut(), now, fx);
                if refiltered && !self.restoring {
                    self.release_all();
                }
                Outcome::Consumer(id)
            }
            Command::ConsumerDelete { id } => {
                let name = self.consumers.apply_delete(id, "409 Consumer Deleted", fx);
                if !self.restoring {
                    self.release_all();
                }
                Outcome::ConsumerGone(name.unwrap_or_default())
            }
            Command::ConsumerPause { id, until } => {
                self.consumers.apply_pause(id, until, now, fx);
                Outcome::Consumer(id)
            }
            Command::Skip { last, ts_ns } => {
                self.stream.store.skip_to(Seq(last), ts_ns);
                Outcome::Done
            }
            Command::Consumers { changes, remove } => {
                if self.restoring {
                    for (id, changes) in &changes {
                        self.consumers.apply_changes(*id, changes);
                    }
                }
                self.remove_ranges(&remove, now, fx);
                Outcome::Done
            }
        }
    }

    fn removed(&mut self, gone: Gone, quiet: bool, now: Now, fx: &mut dyn Effects) {
        for (seq, subject) in gone.messages {
            self.consumers.on_removed(now, seq, &subject, quiet, fx);
        }
    }

    fn remove_ranges(&mut self, ranges: &[(u64, u64)], now: Now, fx: &mut dyn Effects) {
        let mut gone = Gone::heard(!self.restoring && !self.consumers.is_empty());
        for (first, last) in ranges {
            for seq in *first..=*last {
                self.stream.store.remove(Seq(seq), false, &mut gone);
            }
        }
        self.removed(gone, false, now, fx);
    }

    fn apply_config(&mut self, config: StreamConfig, now: Now, fx: &mut dyn Effects) -> Outcome {
        let before = self.stream.config.retention;
        let mut gone = Gone::heard(!self.restoring);
        self.stream.apply_config(config, &mut gone);
        self.removed(gone, false, now, fx);
        // What was kept for its own sake is kept for consumers from now on. Where there are none, it goes; where there are,
        // the peer waits for what they acknowledge.
        let turned = self.stream.config.retention == Retention::Interest && before != Retention::Interest;
        if turned && self.consumers.is_empty() {
            self.apply_purge(("", 0, 0), now, fx);
        }
        Outcome::Done
    }

    fn apply_purge(
        &mut self,
        (filter, up_to, keep): (&str, u64, u64),
        now: Now,
        fx: &mut dyn Effects,
    ) -> Outcome {
        // What is no subject matches nothing; only an empty filter means everything.
        let subject = Filter::parse(filter.as_bytes()).ok();
        if subject.is_none() && !filter.is_empty() {
            return Outcome::Purged(0);
        }
        let purge = Purge {
            filter: subject,
            up_to: Some(Seq(up_to)).filter(|s| s.0 > 0),
            keep,
        };
        // A single message that goes is told of like one that is deleted, as by the peer; more are not.
        let one_goes = keep > 0 && self.stream.store.state().msgs == keep + 1;
        let mut gone = Gone::heard(!self.restoring && (purge.filter.is_some() || one_goes));
        let count = self.stream.store.purge(&purge, &mut gone);
        if !self.restoring {
            let quiet = gone.messages.len() != 1;
            self.removed(gone, quiet, now, fx);
            self.consumers
                .on_purged(purge.filter.as_ref(), self.stream.store.as_mut(), now);
        }
        Outcome::Purged(count)
    }

    /// After a consumer is gone or wants other messages: what only it held back can go.
    pub(super) fn release_all(&mut self) {
        if self.stream.config.retention != Retention::Interest {
            return;
        }
        let all = natterjack_subject::FilterSet::all();
        let Self {
            stream,
            consumers,
            remove,
            ..
        } = self;
        let from = stream.store.state().first_seq;
        stream.store.scan(&all, from, &mut |passing| {
            let record = passing.record();
            if !consumers.needed(record.seq().0, record.subject()) {
                push_range(remove, record.seq().0);
            }
            ControlFlow::Continue(())
        });
    }
}

/// Adds `seq` to ascending runs.
pub(super) fn push_range(ranges: &mut Vec<(u64, u64)>, seq: u64) {
    match ranges.last_mut() {
        Some((_, last)) if *last + 1 == seq => *last = seq,
        Some((first, last)) if (*first..=*last).contains(&seq) => {}
        _ => ranges.push((seq, seq)),
    }
}
