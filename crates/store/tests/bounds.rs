//! Memory stays within its budget however many subjects a stream has and however many messages each keeps, and answers are
//! those of a plain map.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use natterjack_store::{
    BatchBuilder, EntryBody, Group, GroupId, Limits, MsgStore, NewRecord, OsDisk, Seq, Store, StoreOptions,
    StreamOptions, SyncMode, TooMany, Unheard,
};
use natterjack_subject::{Filter, FilterSet};

use commit::commit;

const STREAM: GroupId = GroupId(1);
const HISTORY: u64 = 5;
const ROUNDS: u64 = 7;
const BATCH: u64 = 500;
const SUBJECTS: u64 = 3000;
/// Memory the store may take, bytes: much less than all histories.
const BUDGET: usize = 256 * 1024;
/// A table that is being written and messages on their way to a segment come on top, bytes.
const UNDER_WAY: usize = 144 * 1024;

fn name(n: u64) -> String {
    format!("region.{}.device.{n}", n % 7)
}

/// Live sequences by subject.
type Model = BTreeMap<u64, Vec<u64>>;

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    model: Model,
    /// The most memory that was ever in use, bytes.
    peak: usize,
    now: i64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            sync: SyncMode::Interval(Duration::from_secs(3600)),
            memory_bytes_max: BUDGET,
            ..StoreOptions::default()
        };
        let store = Store::open(Arc::new(OsDisk), folder.path(), &options).unwrap();
        let (group, mut log) = store.create_stream(STREAM, &StreamOptions::default()).unwrap();
        let limits = Limits {
            max_per_subject: Some(HISTORY),
            ..Limits::default()
        };
        log.set_limits(limits, &mut Unheard);
        Self {
            _folder: folder,
            store,
            group,
            log,
            model: Model::new(),
            peak: 0,
            now: 0,
        }
    }

    fn publish(&mut self, list: impl Iterator<Item = u64>) {
        let mut builder = BatchBuilder::default();
        let first = self.log.state().last_seq.0 + 1;
        for (seq, subject) in (first..).zip(list) {
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: 1,
                subject: name(subject).as_bytes(),
                ..NewRecord::default()
            }));
            let history = self.model.entry(subject).or_default();
            history.push(seq);
            if history.len() as u64 > HISTORY {
                history.remove(0);
            }
        }
        let body = EntryBody::Messages(builder.finish());
        self.log.append(&commit(&self.group, body).unwrap(), &mut Unheard);
        self.now += 1_000_000;
        self.log.upkeep(self.now);
        self.store.flush();
        self.log.upkeep(self.now);
        self.peak = self.peak.max(self.log.memory_bytes());
    }

    /// The last message of each subject, as the model has it.
    fn lasts(&self, passes: impl Fn(u64) -> bool) -> Vec<Seq> {
        let of = self.model.iter().filter(|(n, _)| passes(**n));
        let mut lasts: Vec<Seq> = of.filter_map(|(_, list)| list.last().copied().map(Seq)).collect();
        lasts.sort_unstable();
        lasts
    }

    fn check(&mut self) {
        for (n, history) in self.model.iter().filter(|(n, _)| *n % 97 == 0) {
            let state = self.log.subject_state(name(*n).as_bytes()).unwrap();
            assert_eq!(state.count, history.len() as u64, "{n}");
            assert_eq!(
                self.log.first_for(name(*n).as_bytes()),
                Some(Seq(history[0])),
                "{n}"
            );
        }
        let live: usize = self.model.values().map(Vec::len).sum();
        assert_eq!(self.log.state().msgs, live as u64);
        let set = |texts: &[&str]| {
            let filters = texts.iter().map(|t| Filter::parse(t.as_bytes()).unwrap());
            FilterSet::new(filters.collect())
        };
        let up_to = self.log.state().last_seq;
        let some = self.lasts(|n| [1, 3].contains(&(n % 7)));
        let overlapping = set(&[
            "region.3.>",
            "region.*.device.3",
            "region.1.device.*",
            "region.1.>",
        ]);
        let found = self.log.multi_last(&overlapping, up_to, usize::MAX).unwrap();
        assert_eq!(found, some);
        assert_eq!(self.log.multi_last(&overlapping, up_to, some.len()), Ok(found));
        assert_eq!(
            self.log.multi_last(&overlapping, up_to, some.len() - 1),
            Err(TooMany)
        );
        let behind = some[some.len() / 2];
        let pending = self.log.num_pending(&overlapping, behind, true).count;
        assert_eq!(pending, some.iter().filter(|s| **s >= behind).count() as u64);
        let all = self.log.multi_last(&FilterSet::all(), up_to, usize::MAX).unwrap();
        assert_eq!(all, self.lasts(|_| true));
    }
}

#[test]
fn histories_of_many_subjects_stay_within_the_budget() {
    let mut world = World::new();
    for round in 0..ROUNDS {
        for first in (0..SUBJECTS).step_by(usize::try_from(BATCH).unwrap()) {
            // Another order in every round.
            let order = |n: u64| (n * (2 * round + 1) * 7919 + round) % SUBJECTS;
            world.publish((first..(first + BATCH).min(SUBJECTS)).map(order));
        }
    }
    world.check();
    // Many subjects whose last message is gone.
    for n in (0..SUBJECTS).filter(|n| n % 7 == 3).take(400) {
        let Some(last) = world.model.get_mut(&n).and_then(Vec::pop) else {
            continue;
        };
        assert!(world.log.remove(Seq(last), false, &mut Unheard));
    }
    world.check();
    let peak = world.peak;
    assert!(peak <= BUDGET + UNDER_WAY, "{peak} bytes in use");
    world.store.shutdown();
}
