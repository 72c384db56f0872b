//! Writing past the operating system's memory: bytes are gathered at an address that the disk can read from, and go out in
//! large pieces. Taking fresh pages of the system's memory for them costs more than all the rest of the way of a large
//! message.

use std::io::{self, IoSlice};

use super::{DIRECT_BYTES, DiskFile, direct_rest, direct_start};

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
            at,
            len: 0,
        };
        slices.into_iter().try_for_each(|slice| piece.push(slice))?;
        piece.flush()
    }
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
