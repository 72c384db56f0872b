//! One journal per store directory, shared by all groups: what is appended is acknowledged after one sync that covers
//! everything that waited. Knows frames and groups; nothing of messages.

mod ahead;
pub(crate) mod correct;
mod erase;
pub(crate) mod files;
pub(crate) mod frame;
mod header;
mod held;
mod layout;
pub(crate) mod recover;
mod reserve;
mod scan;
mod source;
mod stats;
mod tail;
pub(crate) mod waiting;
mod writer;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::batch::EntryBody;
use crate::disk::Disk;
use crate::ids::{GroupId, LogIndex};
use crate::seal::Vault;
pub(crate) use erase::Erasure;
use files::Files;
pub(crate) use frame::BODY_AT;
use held::Contents;
pub use stats::JournalStats;

/// Name of the file that keeps space back.
const RESERVE: &str = "RESERVE";

/// Files kept to be used again: what one checkpoint of a busy stream lets go of. One more would be removed, which takes the
/// journal longer than several rounds, and filled with zeros again.
const SPARES_MAX: usize = 10;

/// When appended data is forced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// Before it is acknowledged; everything that waits shares one sync.
    #[default]
    Always,
    /// Every so often; acknowledged once written.
    Interval(Duration),
}

/// Why an entry was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A sync failed: nothing more is accepted until the store is opened again.
    #[error("the journal failed a sync and accepts no more writes: {0}")]
    Poisoned(String),
    /// No space on the disk.
    #[error("no space left on device")]
    Full,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// Any other failure to write.
    #[error("{0}")]
    Io(String),
}

/// Called once, from the journal's thread, when an entry is durable or has failed.
pub type Completion = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

pub(crate) struct Pending {
    pub(crate) group: GroupId,
    pub(crate) index: LogIndex,
    pub(crate) body: EntryBody,
    /// Messages of the group were refused: those behind them are as well, until the owner has heard of it.
    pub(crate) refused: Arc<AtomicBool>,
    pub(crate) relaxed: bool,
    pub(crate) done: Completion,
}

#[derive(Default)]
struct Queue {
    pending: Vec<Pending>,
    bytes: usize,
    released: Vec<(GroupId, Option<LogIndex>)>,
    erasures: Vec<Erasure>,
    stop: bool,
    /// The thread is gone: nothing that waits will be answered.
    ended: bool,
    flush: Vec<std::sync::mpsc::SyncSender<()>>,
    poison: Option<String>,
}

pub(crate) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    stats: Mutex<JournalStats>,
    /// Groups that hold back old files, asked to make a checkpoint.
    pinning: Mutex<Vec<GroupId>>,
    full: AtomicBool,
}

impl Shared {
    pub(crate) fn poison(&self) -> Option<String> {
        self.queue.lock().poison.clone()
    }

    /// Ends all writing; the first reason is kept, and returned.
    pub(crate) fn set_poison(&self, why: &str) -> String {
        self.queue
            .lock()
            .poison
            .get_or_insert_with(|| why.to_owned())
            .clone()
    }
}

/// Lets go of everybody who waits when the thread ends, however it ends.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        (queue.stop, queue.ended) = (true, true);
        let waiting = (
            std::mem::take(&mut queue.pending),
            std::mem::take(&mut queue.flush),
            std::mem::take(&mut queue.erasures),
        );
        drop(queue);
        drop(waiting);
    }
}

/// Settings of the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) sync: SyncMode,
    /// Size of a file, bytes.
    pub(crate) file_bytes: u64,
    /// Kept back for when the disk is full, bytes.
    pub(crate) reserve_bytes: u64,
    /// Full files allowed before groups are asked to let go of the oldest.
    pub(crate) files_max: usize,
}

/// Handle of the journal.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Where writing goes on after recovery.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) next_lsn: u64,
    /// The last frame that counts.
    pub(crate) last_lsn: u64,
    pub(crate) next_file: u64,
    pub(crate) files: Vec<(u64, Contents)>,
    pub(crate) released: HashMap<GroupId, LogIndex>,
}

impl Journal {
    /// Starts the writer thread.
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        settings: Settings,
        vault: Option<Arc<Vault>>,
        mut start: Start,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            stats: Mutex::default(),
            pinning: Mutex::default(),
            full: AtomicBool::new(false),
        });
        let held = reserve::Reserve::new(Arc::clone(&disk), dir.join(RESERVE), settings.reserve_bytes);
        let mut files = Files::new(disk, vault, &dir, SPARES_MAX);
        for (id, contents) in std::mem::take(&mut start.files) {
            files.add_full(id, contents);
        }
        let writer = writer::Writer::new(Arc::clone(&shared), settings, (files, held), start);
        let thread = std::thread::Builder::new().name("journal".into()).spawn({
            let ended = Ended(Arc::clone(&shared));
            move || {
                let _until_here = ended;
                writer.run();
            }
        })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands an entry to the writer. `relaxed` entries need not be synced before they are acknowledged.
    pub(crate) fn append(&self, pending: Pending) -> Result<(), AppendError> {
        let mut queue = self.shared.queue.lock();
        if let Some(why) = &queue.poison {
            return Err(AppendError::Poisoned(why.clone()));
        }
        if queue.stop {
            return Err(AppendError::Closed);
        }
        queue.bytes += match &pending.body {
            EntryBody::Messages(batch) => batch.body.len(),
            EntryBody::Command(body) => body.len(),
        };
        queue.pending.push(pending);
        drop(queue);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Bytes that wait for the writer.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.shared.queue.lock().bytes
    }

    /// Tells that entries of `group` up to `index` are no longer needed; `None` lets go of the group altogether.
    pub(crate) fn release(&self, group: GroupId, index: Option<LogIndex>) {
        self.shared.queue.lock().released.push((group, index));
        self.shared.wake.notify_one();
    }

    /// Has deleted messages overwritten; what was appended before is written first.
    pub(crate) fn erase(&self, erasure: Erasure) {
        let mut queue = self.shared.queue.lock();
        if !queue.stop {
            queue.erasures.push(erasure);
        }
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Groups that should make a checkpoint so that old files can be used again.
    pub(crate) fn is_pinning(&self, group: GroupId) -> bool {
        self.shared.pinning.lock().contains(&group)
    }

    /// Waits until everything appended so far is written and synced.
    pub(crate) fn flush(&self) {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let mut queue = self.shared.queue.lock();
        if queue.ended {
            return;
        }
        queue.flush.push(sender);
        drop(queue);
        self.shared.wake.notify_one();
        // The thread has ended if this fails, and then nothing waits any more.
        let _ended = receiver.recv();
    }

    /// Why nothing is accepted any more, if so.
    pub(crate) fn poison(&self) -> Option<String> {
        self.shared.poison()
    }

    /// Ends all writing: a sync failed.
    pub(crate) fn set_poison(&self, why: &str) {
        self.shared.set_poison(why);
    }

    /// Whether the last write found the disk full.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.full.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(crate) fn stats(&self) -> JournalStats {
        *self.shared.stats.lock()
    }

    /// Writes what waits, syncs, and ends the thread.
    pub(crate) fn stop(&self) {
        self.shared.queue.lock().stop = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().take();
        // What runs on the thread may hold the last reference to all this; it ends by itself then.
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
    }
}
