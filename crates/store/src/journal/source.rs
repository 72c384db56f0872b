//! A file of the journal as it is read: what its checksums start from, its key, and single entries of it read again.

use std::sync::Arc;

use bytes::Bytes;

use super::frame::{BODY_AT, Frame, Kind, Read, Seed};
use super::scan::How;
use crate::disk::{DiskFile, read_exact};
use crate::seal::Sealer;

/// Checksums and key of a file.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) seed: Seed,
    pub(super) sealer: Option<Sealer>,
}

/// A file of the journal, open, to read entries again.
#[derive(Debug)]
pub(crate) struct Source {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) codec: Codec,
}

impl Source {
    /// The body of frame `lsn`, which takes `len` bytes at `at`, decrypted; `None` unless it is there as it was written.
    pub(crate) fn body(&self, lsn: u64, at: u64, len: usize) -> Option<Bytes> {
        let bytes = read_exact(self.file.as_ref(), at, len as u64)?;
        let frame = match Frame::read(&self.codec.seed, &bytes) {
            Read::Whole(frame, found) if frame.lsn == lsn && found == len => frame,
            Read::Whole(..) | Read::Damaged(..) | Read::Nothing => return None,
        };
        match open_body(&self.codec, frame, &bytes, How::Whole) {
            (Some(body), How::Whole) => Some(body),
            (None, How::Whole) => Some(Bytes::from(bytes).slice(BODY_AT..)),
            (_, How::Mended | How::Guessed | How::Broken) => None,
        }
    }
}

/// Decrypts the body of a frame, where there is one. A text that opens is what was written, whatever a checksum says.
pub(super) fn open_body(codec: &Codec, frame: Frame, bytes: &[u8], how: How) -> (Option<Bytes>, How) {
    let body = bytes.get(BODY_AT..).unwrap_or_default();
    let empty = frame.kind == Kind::Mark || frame.is_erased;
    let Some(sealer) = codec.sealer.as_ref().filter(|_| !empty) else {
        return (None, how);
    };
    match sealer.open(&frame.place(), body) {
        Some(text) if how == How::Guessed => (Some(text.into()), How::Mended),
        Some(text) => (Some(text.into()), how),
        None => (Some(Bytes::new()), How::Broken),
    }
}
