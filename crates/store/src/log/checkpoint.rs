//! Checkpoints: what of a stream is durable in segments, which of it is deleted, and the owner's state as of then. With a
//! checkpoint on disk the journal up to its index is no longer needed. Kept twice, so that one damaged copy costs nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::StreamLog;
use super::learn::Learnt;
use crate::codec::{In, Out};
use crate::disk::{Disk, read_file, replace_file};
use crate::ids::{LogIndex, Seq};
use crate::journal::Journal;
use crate::log::Storage;
use crate::seal::{self, Vault};
use crate::segment::Segment;

const MAGIC: [u8; 8] = *b"NJCKPT01";
/// The two copies.
const NAMES: [&str; 2] = ["CHECKPOINT", "CHECKPOINT.copy"];

/// A segment as a checkpoint names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentEntry {
    pub(crate) base: Seq,
    pub(crate) generation: u32,
    pub(crate) slots: u64,
    pub(crate) len: u64,
    pub(crate) live_bytes: u64,
    pub(crate) sealed: bool,
    pub(crate) deleted: Vec<(u32, u32)>,
}

/// Bytes of a deleted record that are still to be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Erase {
    pub(crate) base: Seq,
    pub(crate) generation: u32,
    pub(crate) at: u64,
    pub(crate) len: u64,
}

/// All a checkpoint says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) applied: LogIndex,
    pub(crate) label: Bytes,
    pub(crate) owner: Bytes,
    pub(crate) msgs: u64,
    pub(crate) bytes: u64,
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    pub(crate) last_ts_ns: i64,
    pub(crate) segments: Vec<SegmentEntry>,
    pub(crate) lost: Vec<Seq>,
    pub(crate) erase: Vec<Erase>,
    /// Deleted messages that are still to be overwritten in the journal.
    pub(crate) scrub: Vec<Seq>,
    pub(crate) learnt: Option<Learnt>,
}

impl Checkpoint {
    fn encode(&self, vault: Option<&Vault>, dir: &Path) -> io::Result<Vec<u8>> {
        let mut out = Out::default();
        out.u64(self.applied.0);
        out.bytes(&self.label);
        out.bytes(&self.owner);
        out.u64(self.msgs);
        out.u64(self.bytes);
        out.u64(self.first_seq.0);
        out.u64(self.last_seq.0);
        out.i64(self.last_ts_ns);
        out.len(self.segments.len());
        for s in &self.segments {
            out.u64(s.base.0);
            out.u32(s.generation);
            out.u64(s.slots);
            out.u64(s.len);
            out.u64(s.live_bytes);
            out.u8(u8::from(s.sealed));
            out.len(s.deleted.len());
            for (first, count) in &s.deleted {
                out.u32(*first);
                out.u32(*count);
            }
        }
        out.len(self.lost.len());
        for seq in &self.lost {
            out.u64(seq.0);
        }
        out.len(self.erase.len());
        for e in &self.erase {
            out.u64(e.base.0);
            out.u32(e.generation);
            out.u64(e.at);
            out.u64(e.len);
        }
        out.len(self.scrub.len());
        for seq in &self.scrub {
            out.u64(seq.0);
        }
        if let Some(learnt) = &self.learnt {
            learnt.encode(&mut out);
        }
        seal::seal_file(vault, MAGIC, &dir.join(NAMES[0]), &out.0)
    }

    fn decode(vault: Option<&Vault>, path: &Path, file: &Bytes) -> Option<Self> {
        let content = seal::unseal_file(vault, MAGIC, path, file)?;
        let mut fields = In(&content);
        let mut checkpoint = Self {
            applied: LogIndex(fields.u64()?),
            label: Bytes::copy_from_slice(fields.bytes()?),
            owner: Bytes::copy_from_slice(fields.bytes()?),
            msgs: fields.u64()?,
            bytes: fields.u64()?,
            first_seq: Seq(fields.u64()?),
            last_seq: Seq(fields.u64()?),
            last_ts_ns: fields.i64()?,
            ..Self::default()
        };
        for _ in 0..fields.count()? {
            let mut entry = SegmentEntry {
                base: Seq(fields.u64()?),
                generation: fields.u32()?,
                slots: fields.u64()?,
                len: fields.u64()?,
                live_bytes: fields.u64()?,
                sealed: fields.u8()? != 0,
                deleted: Vec::new(),
            };
            for _ in 0..fields.count()? {
                entry.deleted.push((fields.u32()?, fields.u32()?));
            }
            checkpoint.segments.push(entry);
        }
        for _ in 0..fields.count()? {
            checkpoint.lost.push(Seq(fields.u64()?));
        }
        for _ in 0..fields.count()? {
            checkpoint.erase.push(Erase {
                base: Seq(fields.u64()?),
                generation: fields.u32()?,
                at: fields.u64()?,
                len: fields.u64()?,
            });
        }
        for _ in 0..fields.count()? {
            checkpoint.scrub.push(Seq(fields.u64()?));
        }
        if !fields.0.is_empty() {
            checkpoint.learnt = Some(Learnt::decode(&mut fields)?);
        }
        Some(checkpoint)
    }

    /// Writes both copies, the second only when the first is durable.
    pub(crate) fn write(&self, disk: &dyn Disk, vault: Option<&Vault>, dir: &Path) -> io::Result<()> {
        let file = self.encode(vault, dir)?;
        NAMES
            .iter()
            .try_for_each(|name| replace_file(disk, &dir.join(name), &file))
    }

    /// What the two copies say.
    pub(crate) fn read(disk: &dyn Disk, vault: Option<&Vault>, dir: &Path) -> Copies {
        Self::read_as(disk, vault, dir, dir)
    }

    /// The same of a folder that was `made_as` another one: its files open under the names they had there.
    pub(crate) fn read_as(disk: &dyn Disk, vault: Option<&Vault>, dir: &Path, made_as: &Path) -> Copies {
        let mut copies = Copies::default();
        let mut whole = 0;
        for name in NAMES {
            let path = dir.join(name);
            let Ok(file) = read_file(disk, &path) else {
                continue;
            };
            let file = Bytes::from(file);
            copies.plain |= !seal::is_sealed(&file);
            let Some(found) = Self::decode(vault, &made_as.join(name), &file) else {
                copies.damaged.push(path);
                continue;
            };
            whole += 1;
            copies.alike = whole == NAMES.len() && copies.newest.as_ref() == Some(&found);
            if copies.newest.as_ref().is_none_or(|n| n.applied < found.applied) {
                copies.newest = Some(found);
            }
        }
        copies
    }
}

/// The copies of a checkpoint as they are found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Copies {
    /// The newest intact one.
    pub(crate) newest: Option<Checkpoint>,
    /// Whether all are there and say the same.
    pub(crate) alike: bool,
    /// Whether one is not encrypted.
    pub(crate) plain: bool,
    /// Those that do not verify.
    pub(crate) damaged: Vec<PathBuf>,
}

impl StreamLog {
    /// Lays out what is not yet in segments and has the worker write it, force it to disk, and then the checkpoint.
    pub(super) fn start_checkpoint(&mut self, applied: LogIndex, owner: &Bytes) {
        if self.jobs.checkpoint.is_some() {
            return;
        }
        self.dirty_since_ns = None;
        let changed = std::mem::take(&mut self.bytes_since_checkpoint);
        if self.storage == Storage::Memory {
            return;
        }
        self.place_tail();
        let keep = self.keep_learnt(changed);
        self.jobs.garbage_at_checkpoint = self.jobs.garbage.len();
        self.jobs.erase_at_checkpoint = self.jobs.erase.len();
        self.jobs.scrub_at_checkpoint = self.jobs.scrub.len();
        let mut checkpoint = Checkpoint {
            applied,
            label: self.label.clone(),
            owner: owner.clone(),
            msgs: self.state.msgs,
            bytes: self.state.bytes,
            first_seq: self.state.first_seq,
            last_seq: self.state.last_seq,
            last_ts_ns: self.state.last_ts_ns,
            segments: self.segments.iter().filter(|s| s.slots > 0).map(entry).collect(),
            lost: self.lost.lock().keys().copied().collect(),
            erase: self.jobs.erase.clone(),
            scrub: self.jobs.to_scrub(),
            learnt: None,
        };
        let open: Vec<_> = self
            .segments
            .iter()
            .filter(|s| s.live_bytes > 0 && s.index.is_none())
            .map(|s| s.paths(&self.dir))
            .collect();
        let (disk, dir, group) = (Arc::clone(&self.context.disk), self.dir.clone(), self.group);
        let vault = self.context.pool.vault.clone();
        let journal = Arc::clone(&self.context.journal);
        let unwritten = Arc::clone(&self.jobs.unwritten);
        // The worker does this behind the appends that were given to it before.
        self.jobs.checkpoint = Some(self.context.worker.submit(move || -> io::Result<LogIndex> {
            if unwritten.load(std::sync::atomic::Ordering::Relaxed) > 0 {
                return Err(io::Error::other("not all messages are in segments yet"));
            }
            // What failed may have been a segment's: another sync of it would succeed without bringing anything back.
            if let Some(why) = journal.poison() {
                return Err(io::Error::other(why));
            }
            for [data, _] in &open {
                let file = disk.open_existing(data)?;
                force(&journal, file.sync_data())?;
            }
            if let Some((keep, mortal)) = keep {
                let kept = keep.finish(&|synced| force(&journal, synced))?;
                checkpoint.learnt = kept.map(|subjects| Learnt { subjects, mortal });
            }
            force(&journal, disk.sync_dir(&dir))?;
            checkpoint.write(disk.as_ref(), vault.as_deref(), &dir)?;
            journal.release(group, Some(applied));
            Ok(applied)
        }));
    }

    /// A checkpoint is durable, or failed.
    pub(super) fn finish_checkpoint(&mut self, outcome: io::Result<LogIndex>) {
        self.jobs.checkpoint = None;
        match outcome {
            Ok(applied) => {
                self.context.figures.checkpointed();
                for erase in self
                    .jobs
                    .erase
                    .drain(..self.jobs.erase_at_checkpoint)
                    .collect::<Vec<_>>()
                {
                    self.submit_erase(erase);
                }
                self.submit_scrub(applied);
                let gone: Vec<PathBuf> = self
                    .jobs
                    .garbage
                    .drain(..self.jobs.garbage_at_checkpoint)
                    .collect();
                if gone.is_empty() {
                    return;
                }
                let disk = Arc::clone(&self.context.disk);
                let _outcome = self.context.worker.submit(move || {
                    for path in gone {
                        // Left behind, it is removed when the stream is opened the next time.
                        let _left = disk.remove(&path);
                    }
                });
            }
            Err(error) => {
                self.context
                    .damage
                    .trouble(format!("group {}: a checkpoint failed: {error}", self.group));
                self.changed();
            }
        }
    }
}

/// After a failed sync of a segment nobody can tell what is on disk, and another sync would not bring it back: all writing
/// ends. The journal still holds everything.
pub(crate) fn force(journal: &Journal, synced: io::Result<()>) -> io::Result<()> {
    if let Err(error) = &synced {
        journal.set_poison(&error.to_string());
    }
    synced
}

fn entry(segment: &Segment) -> SegmentEntry {
    SegmentEntry {
        base: segment.base,
        generation: segment.generation,
        slots: segment.slots as u64,
        len: segment.len,
        live_bytes: segment.live_bytes,
        sealed: segment.sealed,
        deleted: segment.deleted.runs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_from_either_copy() {
        let folder = tempfile::tempdir().unwrap();
        let disk = crate::disk::OsDisk;
        let checkpoint = Checkpoint {
            applied: LogIndex(7),
            label: Bytes::from_static(b"label"),
            owner: Bytes::from_static(b"owner"),
            msgs: 3,
            segments: vec![SegmentEntry {
                base: Seq(5),
                generation: 1,
                slots: 9,
                len: 100,
                live_bytes: 50,
                sealed: true,
                deleted: vec![(0, 2), (5, 1)],
            }],
            lost: vec![Seq(6)],
            erase: vec![Erase {
                base: Seq(5),
                generation: 1,
                at: 40,
                len: 24,
            }],
            scrub: vec![Seq(7)],
            learnt: Some(Learnt {
                mortal: vec![1, 9],
                ..Learnt::default()
            }),
            ..Checkpoint::default()
        };
        checkpoint.write(&disk, None, folder.path()).unwrap();
        let both = Checkpoint::read(&disk, None, folder.path());
        assert_eq!((both.newest.as_ref(), both.alike), (Some(&checkpoint), true));
        let first = folder.path().join(NAMES[0]);
        let mut bytes = std::fs::read(&first).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&first, bytes).unwrap();
        let one = Checkpoint::read(&disk, None, folder.path());
        assert_eq!(
            (one.newest, one.alike, one.damaged),
            (Some(checkpoint), false, vec![first])
        );
    }
}
