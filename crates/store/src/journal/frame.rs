//! One entry in the journal as bytes. Layout in `FORMAT.md`.
//!
//! ```text
//! u32 len | u32 crc | u64 lsn | u64 synced | u32 group | u8 kind | u8 flags | u16 reserved | u32 count | u64 term | u64 index | u64 base_seq | body | pad to 8
//! ```
//! The checksum is seeded with the id of the file, so that what an earlier use of a recycled file left never verifies.
//! `synced` is the last frame known to be on disk when this one was written: a damaged frame up to there is damage, one
//! behind it may just be a write that a crash cut short.

use crate::batch::{Batch, EntryBody};
use crate::ids::{GroupId, LogIndex, Seq};

/// Bytes before the body.
pub(crate) const HEADER_BYTES: usize = 60;
/// Header with the padding that keeps bodies aligned to records.
pub(crate) const BODY_AT: usize = 64;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Message records.
    Messages,
    /// A command of the group's owner.
    Command,
    /// Nothing: says what is synced.
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
    /// The header bytes for `body`, which follows them at once.
    pub(crate) fn encode(&self, file_id: u64, body: &[u8]) -> Option<[u8; BODY_AT]> {
        let mut out = [0; BODY_AT];
        let len = u32::try_from(BODY_AT + body.len()).ok()?;
        out[0..4].copy_from_slice(&len.to_le_bytes());
        out[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        out[16..24].copy_from_slice(&self.synced.to_le_bytes());
        out[24..28].copy_from_slice(&self.group.0.to_le_bytes());
        out[28] = self.kind.to_byte();
        out[32..36].copy_from_slice(&self.count.to_le_bytes());
        out[36..44].copy_from_slice(&self.term.to_le_bytes());
        out[44..52].copy_from_slice(&self.index.0.to_le_bytes());
        out[52..60].copy_from_slice(&self.base_seq.0.to_le_bytes());
        let crc = checksum(file_id, &out, body);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        Some(out)
    }

    /// The frame at the start of `bytes` and its length without padding, if it is whole, intact and of this file.
    pub(crate) fn decode(file_id: u64, bytes: &[u8]) -> Option<(Self, usize)> {
        let len = usize::try_from(u32::from_le_bytes(field(bytes, 0))).ok()?;
        if len < BODY_AT {
            return None;
        }
        let whole = bytes.get(..len)?;
        let (header, body) = whole.split_at(BODY_AT);
        let header: &[u8; BODY_AT] = header.try_into().ok()?;
        if checksum(file_id, header, body) != u32::from_le_bytes(field(bytes, 4)) {
            return None;
        }
        let frame = Self {
            lsn: u64::from_le_bytes(field(bytes, 8)),
            synced: u64::from_le_bytes(field(bytes, 16)),
            group: GroupId(u32::from_le_bytes(field(bytes, 24))),
            kind: Kind::from_byte(bytes[28])?,
            count: u32::from_le_bytes(field(bytes, 32)),
            term: u64::from_le_bytes(field(bytes, 36)),
            index: LogIndex(u64::from_le_bytes(field(bytes, 44))),
            base_seq: Seq(u64::from_le_bytes(field(bytes, 52))),
        };
        Some((frame, len))
    }

    /// The entry this frame holds, with its body.
    pub(crate) fn entry(&self, body: bytes::Bytes) -> Option<EntryBody> {
        match self.kind {
            Kind::Messages => Some(EntryBody::Messages(Batch {
                body,
                base_seq: self.base_seq,
                count: self.count,
            })),
            Kind::Command => Some(EntryBody::Command(body)),
            Kind::Mark => None,
        }
    }
}

fn checksum(file_id: u64, header: &[u8; BODY_AT], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file_id.to_le_bytes());
    hasher.update(&header[0..4]);
    hasher.update(&header[8..]);
    hasher.update(body);
    hasher.finalize()
}

/// Length with padding.
pub(crate) const fn stride(len: usize) -> usize {
    len.next_multiple_of(8)
}

const _: () = assert!(HEADER_BYTES <= BODY_AT && BODY_AT.is_multiple_of(crate::record::ALIGN));
