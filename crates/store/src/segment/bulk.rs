//! Writing large messages to a segment past the operating system's memory. They are in the journal, in memory and then in
//! the segment; whoever follows closely reads them from memory, so that a further copy would mostly push out what others
//! read. Taking fresh pages for it costs more than all the rest of the way of a large message.

use std::io::{self, IoSlice};

use bytes::Bytes;
use parking_lot::Mutex;

use super::gathered::are_large;
use crate::disk::{DIRECT_BYTES, DiskFile, direct_rest, direct_start};

/// Less than this at a time is not worth it, bytes.
const BULK_BYTES_MIN: u64 = 256 * 1024;
/// Bytes of one write.
const PIECE_BYTES: usize = 512 * 1024;

const _: () = assert!(PIECE_BYTES.is_multiple_of(DIRECT_BYTES));

/// Where the bytes of a write are gathered, at an address that the disk can read from.
#[derive(Debug, Default)]
pub(super) struct Bulk(Mutex<Vec<u8>>);

impl Bulk {
    /// Writes `records`, of `total` bytes, one behind the other from `at` on.
    pub(super) fn write(
        &self,
        file: &dyn DiskFile,
        records: &[Bytes],
        total: u64,
        at: u64,
    ) -> io::Result<()> {
        if total < BULK_BYTES_MIN || !are_large(records.len(), total) {
            return write_plain(file, records, at);
        }
        let mut buffer = self.0.lock();
        if buffer.is_empty() {
            buffer.resize(PIECE_BYTES + DIRECT_BYTES, 0);
        }
        let start = direct_start(&buffer);
        let mut piece = Piece {
            file,
            buffer: &mut buffer[start..start + PIECE_BYTES],
            at,
            len: 0,
        };
        records.iter().try_for_each(|record| piece.push(record))?;
        piece.flush()
    }
}

fn write_plain(file: &dyn DiskFile, records: &[Bytes], at: u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = records.iter().map(|r| IoSlice::new(r)).collect();
    if slices.is_empty() {
        return Ok(());
    }
    file.write_at(&mut slices, at)
}

/// Bytes on their way to `at`.
struct Piece<'a> {
    file: &'a dyn DiskFile,
    buffer: &'a mut [u8],
    at: u64,
    len: usize,
}

impl Piece<'_> {
    /// How many bytes fit: from the middle of a page on, only what is left of it.
    fn room(&self) -> usize {
        let end = match direct_rest(self.at) {
            0 => self.buffer.len(),
            rest => rest,
        };
        end - self.len
    }

    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.buffer[self.len..self.len + now.len()].copy_from_slice(now);
            self.len += now.len();
            bytes = later;
            if self.room() == 0 {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what there is: whole pages at a page's beginning directly, the rest as usual.
    fn flush(&mut self) -> io::Result<()> {
        let aligned = self.at.is_multiple_of(DIRECT_BYTES as u64);
        let whole = if aligned {
            self.len / DIRECT_BYTES * DIRECT_BYTES
        } else {
            0
        };
        let (direct, mut rest) = self.buffer[..self.len].split_at(whole);
        let mut at = self.at;
        if whole > 0 && self.file.write_direct(direct, at)? {
            at += whole as u64;
        } else {
            rest = &self.buffer[..self.len];
        }
        if !rest.is_empty() {
            self.file.write_at(&mut [IoSlice::new(rest)], at)?;
        }
        self.at += self.len as u64;
        self.len = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk as _, OsDisk};

    #[test]
    fn what_is_written_at_any_place_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = OsDisk.open(&folder.path().join("segment")).unwrap();
        let bulk = Bulk::default();
        let (mut at, mut expected) = (32, vec![0; 32]);
        file.write_at(&mut [IoSlice::new(&expected)], 0).unwrap();
        for (n, size) in [
            (100u8, 8 * 1024),
            (3, 2_000_000),
            (1, 512),
            (130, 4096 + 40),
            (9, 100_000),
        ] {
            let records: Vec<Bytes> = (0..n).map(|i| Bytes::from(vec![i ^ n; size])).collect();
            let total = records.iter().map(|r| r.len() as u64).sum();
            file.reserve(at + total).unwrap();
            // Somebody reads it before and behind.
            let before = file.map(usize::try_from(at + total).unwrap()).unwrap();
            assert!(before[usize::try_from(at).unwrap()..].iter().all(|b| *b == 0));
            bulk.write(file.as_ref(), &records, total, at).unwrap();
            records.iter().for_each(|r| expected.extend_from_slice(r));
            at += total;
            assert_eq!(before, expected);
            file.sync_data().unwrap();
            assert_eq!(crate::disk::read_open(file.as_ref()).unwrap(), expected);
        }
    }
}
