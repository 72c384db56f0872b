//! Writing past the operating system's memory: bytes are gathered at an address that the disk can read from, and go out in
//! large pieces; long stretches that are at such an address already are written from there. Taking fresh pages of the
//! system's memory for them costs more than all the rest of the way of a large message.

use std::io::{self, IoSlice};

use super::{DIRECT_BYTES, DiskFile, LENT_BYTES_MIN, direct_rest, direct_start};

/// Where the bytes of one write are gathered. Takes no memory before it is used.
#[derive(Debug)]
pub(crate) struct Pieces {
    buffer: Vec<u8>,
    bytes: usize,
}

impl Pieces {
    /// For pieces of so many bytes, a multiple of [`DIRECT_BYTES`].
    pub(crate) const fn new(bytes: usize) -> Self {
        assert!(bytes.is_multiple_of(DIRECT_BYTES), "a piece is whole pages");
        Self {
            buffer: Vec::new(),
            bytes,
        }
    }

    /// Writes `slices` one behind the other from `at` on: whole pages past the system's memory, the rest as usual.
    ///
    /// # Errors
    /// As the operating system says; some bytes may be written.
    pub(crate) fn write<'s>(
        &mut self,
        file: &dyn DiskFile,
        at: u64,
        slices: impl IntoIterator<Item = &'s [u8]>,
    ) -> io::Result<()> {
        if self.buffer.is_empty() {
            self.buffer.resize(self.bytes + DIRECT_BYTES, 0);
        }
        let start = direct_start(&self.buffer);
        let mut piece = Piece {
            file,
            buffer: &mut self.buffer[start..start + self.bytes],
            gathered: 0,
            parts: Vec::new(),
            at,
            len: 0,
        };
        slices.into_iter().try_for_each(|slice| piece.push(slice))?;
        piece.flush()
    }
}

/// A stretch of a piece.
enum Part<'s> {
    /// So many of the bytes gathered, behind those of the parts before.
    Gathered(usize),
    /// Whole pages that are written from where they are.
    Lent(&'s [u8]),
}

/// Bytes on their way to `at`.
struct Piece<'a, 's> {
    file: &'a dyn DiskFile,
    buffer: &'a mut [u8],
    /// How much of the buffer is in use.
    gathered: usize,
    parts: Vec<Part<'s>>,
    at: u64,
    /// Bytes of all parts.
    len: usize,
}

impl<'s> Piece<'_, 's> {
    /// How many bytes fit: from the middle of a page on, only what is left of it.
    fn room(&self) -> usize {
        let end = match direct_rest(self.at) {
            0 => self.buffer.len(),
            rest => rest,
        };
        end - self.len
    }

    fn push(&mut self, bytes: &'s [u8]) -> io::Result<()> {
        let lead = direct_rest(self.at + self.len as u64);
        if bytes.len() < lead + LENT_BYTES_MIN || direct_start(bytes) != lead {
            return self.gather(bytes);
        }
        let (before, bytes) = bytes.split_at(lead);
        let (whole, behind) = bytes.split_at(bytes.len() / DIRECT_BYTES * DIRECT_BYTES);
        self.gather(before)?;
        self.lend(whole)?;
        self.gather(behind)
    }

    fn gather(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.buffer[self.gathered..self.gathered + now.len()].copy_from_slice(now);
            self.gathered += now.len();
            match self.parts.last_mut() {
                Some(Part::Gathered(len)) => *len += now.len(),
                _ => self.parts.push(Part::Gathered(now.len())),
            }
            self.took(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    fn lend(&mut self, mut pages: &'s [u8]) -> io::Result<()> {
        while !pages.is_empty() {
            let (now, later) = pages.split_at(pages.len().min(self.room()));
            self.parts.push(Part::Lent(now));
            self.took(now.len())?;
            pages = later;
        }
        Ok(())
    }

    fn took(&mut self, bytes: usize) -> io::Result<()> {
        self.len += bytes;
        if self.room() == 0 { self.flush() } else { Ok(()) }
    }

    /// Writes what there is: whole pages at a page's beginning directly, the rest as usual.
    fn flush(&mut self) -> io::Result<()> {
        let len = std::mem::take(&mut self.len);
        let at = self.at;
        self.at += len as u64;
        let mut gathered = &self.buffer[..std::mem::take(&mut self.gathered)];
        let mut parts: Vec<&[u8]> = Vec::with_capacity(self.parts.len() + 1);
        for part in self.parts.drain(..) {
            parts.push(match part {
                Part::Gathered(len) => gathered.split_off(..len).unwrap_or_default(),
                Part::Lent(pages) => pages,
            });
        }
        // What is no whole page was gathered last.
        let rest = match direct_rest(at) {
            0 => len % DIRECT_BYTES,
            _ => len,
        };
        let last = parts.pop().unwrap_or_default();
        let (pages, behind) = last.split_at(last.len() - rest);
        parts.push(pages);
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|p| IoSlice::new(p)).collect();
        if rest < len && self.file.write_direct(&mut slices.clone(), at)? {
            return self
                .file
                .write_at(&mut [IoSlice::new(behind)], at + (len - rest) as u64);
        }
        slices.push(IoSlice::new(behind));
        self.file.write_at(&mut slices, at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::{Disk as _, OsDisk, read_open};

    const PIECE_BYTES: usize = 128 * 1024;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Wherever the slices are in memory and in the file, what is lent and what is gathered lie one behind the other.
        #[test]
        fn slices_of_all_lengths_and_addresses_lie_one_behind_the_other(
            begin in prop_oneof![Just(0u64), Just(4096), 1u64..9000],
            slices in prop::collection::vec((
                prop_oneof![0usize..200, 3000usize..9000, 60_000usize..300_000],
                prop_oneof![Just(0usize), Just(64), 0usize..DIRECT_BYTES],
                any::<bool>(),
            ), 1..8),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let file = OsDisk.open(&folder.path().join("file")).unwrap();
            let mut at = begin;
            let mut memory = Vec::new();
            for (n, (len, address, follows)) in (1u8..).zip(slices) {
                let buffer: Vec<u8> = (0..len + 2 * DIRECT_BYTES).map(|i| n ^ u8::try_from(i % 251).unwrap()).collect();
                // As the journal has it: at the same place in a page as in the file.
                let wanted = if follows { usize::try_from(at).unwrap() % DIRECT_BYTES } else { address };
                let start = direct_start(&buffer) + wanted;
                memory.push((buffer, start, len));
                at += len as u64;
            }
            let slices: Vec<&[u8]> = memory.iter().map(|(buffer, start, len)| &buffer[*start..start + len]).collect();
            let mut pieces = Pieces::new(PIECE_BYTES);
            pieces.write(file.as_ref(), begin, slices.iter().copied()).unwrap();
            let mut content = read_open(file.as_ref()).unwrap();
            let written = content.split_off(usize::try_from(begin).unwrap().min(content.len()));
            prop_assert!(written == slices.concat(), "what was written reads back");
        }
    }
}
