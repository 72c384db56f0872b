//! The jobs that write segments: appending drained records, sealing, rewriting without what was deleted. Run on the
//! store's worker; each gives back what the stream's owner installs.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::index::{self, SegmentIndex, SubjectSlots};
use super::{HOLE, MAGIC, RECORDS_AT, data_name, index_name};
use crate::deleted::SlotSet;
use crate::disk::{Disk, DiskFile};
use crate::ids::Seq;
use crate::record::RecordView;

/// The smallest a segment file grows to, bytes.
const GROW_BYTES_MIN: u64 = 4 * 1024;

/// The header of a segment file.
fn header(base: Seq, generation: u32) -> [u8; 32] {
    let mut out = [0; 32];
    out[0..8].copy_from_slice(&MAGIC);
    out[8..16].copy_from_slice(&base.0.to_le_bytes());
    out[16..20].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32fast::hash(&out[0..20]);
    out[20..24].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Whether `data` begins with the header of this segment.
pub(crate) fn header_is_intact(data: &[u8], base: Seq, generation: u32) -> bool {
    data.starts_with(&header(base, generation))
}

/// Which file a job is about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) base: Seq,
    pub(crate) generation: u32,
}

impl Target {
    fn data_path(&self) -> PathBuf {
        self.dir.join(data_name(self.base, self.generation))
    }

    fn index_path(&self) -> PathBuf {
        self.dir.join(index_name(self.base, self.generation))
    }
}

/// What appending gives back.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) data: Bytes,
}

/// Writes `records` at `at`, growing the file as needed.
pub(crate) fn append(
    target: &Target,
    file: Option<Arc<dyn DiskFile>>,
    at: u64,
    records: &[Bytes],
    cap: u64,
) -> io::Result<Appended> {
    let total: u64 = records.iter().map(|r| r.len() as u64).sum();
    let file = match file {
        Some(file) => file,
        None => {
            let file = target.disk.open(&target.data_path())?;
            file.write_at(&mut [IoSlice::new(&header(target.base, target.generation))], 0)?;
            file
        }
    };
    let end = at + total;
    if file.len()? < end {
        // Doubling keeps the number of mappings small; the cap keeps a full segment from being mostly air.
        let doubled = end.next_power_of_two().max(GROW_BYTES_MIN);
        file.reserve(doubled.min(cap.max(end)).max(end))?;
    }
    let mut slices: Vec<IoSlice<'_>> = records.iter().map(|r| IoSlice::new(r)).collect();
    if !slices.is_empty() {
        file.write_at(&mut slices, at)?;
    }
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let data = file.map(len)?;
    Ok(Appended { file, data })
}

/// What sealing or rewriting gives back.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) data: Bytes,
    pub(crate) index: Arc<SegmentIndex>,
    pub(crate) len: u64,
}

/// Subjects of the records at `offsets`, in order.
pub(crate) fn subject_table<'a>(data: &'a [u8], offsets: &[u32]) -> Vec<(&'a [u8], SubjectSlots)> {
    let mut table: BTreeMap<&[u8], SubjectSlots> = BTreeMap::new();
    for (slot, offset) in offsets.iter().enumerate().filter(|(_, o)| **o != HOLE) {
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        let at = usize::try_from(*offset).unwrap_or(usize::MAX);
        let Some(view) = data.get(at..).and_then(RecordView::check) else {
            continue;
        };
        let entry = table.entry(view.subject()).or_insert(SubjectSlots {
            count: 0,
            first: slot,
            last: slot,
        });
        entry.count += 1;
        entry.last = slot;
    }
    table.into_iter().collect()
}

fn write_index(target: &Target, data: &Bytes, len: u64, offsets: &[u32]) -> io::Result<Arc<SegmentIndex>> {
    let table = subject_table(data, offsets);
    let content = index::encode(target.base, len, offsets, &table);
    crate::disk::replace_file(target.disk.as_ref(), &target.index_path(), &content)?;
    let file = target.disk.open_existing(&target.index_path())?;
    let len = content.len();
    drop(content);
    let open = SegmentIndex::open(&file.map(len)?, target.base);
    let anew = file.map(len)?;
    open.map(|index| Arc::new(index.mapped_anew(&anew, target.base)))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "index does not read back"))
}

/// Writes the index of a full segment, which has to be on disk.
pub(crate) fn seal(
    target: &Target,
    file: &Arc<dyn DiskFile>,
    len: u64,
    offsets: &[u32],
) -> io::Result<Sealed> {
    let mapped = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let data = file.map(mapped)?;
    let index = write_index(target, &data, len, offsets)?;
    // Reading it made all of it resident; of another mapping nothing is.
    let data = file.map(mapped)?;
    Ok(Sealed { data, index, len })
}

/// Writes the live records of `data` to the file of `target`, with its index.
pub(crate) fn rewrite(
    target: &Target,
    data: &Bytes,
    offsets: &[u32],
    deleted: &SlotSet,
) -> io::Result<Sealed> {
    let (packed, new_offsets) = pack(data, offsets, deleted);
    let file = target.disk.open(&target.data_path())?;
    let head = header(target.base, target.generation);
    file.write_at(&mut [IoSlice::new(&head), IoSlice::new(&packed)], 0)?;
    file.sync_data()?;
    target.disk.sync_dir(&target.dir)?;
    seal(target, &file, RECORDS_AT + packed.len() as u64, &new_offsets)
}

/// The live records one behind the other, and where each will lie behind the header. Damaged ones are taken along as far
/// as their length can be told, so that nothing disappears.
pub(crate) fn pack(data: &Bytes, offsets: &[u32], deleted: &SlotSet) -> (Vec<u8>, Vec<u32>) {
    let mut packed = Vec::new();
    let mut new_offsets = vec![HOLE; offsets.len()];
    let mut bounds: Vec<usize> = offsets
        .iter()
        .filter(|o| **o != HOLE)
        .map(|o| *o as usize)
        .collect();
    bounds.sort_unstable();
    for (slot, offset) in offsets.iter().enumerate() {
        if *offset == HOLE || deleted.contains(slot) {
            continue;
        }
        let at = *offset as usize;
        let record = data.get(at..).unwrap_or_default();
        let len = RecordView::check(record).map(RecordView::stride).or_else(|| {
            let next = bounds.partition_point(|b| *b <= at);
            Some(bounds.get(next).copied().unwrap_or(data.len()).saturating_sub(at))
        });
        let Some(bytes) = len.and_then(|len| record.get(..len.min(record.len()))) else {
            continue;
        };
        new_offsets[slot] = u32::try_from(RECORDS_AT + packed.len() as u64).unwrap_or(HOLE);
        packed.extend_from_slice(bytes);
    }
    (packed, new_offsets)
}

/// Overwrites `len` bytes at `at`, as far as the file has them.
pub(crate) fn erase(target: &Target, at: u64, len: u64) -> io::Result<()> {
    let file = target.disk.open_existing(&target.data_path())?;
    let len = usize::try_from(file.len()?.saturating_sub(at).min(len)).unwrap_or(0);
    file.write_at(&mut [IoSlice::new(&vec![0xa5; len])], at)?;
    file.sync_data()
}

/// Offsets of the records found by reading `data` up to `len` from the start: for segments without a usable index. Gives
/// one entry per sequence from `base`, and whether anything between the records did not verify.
pub(crate) fn scan(data: &[u8], base: Seq, len: u64) -> (Vec<u32>, bool) {
    let end = usize::try_from(len).unwrap_or(usize::MAX).min(data.len());
    let mut at = usize::try_from(RECORDS_AT).unwrap_or(0);
    let (mut offsets, mut damaged) = (Vec::new(), false);
    while at < end {
        let Some(view) = data.get(at..end).and_then(RecordView::check) else {
            damaged = true;
            at += crate::record::ALIGN;
            continue;
        };
        let slot = view
            .seq()
            .0
            .checked_sub(base.0)
            .and_then(|s| usize::try_from(s).ok());
        if let Some(slot) = slot.filter(|s| *s >= offsets.len() && *s < offsets.len() + (1 << 24)) {
            offsets.resize(slot, HOLE);
            offsets.push(u32::try_from(at).unwrap_or(HOLE));
        }
        at += view.stride();
    }
    (offsets, damaged)
}
