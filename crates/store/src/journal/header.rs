//! What a journal file says of itself at its beginning, twice. Opens no file.

use super::frame::Seed;
use crate::seal::{FILE_KEY_BYTES, FileKey};

/// First bytes of a journal file.
const MAGIC: [u8; 8] = *b"NJJRNL01";
/// First bytes of an encrypted one.
const SEALED_MAGIC: [u8; 8] = *b"NJJRNL02";
/// Where the header is written a second time: far enough away that one bad sector does not take both.
pub(super) const SECOND_AT: u64 = 4096;
/// Bytes of a header.
const HEADER_BYTES: usize = 64;
/// What the checksum of an encrypted file's header covers.
const SEALED_END: usize = 32 + FILE_KEY_BYTES;
/// Where frames begin.
pub(crate) const FRAMES_AT: u64 = SECOND_AT + HEADER_BYTES as u64;
/// What of a file is sure to have its headers.
pub(crate) const HEADERS_BYTES: usize = 8 * 1024;
/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u64,
    pub(crate) first_lsn: u64,
    /// The last frame before that counts: a recovery may have cut off others.
    pub(crate) follows: u64,
    pub(crate) salt: Salt,
}

/// What the checksums of a file start from, and its key if it is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Salt {
    Plain(u64),
    Sealed(FileKey),
}

impl Header {
    pub(crate) fn seed(&self) -> Seed {
        match self.salt {
            Salt::Plain(salt) => Seed::new(self.id, &salt.to_le_bytes()),
            Salt::Sealed(key) => Seed::new(self.id, &key.salt),
        }
    }

    /// Magic, id, first frame number, the frame before, salt or key of the file, checksum.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[8..16].copy_from_slice(&self.id.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_lsn.to_le_bytes());
        let end = match self.salt {
            Salt::Plain(salt) => {
                out[0..8].copy_from_slice(&MAGIC);
                out[24..32].copy_from_slice(&salt.to_le_bytes());
                out[32..40].copy_from_slice(&self.follows.to_le_bytes());
                40
            }
            Salt::Sealed(key) => {
                out[0..8].copy_from_slice(&SEALED_MAGIC);
                out[24..32].copy_from_slice(&self.follows.to_le_bytes());
                out[32..SEALED_END].copy_from_slice(&key.to_bytes());
                SEALED_END
            }
        };
        let crc = crc32fast::hash(&out[0..end]);
        out[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let number = |at: usize| head[at..at + 8].try_into().ok().map(u64::from_le_bytes);
        let (end, salt, follows) = if head[0..8] == MAGIC {
            (40, Salt::Plain(number(24)?), number(32)?)
        } else if head[0..8] == SEALED_MAGIC {
            let key = FileKey::from_bytes(head[32..SEALED_END].first_chunk()?)?;
            (SEALED_END, Salt::Sealed(key), number(24)?)
        } else {
            return None;
        };
        let crc = u32::from_le_bytes(head[end..end + 4].try_into().ok()?);
        (crc32fast::hash(&head[0..end]) == crc).then_some(Self {
            id: number(8)?,
            first_lsn: number(16)?,
            salt,
            follows,
        })
    }
}

/// What the two copies of a header say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    /// The file is what its name says; whether one of the copies is damaged.
    Found(Header, bool),
    /// The file was to be used again and nothing was written to it yet, or it is new.
    Unused,
    /// Nothing intact is there, but something is.
    Damaged,
}

/// Reads the headers of the file with `id`.
pub(crate) fn read_headers(id: u64, content: &[u8]) -> Headers {
    let second = usize::try_from(SECOND_AT).unwrap_or(usize::MAX);
    let copies = [content, content.get(second..).unwrap_or_default()]
        .map(|c| c.get(..HEADER_BYTES).unwrap_or_default());
    let found = copies.map(Header::decode);
    let broken = copies
        .iter()
        .zip(&found)
        .any(|(c, f)| f.is_none() && c.iter().any(|b| *b != 0));
    match found.iter().flatten().find(|h| h.id == id) {
        Some(header) => Headers::Found(*header, broken),
        // Both are on disk before the first frame is: one of an earlier use says that nothing was written since.
        None if broken && found.iter().all(Option::is_none) => Headers::Damaged,
        None => Headers::Unused,
    }
}

/// A number that nobody who sends messages can know.
pub(super) fn salt() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
