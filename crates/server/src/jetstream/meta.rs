//! The log of the meta group: which streams exist. Changes are durable before they are applied; now and then the whole list
//! is written down, so that old journal files can be let go of. Decides nothing about streams.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use natterjack_jetstream::meta::{Change, META_GROUP, Meta};
use natterjack_raft::Solo;
use natterjack_store::{AppendError, EntryBody, LogIndex, Store};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Changes after which the list is written down as a whole.
const CHANGES_MAX: u64 = 1_000;
/// It is written down when the oldest change since is this old.
const AGE_MAX: Duration = Duration::from_secs(60);

/// What exists, and its log.
#[derive(Debug)]
pub(super) struct MetaLog {
    log: Solo,
    list: Mutex<List>,
}

#[derive(Debug)]
struct List {
    meta: Meta,
    /// Changes that are on their way.
    flying: BTreeSet<LogIndex>,
    /// The last change that was applied or failed.
    last: LogIndex,
    /// Changes since the list was written down, and when the first of them was made.
    changes: u64,
    since: Option<Instant>,
}

impl List {
    /// Every change up to here is applied, or failed. Some behind it may be applied as well: applying them again changes
    /// nothing.
    fn settled(&self) -> LogIndex {
        let first = self.flying.first();
        first.map_or(self.last, |index| LogIndex(index.0 - 1))
    }

    fn land(&mut self, index: LogIndex) {
        self.flying.remove(&index);
        self.last = self.last.max(index);
        self.changes += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_due(&self, pinned: bool) -> bool {
        let old = self.since.is_some_and(|since| since.elapsed() >= AGE_MAX);
        self.changes >= CHANGES_MAX || old || (pinned && self.changes > 0)
    }
}

impl MetaLog {
    /// Reads back what exists.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn open(store: &Store) -> std::io::Result<Self> {
        let mut log = store.group(META_GROUP)?;
        let checkpoint = log.checkpoint();
        let mut meta = checkpoint
            .and_then(|(_, state)| Meta::decode(state))
            .unwrap_or_default();
        let (mut changes, last) = (0, log.last_index());
        for entry in log.replay() {
            changes += 1;
            if let EntryBody::Command(bytes) = &entry.body
                && let Some(change) = Change::decode(bytes)
            {
                meta.apply(change);
            }
        }
        Ok(Self {
            log: Solo::durable(log),
            list: Mutex::new(List {
                meta,
                flying: BTreeSet::new(),
                last,
                changes,
                since: (changes > 0).then(Instant::now),
            }),
        })
    }

    /// Number of the next stream's group.
    pub(super) fn next_group(&self) -> u32 {
        self.read(Meta::next_group).0
    }

    /// Looks at what exists.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Meta) -> T) -> T {
        look(&self.list.lock().meta)
    }

    /// A change that follows from a restart and is not written down: it would follow again.
    pub(super) fn forget(&self, change: Change) {
        self.list.lock().meta.apply(change);
    }

    /// Changes what exists, durably.
    pub(super) async fn change(&self, change: Change) -> Result<(), String> {
        let (sender, receiver) = oneshot::channel();
        let body = EntryBody::Command(change.encode());
        let done = Box::new(move |result: Result<(), AppendError>| {
            let _gone = sender.send(result.map_err(|e| e.to_string()));
        });
        let index = {
            let mut list = self.list.lock();
            let index = self.log.propose(body, false, done).map_err(|e| e.to_string())?;
            list.flying.insert(index);
            index
        };
        let outcome = receiver.await;
        let mut list = self.list.lock();
        list.land(index);
        outcome.map_err(|e| e.to_string())??;
        list.meta.apply(change);
        if list.is_due(false) {
            self.write_down(&mut list);
        }
        Ok(())
    }

    /// Writes the list down if there was any change since the last time.
    pub(super) fn save(&self) {
        let mut list = self.list.lock();
        if list.changes > 0 {
            self.write_down(&mut list);
        }
    }

    /// Writes the list down if it is time to.
    pub(super) fn save_if_due(&self) {
        let mut list = self.list.lock();
        if list.is_due(self.log.is_pinning()) {
            self.write_down(&mut list);
        }
    }

    fn write_down(&self, list: &mut List) {
        self.log.save(list.settled(), &list.meta.encode());
        (list.changes, list.since) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use natterjack_jetstream::meta::Assignment;
    use natterjack_store::disk::sim::SimDisk;
    use natterjack_store::{GroupId, StoreOptions};

    use super::*;

    fn open(disk: &SimDisk) -> (Store, MetaLog) {
        let disk = Arc::new(disk.clone());
        let store = Store::open(disk, std::path::Path::new("/s"), &StoreOptions::default()).unwrap();
        let log = MetaLog::open(&store).unwrap();
        (store, log)
    }

    fn create(group: u32) -> Change {
        Change::Create(Box::new(Assignment {
            account: "$G".into(),
            group: GroupId(group),
            created: natterjack_jsapi::GoTime(1),
            config: natterjack_jsapi::stream::StreamConfig::default(),
            template: String::new(),
        }))
    }

    #[tokio::test]
    async fn a_list_written_down_while_changes_are_on_their_way_has_all_of_them_in_the_end() {
        let disk = SimDisk::default();
        let (store, log) = open(&disk);
        for group in [2, 3] {
            log.change(create(group)).await.unwrap();
        }
        {
            let mut list = log.list.lock();
            // The second change was told of before the first.
            list.flying.insert(LogIndex(1));
            assert_eq!(list.settled(), LogIndex(0));
            list.meta.apply(Change::Delete(GroupId(2)));
            log.write_down(&mut list);
            assert!(!list.is_due(true));
        }
        store.shutdown();
        let (store, log) = open(&disk);
        let groups: Vec<u32> = log.read(|meta| meta.streams().map(|s| s.group.0).collect());
        assert_eq!((groups, log.next_group()), (vec![2, 3], 4));
        store.shutdown();
    }

    #[test]
    fn what_holds_back_the_journal_is_written_down() {
        let disk = SimDisk::default();
        let (store, log) = open(&disk);
        let mut list = log.list.lock();
        assert!(!list.is_due(true));
        list.land(LogIndex(1));
        assert!(list.is_due(true) && !list.is_due(false));
        list.changes = CHANGES_MAX;
        assert!(list.is_due(false));
        store.shutdown();
    }
}
