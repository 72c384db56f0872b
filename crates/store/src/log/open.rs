//! Opening a stream: checkpoint, segments, and from them what is known of subjects and times to live. What is damaged is
//! kept, reported and read around.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::checkpoint::{Checkpoint, SegmentEntry};
use super::subjects::no_subjects;
use super::{SEGMENT_BYTES, SEGMENT_BYTES_MIN, Storage, StreamLog, StreamOptions};
use crate::disk::make_dir;
use crate::ids::{GroupId, LogIndex, Seq};
use crate::memory::Share;
use crate::segment::data::Data;
use crate::segment::index::SegmentIndex;
use crate::segment::{HOLE, Offsets, Segment, parse_name, write};
use crate::store::Context;
use crate::subjects::{Damaged, is_run};
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
            tail_base: Seq(1),
            tail_bytes: 0,
            tail_placed: 0,
            subjects,
            share,
            subjects_retry_ns: 0,
            state: State {
                first_seq: Seq(1),
                ..State::default()
            },
            limits: Limits::default(),
            ttl: BTreeSet::new(),
            age_cursor: Seq::ZERO,
            lost: Mutex::default(),
            replay_end: LogIndex(0),
            jobs: super::drain::Jobs::default(),
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
        log.remove_runs()?;
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
            if journal.whole {
                log.remove_strays(&Checkpoint::default())?;
            } else {
                log.salvage()?;
            }
            return Ok((log, None));
        };
        log.load_checkpoint(&checkpoint)?;
        if healed.is_ok() {
            log.remove_strays(&checkpoint)?;
        }
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
        // A segment that was still growing is not written to again: what the journal holds behind it starts a new one.
        if let Some(last) = self.segments.back_mut() {
            last.sealed = true;
        }
        self.build_subjects();
        self.state.first_ts_ns = self.timestamp(self.state.first_seq).unwrap_or(0);
        for erase in &checkpoint.erase {
            self.submit_erase(*erase);
        }
        self.jobs.scrub.clone_from(&checkpoint.scrub);
        self.jobs.scrub_at_checkpoint = checkpoint.scrub.len();
        self.submit_scrub(checkpoint.applied);
        Ok(())
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
        segment.offsets = Offsets::Ram(offsets);
        Ok(segment)
    }

    fn open_index(&self, path: &std::path::Path, entry: &SegmentEntry) -> Option<SegmentIndex> {
        let file = self.context.disk.open_existing(path).ok()?;
        let len = usize::try_from(file.len().ok()?).ok()?;
        let place = (self.context.pool.vault.as_deref(), path);
        let index = SegmentIndex::open(place, &file.map(len).ok()?, entry.base);
        if index.is_none() {
            // It can be made again from the records.
            self.context.damage.note(format!(
                "{}: the index does not verify and is not used",
                path.display()
            ));
        }
        let index = index.filter(|i| i.slots as u64 == entry.slots && i.data_len == entry.len)?;
        Some(index.mapped_anew(&file.map(len).ok()?, entry.base))
    }

    /// What is known of subjects, times to live and damage, from the segments.
    fn build_subjects(&mut self) {
        let mut segments = std::mem::take(&mut self.segments);
        let bytes = self.learn_all(&mut segments).unwrap_or_else(|Damaged| {
            // What was just written does not read back.
            self.subjects.reset(&self.context.worker);
            self.learn_all(&mut segments).unwrap_or_default()
        });
        // Damaged messages count as messages, but nobody knows their bytes: when they are removed none are taken off.
        self.state.bytes = bytes;
        self.segments = segments;
    }

    fn learn_all(&mut self, segments: &mut VecDeque<Segment>) -> Result<u64, Damaged> {
        let mut bytes = 0;
        for segment in segments {
            bytes += self.learn(segment)?;
            self.map_anew(segment);
        }
        Ok(bytes)
    }

    /// Reading all of a segment made all of it resident; of another mapping nothing is.
    fn map_anew(&self, segment: &mut Segment) {
        let [path, _] = segment.paths(&self.dir);
        let file = self.context.disk.open_existing(&path);
        if let Ok(file) = file {
            segment.data.map_anew(file.as_ref());
        }
    }

    fn learn(&mut self, segment: &Segment) -> Result<u64, Damaged> {
        let (mut slot, mut bytes) = (0, 0);
        while let Some(live) = segment.deleted.next_absent(slot, segment.slots) {
            slot = live + 1;
            let seq = Seq(segment.base.0 + live as u64);
            match segment.view(live) {
                Some(message) => {
                    bytes += self.accounted(message.view());
                    self.learn_subject(message.subject(), seq)?;
                    self.note_ttl(seq, message.view());
                }
                None => {
                    self.lost.lock().insert(seq, segment.space(live));
                    self.context.damage.lost(self.group, seq);
                }
            }
        }
        Ok(bytes)
    }

    /// Removes what an earlier process wrote of what it knew of subjects.
    fn remove_runs(&self) -> io::Result<()> {
        let disk = self.context.disk.as_ref();
        for name in disk.list(&self.dir)?.iter().filter(|n| is_run(n)) {
            disk.remove(&self.dir.join(name))?;
        }
        Ok(())
    }

    /// Without a checkpoint, takes whatever segments are there.
    fn salvage(&mut self) -> io::Result<()> {
        let mut found: Vec<(Seq, u32)> = self
            .context
            .disk
            .list(&self.dir)?
            .iter()
            .filter_map(|n| parse_name(n))
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        self.context.damage.note(format!(
            "{}: no usable checkpoint; messages are taken from segments",
            self.dir.display()
        ));
        found.sort_unstable();
        for n in 0..found.len() {
            let (base, generation) = found[n];
            let newest = found.get(n + 1).is_none_or(|(next, _)| *next != base);
            if newest {
                self.salvage_segment(base, generation)?;
            }
        }
        self.tail_base = self.last().next();
        self.build_subjects();
        self.state.msgs = self.segments.iter().map(|s| s.live() as u64).sum();
        self.state.first_seq = self.next_live(Seq(1)).unwrap_or_else(|| self.last().next());
        self.state.first_ts_ns = self.timestamp(self.state.first_seq).unwrap_or(0);
        self.state.last_ts_ns = self.timestamp(self.last()).unwrap_or(0);
        Ok(())
    }

    fn salvage_segment(&mut self, base: Seq, generation: u32) -> io::Result<()> {
        let mut segment = Segment::new(base, generation);
        let [data_path, _] = segment.paths(&self.dir);
        let file = self.context.disk.open_existing(&data_path)?;
        let content = file.map(usize::try_from(file.len()?).unwrap_or(0))?;
        segment.data = Data::open(&self.context.pool, &data_path, (base, generation), content)?;
        let offsets = write::scan(&segment.data, base, segment.data.end());
        segment.slots = offsets.len();
        for (slot, _) in offsets.iter().enumerate().filter(|(_, o)| **o == HOLE) {
            segment.deleted.insert(slot);
        }
        segment.offsets = Offsets::Ram(offsets);
        segment.len = segment.data.end();
        segment.sealed = true;
        for slot in 0..segment.slots {
            let Some(message) = segment.view(slot) else {
                continue;
            };
            segment.live_bytes += message.view().stride() as u64;
            self.state.bytes += self.accounted(message.view());
        }
        if segment.slots > 0 && segment.base > self.last() {
            self.state.last_seq = segment.end().previous();
            self.segments.push_back(segment);
        }
        Ok(())
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
