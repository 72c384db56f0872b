//! One block of a compressed or encrypted segment as bytes. Layout in `FORMAT.md`.
//!
//! ```text
//! magic | u64 start | u32 raw | u32 stored | u8 codec | 3 zeros | u32 stored crc | 24 key of the file | 4 zeros | u32 head crc | stored | pad to 8
//! ```
//! A block is read by itself: every one says how it is compressed and carries the key of its file.

use bytes::Bytes;

use crate::journal::correct;
use crate::record::{ALIGN, RecordView};
use crate::seal::{FILE_KEY_BYTES, Sealer};

const MAGIC: [u8; 8] = *b"NJBLOCK1";
/// Bytes before what is stored.
pub(super) const HEAD_BYTES: usize = 64;
const CRC_AT: usize = HEAD_BYTES - 4;
const KEY_AT: usize = 32;
/// The longest block, bytes: one record of the longest kind.
const RAW_BYTES_MAX: usize = crate::record::RECORD_BYTES_MAX + ALIGN;

/// How the records of a block are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    S2,
}

/// What a block says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Where its records lie in the segment, uncompressed.
    pub(super) start: u64,
    pub(super) raw: usize,
    pub(super) stored: usize,
    pub(super) codec: Codec,
    crc: u32,
    /// As in the file's other blocks: salt, and how it is encrypted, if it is.
    pub(super) key: [u8; FILE_KEY_BYTES],
}

fn word(bytes: &[u8; HEAD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Head {
    /// The head at the start of `bytes`, if an intact one is there.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
        if !head.starts_with(&MAGIC) || crc32fast::hash(&head[..CRC_AT]) != word(head, CRC_AT) {
            return None;
        }
        let codec = match head[24] {
            0 => Codec::None,
            1 => Codec::S2,
            _ => return None,
        };
        let raw = usize::try_from(word(head, 16))
            .ok()
            .filter(|n| *n <= RAW_BYTES_MAX)?;
        Some(Self {
            start: u64::from_le_bytes(*head[8..].first_chunk()?),
            raw,
            stored: usize::try_from(word(head, 20)).ok()?,
            codec,
            crc: word(head, 28),
            key: *head[KEY_AT..].first_chunk()?,
        })
    }

    /// The same with one bit turned back.
    pub(super) fn mend(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
        (0..HEAD_BYTES * 8).find_map(|bit| {
            let mut tried = *head;
            tried[bit / 8] ^= 1 << (bit % 8);
            Self::read(&tried)
        })
    }

    /// Whether this is what was stored.
    pub(super) fn fits(&self, stored: &[u8]) -> bool {
        crc32fast::hash(stored) == self.crc
    }

    /// Bytes of the block with its padding.
    pub(super) const fn stride(&self) -> usize {
        (HEAD_BYTES + self.stored).next_multiple_of(ALIGN)
    }

    /// What of the head an encrypted block opens under.
    fn place(&self) -> [u8; 13] {
        let mut out = [0; 13];
        out[0..8].copy_from_slice(&self.start.to_le_bytes());
        out[8..12].copy_from_slice(&u32::try_from(self.raw).unwrap_or(u32::MAX).to_le_bytes());
        out[12] = self.codec as u8;
        out
    }

    fn write(&self, out: &mut [u8]) {
        out[0..8].copy_from_slice(&MAGIC);
        out[8..16].copy_from_slice(&self.start.to_le_bytes());
        out[16..20].copy_from_slice(&u32::try_from(self.raw).unwrap_or(u32::MAX).to_le_bytes());
        out[20..24].copy_from_slice(&u32::try_from(self.stored).unwrap_or(u32::MAX).to_le_bytes());
        out[24] = self.codec as u8;
        out[28..32].copy_from_slice(&self.crc.to_le_bytes());
        out[KEY_AT..KEY_AT + FILE_KEY_BYTES].copy_from_slice(&self.key);
        let crc = crc32fast::hash(&out[..CRC_AT]);
        out[CRC_AT..HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Appends the block of the records `raw`, which lie at `start`, to `out`.
pub(super) fn encode(
    (start, raw): (u64, &[u8]),
    compress: bool,
    (key, sealer): (&[u8; FILE_KEY_BYTES], Option<&Sealer>),
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let packed = compress.then(|| minlz::s2::encode(raw));
    // What hardly gets smaller is read faster as it is.
    let packed = packed.filter(|p| p.len() < raw.len() - raw.len() / 8);
    let codec = if packed.is_some() { Codec::S2 } else { Codec::None };
    let text = packed.as_deref().unwrap_or(raw);
    let at = out.len();
    out.resize(at + HEAD_BYTES, 0);
    let mut head = Head {
        start,
        raw: raw.len(),
        stored: 0,
        codec,
        crc: 0,
        key: *key,
    };
    match sealer {
        Some(sealer) => sealer.seal(&head.place(), text, out)?,
        None => out.extend_from_slice(text),
    }
    let stored = &out[at + HEAD_BYTES..];
    (head.stored, head.crc) = (stored.len(), crc32fast::hash(stored));
    head.write(&mut out[at..at + HEAD_BYTES]);
    out.resize(at + head.stride(), 0);
    Ok(())
}

/// The records of the block with `head`, and whether a bit had to be turned back. Without encryption, records that verify are
/// had from a damaged block as well.
pub(super) fn decode(head: &Head, stored: &[u8], sealer: Option<&Sealer>) -> Option<(Bytes, bool)> {
    let crc = crc32fast::hash(stored);
    if crc == head.crc {
        return unpack(head, stored, sealer).map(|raw| (raw, false));
    }
    let mut mended = stored.to_vec();
    if let Some((at, bit)) = correct::flipped(stored.len(), crc ^ head.crc) {
        mended[at] ^= 1 << bit;
        let raw = unpack(head, &mended, sealer);
        if let Some(raw) = raw.filter(|raw| sealer.is_some() || is_whole(raw)) {
            return Some((raw, true));
        }
    }
    if sealer.is_some() {
        return None;
    }
    unpack(head, stored, None).map(|raw| (raw, false))
}

fn unpack(head: &Head, stored: &[u8], sealer: Option<&Sealer>) -> Option<Bytes> {
    let text = match sealer {
        Some(sealer) => sealer.open(&head.place(), stored)?,
        None => stored.to_vec(),
    };
    let raw = match head.codec {
        Codec::None => text,
        Codec::S2 => {
            let said = minlz::s2::decode_len(&text).ok()?.0;
            if said != head.raw {
                return None;
            }
            minlz::s2::decode(&text).ok()?
        }
    };
    (raw.len() == head.raw).then(|| raw.into())
}

/// Whether `raw` is records that verify, to the end.
fn is_whole(raw: &[u8]) -> bool {
    let mut at = 0;
    while at < raw.len() {
        let Some(view) = RecordView::check(&raw[at..]) else {
            return false;
        };
        at += view.stride();
    }
    at == raw.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;
    use crate::ids::Seq;
    use crate::record::{self, NewRecord};
    use crate::seal::{Cipher, Vault};

    fn records(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut raw = Vec::new();
        for (n, payload) in (1..).zip(payloads) {
            let new = NewRecord {
                seq: Seq(n),
                subject: b"orders.new",
                payload,
                ..NewRecord::default()
            };
            record::encode(&new, &mut raw).unwrap();
        }
        raw
    }

    fn sealers() -> impl Strategy<Value = Option<Cipher>> {
        prop_oneof![
            Just(None),
            Just(Some(Cipher::ChaCha20Poly1305)),
            Just(Some(Cipher::Aes256Gcm))
        ]
    }

    proptest! {
        #[test]
        fn a_block_reads_back_with_any_bit_flipped(
            payloads in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..200), 1..20),
            compress in any::<bool>(), cipher in sealers(), bit in any::<prop::sample::Index>(),
        ) {
            let raw = records(&payloads);
            let vault = cipher.map(|c| Vault::new(Zeroizing::new([7; 32]), c));
            let made = vault.as_ref().map(|v| v.begin(b"f").unwrap());
            let key = made.as_ref().map_or([9; FILE_KEY_BYTES], |m| m.0.to_bytes());
            let sealer = made.as_ref().map(|m| &m.1);
            let mut block = Vec::new();
            encode((32, &raw), compress, (&key, sealer), &mut block).unwrap();
            let read = |block: &[u8]| {
                let head = Head::read(block).or_else(|| Head::mend(block)).unwrap();
                decode(&head, &block[HEAD_BYTES..HEAD_BYTES + head.stored], sealer)
            };
            let head = Head::read(&block).unwrap();
            prop_assert_eq!(head.stride(), block.len());
            prop_assert_eq!(read(&block), Some((Bytes::from(raw.clone()), false)));
            let bit = bit.index((HEAD_BYTES + head.stored) * 8);
            block[bit / 8] ^= 1 << (bit % 8);
            let in_head = bit < HEAD_BYTES * 8;
            prop_assert_eq!(read(&block), Some((Bytes::from(raw), !in_head)));
        }

        #[test]
        fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 64..200), raw in 0usize..1000) {
            let mut head = Head { start: 0, raw, stored: bytes.len() - HEAD_BYTES, codec: Codec::S2, crc: 0, key: [0; FILE_KEY_BYTES] };
            head.write(&mut bytes);
            head.crc = crc32fast::hash(&bytes[HEAD_BYTES..]);
            prop_assert!(decode(&head, &bytes[HEAD_BYTES..], None).is_none_or(|(found, _)| found.len() == raw));
        }
    }

    #[test]
    fn what_compresses_gets_smaller() {
        let raw = records(&vec![b"the same words again and again".to_vec(); 100]);
        let mut block = Vec::new();
        encode((32, &raw), true, (&[0; FILE_KEY_BYTES], None), &mut block).unwrap();
        assert!(block.len() * 3 < raw.len(), "{} of {}", block.len(), raw.len());
    }
}
