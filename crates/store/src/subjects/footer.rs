//! The end of a run's file: what it takes to find a block, and a filter of the subjects. With it a run is there again without
//! any of its blocks being read. The last bytes say where it begins, and by their checksum tell the run from any other.

use std::sync::Arc;

use super::bloom::Bloom;
use super::run::{Fence, Made, Place, Run};
use crate::codec::{In, Out};
use crate::disk::read_exact;
use crate::seal::{self, FILE_KEY_BYTES, FileKey, Sealer};

/// First bytes of the last ones.
pub(super) const MAGIC: [u8; 8] = *b"NJSUBJ03";
/// Bytes of what is behind the footer.
const END_BYTES: usize = 64;
/// The place the footer is encrypted for: no block has it.
pub(super) const SEALED_FOR: &[u8] = b"footer";

/// What of a run is in memory.
#[derive(Debug)]
pub(super) struct Footer {
    /// First texts of all blocks, one behind the other.
    pub(super) texts: Vec<u8>,
    pub(super) fences: Vec<Fence>,
    pub(super) bloom: Bloom,
    pub(super) entries: usize,
    /// Sum of [`super::block::Known::gain`] over all of it.
    pub(super) gain: i64,
    /// Where blocks end.
    pub(super) blocks_end: u64,
}

impl Footer {
    pub(super) fn memory_bytes(&self) -> usize {
        self.bloom.memory_bytes() + self.texts.capacity() + self.fences.capacity() * size_of::<Fence>()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let words = self.bloom.words();
        let len = 28 + self.texts.len() + self.fences.len() * 20 + words.len() * 8;
        let mut out = Out(Vec::with_capacity(len));
        out.u64(self.entries as u64);
        out.i64(self.gain);
        out.len(self.fences.len());
        for (n, fence) in self.fences.iter().enumerate() {
            out.u64(fence.at);
            out.i64(fence.gain_before);
            let end = self.fences.get(n + 1).map_or(self.texts.len(), |f| f.text_at);
            out.len(end - fence.text_at);
        }
        out.bytes(&self.texts);
        out.len(words.len());
        words.iter().for_each(|word| out.u64(*word));
        out.0
    }

    fn decode(content: &[u8], blocks_end: u64) -> Option<Self> {
        let mut fields = In(content);
        let entries = usize::try_from(fields.u64()?).ok()?;
        let gain = fields.i64()?;
        let count = fields.count()?;
        let mut fences = Vec::with_capacity(count.min(content.len() / 20));
        let (mut text_at, mut before) = (0usize, 0);
        for n in 0..count {
            let (at, gain_before) = (fields.u64()?, fields.i64()?);
            let in_order = (n == 0) == (at == 0) && at >= before && at < blocks_end;
            before = in_order.then_some(at)?;
            fences.push(Fence {
                text_at,
                at,
                gain_before,
            });
            text_at = text_at.checked_add(fields.count()?)?;
        }
        let texts = fields.bytes()?.to_vec();
        let words = fields.count()?;
        let words: Box<[u64]> = (fields.0.len() == words.checked_mul(8)?).then(|| {
            fields
                .0
                .as_chunks()
                .0
                .iter()
                .map(|w| u64::from_le_bytes(*w))
                .collect()
        })?;
        let whole = text_at == texts.len() && fences.is_empty() == (blocks_end == 0);
        Some(Self {
            texts,
            fences,
            bloom: Bloom::of_words(words).filter(|_| whole)?,
            entries,
            gain,
            blocks_end,
        })
    }
}

/// The last bytes of a run's file.
pub(super) fn end(number: u64, at: u64, stored: &[u8], key: [u8; FILE_KEY_BYTES]) -> ([u8; END_BYTES], u32) {
    let mut out = Out(Vec::with_capacity(END_BYTES));
    out.0.extend_from_slice(&MAGIC);
    out.u64(number);
    out.u64(at);
    out.u64(stored.len() as u64);
    out.0.extend_from_slice(&key);
    out.u32(crc32fast::hash(stored));
    let mark = crc32fast::hash(&out.0);
    out.u32(mark);
    let mut end = [0; END_BYTES];
    end.copy_from_slice(&out.0);
    (end, mark)
}

/// Opens the run with this number, length and mark; `None` when that is not what is there.
pub(super) fn open(place: &Place, number: u64, len: u64, mark: u32) -> Option<Run> {
    let path = place.path(number);
    let file = place.disk.open_existing(&path).ok()?;
    let end_at = len.checked_sub(END_BYTES as u64)?;
    if file.len().ok()? < len {
        return None;
    }
    let last = read_exact(file.as_ref(), end_at, END_BYTES as u64)?;
    let (body, crc) = last.split_last_chunk::<4>()?;
    let found = u32::from_le_bytes(*crc);
    if found != mark || crc32fast::hash(body) != mark || !body.starts_with(&MAGIC) {
        return None;
    }
    let mut fields = In(&body[MAGIC.len()..]);
    let (its_number, at, stored) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let (key, rest) = fields.0.split_first_chunk::<FILE_KEY_BYTES>()?;
    if its_number != number || at.checked_add(stored)? != end_at {
        return None;
    }
    let content = read_exact(file.as_ref(), at, stored)?;
    if rest != crc32fast::hash(&content).to_le_bytes() {
        return None;
    }
    let sealer = match FileKey::from_bytes(key) {
        Some(key) => Some(place.vault.as_ref()?.open(&key, &seal::purpose(MAGIC, &path))?),
        None => None,
    };
    let content = match &sealer {
        Some(sealer) => sealer.open(SEALED_FOR, &content)?,
        None => content,
    };
    let made = Made {
        number,
        file: Arc::clone(&file),
        sealer,
        len,
        mark,
        durable: true,
    };
    Some(Run::new(place, made, Footer::decode(&content, at)?))
}

/// Key of a new run, if the store is encrypted: as bytes, and what encrypts with it.
pub(super) fn begin_key(
    place: &Place,
    number: u64,
) -> std::io::Result<([u8; FILE_KEY_BYTES], Option<Sealer>)> {
    let Some(vault) = &place.vault else {
        return Ok(([0; FILE_KEY_BYTES], None));
    };
    let (key, sealer) = vault.begin(&seal::purpose(MAGIC, &place.path(number)))?;
    Ok((key.to_bytes(), Some(sealer)))
}
