//! The jobs that write segments: appending drained records, sealing, rewriting without what was deleted. Run on the
//! store's worker; each gives back what the stream's owner installs.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::blocks::{Blocks, ERASED};
use super::data::Data;
use super::gathered::{Gathered, SubjectTable, Subjects, are_large};
use super::index::{self, SegmentIndex};
use super::pool::Pool;
use super::{HOLE, MAGIC, RECORDS_AT, SEALED_MAGIC, data_name, index_name};
use crate::deleted::SlotSet;
use crate::disk::{Disk, DiskFile};
use crate::ids::Seq;
use crate::record::{Message, RecordView};

/// The smallest a segment file grows to, bytes.
const GROW_BYTES_MIN: u64 = 4 * 1024;

/// The header of a segment file.
pub(super) fn header(magic: [u8; 8], base: Seq, generation: u32) -> [u8; 32] {
    let mut out = [0; 32];
    out[0..8].copy_from_slice(&magic);
    out[8..16].copy_from_slice(&base.0.to_le_bytes());
    out[16..20].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32fast::hash(&out[0..20]);
    out[20..24].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Whether `data` begins with the header of this segment.
pub(crate) fn header_is_intact(data: &[u8], base: Seq, generation: u32) -> bool {
    [MAGIC, SEALED_MAGIC]
        .into_iter()
        .any(|magic| data.starts_with(&header(magic, base, generation)))
}

/// Which file a job is about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) base: Seq,
    pub(crate) generation: u32,
    pub(crate) pool: Arc<Pool>,
    /// Whether what is written is compressed.
    pub(crate) compress: bool,
}

impl Target {
    /// Where the records of a new file go: to blocks if they are compressed or encrypted.
    pub(crate) fn new_data(&self) -> Data {
        if !self.compress && self.pool.vault.is_none() {
            return Data::default();
        }
        let id = (self.base, self.generation);
        Data::Blocks(Arc::new(Blocks::create(
            &self.pool,
            self.data_path(),
            id,
            self.compress,
        )))
    }

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
    /// Of a file without blocks, to go on with.
    pub(crate) file: Option<Arc<dyn DiskFile>>,
    pub(crate) data: Data,
}

/// Writes `parts`, which hold `count` records, at `at`, growing the file as needed.
pub(crate) fn append(
    target: &Target,
    (file, blocks): (Option<Arc<dyn DiskFile>>, Option<Arc<Blocks>>),
    (at, gathered): (u64, &Gathered),
    (parts, count): (&[Bytes], usize),
    cap: u64,
) -> io::Result<Appended> {
    if let Some(blocks) = blocks {
        blocks.append(target.disk.as_ref(), at, parts)?;
        return Ok(Appended {
            file: None,
            data: Data::Blocks(blocks),
        });
    }
    let total: u64 = parts.iter().map(|r| r.len() as u64).sum();
    let large = are_large(count, total);
    let file = match file {
        Some(file) => file,
        None => {
            let file = target.disk.open(&target.data_path())?;
            file.write_at(
                &mut [IoSlice::new(&header(MAGIC, target.base, target.generation))],
                0,
            )?;
            file
        }
    };
    let end = at + total;
    if file.len()? < end {
        // Doubling keeps the number of mappings small; the cap keeps a full segment from being mostly air.
        let doubled = end.next_power_of_two().max(GROW_BYTES_MIN);
        file.reserve(doubled.min(cap.max(end)).max(end))?;
    }
    let bulk = &target.pool.bulk;
    bulk.write(file.as_ref(), (parts, total), large, at)?;
    if large {
        gathered.note(target.base, at, parts);
    }
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let data = Data::Plain(file.map(len)?);
    Ok(Appended {
        file: Some(file),
        data,
    })
}

/// What sealing or rewriting gives back.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) data: Data,
    pub(crate) index: Arc<SegmentIndex>,
    pub(crate) len: u64,
}

/// Subjects of the records at `offsets`, in order.
pub(crate) fn subject_table(data: &Data, offsets: &[u32]) -> SubjectTable {
    let mut subjects = Subjects::default();
    for (slot, offset) in offsets.iter().enumerate().filter(|(_, o)| **o != HOLE) {
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        let at = usize::try_from(*offset).unwrap_or(usize::MAX);
        if let Some(message) = data.from(at).and_then(Message::check) {
            subjects.note(message.subject(), slot);
        }
    }
    subjects.into_table()
}

fn write_index(
    target: &Target,
    table: &SubjectTable,
    len: u64,
    offsets: &[u32],
) -> io::Result<Arc<SegmentIndex>> {
    let path = target.index_path();
    let place = (target.pool.vault.as_deref(), path.as_path());
    let content = index::encode(place, (target.base, len), offsets, table)?;
    crate::disk::replace_file(target.disk.as_ref(), &path, &content)?;
    let file = target.disk.open_existing(&path)?;
    let len = content.len();
    drop(content);
    let open = SegmentIndex::open((Some(&target.pool), &path), &file.map(len)?, target.base);
    let anew = file.map(len)?;
    open.map(|index| Arc::new(index.mapped_anew(&anew)))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "index does not read back"))
}

/// Writes the index of a full segment, which has to be on disk.
pub(crate) fn seal(
    target: &Target,
    (file, blocks): (&Arc<dyn DiskFile>, Option<Arc<Blocks>>),
    len: u64,
    offsets: &[u32],
    gathered: &Gathered,
) -> io::Result<Sealed> {
    if let Some(blocks) = blocks {
        blocks.close();
        let data = Data::Blocks(Arc::clone(&blocks));
        let index = write_index(target, &subject_table(&data, offsets), len, offsets)?;
        blocks.map_anew(file.as_ref());
        return Ok(Sealed { data, index, len });
    }
    let mapped = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let table = match gathered.take(len) {
        Some(table) => table,
        None => subject_table(&Data::Plain(file.map(mapped)?), offsets),
    };
    let index = write_index(target, &table, len, offsets)?;
    // Reading it made all of it resident; of another mapping nothing is.
    let data = Data::Plain(file.map(mapped)?);
    Ok(Sealed { data, index, len })
}

/// Writes the live records of `data` to the file of `target`, with its index.
pub(crate) fn rewrite(
    target: &Target,
    data: &Data,
    offsets: &[u32],
    deleted: &SlotSet,
) -> io::Result<Sealed> {
    let (packed, new_offsets) = pack(data, offsets, deleted);
    let len = RECORDS_AT + packed.len() as u64;
    let blocks = target.new_data().blocks();
    if let Some(blocks) = &blocks {
        blocks.append(
            target.disk.as_ref(),
            RECORDS_AT,
            &split(packed.into(), &new_offsets),
        )?;
    } else {
        let head = header(MAGIC, target.base, target.generation);
        let file = target.disk.open(&target.data_path())?;
        file.write_at(&mut [IoSlice::new(&head), IoSlice::new(&packed)], 0)?;
    }
    let file = target.disk.open_existing(&target.data_path())?;
    file.sync_data()?;
    target.disk.sync_dir(&target.dir)?;
    seal(target, (&file, blocks), len, &new_offsets, &Gathered::default())
}

/// `packed` cut at the places in `offsets`, which ascend.
fn split(packed: Bytes, offsets: &[u32]) -> Vec<Bytes> {
    let start = usize::try_from(RECORDS_AT).unwrap_or(0);
    let mut cuts: Vec<usize> = offsets
        .iter()
        .filter(|o| **o != HOLE)
        .map(|o| *o as usize - start)
        .collect();
    cuts.push(packed.len());
    cuts.windows(2).map(|w| packed.slice(w[0]..w[1])).collect()
}

/// The live records one behind the other, and where each will lie behind the header. Damaged ones are taken along as far
/// as their length can be told, so that nothing disappears.
pub(crate) fn pack(data: &Data, offsets: &[u32], deleted: &SlotSet) -> (Vec<u8>, Vec<u32>) {
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
        // What cannot be read at all has no bytes to be taken along: it stays lost, not deleted.
        let Some(record) = data.from(at) else {
            continue;
        };
        let len = RecordView::check(&record)
            .map(RecordView::stride)
            .unwrap_or_else(|| {
                let next = bounds.partition_point(|b| *b <= at);
                bounds.get(next).map_or(record.len(), |next| next - at)
            });
        new_offsets[slot] = u32::try_from(RECORDS_AT + packed.len() as u64).unwrap_or(HOLE);
        packed.extend_from_slice(&record[..len.min(record.len())]);
    }
    (packed, new_offsets)
}

/// Overwrites `len` bytes at `at`, as far as the file has them.
pub(crate) fn erase(target: &Target, blocks: Option<&Blocks>, at: u64, len: u64) -> io::Result<()> {
    if let Some(blocks) = blocks {
        return blocks.erase(target.disk.as_ref(), at, len);
    }
    let path = target.data_path();
    let file = target.disk.open_existing(&path)?;
    let content = file.map(usize::try_from(file.len()?).unwrap_or(0))?;
    if let Data::Blocks(blocks) = Data::open(&target.pool, &path, (target.base, target.generation), content)?
    {
        // One that is rewritten already, and that the last checkpoint still names.
        return blocks.erase(target.disk.as_ref(), at, len);
    }
    let len = usize::try_from(file.len()?.saturating_sub(at).min(len)).unwrap_or(0);
    file.write_at(&mut [IoSlice::new(&vec![ERASED; len])], at)?;
    file.sync_data()
}

/// Offsets of the records found by reading `data` up to `len` from the start: for segments without a usable index. Gives
/// one entry per sequence from `base`.
pub(crate) fn scan(data: &Data, base: Seq, len: u64) -> Vec<u32> {
    let mut offsets = Vec::new();
    for (start, run) in data.runs() {
        let until = usize::try_from(len.saturating_sub(start)).unwrap_or(usize::MAX);
        scan_run(&run[..until.min(run.len())], start, base, &mut offsets);
    }
    offsets
}

/// The same for records that lie one behind the other, from `start` on.
fn scan_run(run: &[u8], start: u64, base: Seq, offsets: &mut Vec<u32>) {
    let mut at = 0;
    while at < run.len() {
        let Some(view) = RecordView::check(&run[at..]) else {
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
            offsets.push(u32::try_from(start + at as u64).unwrap_or(HOLE));
        }
        at += view.stride();
    }
}
