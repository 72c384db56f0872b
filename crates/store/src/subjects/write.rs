//! Writing a run: entries in order into blocks, then the footer.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use super::block::{BlockWriter, Known};
use super::bloom::{Bloom, print_of};
use super::footer::{self, Footer, SEALED_FOR};
use super::run::{BLOCK_BYTES, Fence, Made, Place, Run};
use crate::disk::DiskFile;
use crate::seal::{FILE_KEY_BYTES, Sealer};

/// Blocks are written in pieces of this size.
const WRITE_BYTES: usize = 256 * 1024;

/// A run that is being written.
#[derive(Debug)]
pub(super) struct RunWriter {
    place: Place,
    number: u64,
    file: Arc<dyn DiskFile>,
    key: [u8; FILE_KEY_BYTES],
    sealer: Option<Sealer>,
    footer: Footer,
    block: BlockWriter,
    out: Vec<u8>,
    /// Bytes written, without those in `out`.
    len: u64,
    /// First text of the block.
    first: Vec<u8>,
}

impl RunWriter {
    /// Begins a run of at most `subjects`.
    pub(super) fn new(place: &Place, subjects: usize) -> io::Result<Self> {
        let number = place.next_number();
        let (key, sealer) = footer::begin_key(place, number)?;
        Ok(Self {
            place: place.clone(),
            number,
            file: place.disk.open(&place.path(number))?,
            key,
            sealer,
            footer: Footer {
                texts: Vec::new(),
                fences: Vec::new(),
                bloom: Bloom::new(subjects),
                entries: 0,
                gain: 0,
                blocks_end: 0,
            },
            block: BlockWriter::default(),
            out: Vec::new(),
            len: 0,
            first: Vec::new(),
        })
    }

    /// Adds an entry; texts ascend.
    pub(super) fn push(&mut self, text: &[u8], known: &Known, history: &[u8]) -> io::Result<()> {
        if self.block.len() == 0 {
            self.first.clear();
            self.first.extend_from_slice(text);
        }
        self.block.push(text, known, history);
        self.footer.bloom.insert(print_of(text));
        self.footer.entries += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let footer = &mut self.footer;
        let at = self.len + self.out.len() as u64;
        footer.fences.push(Fence {
            text_at: footer.texts.len(),
            at,
            gain_before: footer.gain,
        });
        footer.texts.extend_from_slice(&self.first);
        footer.gain += self.block.gain;
        match &self.sealer {
            None => self.block.finish(self.number ^ at, &mut self.out),
            Some(sealer) => {
                let mut block = Vec::new();
                self.block.finish(self.number ^ at, &mut block);
                sealer.seal(&at.to_le_bytes(), &block, &mut self.out)?;
            }
        }
        if self.out.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&mut [IoSlice::new(&self.out)], self.len)?;
        self.len += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    /// The run, whole; not forced to disk.
    pub(super) fn finish(mut self) -> io::Result<Run> {
        if self.block.len() > 0 {
            self.end_block()?;
        }
        self.footer.blocks_end = self.len + self.out.len() as u64;
        let content = self.footer.encode();
        let stored = match &self.sealer {
            None => content,
            Some(sealer) => {
                let mut sealed = Vec::new();
                sealer.seal(SEALED_FOR, &content, &mut sealed)?;
                sealed
            }
        };
        let (end, mark) = footer::end(self.number, self.footer.blocks_end, &stored, self.key);
        self.out.extend_from_slice(&stored);
        self.out.extend_from_slice(&end);
        self.write()?;
        self.footer.texts.shrink_to_fit();
        self.footer.fences.shrink_to_fit();
        let made = Made {
            number: self.number,
            file: self.file,
            sealer: self.sealer,
            len: self.len,
            mark,
            durable: false,
        };
        Ok(Run::new(&self.place, made, self.footer))
    }

    /// Where it is written to.
    pub(super) fn path(&self) -> PathBuf {
        self.place.path(self.number)
    }
}
