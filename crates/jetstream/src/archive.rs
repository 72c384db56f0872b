//! Streams as archives, in the peer's form: named entries one behind the other, compressed as an S2 stream. Neither reads
//! nor writes files.
//!
//! ```text
//! NATSARC1 | entry… | empty entry
//! entry: uvarint name length | varint time | uvarint sequence | uvarint header length | uvarint payload length | name | headers | payload
//! ```
//! `state.json` comes first, then `consumers/<name>`, then messages, named by their subjects.

use std::io::{ErrorKind, Read, Write};

use minlz::{Reader, Writer};

use crate::limits::{HEADER_BYTES_MAX, SUBJECT_BYTES_MAX};

const MAGIC: &[u8; 8] = b"NATSARC1";
/// Name of the entry with the stream's state.
pub const STATE: &str = "state.json";
/// Begins the names of entries with consumers.
pub const CONSUMERS: &str = "consumers/";
/// Longest payload of an entry, bytes.
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Subject of a message, or what else it is.
    pub name: Vec<u8>,
    /// When it was stored, nanoseconds.
    pub ts_ns: i64,
    /// Sequence of a message; 0 for anything else.
    pub seq: u64,
    /// Header block.
    pub headers: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
}

/// Why an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadArchive {
    /// It ends too early.
    #[error("EOF")]
    Short,
    /// It is something else.
    #[error("archive: invalid archive stream")]
    Invalid,
    /// It is not compressed as it should be.
    #[error("s2: corrupt input")]
    Corrupt,
}

/// Writes an archive; what is ready can be taken away at any time.
pub struct Packer(Box<Writer<Vec<u8>>>);

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

fn put_uvarint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(u8::try_from(n & 0x7f).unwrap_or(0) | 0x80);
        n >>= 7;
    }
    out.push(u8::try_from(n).unwrap_or(0));
}

impl Default for Packer {
    fn default() -> Self {
        let mut packer = Self(Box::new(Writer::new(Vec::new())));
        packer.write(MAGIC);
        packer
    }
}

impl Packer {
    fn write(&mut self, bytes: &[u8]) {
        // Into memory: cannot fail.
        let _written = self.0.write_all(bytes);
    }

    /// Adds an entry.
    pub fn add(&mut self, name: &[u8], (ts_ns, seq): (i64, u64), headers: &[u8], payload: &[u8]) {
        let mut head = Vec::with_capacity(32 + name.len());
        put_uvarint(&mut head, name.len() as u64);
        put_uvarint(&mut head, ((ts_ns << 1) ^ (ts_ns >> 63)).cast_unsigned());
        put_uvarint(&mut head, seq);
        put_uvarint(&mut head, headers.len() as u64);
        put_uvarint(&mut head, payload.len() as u64);
        head.extend_from_slice(name);
        self.write(&head);
        self.write(headers);
        self.write(payload);
    }

    /// What is ready so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }

    /// Ends the archive and gives what is left of it.
    pub fn finish(mut self) -> Vec<u8> {
        self.add(&[], (0, 0), &[], &[]);
        let _written = self.0.flush();
        self.take()
    }
}

/// Knows whether there was anything to read.
struct Seen<R>(R, bool);

impl<R: Read> Read for Seen<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(out)?;
        self.1 |= read > 0;
        Ok(read)
    }
}

/// Reads an archive.
pub struct Unpacker<R: Read> {
    from: Reader<Seen<R>>,
    started: bool,
    ended: bool,
}

impl<R: Read> std::fmt::Debug for Unpacker<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl<R: Read> Unpacker<R> {
    /// An archive that `from` yields.
    pub fn new(from: R) -> Self {
        Self {
            from: Reader::new(Seen(from, false)),
            started: false,
            ended: false,
        }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), BadArchive> {
        let mut at = 0;
        while at < out.len() {
            match self.from.read(&mut out[at..]) {
                Ok(0) => return Err(BadArchive::Short),
                Ok(read) => at += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if !self.from.get_ref().1 => return Err(BadArchive::Short),
                // Also one that ends within a block.
                Err(_) => return Err(BadArchive::Corrupt),
            }
        }
        Ok(())
    }

    fn uvarint(&mut self) -> Result<u64, BadArchive> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.fill(&mut byte)?;
            n |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(n);
            }
        }
        Err(BadArchive::Invalid)
    }

    fn bytes(&mut self, len: u64, max: u64) -> Result<Vec<u8>, BadArchive> {
        if len > max {
            return Err(BadArchive::Invalid);
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| BadArchive::Invalid)?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next entry; `None` behind the last.
    ///
    /// # Errors
    /// [`BadArchive`].
    pub fn next_entry(&mut self) -> Result<Option<Entry>, BadArchive> {
        if self.ended {
            return Ok(None);
        }
        if !self.started {
            let mut magic = [0; 8];
            self.fill(&mut magic)?;
            if magic != *MAGIC {
                return Err(BadArchive::Invalid);
            }
            self.started = true;
        }
        let name_len = self.uvarint()?;
        let time = self.uvarint()?;
        let seq = self.uvarint()?;
        let (headers_len, payload_len) = (self.uvarint()?, self.uvarint()?);
        if name_len == 0 {
            self.ended = true;
            return Ok(None);
        }
        Ok(Some(Entry {
            name: self.bytes(name_len, SUBJECT_BYTES_MAX as u64)?,
            ts_ns: (time >> 1).cast_signed() ^ -(time & 1).cast_signed(),
            seq,
            headers: self.bytes(headers_len, HEADER_BYTES_MAX as u64)?,
            payload: self.bytes(payload_len, PAYLOAD_BYTES_MAX)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpack(bytes: &[u8]) -> Result<Vec<Entry>, BadArchive> {
        let mut unpacker = Unpacker::new(bytes);
        let mut entries = Vec::new();
        while let Some(entry) = unpacker.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks(entries in proptest::collection::vec((1usize..9, any::<i64>(), any::<u64>(), 0usize..300), 0..20)) {
            let entries: Vec<Entry> = entries.into_iter().map(|(name, ts_ns, seq, payload)| Entry {
                name: vec![b'a'; name], ts_ns, seq, headers: vec![b'h'; name], payload: vec![7; payload],
            }).collect();
            let mut packer = Packer::default();
            for e in &entries {
                packer.add(&e.name, (e.ts_ns, e.seq), &e.headers, &e.payload);
            }
            let bytes = packer.finish();
            prop_assert_eq!(unpack(&bytes), Ok(entries));
            prop_assert!(unpack(&bytes[..bytes.len() / 2]).is_err());
        }

        #[test]
        fn what_is_cut_off_says_where(cut in 1usize..40) {
            let mut packer = Packer::default();
            packer.add(b"a", (1, 1), &[], &[7; 40]);
            let bytes = packer.finish();
            prop_assert_eq!(unpack(&[]), Err(BadArchive::Short));
            prop_assert_eq!(unpack(&bytes[..bytes.len() - cut]).is_err(), true);
            prop_assert_eq!(unpack(&bytes[..5]), Err(BadArchive::Corrupt));
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _entries = unpack(&bytes);
        }
    }
}
