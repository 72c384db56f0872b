//! Read-only mappings of files. The only file of the workspace with `unsafe`.
//!
//! A mapping has a length fixed when it is made, which the file has at that time. Files of the store are never made
//! shorter while they exist (they are replaced under another name and removed), so a read of a mapping cannot run past
//! the end of its file. Bytes behind what the store has published may change under a reader and are never read: every
//! record is checked against its checksum before it is used. What remains is a media error, which the operating system
//! reports by ending the process.

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::MmapOptions;

/// Maps the first `len` bytes of `file`.
///
/// # Errors
/// When the file is shorter, or as the operating system says.
pub(crate) fn map(file: &File, len: usize) -> io::Result<Bytes> {
    if len == 0 {
        return Ok(Bytes::new());
    }
    if file.metadata()?.len() < len as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut options = MmapOptions::new();
    options.len(len);
    #[expect(
        unsafe_code,
        reason = "mapping a file is unsafe whatever the caller promises; the module says why it holds"
    )]
    // SAFETY: the file is at least `len` bytes long and, as the module says, never made shorter; readers look only at
    // published bytes, which the store does not change (secure erase changes bytes that are no longer published).
    let mapping = unsafe { options.map(file) }?;
    Ok(Bytes::from_owner(mapping))
}
