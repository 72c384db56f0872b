//! Opening a stream: its checkpoint, and the segments that names. What is damaged is kept, reported and read around.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::checkpoint::{Checkpoint, SegmentEntry};
use super::place::Wholes;
use super::subjects::no_subjects;
use super::verify::Verify;
use super::{SEGMENT_BYTES, SEGMENT_BYTES_MIN, Storage, StreamLog, StreamOptions};
use crate::disk::make_dir;
use crate::ids::{GroupId, LogIndex, Seq};
use crate::memory::Share;
use crate::segment::data::Data;
use crate::segment::index::{self, SegmentIndex};
use crate::segment::{HOLE, Offsets, Segment, parse_name, write};
use crate::store::Context;
use crate::traits::{Limits, State};

/// What the journal holds of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replay {
    /// Its entries from the first on.
    pub(crate) whole: bool,
    /// The last.
    pub(crate) end: LogIndex,
}

/// Where a stream's files are.
#[derive(Debug, Clone)]
pub(crate) struct StreamFiles {
    pub(crate) dir: PathBuf,
}

impl StreamLog {
    /// A stream without messages.
    pub(crate) fn create(
        context: Arc<Context>,
        group: GroupId,
        files: StreamFiles,
        options: &StreamOptions,
    ) -> io::Result<Self> {
        if options.storage == Storage::File {
            make_dir(context.disk.as_ref(), &files.dir)?;
        }
        let wanted = if options.segment_bytes == 0 {
            SEGMENT_BYTES
        } else {
            options.segment_bytes
        };
        let share = Share::new(Arc::clone(&context.memory));
        let subjects = no_subjects(&context, &files.dir, options.storage);
        Ok(Self {
            context,
            group,
            dir: files.dir,
            storage: options.storage,
            compress: false,
            segment_bytes: wanted.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES),
            label: options.label.clone(),
            segments: VecDeque::new(),
            generation: 0,
            tail: VecDeque::new(),
            wholes: Wholes::default(),
            tail_base: Seq(1),
            tail_bytes: 0,
            tail_placed: 0,
            subjects,
            chunks: super::spans::Chunks::default(),
            share,
            places_bytes: 0,
            subjects_retry_ns: 0,
            state: State {
                first_seq: Seq(1),
                ..State::default()
            },
            limits: Limits::default(),
            ttl: BTreeSet::new(),
            mortal: BTreeSet::new(),
            age_cursor: Seq::ZERO,
            lost: Mutex::default(),
            replay_end: LogIndex(0),
            jobs: super::drain::Jobs::default(),
            pins: super::snapshot::Pins::default(),
            verify: Verify::default(),
            bytes_since_checkpoint: 0,
            dirty_since_ns: None,
            last_append_ns: 0,
            applied: LogIndex(0),
        })
    }

    /// Opens a stream from its checkpoint. Gives the owner's state and the index it is of, if there was a checkpoint.
    pub(crate) fn open(
        context: Arc<Context>,
        group: GroupId,
        files: StreamFiles,
        options: &StreamOptions,
        journal: Replay,
    ) -> io::Result<(Self, Option<(LogIndex, Bytes)>)> {
        let mut log = Self::create(Arc::clone(&context), group, files, options)?;
        if log.storage == Storage::Memory {
            return Ok((log, None));
        }
        log.replay_end = journal.end;
        let disk = context.disk.as_ref();
        let vault = context.pool.vault.as_deref();
        log.subjects.number_behind(log.run_numbers()?.into_iter().max());
        let found = Checkpoint::read(disk, vault, &log.dir);
        for path in &found.damaged {
            context.damage.quarantine(disk, path);
        }
        // What only the older copy names must stay until both are the same again.
        let healed = match &found.newest {
            Some(newest) if !found.alike || found.plain && vault.is_some() => {
                newest.write(disk, vault, &log.dir)
            }
            _ => Ok(()),
        };
        if let Err(error) = &healed {
            let dir = log.dir.display();
            context
                .damage
                .trouble(format!("{dir}: a copy of the checkpoint is missing: {error}"));
        }
        let checkpoint = found.newest;
        let Some(checkpoint) = checkpoint else {
            log.remove_runs(&Checkpoint::default())?;
            if journal.whole {
                log.remove_strays(&Checkpoint::default())?;
            } else {
                log.salvage()?;
            }
            return Ok((log, None));
        };
        if healed.is_ok() {
            // Before runs are made anew: those are not named yet.
            log.remove_runs(&checkpoint)?;
            log.remove_strays(&checkpoint)?;
        }
        log.load_checkpoint(&checkpoint)?;
        Ok((log, Some((checkpoint.applied, checkpoint.owner))))
    }

    fn load_checkpoint(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        self.label = checkpoint.label.clone();
        self.state.msgs = checkpoint.msgs;
        self.state.bytes = checkpoint.bytes;
        self.state.first_seq = checkpoint.first_seq;
        self.state.last_seq = checkpoint.last_seq;
        self.state.last_ts_ns = checkpoint.last_ts_ns;
        self.last_append_ns = checkpoint.last_ts_ns;
        self.applied = checkpoint.applied;
        self.tail_base = checkpoint.last_seq.next();
        *self.lost.lock() = checkpoint.lost.iter().map(|seq| (*seq, 0)).collect();
        for entry in &checkpoint.segments {
            let segment = self.open_segment(entry)?;
            self.segments.push_back(segment);
        }
        self.note_unindexed(checkpoint);
        // A segment that was still growing is not written to again: what the journal holds behind it starts a new one.
        if let Some(last) = self.segments.back_mut() {
            last.sealed = true;
        }
        self.recall(checkpoint);
        self.account_places();
        self.account();
        self.state.first_ts_ns = self.timestamp(self.state.first_seq).unwrap_or(0);
        for erase in &checkpoint.erase {
            self.submit_erase(*erase);
        }
        self.jobs.scrub.clone_from(&checkpoint.scrub);
        self.jobs.scrub_at_checkpoint = checkpoint.scrub.len();
        self.submit_scrub(checkpoint.applied);
        Ok(())
    }

    /// Takes what is known of the messages from the checkpoint, if what that says is there; else from the messages.
    fn recall(&mut self, checkpoint: &Checkpoint) {
        let mut both = self.segments.iter().zip(&checkpoint.segments);
        let whole = both.all(|(segment, entry)| segment.live() == 0 || segment.data.end() >= entry.len);
        let learnt = checkpoint.learnt.as_ref();
        if let Some(learnt) = learnt.filter(|_| whole) {
            let recalled = self.subjects.recall(&learnt.subjects);
            let Err(path) = recalled else {
                self.learn_ttls(&learnt.mortal);
                self.verify = Verify::all(checkpoint.last_seq);
                return;
            };
            let text = "an index of subjects is not as it was written and is made anew";
            self.context.damage.note(format!("{}: {text}", path.display()));
        }
        self.build_subjects();
        self.changed();
    }

    fn open_segment(&self, entry: &SegmentEntry) -> io::Result<Segment> {
        let mut segment = Segment::new(entry.base, entry.generation);
        segment.slots = usize::try_from(entry.slots).unwrap_or(0);
        segment.len = entry.len;
        segment.live_bytes = entry.live_bytes;
        segment.sealed = true;
        for (first, count) in &entry.deleted {
            for slot in *first..first.saturating_add(*count) {
                segment.deleted.insert(slot as usize);
            }
        }
        let [data_path, index_path] = segment.paths(&self.dir);
        let disk = self.context.disk.as_ref();
        match disk.open_existing(&data_path) {
            Ok(file) => {
                let content = file.map(usize::try_from(file.len()?).unwrap_or(0))?;
                let id = (entry.base, entry.generation);
                segment.data = Data::open(&self.context.pool, &data_path, id, content)?.up_to(entry.len);
                let there = segment.data.end();
                if there < entry.len && segment.live() > 0 {
                    self.context.damage.note(format!(
                        "{}: {} of {} bytes are there",
                        data_path.display(),
                        there,
                        entry.len
                    ));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if segment.live() > 0 {
                    self.context
                        .damage
                        .note(format!("{}: the file is missing", data_path.display()));
                }
            }
            Err(error) => return Err(error),
        }
        if entry.sealed
            && let Some(index) = self.open_index(&index_path, entry)
        {
            segment.offsets = Offsets::Index;
            segment.index = Some(Arc::new(index));
            return Ok(segment);
        }
        let mut offsets = write::scan(&segment.data, entry.base, entry.len);
        offsets.resize(segment.slots, HOLE);
        segment.offsets = Offsets::Ram(Arc::new(offsets));
        Ok(segment)
    }

    fn open_index(&self, path: &std::path::Path, entry: &SegmentEntry) -> Option<SegmentIndex> {
        let file = self.context.disk.open_existing(path).ok()?;
        let len = usize::try_from(file.len().ok()?).ok()?;
        let place = (Some(&self.context.pool), path);
        let content = file.map(len).ok()?;
        let index = SegmentIndex::open(place, &content, entry.base);
        if index.is_none() && index::is_outdated(self.context.pool.vault.as_deref(), path, &content) {
            self.context.damage.remark(format!(
                "{}: the index is of an earlier version and is made anew",
                path.display()
            ));
        } else if index.is_none() {
            // It can be made again from the records.
            self.context.damage.note(format!(
                "{}: the index does not verify and is not used",
                path.display()
            ));
        }
        let index = index.filter(|i| i.slots as u64 == entry.slots && i.data_len == entry.len)?;
        Some(index.mapped_anew(&file.map(len).ok()?))
    }

    /// Removes files that the checkpoint does not name: left by work that a stop cut short. What is not drained yet comes
    /// from the journal.
    fn remove_strays(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let disk = self.context.disk.as_ref();
        for name in disk.list(&self.dir)? {
            let stem = name.strip_suffix(".idx").map(|s| format!("{s}.dat"));
            let Some((base, generation)) = parse_name(stem.as_deref().unwrap_or(&name)) else {
                continue;
            };
            let named = checkpoint
                .segments
                .iter()
                .any(|s| s.base == base && s.generation == generation);
            if !named {
                disk.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }
}
