//! One entry in the journal as bytes. Layout in `FORMAT.md`.
//!
//! ```text
//! u32 len | u32 crc | u64 lsn | u64 synced | u32 group | u8 kind | u8 erased | u16 reserved | u32 count | u64 term | u64 index | u64 base_seq | u32 head_crc | body | pad to 8
//! ```
//! Both checksums start from the file's seed (its id and a number nobody can guess), so that neither what an earlier use
//! of a recycled file left nor a frame that somebody put in a message ever verifies. The head has a checksum of its own:
//! damage in a body does not hide how long it is.
//! `synced` is the last frame known to be on disk when this one was written: a damaged frame up to there is damage, one
//! behind it may just be a write that a crash cut short.

use crate::batch::{Batch, EntryBody};
use crate::ids::{GroupId, LogIndex, Seq};

/// Bytes before the body.
pub(crate) const HEADER_BYTES: usize = 60;
/// Where a head says that its body was overwritten.
pub(crate) const ERASED_AT: usize = 29;
/// And how: far enough from nothing that no flipped bit says it. Not under the checksums, so that one byte is all that is
/// written.
pub(crate) const ERASED: u8 = 0xa5;
/// Header with the padding that keeps bodies aligned to records.
pub(crate) const BODY_AT: usize = 64;

/// What the checksums of a file's frames start from.
#[derive(Debug, Clone)]
pub(crate) struct Seed(crc32fast::Hasher);

impl Seed {
    pub(crate) fn new(file: u64, salt: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&file.to_le_bytes());
        hasher.update(salt);
        Self(hasher)
    }
}

/// What was found where a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// An intact frame, with its length without padding.
    Whole(Frame, usize),
    /// An intact head and a body that does not verify.
    Damaged(Frame, usize),
    /// No frame.
    Nothing,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Message records.
    Messages,
    /// A command of the group's owner.
    Command,
    /// Nothing but zeros, if anything: says what is synced.
    Mark,
}

impl Kind {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Messages => 1,
            Self::Command => 2,
            Self::Mark => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Messages),
            2 => Some(Self::Command),
            3 => Some(Self::Mark),
            _ => None,
        }
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) lsn: u64,
    pub(crate) synced: u64,
    pub(crate) group: GroupId,
    pub(crate) kind: Kind,
    /// A checkpoint made it superfluous, and its body was overwritten.
    pub(crate) is_erased: bool,
    pub(crate) count: u32,
    pub(crate) term: u64,
    pub(crate) index: LogIndex,
    pub(crate) base_seq: Seq,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..at + N)
        .and_then(|b| b.try_into().ok())
        .unwrap_or([0; N])
}

impl Frame {
    /// A frame that says what is synced and belongs to no group.
    pub(crate) const fn mark(lsn: u64, synced: u64) -> Self {
        Self {
            lsn,
            synced,
            group: GroupId(0),
            kind: Kind::Mark,
            is_erased: false,
            count: 0,
            term: 0,
            index: LogIndex(0),
            base_seq: Seq::ZERO,
        }
    }

    /// The header bytes for `body`, which follows them at once.
    pub(crate) fn encode(&self, seed: &Seed, body: &[u8]) -> Option<[u8; BODY_AT]> {
        let mut out = [0; BODY_AT];
        let len = u32::try_from(BODY_AT + body.len()).ok()?;
        out[0..4].copy_from_slice(&len.to_le_bytes());
        out[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        out[16..24].copy_from_slice(&self.synced.to_le_bytes());
        out[24..28].copy_from_slice(&self.group.0.to_le_bytes());
        out[28] = self.kind.to_byte();
        out[ERASED_AT] = if self.is_erased { ERASED } else { 0 };
        out[32..36].copy_from_slice(&self.count.to_le_bytes());
        out[36..44].copy_from_slice(&self.term.to_le_bytes());
        out[44..52].copy_from_slice(&self.index.0.to_le_bytes());
        out[52..60].copy_from_slice(&self.base_seq.0.to_le_bytes());
        let head_crc = head_checksum(seed, &out);
        out[HEADER_BYTES..].copy_from_slice(&head_crc.to_le_bytes());
        let crc = checksum(seed, &out, body);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        Some(out)
    }

    /// What the frame is, for its encrypted body: it opens under this head only.
    pub(crate) fn place(&self) -> [u8; 41] {
        let mut out = [0; 41];
        out[0..8].copy_from_slice(&self.lsn.to_le_bytes());
        out[8..12].copy_from_slice(&self.group.0.to_le_bytes());
        out[12] = self.kind.to_byte();
        out[13..17].copy_from_slice(&self.count.to_le_bytes());
        out[17..25].copy_from_slice(&self.term.to_le_bytes());
        out[25..33].copy_from_slice(&self.index.0.to_le_bytes());
        out[33..41].copy_from_slice(&self.base_seq.0.to_le_bytes());
        out
    }

    /// What is at the start of `bytes`.
    pub(crate) fn read(seed: &Seed, bytes: &[u8]) -> Read {
        let Some((frame, len)) = Self::head(seed, bytes) else {
            return Read::Nothing;
        };
        let Some((header, body)) = bytes.get(..len).and_then(|b| b.split_first_chunk()) else {
            return Read::Nothing;
        };
        if frame.is_erased || checksum(seed, header, body) == u32::from_le_bytes(field(bytes, 4)) {
            Read::Whole(frame, len)
        } else {
            Read::Damaged(frame, len)
        }
    }

    /// The head at the start of `bytes` and the frame's length without padding, if the head is intact and of this file.
    fn head(seed: &Seed, bytes: &[u8]) -> Option<(Self, usize)> {
        let header: &[u8; BODY_AT] = bytes.first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(field(header, 0))).ok()?;
        // Cheap refusals first: a search asks this at every eighth byte.
        let mark = header[ERASED_AT];
        if len < BODY_AT || (mark != 0 && mark != ERASED) || header[30..32] != [0; 2] {
            return None;
        }
        let kind = Kind::from_byte(header[28])?;
        if head_checksum(seed, header) != u32::from_le_bytes(field(header, HEADER_BYTES)) {
            return None;
        }
        let frame = Self {
            lsn: u64::from_le_bytes(field(header, 8)),
            synced: u64::from_le_bytes(field(header, 16)),
            group: GroupId(u32::from_le_bytes(field(header, 24))),
            kind,
            is_erased: mark == ERASED,
            count: u32::from_le_bytes(field(header, 32)),
            term: u64::from_le_bytes(field(header, 36)),
            index: LogIndex(u64::from_le_bytes(field(header, 44))),
            base_seq: Seq(u64::from_le_bytes(field(header, 52))),
        };
        (frame.synced < frame.lsn).then_some((frame, len))
    }

    /// Turns back the one bit of the head at the start of `bytes` that keeps it from verifying, if one does.
    pub(crate) fn mend_head(seed: &Seed, bytes: &mut [u8]) -> bool {
        let Some(header) = bytes.first_chunk::<BODY_AT>() else {
            return false;
        };
        for bit in 0..BODY_AT * 8 {
            // The checksum of the whole is not under that of the head.
            if (4..8).contains(&(bit / 8)) {
                continue;
            }
            let mut tried = *header;
            tried[bit / 8] ^= 1 << (bit % 8);
            if Self::head(seed, &tried).is_some() {
                bytes[..BODY_AT].copy_from_slice(&tried);
                return true;
            }
        }
        false
    }

    /// Turns back the one bit behind the head that keeps the frame of `len` bytes at the start of `bytes` from verifying, if
    /// one does. Returns which, so that it can be turned again.
    pub(crate) fn mend_body(seed: &Seed, bytes: &mut [u8], len: usize) -> Option<(usize, u8)> {
        let (header, body) = bytes.get(..len)?.split_first_chunk()?;
        let difference = checksum(seed, header, body) ^ u32::from_le_bytes(field(bytes, 4));
        let (at, bit) = if difference.is_power_of_two() {
            // The bit is in the checksum itself.
            let bit = usize::try_from(difference.trailing_zeros()).ok()?;
            (4 + bit / 8, u8::try_from(bit % 8).ok()?)
        } else {
            let (at, bit) = super::correct::flipped(body.len(), difference)?;
            (BODY_AT + at, bit)
        };
        bytes[at] ^= 1 << bit;
        Some((at, bit))
    }

    /// The entry this frame holds, with its body.
    pub(crate) fn entry(&self, body: bytes::Bytes) -> Option<EntryBody> {
        match self.kind {
            _ if self.is_erased => None,
            Kind::Messages => Some(EntryBody::Messages(Batch::read(body, self.base_seq, self.count))),
            Kind::Command => Some(EntryBody::Command(body)),
            Kind::Mark => None,
        }
    }
}

fn checksum(seed: &Seed, header: &[u8; BODY_AT], body: &[u8]) -> u32 {
    let mut hasher = seed.0.clone();
    head_under(&mut hasher, header, BODY_AT);
    hasher.update(body);
    hasher.finalize()
}

fn head_checksum(seed: &Seed, header: &[u8; BODY_AT]) -> u32 {
    let mut hasher = seed.0.clone();
    head_under(&mut hasher, header, HEADER_BYTES);
    hasher.finalize()
}

/// The head up to `end` as the checksums see it: without the checksum of the whole, and as if nothing were erased.
fn head_under(hasher: &mut crc32fast::Hasher, header: &[u8; BODY_AT], end: usize) {
    hasher.update(&header[0..4]);
    hasher.update(&header[8..ERASED_AT]);
    hasher.update(&[0]);
    hasher.update(&header[ERASED_AT + 1..end]);
}

/// Length with padding.
pub(crate) const fn stride(len: usize) -> usize {
    len.next_multiple_of(8)
}

const _: () = assert!(HEADER_BYTES <= BODY_AT && BODY_AT.is_multiple_of(crate::record::ALIGN));
