//! Writing large messages to a segment past the operating system's memory. They are in the journal, in memory and then in
//! the segment; whoever follows closely reads them from memory, so that a further copy would mostly push out what others
//! read.

use std::io::{self, IoSlice};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::disk::DiskFile;
use crate::disk::pieces::Pieces;

/// Less than this at a time is not worth it, bytes.
const BULK_BYTES_MIN: u64 = 256 * 1024;
/// Bytes of one write.
const PIECE_BYTES: usize = 1024 * 1024;

/// Where the bytes of a write are gathered.
#[derive(Debug)]
pub(super) struct Bulk(Mutex<Pieces>);

impl Default for Bulk {
    fn default() -> Self {
        Self(Mutex::new(Pieces::new(PIECE_BYTES)))
    }
}

impl Bulk {
    /// Writes `parts`, of `total` bytes, one behind the other from `at` on; whether their records are large.
    pub(super) fn write(
        &self,
        file: &dyn DiskFile,
        (parts, total): (&[Bytes], u64),
        large: bool,
        at: u64,
    ) -> io::Result<()> {
        if total < BULK_BYTES_MIN || !large {
            return write_plain(file, parts, at);
        }
        self.0.lock().write(file, at, parts.iter().map(Bytes::as_ref))
    }
}

fn write_plain(file: &dyn DiskFile, records: &[Bytes], at: u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = records.iter().map(|r| IoSlice::new(r)).collect();
    if slices.is_empty() {
        return Ok(());
    }
    file.write_at(&mut slices, at)
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
            let large = super::super::gathered::are_large(records.len(), total);
            bulk.write(file.as_ref(), (&records, total), large, at).unwrap();
            records.iter().for_each(|r| expected.extend_from_slice(r));
            at += total;
            assert_eq!(before, expected);
            file.sync_data().unwrap();
            assert_eq!(crate::disk::read_open(file.as_ref()).unwrap(), expected);
        }
    }
}
