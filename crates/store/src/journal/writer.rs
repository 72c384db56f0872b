//! The journal's thread: takes all that waits, writes it once, syncs once, tells everybody; meanwhile the next round
//! gathers. A failed sync ends all writing; a full disk refuses messages until there is space again, while commands go
//! on in what was set aside for them.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::erase::Erasure;
use super::files::{CreateError, FRAMES_AT, Files};
use super::frame::{BODY_AT, Frame, Seed, stride};
use super::held::Contents;
use super::layout::{GAP_BYTES_MAX, Layout, Place, body_bytes};
use super::reserve::Reserve;
use super::tail::{PIECE_BYTES, Tail};
use super::{AppendError, Completion, Pending, Settings, Shared, Start, SyncMode};
use crate::batch::EntryBody;
use crate::disk::pieces::Pieces;
use crate::disk::{DiskFile, ZEROS, direct_rest};
use crate::ids::{GroupId, LogIndex};
use crate::seal::Sealer;

/// Entries of one write.
const ROUND_FRAMES_MAX: usize = 4096;
/// Bytes of one write, unless a single entry is larger.
const ROUND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A round that is forced to disk goes past the system's memory if it is at least one part in so many of a file. A smaller one
/// takes as long either way.
const LARGE_SHARE: u64 = 128;
/// Space is set aside ahead of the writer in steps of this size.
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;
/// When one part in so many of a file is in use, the next is made ready.
const AHEAD_SHARE: u64 = 4;
/// What nobody waits for is forced to disk once it was written so long ago.
const RELAXED_AGE: Duration = Duration::from_secs(1);
/// Of the space set aside, so much is for commands only: what frees space must be possible on a full disk.
const COMMAND_BYTES: u64 = 512 * 1024;

pub(super) struct Current {
    pub(super) id: u64,
    seed: Seed,
    sealer: Option<Sealer>,
    pub(super) file: Arc<dyn DiskFile>,
    at: u64,
    /// Bytes of large rounds.
    large: u64,
    reserved: u64,
    /// A write failed half way: so much behind `at` may hold frames that were refused.
    soiled: u64,
    pub(super) contents: Contents,
    /// To be forgotten by whoever else writes to the file.
    pub(super) tail: Tail,
}

impl Current {
    /// Writes `frames`, of `total` bytes, behind what there is.
    fn put(
        &mut self,
        pieces: &mut Pieces,
        mut frames: Vec<&[u8]>,
        total: u64,
        large: bool,
    ) -> io::Result<()> {
        frames.push(self.padding(total));
        let place = (self.at, frames.as_slice(), total);
        self.tail.write(pieces, self.file.as_ref(), place, large)
    }

    /// Zeros to be written behind `total` bytes of frames, up to the end of the page or of the file; the next frames take
    /// their place. Of a page that is written in part, and that the system has not in memory, it would have to read the rest
    /// first.
    fn padding(&self, total: u64) -> &'static [u8] {
        let end = self.at + total;
        let rest = usize::try_from(self.reserved.saturating_sub(end)).unwrap_or(usize::MAX);
        &ZEROS[..direct_rest(end).min(rest)]
    }
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    settings: Settings,
    pub(super) files: Files,
    reserve: Reserve,
    pieces: Pieces,
    pub(super) current: Option<Current>,
    next_lsn: u64,
    /// The last frame written that counts.
    last_lsn: u64,
    next_file: u64,
    /// Last frame known to be on disk.
    synced: u64,
    /// Last frame whose `synced` was written down.
    marked: u64,
    dirty_since: Option<Instant>,
    released: HashMap<GroupId, LogIndex>,
}

/// What a wait ended with.
struct Work {
    pending: Vec<Pending>,
    released: Vec<(GroupId, Option<LogIndex>)>,
    erasures: Vec<Erasure>,
    flush: Vec<std::sync::mpsc::SyncSender<()>>,
    stop: bool,
}

/// Entries that are written together, and who waits for them.
#[derive(Default)]
struct Round {
    frames: Vec<(GroupId, LogIndex, EntryBody)>,
    needs_sync: bool,
    /// Who waits, in the order of appends; whether the entry is among the frames.
    waiting: Vec<Waiting>,
}

struct Waiting {
    done: Completion,
    /// Of messages: set when they are refused.
    refused: Option<Arc<AtomicBool>>,
    is_written: bool,
}

impl Round {
    /// Takes an entry in, unless it holds messages that follow refused ones: they have the sequences behind.
    fn take(&mut self, item: Pending) {
        let is_messages = !is_command(&item.body);
        let is_written = !is_messages || !item.refused.load(Ordering::Acquire);
        if is_written {
            self.needs_sync |= !item.relaxed;
            self.frames.push((item.group, item.index, item.body));
        }
        self.waiting.push(Waiting {
            done: item.done,
            refused: is_messages.then_some(item.refused),
            is_written,
        });
    }

    /// Commands may still fit where messages do not: deleting is how space comes back.
    fn refuse_messages(&mut self) {
        self.frames.retain(|f| is_command(&f.2));
        for waiting in self.waiting.iter_mut().filter(|w| w.refused.is_some()) {
            waiting.is_written = false;
        }
    }

    fn tell(self, outcome: &Result<(), AppendError>) {
        for Waiting {
            done,
            refused,
            is_written,
        } in self.waiting
        {
            let outcome = if is_written {
                outcome.clone()
            } else {
                Err(AppendError::Full)
            };
            if let Some(refused) = refused.filter(|_| outcome.is_err()) {
                refused.store(true, Ordering::Release);
            }
            done(outcome);
        }
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        settings: Settings,
        (files, reserve): (Files, Reserve),
        start: Start,
    ) -> Self {
        let Start {
            next_lsn,
            last_lsn,
            next_file,
            released,
            ..
        } = start;
        let synced = next_lsn.saturating_sub(1);
        Self {
            shared,
            settings,
            files,
            reserve,
            pieces: Pieces::new(PIECE_BYTES),
            current: None,
            next_lsn,
            last_lsn,
            next_file,
            synced,
            marked: synced,
            dirty_since: None,
            released,
        }
    }

    pub(super) fn run(mut self) {
        self.ask_pinning();
        loop {
            let work = self.wait();
            self.let_go(work.released);
            let mut pending = work.pending;
            while !pending.is_empty() {
                let rest = split_round(&mut pending);
                self.round(pending);
                pending = rest;
            }
            self.erase(work.erasures);
            let due = self
                .dirty_since
                .is_some_and(|since| since.elapsed() >= self.unsynced_for());
            if due || work.stop || !work.flush.is_empty() {
                self.sync_now();
            }
            drop(work.flush);
            if work.stop {
                self.mark();
                return;
            }
        }
    }

    /// How long what is written may wait to be forced to disk.
    const fn unsynced_for(&self) -> Duration {
        match self.settings.sync {
            SyncMode::Always => RELAXED_AGE,
            SyncMode::Interval(every) => every,
        }
    }

    /// Waits for something to do. Before going to sleep, writes down what is synced.
    fn wait(&mut self) -> Work {
        let mut queue = self.shared.queue.lock();
        loop {
            let idle = queue.pending.is_empty()
                && queue.flush.is_empty()
                && queue.released.is_empty()
                && queue.erasures.is_empty()
                && !queue.stop;
            if !idle {
                queue.bytes = 0;
                return Work {
                    pending: std::mem::take(&mut queue.pending),
                    released: std::mem::take(&mut queue.released),
                    erasures: std::mem::take(&mut queue.erasures),
                    flush: std::mem::take(&mut queue.flush),
                    stop: queue.stop,
                };
            }
            if self.marked < self.synced {
                drop(queue);
                self.mark();
                queue = self.shared.queue.lock();
                continue;
            }
            match self.dirty_since {
                Some(since) => {
                    let left = self.unsynced_for().saturating_sub(since.elapsed());
                    if self.shared.wake.wait_for(&mut queue, left).timed_out() {
                        drop(queue);
                        self.sync_now();
                        queue = self.shared.queue.lock();
                    }
                }
                None => self.shared.wake.wait(&mut queue),
            }
        }
    }

    fn let_go(&mut self, released: Vec<(GroupId, Option<LogIndex>)>) {
        if released.is_empty() {
            return;
        }
        for (group, index) in released {
            self.released.insert(group, index.unwrap_or(LogIndex(u64::MAX)));
        }
        // A file that cannot be removed now is tried again the next time.
        let _left = self.files.release(&self.released);
        self.ask_pinning();
    }

    fn ask_pinning(&self) {
        let over = self.files.full_count() > self.settings.files_max || self.files.has_readable();
        *self.shared.pinning.lock() = if over {
            self.files.pinning(&self.released)
        } else {
            Vec::new()
        };
    }

    fn round(&mut self, pending: Vec<Pending>) {
        if let Some(why) = self.shared.poison() {
            return fail(pending, &AppendError::Poisoned(why));
        }
        let mut round = Round::default();
        for item in pending {
            round.take(item);
        }
        let is_forced = round.needs_sync && self.settings.sync == SyncMode::Always;
        let outcome = match self.write(&round.frames, is_forced) {
            Err(AppendError::Full) if has_both(&round.frames) => {
                round.refuse_messages();
                self.write(&round.frames, true).and_then(|()| self.sync())
            }
            Ok(()) if is_forced => self.sync(),
            Ok(()) => {
                self.dirty_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Err(error) => Err(error),
        };
        round.tell(&outcome);
    }

    fn write(
        &mut self,
        frames: &[(GroupId, LogIndex, EntryBody)],
        is_forced: bool,
    ) -> Result<(), AppendError> {
        let total: usize = frames
            .iter()
            .map(|(_, _, body)| stride(BODY_AT + body_bytes(body).len() + self.files.seal_bytes()))
            .sum();
        let commands = frames.iter().all(|f| is_command(&f.2));
        if !commands && !self.has_reserve() {
            self.shared.full.store(true, Ordering::Relaxed);
            return Err(AppendError::Full);
        }
        // Before another file takes over: the numbers of what was refused are given again.
        self.clean()?;
        let large = is_forced && total as u64 >= self.settings.file_bytes / LARGE_SHARE;
        let between = if large { frames.len() * GAP_BYTES_MAX } else { 0 };
        self.ensure_file((total + between) as u64, commands)?;
        let Some(current) = &mut self.current else {
            return Err(AppendError::Closed);
        };
        let place = Place {
            seed: &current.seed,
            sealer: current.sealer.as_ref(),
            at: current.at,
            lsn: self.next_lsn,
            synced: self.synced,
            large,
        };
        let layout = Layout::new(&place, frames)?;
        if let Err(error) = current.put(&mut self.pieces, layout.parts(), layout.total, large) {
            current.soiled = current.soiled.max(layout.total);
            return Err(self.failed(&error));
        }
        current.at += layout.total;
        current.large += if large { layout.total } else { 0 };
        if current.at > self.settings.file_bytes / AHEAD_SHARE {
            let mostly = current.large > current.at / 2;
            self.files
                .prepare(self.next_file, self.settings.file_bytes, mostly);
        }
        layout
            .entries
            .iter()
            .for_each(|frame| current.contents.note(frame));
        self.next_lsn = layout.next_lsn;
        self.last_lsn = layout.next_lsn.saturating_sub(1);
        if !commands {
            self.shared.full.store(false, Ordering::Relaxed);
        }
        let mut stats = self.shared.stats.lock();
        stats.rounds += 1;
        stats.frames += frames.len() as u64;
        stats.bytes += layout.total;
        stats.files = self.files.full_count() as u64 + 1;
        Ok(())
    }

    /// Whether the space that is kept back is there. What checkpoints let go of in the meantime is not kept beside it.
    fn has_reserve(&mut self) -> bool {
        if self.reserve.is_given_up() {
            self.files.drop_spares();
        }
        self.reserve.is_held()
    }

    /// Makes room for `bytes` more: rolls to another file when this one is full, sets space aside ahead. On a full disk
    /// commands stay in the file they are in.
    fn ensure_file(&mut self, bytes: u64, commands: bool) -> Result<(), AppendError> {
        let spare = if commands {
            0
        } else {
            COMMAND_BYTES.min(self.settings.file_bytes / 8)
        };
        // A file does not grow behind what it was made with: a sync would wait for its new length, and for the zeros.
        let fits = |c: &Current| c.at <= FRAMES_AT || c.at + bytes + spare <= self.settings.file_bytes;
        if !self.current.as_ref().is_some_and(fits) {
            let rolled = self.roll();
            let stay = |c: &Current| commands && c.at + bytes <= c.reserved;
            match rolled {
                Err(AppendError::Full) if self.current.as_ref().is_some_and(stay) => return Ok(()),
                other => other?,
            }
        }
        let step = RESERVE_BYTES.min(self.settings.file_bytes);
        let Some(current) = &mut self.current else {
            return Err(AppendError::Closed);
        };
        if current.at + bytes + spare <= current.reserved {
            return Ok(());
        }
        let wanted = (current.at + bytes + spare).next_multiple_of(step);
        if let Err(error) = current.file.fill(wanted) {
            return Err(self.failed(&error));
        }
        current.reserved = wanted;
        Ok(())
    }

    /// Ends the current file and begins another.
    fn roll(&mut self) -> Result<(), AppendError> {
        // What the old file holds must be on disk before anything in the new one is.
        if let Some(current) = &self.current
            && let Err(error) = current.file.sync_data()
        {
            return Err(self.poison(&error));
        }
        // A file that cannot be removed now is tried again the next time.
        let _left = self.files.release(&self.released);
        let created = match self.files.create(self.next_file, self.next_lsn, self.last_lsn) {
            Ok(created) => created,
            Err(CreateError::Write(error)) => return Err(self.failed(&error)),
            Err(CreateError::Sync(error)) => return Err(self.poison(&error)),
        };
        let reserved = created.file.len().map_err(|e| self.poison(&e))?;
        let old = self.current.replace(Current {
            id: self.next_file,
            seed: created.seed,
            file: created.file,
            at: FRAMES_AT,
            large: 0,
            reserved,
            soiled: 0,
            tail: created.tail,
            contents: Contents {
                sealed: created.sealer.is_some(),
                stale: created.stale,
                ..Contents::default()
            },
            sealer: created.sealer,
        });
        self.next_file += 1;
        if let Some(old) = old {
            self.files.add_full(old.id, old.contents);
            self.ask_pinning();
        }
        Ok(())
    }

    /// Overwrites what a failed write may have left behind the last frame: it was refused and must never be read back.
    fn clean(&mut self) -> Result<(), AppendError> {
        let Some(current) = self.current.as_mut().filter(|c| c.soiled > 0) else {
            return Ok(());
        };
        let until = (current.at + current.soiled).min(current.file.len().unwrap_or(current.at));
        let zeros = vec![0; usize::try_from(until.saturating_sub(current.at)).unwrap_or(0)];
        if let Err(error) = current.file.write_at(&mut [IoSlice::new(&zeros)], current.at) {
            return Err(self.failed(&error));
        }
        if let Err(error) = current.file.sync_data() {
            return Err(self.poison(&error));
        }
        current.soiled = 0;
        current.tail = Tail::default();
        Ok(())
    }

    /// Ends all writing: after a failed sync nobody can tell what is on disk.
    pub(super) fn poison(&self, error: &io::Error) -> AppendError {
        AppendError::Poisoned(self.shared.set_poison(&error.to_string()))
    }

    fn sync(&mut self) -> Result<(), AppendError> {
        let Some(current) = &self.current else {
            return Ok(());
        };
        let began = Instant::now();
        if let Err(error) = current.file.sync_data() {
            return Err(self.poison(&error));
        }
        self.synced = self.next_lsn - 1;
        self.dirty_since = None;
        self.shared.stats.lock().note_sync(began.elapsed());
        Ok(())
    }

    fn sync_now(&mut self) {
        // A failure is kept as poison and told to the next append.
        if self.shared.poison().is_none() && self.synced + 1 < self.next_lsn {
            let _poisoned = self.sync();
        }
        // Also where there was nothing to be forced out: a round may have been refused as a whole.
        self.dirty_since = None;
    }

    /// Writes a frame that says what is synced, without syncing it.
    fn mark(&mut self) {
        self.marked = self.synced;
        let bytes = BODY_AT as u64;
        let Some(current) = &mut self.current else { return };
        if current.at + bytes > current.reserved || current.soiled > 0 || self.shared.poison().is_some() {
            return;
        }
        let frame = Frame::mark(self.next_lsn, self.synced);
        let Some(head) = frame.encode(&current.seed, &[]) else {
            return;
        };
        let written = current.put(&mut self.pieces, vec![&head], bytes, false);
        if written.is_ok() {
            current.at += bytes;
            self.last_lsn = self.next_lsn;
            self.next_lsn += 1;
        } else {
            current.soiled = bytes;
        }
    }

    /// A full disk is waited out; whatever else goes wrong with writing is as bad as a failed sync.
    fn failed(&mut self, error: &io::Error) -> AppendError {
        if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
            self.shared.full.store(true, Ordering::Relaxed);
            self.reserve.give_up();
            // The file that is written to may be too short and empty: what it lacks would be kept from it for ever.
            self.files.drop_spares();
            return AppendError::Full;
        }
        self.poison(error)
    }
}

fn fail(pending: Vec<Pending>, why: &AppendError) {
    for item in pending {
        (item.done)(Err(why.clone()));
    }
}

const fn is_command(body: &EntryBody) -> bool {
    matches!(body, EntryBody::Command(_))
}

fn has_both(frames: &[(GroupId, LogIndex, EntryBody)]) -> bool {
    let commands = frames.iter().filter(|f| is_command(&f.2)).count();
    commands > 0 && commands < frames.len()
}

/// Leaves in `pending` what fits one write; returns the rest.
fn split_round(pending: &mut Vec<Pending>) -> Vec<Pending> {
    let mut bytes = 0;
    let fits = pending
        .iter()
        .take(ROUND_FRAMES_MAX)
        .take_while(|p| {
            let first = bytes == 0;
            bytes += body_bytes(&p.body).len() + BODY_AT;
            first || bytes <= ROUND_BYTES_MAX
        })
        .count();
    pending.split_off(fits)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;

    use bytes::Bytes;

    use super::super::{Journal, files};
    use super::*;
    use crate::batch::Batch;
    use crate::disk::{Disk as _, OsDisk};
    use crate::ids::Seq;

    const FILE_BYTES: u64 = 256 * 1024;

    fn journal(dir: PathBuf) -> Journal {
        let settings = Settings {
            sync: SyncMode::Always,
            file_bytes: FILE_BYTES,
            reserve_bytes: 4096,
            files_max: 16,
        };
        let start = Start {
            next_lsn: 1,
            last_lsn: 0,
            next_file: 1,
            files: Vec::new(),
            released: HashMap::new(),
        };
        Journal::start(Arc::new(OsDisk), dir, settings, None, start).unwrap()
    }

    #[test]
    fn no_file_grows_once_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path().to_owned());
        for n in 1..=200 {
            let (sender, receiver) = mpsc::channel();
            let batch = Batch::read(Bytes::from(vec![1; 8 * 1024]), Seq(n), 1);
            let pending = Pending {
                group: GroupId(1),
                index: LogIndex(n),
                body: EntryBody::Messages(batch),
                refused: Arc::default(),
                relaxed: false,
                done: Box::new(move |told| sender.send(told).unwrap()),
            };
            journal.append(pending).unwrap();
            receiver.recv().unwrap().unwrap();
        }
        drop(journal);
        let names = OsDisk.list(folder.path()).unwrap();
        let ids = names.iter().filter(|name| files::id_of(name).is_some());
        let lengths: Vec<u64> = ids
            .map(|name| folder.path().join(name).metadata().unwrap().len())
            .collect();
        assert!(lengths.len() > 5, "{lengths:?}");
        assert!(lengths.iter().all(|len| *len == FILE_BYTES), "{lengths:?}");
    }
}
