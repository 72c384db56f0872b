//! The operating system's disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Disk, DiskFile};
use crate::segment::map;

/// Zeros are written in pieces of this size where the file system cannot set space aside.
const ZERO_BYTES: usize = 64 * 1024;
/// Slices handed to one `pwritev`.
const IOV_MAX: usize = 512;

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(entries) => entries
                .map(|e| Ok(e?.file_name().to_string_lossy().into_owned()))
                .collect(),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn open_existing(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OsFile(
            OpenOptions::new().read(true).write(true).open(path)?,
        )))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[derive(Debug)]
struct OsFile(File);

impl OsFile {
    /// Whether what is written goes past the operating system's memory from now on; `false` if it cannot be told to.
    fn set_direct(&self, on: bool) -> bool {
        use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
        let set = fcntl_getfl(&self.0).and_then(|mut flags| {
            flags.set(OFlags::DIRECT, on);
            fcntl_setfl(&self.0, flags)
        });
        set.is_ok()
    }

    fn write_once(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pwritev(&self.0, &slices[..slices.len().min(IOV_MAX)], offset) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => return Ok(n),
            }
        }
    }
}

impl DiskFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let n = self.write_once(slices, offset)?;
            offset += n as u64;
            IoSlice::advance_slices(&mut slices, n);
        }
        Ok(())
    }

    fn write_direct(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<bool> {
        if !self.set_direct(true) {
            return Ok(false);
        }
        let written = self.write_at(slices, offset);
        self.set_direct(false);
        match written {
            // What a file system says that takes the flag and then does not do it.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if now >= len {
            return Ok(());
        }
        let mode = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(&self.0, mode, now, len - now) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => {
                let zeros = vec![0; ZERO_BYTES];
                let mut at = now;
                while at < len {
                    let n = usize::try_from(len - at).map_or(ZERO_BYTES, |n| n.min(ZERO_BYTES));
                    self.write_at(&mut [IoSlice::new(&zeros[..n])], at)?;
                    at += n as u64;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn map(&self, len: usize) -> io::Result<Bytes> {
        map::map(&self.0, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{DIRECT_BYTES, read_open};

    #[test]
    fn what_is_filled_up_is_zeros_behind_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = OsDisk.open(&folder.path().join("file")).unwrap();
        let mut expected = b"before".to_vec();
        file.write_at(&mut [IoSlice::new(&expected)], 0).unwrap();
        // Within a page, to the end of one, over many, and to where it is already.
        for len in [100, DIRECT_BYTES, 1_000_000, 1024 * 1024, 3] {
            file.fill(len as u64).unwrap();
            expected.resize(len.max(expected.len()), 0);
            assert_eq!(read_open(file.as_ref()).unwrap(), expected);
        }
    }
}
