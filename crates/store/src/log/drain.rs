//! Background work of a stream: copying the tail to segments, sealing full ones, rewriting sparse ones, removing empty
//! ones. The owner lays out where everything goes; the worker writes.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;

use super::checkpoint::{Erase, force};
use super::place::{Laid, lay_out};
use super::{
    CHECKPOINT_AGE_NS, CHECKPOINT_BYTES, CHECKPOINT_TABLES, COMPACT_BYTES_MIN, COMPACT_SHARE, DRAIN_BYTES,
    DRAIN_IDLE_NS, DRAIN_SMALL_BYTES, REPLAY_BYTES_MAX, Storage, StreamLog,
};
use crate::ids::{LogIndex, Seq};
use crate::journal::Erasure;
use crate::record::{ALIGN, RecordView};
use crate::segment::blocks::Blocks;
use crate::segment::data::Data;
use crate::segment::index;
use crate::segment::write::{self, Appended, Sealed, Target};
use crate::segment::{HOLE, Offsets, RECORDS_AT, Segment, data_name};
use crate::traits::Upkeep;
use crate::worker::Outcome;

/// After a failed write it is tried again this much later, nanoseconds.
const RETRY_NS: i64 = 1_000_000_000;

/// Records on their way to a segment.
#[derive(Debug)]
pub(super) struct Draining {
    pub(super) base: Seq,
    generation: u32,
    pub(super) at: u64,
    /// What covers sequences at the front of the tail.
    pub(super) laid: Laid,
    /// Where they go, unless that is plain bytes.
    pub(super) blocks: Option<Arc<Blocks>>,
    outcome: Option<Outcome<io::Result<Appended>>>,
    /// The last try failed; shared with the worker.
    failed: Arc<AtomicBool>,
    retry_ns: i64,
}

#[derive(Debug)]
pub(super) struct Rewriting {
    pub(super) base: Seq,
    old_generation: u32,
    new_generation: u32,
    outcome: Outcome<io::Result<Sealed>>,
}

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) draining: VecDeque<Draining>,
    /// How many of these could not be written so far: no checkpoint may say that they are there.
    pub(super) unwritten: Arc<AtomicUsize>,
    pub(super) sealing: Vec<(Seq, u32, Outcome<io::Result<Sealed>>)>,
    pub(super) rewriting: Option<Rewriting>,
    /// Sealed segments without an index, which are given one.
    pub(super) unindexed: Vec<(Seq, u32)>,
    pub(super) checkpoint: Option<Outcome<io::Result<LogIndex>>>,
    /// Files that no checkpoint names any more once the next one is durable.
    pub(super) garbage: Vec<PathBuf>,
    pub(super) garbage_at_checkpoint: usize,
    /// Deleted records to be overwritten once a checkpoint says that they are deleted.
    pub(super) erase: Vec<Erase>,
    pub(super) erase_at_checkpoint: usize,
    /// Deleted messages to be overwritten in the journal, likewise.
    pub(super) scrub: Vec<Seq>,
    pub(super) scrub_at_checkpoint: usize,
    pub(super) scrubbing: Option<Scrubbing>,
}

/// Messages the journal overwrites.
#[derive(Debug)]
pub(super) struct Scrubbing {
    seqs: Vec<Seq>,
    done: Arc<AtomicBool>,
}

impl Jobs {
    /// All that is still to be overwritten in the journal.
    pub(super) fn to_scrub(&self) -> Vec<Seq> {
        let under_way = self.scrubbing.iter().flat_map(|s| &s.seqs);
        under_way.chain(&self.scrub).copied().collect()
    }
}

impl StreamLog {
    pub(super) fn target(&self, base: Seq, generation: u32) -> Target {
        Target {
            disk: Arc::clone(&self.context.disk),
            dir: self.dir.clone(),
            base,
            generation,
            pool: Arc::clone(&self.context.pool),
            compress: self.compress,
        }
    }

    /// A segment to be filled from `base` on.
    fn new_segment(&self, base: Seq) -> Segment {
        let mut segment = Segment::new(base, self.generation);
        if self.storage == Storage::File {
            segment.data = self.target(base, self.generation).new_data();
        }
        segment
    }

    pub(super) fn run_upkeep(&mut self, now_ns: i64) -> Upkeep {
        self.collect(now_ns);
        let idle = now_ns.saturating_sub(self.last_append_ns) > DRAIN_IDLE_NS;
        let waiting = self.tail.len() > self.tail_placed;
        if waiting
            && (self.tail_bytes >= DRAIN_BYTES
                || (idle && self.storage == Storage::File && self.tail_bytes > 0))
        {
            self.place_tail();
        }
        self.tend_subjects(now_ns);
        self.verify_some();
        let full = self.context.journal.is_full();
        if !full {
            self.start_rewrite();
            self.index_one();
        }
        // On a full disk a checkpoint is what lets go of files.
        let stuck = full && !self.jobs.garbage.is_empty();
        let pinned = self.storage == Storage::File && self.context.journal.is_pinning(self.group);
        let old = self
            .dirty_since_ns
            .is_some_and(|since| now_ns.saturating_sub(since) > CHECKPOINT_AGE_NS);
        let table = self.subjects.table_bytes() as u64;
        let large = self.bytes_since_checkpoint > CHECKPOINT_BYTES.max(CHECKPOINT_TABLES * table);
        Upkeep {
            wants_checkpoint: (pinned || old || large || stuck || self.wants_erasure())
                && self.jobs.checkpoint.is_none(),
            busy: !self.jobs.draining.is_empty()
                || self.jobs.checkpoint.is_some()
                || self.jobs.scrubbing.is_some()
                || self.jobs.rewriting.is_some()
                || self.subjects.is_busy()
                || self.verify.is_busy(),
        }
    }

    /// Whether a checkpoint is what deleted messages wait for to be overwritten.
    fn wants_erasure(&self) -> bool {
        !self.jobs.erase.is_empty() || (!self.jobs.scrub.is_empty() && self.jobs.scrubbing.is_none())
    }

    /// Gives every record of the tail its place in a segment and has it written there.
    pub(super) fn place_tail(&mut self) {
        while self.tail_placed < self.tail.len() {
            self.place_some();
        }
    }

    /// Places records up to the end of one segment.
    fn place_some(&mut self) {
        let from = Seq(self.tail_base.0 + self.tail_placed as u64);
        let fits = self
            .segments
            .back()
            .is_some_and(|s| !s.sealed && s.end() == from && s.len < self.segment_bytes);
        if !fits {
            self.seal_last();
            self.avoid_garbage(from);
            self.segments.push_back(self.new_segment(from));
        }
        let limit = self.segment_bytes;
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        let at = segment.len;
        let is_plain = segment.data.blocks().is_none() && self.storage == Storage::File;
        let tail = self.tail.range(self.tail_placed..);
        let laid = lay_out(segment, limit, from, tail, is_plain.then_some(&self.wholes));
        let covers = laid.covers;
        self.tail_placed += covers;
        let (base, generation) = (segment.base, segment.generation);
        let blocks = segment.data.blocks();
        if self.storage == Storage::Memory {
            self.place_in_memory(&laid.parts, covers);
            return;
        }
        let mut job = Draining {
            base,
            generation,
            at,
            laid,
            blocks,
            outcome: None,
            failed: Arc::default(),
            retry_ns: 0,
        };
        self.submit_drain(&mut job);
        self.jobs.draining.push_back(job);
        if self.segments.back().is_some_and(|s| s.len >= limit) {
            self.seal_last();
        }
    }

    /// Memory segments are whole as soon as they are made.
    fn place_in_memory(&mut self, records: &[Bytes], covers: usize) {
        if let Some(segment) = self.segments.back_mut() {
            let start = usize::try_from(RECORDS_AT).unwrap_or(0);
            let mut data = Vec::with_capacity(usize::try_from(segment.len).unwrap_or(0));
            if let Data::Plain(before) = &segment.data {
                data.extend_from_slice(before);
            }
            data.resize(data.len().max(start), 0);
            for record in records {
                data.extend_from_slice(record);
            }
            segment.data = Data::Plain(data.into());
            segment.sealed = true;
        }
        self.drop_front(covers);
    }

    fn submit_drain(&self, job: &mut Draining) {
        let target = self.target(job.base, job.generation);
        let of = |s: &&Segment| s.base == job.base && s.generation == job.generation;
        let segment = self.segments.iter().find(of);
        let file = segment.and_then(|s| s.file.clone());
        let gathered = segment.map(|s| Arc::clone(&s.gathered)).unwrap_or_default();
        let (at, parts, count) = (job.at, job.laid.parts.clone(), job.laid.count);
        let cap = self.segment_bytes + DRAIN_BYTES;
        let (failed, unwritten) = (Arc::clone(&job.failed), Arc::clone(&self.jobs.unwritten));
        let blocks = job.blocks.clone();
        job.outcome = Some(self.context.worker.submit(move || {
            let appended = write::append(&target, (file, blocks), (at, &gathered), (&parts, count), cap);
            match (
                failed.swap(appended.is_err(), Ordering::Relaxed),
                appended.is_err(),
            ) {
                (false, true) => unwritten.fetch_add(1, Ordering::Relaxed),
                (true, false) => unwritten.fetch_sub(1, Ordering::Relaxed),
                _ => 0,
            };
            appended
        }));
    }

    /// Takes placed records off the tail: from now on they are read from their segment.
    fn drop_front(&mut self, covers: usize) {
        for record in self.tail.drain(..covers.min(self.tail.len())) {
            self.tail_bytes = self
                .tail_bytes
                .saturating_sub(record.map_or(0, |b| b.len() as u64));
        }
        self.tail_base = Seq(self.tail_base.0 + covers as u64);
        self.wholes.drop_before(self.tail_base);
        self.tail_placed -= covers.min(self.tail_placed);
        if self.tail.is_empty() && self.tail.capacity() > 1024 {
            self.tail = VecDeque::new();
        }
        self.drop_empty_segments();
    }

    /// Chooses a generation under which a segment at `base` has not the name of one that is still to be removed: after
    /// sequences were taken back, the same place is filled again.
    fn avoid_garbage(&mut self, base: Seq) {
        let taken = |generation| {
            let path = self.dir.join(data_name(base, generation));
            self.jobs.garbage.contains(&path)
        };
        let mut generation = self.generation;
        while taken(generation) {
            generation += 2;
        }
        self.generation = generation;
    }

    pub(super) fn drop_empty_segments(&mut self) {
        while self.segments.front().is_some_and(|s| s.sealed && s.live() == 0) {
            if !self.drop_segment(0) {
                return;
            }
        }
    }

    /// Lets go of a segment without live messages, unless something is still being done with it.
    pub(super) fn drop_segment(&mut self, n: usize) -> bool {
        let Some(segment) = self.segments.get(n) else {
            return false;
        };
        let busy = segment.end() > self.tail_base
            || self.jobs.sealing.iter().any(|s| s.0 == segment.base)
            || self
                .jobs
                .rewriting
                .as_ref()
                .is_some_and(|r| r.base == segment.base);
        if busy {
            return false;
        }
        if self.storage == Storage::File {
            self.jobs.garbage.extend(segment.paths(&self.dir));
        }
        self.segments.remove(n);
        true
    }

    /// Ends the last segment: nothing more is placed in it.
    pub(super) fn seal_last(&mut self) {
        let Some(last) = self.segments.back_mut().filter(|s| !s.sealed) else {
            return;
        };
        last.sealed = true;
        if self.storage == Storage::Memory || last.len <= RECORDS_AT {
            return;
        }
        self.submit_seal(self.segments.len() - 1);
    }

    /// Has the index of a segment written.
    pub(super) fn submit_seal(&mut self, n: usize) {
        let segment = &self.segments[n];
        let (base, generation, len) = (segment.base, segment.generation, segment.len);
        let (blocks, gathered) = (segment.data.blocks(), Arc::clone(&segment.gathered));
        let Offsets::Ram(offsets) = &segment.offsets else {
            return;
        };
        let offsets = Arc::clone(offsets);
        let target = self.target(base, generation);
        let (journal, unwritten) = (
            Arc::clone(&self.context.journal),
            Arc::clone(&self.jobs.unwritten),
        );
        // Runs behind the appends of this segment, which the worker does first.
        let outcome = self.context.worker.submit(move || {
            // An index made now would lack what is still to be written, and nobody would force that to disk.
            if unwritten.load(Ordering::Relaxed) > 0 {
                return Err(io::Error::other("not all of its messages are written yet"));
            }
            let file = target
                .disk
                .open_existing(&target.dir.join(data_name(base, generation)))?;
            force(&journal, file.sync_data())?;
            write::seal(&target, (&file, blocks), len, &offsets, &gathered)
        });
        self.jobs.sealing.push((base, generation, outcome));
    }

    /// Gives up what could not be written and has been deleted since: on a full disk nothing else would let go of it.
    fn forget_deleted(&mut self) {
        while let Some(first) = self.jobs.draining.front() {
            let dead = self
                .segments
                .iter()
                .any(|s| s.base == first.base && s.live() == 0);
            if first.outcome.is_some() || !first.failed.load(Ordering::Relaxed) || !dead {
                return;
            }
            self.jobs.unwritten.fetch_sub(1, Ordering::Relaxed);
            if let Some(job) = self.jobs.draining.pop_front() {
                self.drop_front(job.laid.covers);
            }
        }
    }

    /// Installs what the worker has finished.
    fn collect(&mut self, now_ns: i64) {
        self.collect_drained(now_ns);
        // A segment that was rewritten before the checkpoint is known by its new name before what it deleted is overwritten.
        let checkpoint = self.jobs.checkpoint.as_ref().and_then(Outcome::take);
        self.collect_sealed();
        self.collect_rewritten();
        if let Some(outcome) = checkpoint {
            self.finish_checkpoint(outcome);
        }
        self.collect_scrubbed();
    }

    /// Keeps the tail short while messages come in faster than upkeep is done: one piece after the other is written.
    pub(super) fn relieve_tail(&mut self) {
        // Pieces are smaller while all streams together take too much memory.
        let piece = if self.share.is_over() {
            DRAIN_SMALL_BYTES
        } else {
            DRAIN_BYTES
        };
        if self.tail_bytes < piece || self.storage == Storage::Memory && self.tail_bytes < DRAIN_BYTES {
            return;
        }
        self.collect_drained(self.last_append_ns);
        if self.jobs.draining.is_empty() && self.tail_bytes >= piece {
            self.place_tail();
        }
        // Nobody waits for an answer while a stream is opened: what the journal holds is never all in memory.
        if self.applied <= self.replay_end && self.tail_bytes > REPLAY_BYTES_MAX {
            self.context.worker.drain();
            self.collect_drained(self.last_append_ns);
        }
    }

    /// Whether the worker is copying the tail, and the last try did not fail.
    pub(super) fn is_draining(&self) -> bool {
        let first = self.jobs.draining.front();
        first.is_some_and(|job| job.outcome.is_some() && !job.failed.load(Ordering::Relaxed))
    }

    /// Installs what was copied from the tail, and tries again what could not be.
    fn collect_drained(&mut self, now_ns: i64) {
        self.forget_deleted();
        while let Some(first) = self.jobs.draining.front_mut() {
            let Some(outcome) = &first.outcome else {
                if now_ns < first.retry_ns {
                    break;
                }
                let Some(mut job) = self.jobs.draining.pop_front() else {
                    break;
                };
                self.submit_drain(&mut job);
                self.jobs.draining.push_front(job);
                break;
            };
            match outcome.take() {
                None => break,
                Some(Ok(appended)) => {
                    let Some(job) = self.jobs.draining.pop_front() else {
                        break;
                    };
                    self.install(&job, appended);
                }
                Some(Err(error)) => {
                    // What is in the tail is also in the journal: nothing is lost by waiting.
                    self.context
                        .damage
                        .trouble(format!("group {}: writing a segment failed: {error}", self.group));
                    first.outcome = None;
                    first.retry_ns = now_ns.saturating_add(RETRY_NS);
                    break;
                }
            }
        }
    }

    fn install(&mut self, job: &Draining, appended: Appended) {
        if let Some(segment) = self
            .segments
            .iter_mut()
            .find(|s| s.base == job.base && s.generation == job.generation)
        {
            segment.data = appended.data;
            segment.file = appended.file;
        }
        let bytes = job.laid.parts.iter().map(Bytes::len).sum();
        self.context.figures.drained(bytes);
        self.drop_front(job.laid.covers);
    }

    fn collect_sealed(&mut self) {
        let mut n = 0;
        while n < self.jobs.sealing.len() {
            let Some(outcome) = self.jobs.sealing[n].2.take() else {
                n += 1;
                continue;
            };
            let (base, generation, _) = self.jobs.sealing.swap_remove(n);
            let segment = self
                .segments
                .iter_mut()
                .find(|s| s.base == base && s.generation == generation);
            match (outcome, segment) {
                (Ok(sealed), Some(segment)) => {
                    segment.index = Some(sealed.index);
                    segment.offsets = Offsets::Index;
                    segment.file = None;
                }
                // Without an index the segment is read through the offsets in memory.
                (Err(error), _) => {
                    self.context
                        .damage
                        .trouble(format!("group {}: sealing a segment failed: {error}", self.group));
                }
                (Ok(_), None) => {}
            }
        }
        self.drop_empty_segments();
    }

    /// Starts rewriting one segment that is sparse, or scattered over small blocks, or not encrypted in a store that is.
    fn start_rewrite(&mut self) {
        if self.jobs.rewriting.is_some() {
            return;
        }
        let sealing = self.storage == Storage::File && self.context.pool.vault.is_some();
        let wanted = |s: &&Segment| {
            let dead = s.len.saturating_sub(RECORDS_AT).saturating_sub(s.live_bytes);
            let sparse =
                dead >= COMPACT_BYTES_MIN.min(self.segment_bytes / 4) && s.live_bytes * COMPACT_SHARE < s.len;
            let scattered = || self.compress && s.data.blocks().is_some_and(|b| b.is_scattered());
            s.sealed
                && s.live() > 0
                && s.end() <= self.tail_base
                && (sparse || (sealing && !s.data.is_sealed()) || scattered())
                && self.jobs.sealing.iter().all(|j| j.0 != s.base)
        };
        let Some(segment) = self.segments.iter().find(wanted) else {
            return;
        };
        let offsets: Vec<u32> = (0..segment.slots)
            .map(|n| {
                segment
                    .offset(n)
                    .and_then(|o| u32::try_from(o).ok())
                    .unwrap_or(HOLE)
            })
            .collect();
        let (data, deleted) = (segment.data.clone(), segment.deleted.clone());
        let (base, old_generation) = (segment.base, segment.generation);
        let new_generation = old_generation + 1;
        let target = self.target(base, new_generation);
        let memory = self.storage == Storage::Memory;
        let outcome = self.context.worker.submit(move || {
            if memory {
                rewrite_memory(&data, &offsets, &deleted, base)
            } else {
                write::rewrite(&target, &data, &offsets, &deleted)
            }
        });
        self.jobs.rewriting = Some(Rewriting {
            base,
            old_generation,
            new_generation,
            outcome,
        });
    }

    fn collect_rewritten(&mut self) {
        let Some(outcome) = self.jobs.rewriting.as_ref().and_then(|r| r.outcome.take()) else {
            return;
        };
        let Some(job) = self.jobs.rewriting.take() else {
            return;
        };
        let sealed = match outcome {
            Ok(sealed) => sealed,
            Err(error) => {
                self.context.damage.trouble(format!(
                    "group {}: rewriting a segment failed: {error}",
                    self.group
                ));
                return;
            }
        };
        let dir = self.dir.clone();
        let Some(segment) = self
            .segments
            .iter_mut()
            .find(|s| s.base == job.base && s.generation == job.old_generation)
        else {
            return;
        };
        if self.storage == Storage::File {
            self.jobs.garbage.extend(segment.paths(&dir));
        }
        let copied = self.jobs.erase.iter();
        let copied = copied.filter(|e| e.base == job.base && e.generation == job.old_generation);
        let slot_at =
            |at: u64| (0..segment.slots).find(|n| segment.offset(*n).map(|o| o as u64 + 8) == Some(at));
        let copied: Vec<_> = copied.filter_map(|e| Some((*e, slot_at(e.at)?))).collect();
        segment.generation = job.new_generation;
        segment.data = sealed.data;
        segment.index = Some(sealed.index);
        segment.offsets = Offsets::Index;
        segment.len = sealed.len;
        // What was deleted while it was copied is in the copy too, and to be overwritten there as well.
        for (erase, slot) in copied {
            if let Some(at) = segment.offset(slot) {
                self.jobs.erase.push(Erase {
                    generation: job.new_generation,
                    at: at as u64 + 8,
                    ..erase
                });
            }
        }
        segment.live_bytes = (0..segment.slots)
            .filter(|n| !segment.deleted.contains(*n))
            .filter_map(|n| segment.view(n).map(|m| m.view().stride() as u64))
            .sum();
        self.bytes_since_checkpoint += segment.live_bytes;
        self.changed();
        self.drop_empty_segments();
    }

    /// Has the journal overwrite what the checkpoint of `applied` says is deleted. One after the other.
    pub(super) fn submit_scrub(&mut self, applied: LogIndex) {
        if self.jobs.scrubbing.is_some() || self.jobs.scrub_at_checkpoint == 0 {
            return;
        }
        let count = std::mem::take(&mut self.jobs.scrub_at_checkpoint);
        let seqs: Vec<Seq> = self.jobs.scrub.drain(..count).collect();
        let done = Arc::new(AtomicBool::new(false));
        self.context.journal.erase(Erasure {
            group: self.group,
            applied,
            seqs: seqs.clone(),
            done: Arc::clone(&done),
        });
        self.jobs.scrubbing = Some(Scrubbing { seqs, done });
    }

    fn collect_scrubbed(&mut self) {
        let Some(job) = self.jobs.scrubbing.take() else {
            return;
        };
        if job.done.load(Ordering::Acquire) {
            return;
        }
        if Arc::strong_count(&job.done) > 1 {
            self.jobs.scrubbing = Some(job);
        } else if !job.done.load(Ordering::Acquire) {
            // The journal has let go of it: it is asked again behind the next checkpoint.
            let text = format!(
                "group {}: overwriting deleted messages in the journal failed",
                self.group
            );
            self.context.damage.trouble(text);
            self.jobs.scrub.splice(0..0, job.seqs);
        }
    }

    /// Has bytes of a segment overwritten. A failure is tried again when the stream is opened the next time, for as long as
    /// its checkpoint says so; a segment that is gone needs nothing.
    pub(super) fn submit_erase(&self, erase: Erase) {
        let target = self.target(erase.base, erase.generation);
        let of = |s: &&Segment| s.base == erase.base && s.generation == erase.generation;
        let blocks = self.segments.iter().find(of).and_then(|s| s.data.blocks());
        debug_assert!(erase.at.is_multiple_of(ALIGN as u64), "records are aligned");
        let context = Arc::clone(&self.context);
        let _outcome = self.context.worker.submit(move || {
            if let Err(error) = write::erase(&target, blocks.as_deref(), erase.at, erase.len)
                && error.kind() != io::ErrorKind::NotFound
            {
                context
                    .damage
                    .trouble(format!("overwriting a deleted message failed: {error}"));
            }
        });
    }
}

/// Memory is rewritten like a file, its index kept in memory too.
fn rewrite_memory(
    data: &Data,
    offsets: &[u32],
    deleted: &crate::deleted::SlotSet,
    base: Seq,
) -> io::Result<Sealed> {
    let (packed, new_offsets) = write::pack(data, offsets, deleted);
    let mut bytes = vec![0; usize::try_from(RECORDS_AT).unwrap_or(0)];
    bytes.extend_from_slice(&packed);
    let len = bytes.len() as u64;
    let data = Data::Plain(bytes.into());
    let table = write::subject_table(&data, &new_offsets);
    let nowhere = Path::new("");
    let file = Bytes::from(index::encode((None, nowhere), (base, len), &new_offsets, &table)?);
    let index = index::SegmentIndex::open((None, nowhere), &file, base);
    let index = index.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    debug_assert!(
        packed.is_empty() || RecordView::check(&packed).is_some(),
        "the first record is whole"
    );
    Ok(Sealed {
        data,
        index: Arc::new(index),
        len,
    })
}
