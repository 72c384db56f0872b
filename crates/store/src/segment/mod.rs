//! A run of a stream's messages in one file (or one piece of memory): where each record lies and which are gone.

mod block;
pub(crate) mod blocks;
mod bulk;
mod cache;
pub(crate) mod cursor;
pub(crate) mod data;
pub(crate) mod gathered;
mod heads;
pub(crate) mod index;
pub(crate) mod map;
pub(crate) mod pool;
pub(crate) mod postings;
mod ranks;
mod table;
pub(crate) mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::deleted::SlotSet;
use crate::disk::DiskFile;
use crate::ids::Seq;
use crate::record::Message;
use data::Data;
use gathered::Gathered;
use heads::Head;
use index::SegmentIndex;
use postings::Postings;

/// First bytes of a segment file.
pub(crate) const MAGIC: [u8; 8] = *b"NJSEGM01";
/// First bytes of a segment file whose records are in blocks, compressed or encrypted.
pub(crate) const SEALED_MAGIC: [u8; 8] = *b"NJSEGM02";
/// Where records begin.
pub(crate) const RECORDS_AT: u64 = 32;
/// Offset of a slot without record.
pub(crate) const HOLE: u32 = u32::MAX;

/// Where records lie: in memory while the segment grows, in its index file once it is sealed. Clones share it until one
/// of both changes.
#[derive(Debug, Clone)]
pub(crate) enum Offsets {
    Ram(Arc<Vec<u32>>),
    Index,
}

#[derive(Debug)]
pub(crate) struct Segment {
    /// First sequence it covers.
    pub(crate) base: Seq,
    /// Tells rewritten files of one base apart.
    pub(crate) generation: u32,
    /// Sequences it covers.
    pub(crate) slots: usize,
    pub(crate) offsets: Offsets,
    pub(crate) index: Option<Arc<SegmentIndex>>,
    /// Where records are read from.
    pub(crate) data: Data,
    /// Bytes in use, without compression and encryption.
    pub(crate) len: u64,
    pub(crate) deleted: SlotSet,
    /// Bytes of live records.
    pub(crate) live_bytes: u64,
    pub(crate) sealed: bool,
    /// Open while it grows.
    pub(crate) file: Option<Arc<dyn DiskFile>>,
    /// Its subjects, while it grows.
    pub(crate) gathered: Arc<Gathered>,
}

/// Name of a segment's data file.
pub(crate) fn data_name(base: Seq, generation: u32) -> String {
    format!("seg-{:016x}-{generation:04x}.dat", base.0)
}

/// Name of a segment's index file.
pub(crate) fn index_name(base: Seq, generation: u32) -> String {
    format!("seg-{:016x}-{generation:04x}.idx", base.0)
}

/// Base and generation in a data file's name.
pub(crate) fn parse_name(name: &str) -> Option<(Seq, u32)> {
    let (base, generation) = name.strip_prefix("seg-")?.strip_suffix(".dat")?.split_once('-')?;
    Some((
        Seq(u64::from_str_radix(base, 16).ok()?),
        u32::from_str_radix(generation, 16).ok()?,
    ))
}

impl Segment {
    pub(crate) fn new(base: Seq, generation: u32) -> Self {
        Self {
            base,
            generation,
            slots: 0,
            offsets: Offsets::Ram(Arc::default()),
            index: None,
            data: Data::default(),
            len: RECORDS_AT,
            deleted: SlotSet::default(),
            live_bytes: 0,
            sealed: false,
            file: None,
            gathered: Arc::default(),
        }
    }

    /// The same segment for reading only, as it is: the two share what they hold.
    pub(crate) fn pinned(&self) -> Self {
        Self {
            base: self.base,
            generation: self.generation,
            slots: self.slots,
            offsets: self.offsets.clone(),
            index: self.index.clone(),
            data: self.data.clone(),
            len: self.len,
            deleted: self.deleted.clone(),
            live_bytes: self.live_bytes,
            sealed: true,
            file: None,
            gathered: Arc::default(),
        }
    }

    pub(crate) fn paths(&self, dir: &Path) -> [PathBuf; 2] {
        [
            dir.join(data_name(self.base, self.generation)),
            dir.join(index_name(self.base, self.generation)),
        ]
    }

    /// The sequence behind the last it covers.
    pub(crate) fn end(&self) -> Seq {
        Seq(self.base.0 + self.slots as u64)
    }

    pub(crate) fn slot(&self, seq: Seq) -> Option<usize> {
        let slot = usize::try_from(seq.0.checked_sub(self.base.0)?).ok()?;
        (slot < self.slots).then_some(slot)
    }

    pub(crate) fn live(&self) -> usize {
        self.slots - self.deleted.len()
    }

    pub(crate) fn offset(&self, slot: usize) -> Option<usize> {
        let offset = match (&self.offsets, &self.index) {
            (Offsets::Ram(offsets), _) => *offsets.get(slot)?,
            (Offsets::Index, Some(index)) => index.offset(slot)?,
            (Offsets::Index, None) => return None,
        };
        (offset != HOLE).then_some(usize::try_from(offset).ok()?)
    }

    /// Bytes of memory that what is known of it takes; its messages are not among it.
    pub(crate) fn memory_bytes(&self) -> usize {
        let offsets = match &self.offsets {
            Offsets::Ram(offsets) => offsets.capacity() * size_of::<u32>(),
            Offsets::Index => 0,
        };
        let index = self.index.as_ref().map_or(0, |index| index.memory_bytes());
        size_of::<Self>() + offsets + index + self.deleted.memory_bytes() + self.data.memory_bytes()
    }

    /// The record in `slot`, checked, if it is live. `Err` when it is damaged.
    pub(crate) fn read(&self, slot: usize) -> Result<Option<Message>, ()> {
        if self.deleted.contains(slot) {
            return Ok(None);
        }
        let Some(at) = self.offset(slot) else {
            return Err(());
        };
        let expected = Seq(self.base.0 + slot as u64);
        match self.data.from(at).and_then(Message::check) {
            Some(message) if message.seq() == expected => Ok(Some(message)),
            _ => Err(()),
        }
    }

    /// Bytes between the record in `slot` and the next one: what is known of a damaged one. 0 if nothing is.
    pub(crate) fn space(&self, slot: usize) -> u64 {
        let Some(at) = self.offset(slot) else { return 0 };
        let next = (slot + 1..self.slots).find_map(|n| self.offset(n));
        let end = next.or_else(|| usize::try_from(self.len).ok()).unwrap_or(at);
        end.saturating_sub(at) as u64
    }

    /// What its index knows of the record in `slot`, with its subject.
    pub(crate) fn head(&self, slot: usize) -> Option<(Head, Arc<Postings>)> {
        self.index.as_ref()?.head(slot)
    }

    /// The record in `slot` for the store's own use, live or not.
    pub(crate) fn view(&self, slot: usize) -> Option<Message> {
        Message::check(self.data.from(self.offset(slot)?)?).filter(|m| m.seq().0 == self.base.0 + slot as u64)
    }
}
