//! A store directory: the journal, the streams in it, and opaque groups. Open it once.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::batch::{Committed, EntryBody};
use crate::codec::{In, Out};
use crate::damage::Damage;
use crate::disk::{Disk, make_dir, read_file, replace_file};
use crate::figures::{Figures, StoreStats};
use crate::ids::{GroupId, GroupSet, LogIndex, Seq};
use crate::journal::waiting::Waiting;
use crate::journal::{AppendError, Completion, Journal, JournalStats, Pending, Settings, SyncMode, recover};
use crate::log::{Replay, StreamFiles, StreamLog, StreamOptions};
use crate::memory::{Memory, MemoryUse};
use crate::seal::{self, Encryption, keys_exist, open_vault};
use crate::segment::pool::Pool;
use crate::traits::MsgStore;
use crate::worker::Worker;

const GROUP_MAGIC: [u8; 8] = *b"NJGRUP01";
/// The two copies of a group's checkpoint.
const GROUP_NAMES: [&str; 2] = ["CHECKPOINT", "CHECKPOINT.copy"];

/// Settings of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// When data is forced to disk.
    pub sync: SyncMode,
    /// Size of a journal file, bytes.
    pub journal_file_bytes: u64,
    /// Space kept back, so that deleting works on a full disk, bytes.
    pub reserve_bytes: u64,
    /// Full journal files kept before streams are asked for checkpoints.
    pub journal_files_max: usize,
    /// Bytes that may wait for the journal before appends are refused.
    pub queue_bytes_max: usize,
    /// How data is encrypted; `None` is not at all. A store that is encrypted once cannot be opened without.
    pub encryption: Option<Encryption>,
    /// Memory that all streams on disk share for what they know of subjects, bytes; beyond it that goes to disk.
    pub memory_bytes_max: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            sync: SyncMode::Always,
            journal_file_bytes: 16 * 1024 * 1024,
            reserve_bytes: 8 * 1024 * 1024,
            journal_files_max: 16,
            queue_bytes_max: 256 * 1024 * 1024,
            encryption: None,
            memory_bytes_max: 128 * 1024 * 1024,
        }
    }
}

/// What all streams of a store share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) worker: Worker,
    pub(crate) damage: Arc<Damage>,
    pub(crate) figures: Figures,
    /// The store's key, and what segments share.
    pub(crate) pool: Arc<Pool>,
    pub(crate) memory: Arc<Memory>,
    /// Entries that were on disk are missing from the journal.
    pub(crate) lossy: bool,
    queue_bytes_max: usize,
}

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Ok,
    /// A sync failed; nothing more is accepted.
    Poisoned(String),
    /// The last write found the disk full.
    Full,
    /// Something is damaged; the rest is served.
    Damaged(Vec<String>),
}

/// A store directory, open. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    context: Arc<Context>,
    root: PathBuf,
    recovered: Arc<Mutex<HashMap<GroupId, Vec<Waiting>>>>,
    /// Groups of which the journal may hold entries: found when it was opened, or made since.
    used: Arc<Mutex<GroupSet>>,
    /// Groups of which the journal has emptied entries.
    erased: Arc<HashSet<GroupId>>,
}

impl Store {
    /// Opens the store in `root`, making it if missing, and reads its journal.
    ///
    /// # Errors
    /// When the disk cannot be read or written, or the store is encrypted and [`StoreOptions::encryption`] does not open it;
    /// nothing is changed then. Damage is no error: see [`Store::health`].
    pub fn open(disk: Arc<dyn Disk>, root: &Path, options: &StoreOptions) -> io::Result<Self> {
        let journal_dir = root.join("journal");
        for dir in [root, &journal_dir, &root.join("streams"), &root.join("groups")] {
            make_dir(disk.as_ref(), dir)?;
        }
        let damage = Arc::new(Damage::default());
        if options.encryption.is_some() && !keys_exist(disk.as_ref(), root)? {
            // Without KEYS, nothing that is encrypted can be read: a new key must not come before that is said.
            recover::refuse_sealed(disk.as_ref(), &journal_dir)?;
        }
        let vault = open_vault(disk.as_ref(), root, options.encryption.as_ref(), &damage)?.map(Arc::new);
        let recovered = recover::recover(&disk, &journal_dir, vault.as_deref())?;
        for text in recovered.damage {
            damage.note(text);
        }
        let settings = Settings {
            sync: options.sync,
            file_bytes: options.journal_file_bytes,
            reserve_bytes: options.reserve_bytes,
            files_max: options.journal_files_max,
        };
        let journal = Journal::start(
            Arc::clone(&disk),
            journal_dir,
            settings,
            vault.clone(),
            recovered.start,
        )?;
        let context = Context {
            disk,
            journal: Arc::new(journal),
            worker: Worker::start()?,
            pool: Arc::new(Pool::new(vault, Arc::clone(&damage))),
            damage,
            figures: Figures::default(),
            memory: Memory::new(options.memory_bytes_max),
            lossy: recovered.lossy,
            queue_bytes_max: options.queue_bytes_max,
        };
        Ok(Self {
            context: Arc::new(context),
            root: root.to_owned(),
            used: Arc::new(Mutex::new(recovered.entries.keys().copied().collect())),
            recovered: Arc::new(Mutex::new(recovered.entries)),
            erased: Arc::new(recovered.erased),
        })
    }

    fn stream_dir(&self, id: GroupId) -> PathBuf {
        self.root.join("streams").join(format!("{:08x}", id.0))
    }

    /// The lowest number above those of all groups of which the journal may hold entries.
    #[must_use]
    pub fn next_group(&self) -> GroupId {
        let last = self.used.lock().last();
        GroupId(last.map_or(0, |last| last.0.saturating_add(1)))
    }

    /// Makes a stream. Its number is one that the journal holds no entries of, like [`Store::next_group`]: those of a stream
    /// that is gone, and of one that nobody was told of before a stop, would be taken for this one's.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the journal may hold entries of it, and as the disk says.
    pub fn create_stream(
        &self,
        id: GroupId,
        options: &StreamOptions,
    ) -> io::Result<(Group, Box<dyn MsgStore>)> {
        if !self.used.lock().insert(id) {
            let text = format!("the journal may hold entries of a group {id} that was there before");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let dir = self.stream_dir(id);
        if !self.context.disk.list(&dir)?.is_empty() {
            self.context.disk.remove_dir_all(&dir)?;
        }
        let log = StreamLog::create(Arc::clone(&self.context), id, StreamFiles { dir }, options)?;
        Ok((self.new_group(id, None, Vec::new()), Box::new(log)))
    }

    /// Opens a stream made before. What the journal holds behind its checkpoint is in [`Group::replay`].
    ///
    /// # Errors
    /// As the disk says.
    pub fn open_stream(
        &self,
        id: GroupId,
        options: &StreamOptions,
    ) -> io::Result<(Group, Box<dyn MsgStore>)> {
        let files = StreamFiles {
            dir: self.stream_dir(id),
        };
        let entries = self.recovered.lock().remove(&id).unwrap_or_default();
        let journal = Replay {
            whole: is_whole(&entries) && !self.erased.contains(&id),
            end: entries.last().map_or(LogIndex(0), |e| e.index),
        };
        let (log, checkpoint) = StreamLog::open(Arc::clone(&self.context), id, files, options, journal)?;
        Ok((self.new_group(id, checkpoint, entries), Box::new(log)))
    }

    /// Opens a group without messages, making it if missing.
    ///
    /// # Errors
    /// As the disk says.
    pub fn group(&self, id: GroupId) -> io::Result<Group> {
        let dir = self.root.join("groups").join(format!("{:08x}", id.0));
        make_dir(self.context.disk.as_ref(), &dir)?;
        let disk = self.context.disk.as_ref();
        let vault = self.context.pool.vault.as_deref();
        let (newest, plain) = read_group(disk, vault, &dir, &mut |path| {
            self.context.damage.quarantine(disk, path);
        });
        if let Some((applied, state)) = newest.as_ref().filter(|_| plain && vault.is_some()) {
            write_group(&self.context, &dir, *applied, state)?;
        }
        let entries = self.recovered.lock().remove(&id).unwrap_or_default();
        Ok(self.new_group(id, newest, entries))
    }

    fn new_group(
        &self,
        id: GroupId,
        checkpoint: Option<(LogIndex, Bytes)>,
        mut entries: Vec<Waiting>,
    ) -> Group {
        let applied = checkpoint.as_ref().map_or(LogIndex(0), |c| c.0);
        entries.retain(|e| e.index > applied);
        let last = entries.last().map_or(applied, |e| e.index);
        if applied > LogIndex(0) {
            self.context.journal.release(id, Some(applied));
        }
        Group {
            id,
            context: Arc::clone(&self.context),
            dir: self.root.join("groups").join(format!("{:08x}", id.0)),
            checkpoint,
            entries,
            next: AtomicU64::new(last.0 + 1),
            refused: Arc::default(),
        }
    }

    /// Lets go of everything that belongs to no group in `known`: streams deleted before a stop. Call it once all groups
    /// are open.
    ///
    /// # Errors
    /// As the disk says.
    pub fn retain(&self, known: &[GroupId]) -> io::Result<()> {
        for (id, _) in self.recovered.lock().drain() {
            if !known.contains(&id) {
                self.context.journal.release(id, None);
            }
        }
        let streams = self.root.join("streams");
        for name in self.context.disk.list(&streams)? {
            let id = u32::from_str_radix(&name, 16).ok().map(GroupId);
            if id.is_none_or(|id| known.contains(&id)) {
                continue;
            }
            // Where something is damaged, who knew the stream may be what was damaged.
            if self.context.damage.is_empty() {
                self.context.disk.remove_dir_all(&streams.join(name))?;
            } else {
                self.context
                    .damage
                    .quarantine(self.context.disk.as_ref(), &streams.join(name));
            }
        }
        Ok(())
    }

    /// Labels of the streams found in the directory, for when nothing else says what they are.
    ///
    /// # Errors
    /// As the disk says.
    pub fn streams(&self) -> io::Result<Vec<GroupId>> {
        let names = self.context.disk.list(&self.root.join("streams"))?;
        let mut ids: Vec<GroupId> = names
            .iter()
            .filter_map(|n| u32::from_str_radix(n, 16).ok())
            .map(GroupId)
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        if let Some(why) = self.context.journal.poison() {
            return Health::Poisoned(why);
        }
        if self.context.journal.is_full() {
            return Health::Full;
        }
        let reports = self.context.damage.reports();
        if reports.is_empty() {
            Health::Ok
        } else {
            Health::Damaged(reports)
        }
    }

    /// What is damaged, in words: from the report with number `from` on.
    #[must_use]
    pub fn damage(&self, from: usize) -> Vec<String> {
        self.context.damage.reports_from(from)
    }

    /// Failures since the last call that are being tried again.
    #[must_use]
    pub fn take_troubles(&self) -> Vec<String> {
        self.context.damage.take_troubles()
    }

    /// What is worth telling since the last call, and no reason to worry.
    #[must_use]
    pub fn take_remarks(&self) -> Vec<String> {
        self.context.damage.take_remarks()
    }

    /// Figures of the journal.
    #[must_use]
    pub fn journal_stats(&self) -> JournalStats {
        self.context.journal.stats()
    }

    /// Figures of what is done behind appends.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.context.figures.stats()
    }

    /// What its streams take of [`StoreOptions::memory_bytes_max`].
    #[must_use]
    pub fn memory_use(&self) -> MemoryUse {
        self.context.memory.in_use()
    }

    /// Waits until everything appended is on disk and background work has ended.
    pub fn flush(&self) {
        self.context.journal.flush();
        self.context.worker.drain();
        self.context.journal.flush();
    }

    /// Flushes and ends all threads. Nothing is accepted afterwards.
    pub fn shutdown(&self) {
        self.flush();
        self.context.journal.stop();
        self.context.worker.stop();
    }
}

/// The newest intact copy of the checkpoint of a group without messages, and whether any copy is not encrypted; `damaged`
/// hears of copies that are not intact.
pub(crate) fn read_group(
    disk: &dyn Disk,
    vault: Option<&seal::Vault>,
    dir: &Path,
    damaged: &mut dyn FnMut(&Path),
) -> (Option<(LogIndex, Bytes)>, bool) {
    let (mut newest, mut plain): (Option<(LogIndex, Bytes)>, bool) = (None, false);
    for name in GROUP_NAMES {
        let path = dir.join(name);
        let Ok(file) = read_file(disk, &path) else {
            continue;
        };
        let file = Bytes::from(file);
        plain |= !seal::is_sealed(&file);
        let decoded = seal::unseal_file(vault, GROUP_MAGIC, &path, &file).and_then(|content| {
            let mut fields = In(&content);
            Some((LogIndex(fields.u64()?), Bytes::copy_from_slice(fields.bytes()?)))
        });
        match decoded {
            Some(found) if newest.as_ref().is_none_or(|n| n.0 < found.0) => newest = Some(found),
            Some(_) => {}
            None => damaged(&path),
        }
    }
    (newest, plain)
}

/// Writes both copies of a group's checkpoint.
fn write_group(context: &Context, dir: &Path, applied: LogIndex, state: &[u8]) -> io::Result<()> {
    let mut out = Out::default();
    out.u64(applied.0);
    out.bytes(state);
    let vault = context.pool.vault.as_deref();
    let file = seal::seal_file(vault, GROUP_MAGIC, &dir.join(GROUP_NAMES[0]), &out.0)?;
    let disk = context.disk.as_ref();
    GROUP_NAMES
        .iter()
        .try_for_each(|name| replace_file(disk, &dir.join(name), &file))
}

/// Whether `entries` begin with the first of their group. An entry that was refused leaves a gap, so the first message
/// counts as well.
fn is_whole(entries: &[Waiting]) -> bool {
    let first = entries.iter().find_map(|entry| entry.first);
    first == Some(Seq(1)) || entries.first().is_some_and(|e| e.index == LogIndex(1))
}

/// The log of one group.
#[derive(Debug)]
pub struct Group {
    id: GroupId,
    context: Arc<Context>,
    dir: PathBuf,
    checkpoint: Option<(LogIndex, Bytes)>,
    entries: Vec<Waiting>,
    next: AtomicU64,
    refused: Arc<AtomicBool>,
}

impl Group {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> GroupId {
        self.id
    }

    /// The owner's state at the checkpoint it was opened from.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&(LogIndex, Bytes)> {
        self.checkpoint.as_ref()
    }

    /// Entries behind the checkpoint, in order; to be applied before anything is appended. Gives them away. Each is read
    /// from the journal when its turn comes. Should one that was whole when the store was opened not be readable any more, it
    /// is the end: the journal accepts nothing then, so that the next start finds everything as it is.
    pub fn replay(&mut self) -> impl Iterator<Item = Committed> {
        self.checkpoint = None;
        let (context, id) = (Arc::clone(&self.context), self.id);
        let entries = std::mem::take(&mut self.entries).into_iter();
        entries.map_while(move |entry| {
            let index = entry.index;
            let read = entry.read();
            if read.is_err() {
                let why = format!("entry {index} of group {id} cannot be read again");
                context.journal.set_poison(&why);
            }
            read.ok()
        })
    }

    /// Appends an entry. `done` is called from the journal's thread once it is durable, or has failed; entries become
    /// durable in the order they were appended. With `relaxed` it is called once the entry is written, and the entry is forced
    /// to disk within a second, or with the next that is not relaxed, or as [`StoreOptions::sync`] says.
    ///
    /// Messages that find the disk full are refused, and so are those appended behind them, which have later sequences,
    /// until [`Group::resume`]. Commands are taken as long as they fit what is kept back for them.
    ///
    /// # Errors
    /// [`AppendError`] when the journal accepts nothing; `done` is not called then.
    pub fn append(&self, body: EntryBody, relaxed: bool, done: Completion) -> Result<LogIndex, AppendError> {
        let index = LogIndex(self.next.fetch_add(1, Ordering::Relaxed));
        self.context.journal.append(Pending {
            group: self.id,
            index,
            body,
            refused: Arc::clone(&self.refused),
            relaxed,
            done,
        })?;
        Ok(index)
    }

    /// Messages are taken again behind refused ones. To be called when all completions have run: the next messages then
    /// have the sequences of those that were refused.
    pub fn resume(&self) {
        self.refused.store(false, Ordering::Release);
    }

    /// Index of the last entry appended.
    #[must_use]
    pub fn last_index(&self) -> LogIndex {
        LogIndex(self.next.load(Ordering::Relaxed) - 1)
    }

    /// Whether the journal has as much waiting as it may.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.context.journal.queued_bytes() > self.context.queue_bytes_max
    }

    /// Whether old files of the journal wait for the group to make its state durable.
    #[must_use]
    pub fn is_pinning(&self) -> bool {
        self.context.journal.is_pinning(self.id)
    }

    /// Makes the owner's `state` as of `applied` durable in the background, for groups without messages.
    pub fn save(&self, applied: LogIndex, state: &[u8]) {
        let (context, dir, id) = (Arc::clone(&self.context), self.dir.clone(), self.id);
        let state = state.to_vec();
        let _outcome =
            self.context
                .worker
                .submit(move || match write_group(&context, &dir, applied, &state) {
                    Ok(()) => context.journal.release(id, Some(applied)),
                    Err(error) => context
                        .damage
                        .trouble(format!("group {id}: a checkpoint failed: {error}")),
                });
    }

    /// Lets go of the group's entries in the journal: the group is gone.
    pub fn release(&self) {
        self.context.journal.release(self.id, None);
    }
}
