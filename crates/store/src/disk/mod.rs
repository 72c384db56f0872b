//! The disk as the few operations the store needs, so that a failing one can stand in for it. Holds no policy.

mod crash;
mod os;
pub(crate) mod pieces;
pub mod sim;
mod world;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

pub use os::OsDisk;

/// Zeros are written in pieces of this many bytes: what others wait for to be on disk gets in between.
const FILL_BYTES: usize = 256 * 1024;

/// What is written past the operating system's memory is in multiples of this, bytes: no disk has larger sectors, and no
/// part of a page is written one way and the rest the other.
pub const DIRECT_BYTES: usize = 4096;

/// A page of nothing.
pub(crate) static ZEROS: [u8; DIRECT_BYTES] = [0; DIRECT_BYTES];

/// So many bytes or more are not copied on the way past the operating system's memory, if they are where they can be written
/// from.
pub(crate) const LENT_BYTES_MIN: usize = 64 * 1024;

/// Files and folders.
pub trait Disk: Send + Sync + Debug {
    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Names of what is in a folder; empty if there is no such folder.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Opens a file for reading and writing, making it if missing.
    ///
    /// # Errors
    /// As the operating system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that must exist, for reading.
    ///
    /// # Errors
    /// As the operating system says.
    fn open_existing(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what has it.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and all in it.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Forces a folder's entries to disk.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Its length, bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it is empty.
    ///
    /// # Errors
    /// As the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all slices at `offset`.
    ///
    /// # Errors
    /// As the operating system says; some bytes may be written.
    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Writes past what the operating system keeps in memory, or says that this cannot be done here: nothing is written then.
    /// The place, and the length and address of each of `slices`, are multiples of [`DIRECT_BYTES`]. As with any other write it takes
    /// [`DiskFile::sync_data`] for the bytes to last, and mappings show them at once. Nobody else may read or write through the
    /// same open file meanwhile: the system is told so by a flag of that file.
    ///
    /// # Errors
    /// As the operating system says; some bytes may be written.
    fn write_direct(&self, _slices: &mut [IoSlice<'_>], _offset: u64) -> io::Result<bool> {
        Ok(false)
    }

    /// Forces data to disk, and of the metadata what reading it back needs.
    ///
    /// # Errors
    /// As the operating system says. After an error nothing written since the last success can be relied on.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes the file at least `len` bytes long with space set aside, reading as zeros.
    ///
    /// # Errors
    /// When there is no space.
    fn reserve(&self, len: u64) -> io::Result<()>;

    /// Makes the file `len` bytes long by writing zeros behind its end. Unlike space that is only set aside, what is written
    /// into it later changes nothing but bytes: a sync then waits for no metadata, and for nobody else's data with it. Nobody
    /// is to read these zeros: they go past the operating system's memory where they can, see [`Self::write_direct`].
    ///
    /// # Errors
    /// As the disk says.
    fn fill(&self, len: u64) -> io::Result<()> {
        let mut at = self.len()?;
        let zeros = vec![0; FILL_BYTES + DIRECT_BYTES];
        let zeros = &zeros[direct_start(&zeros)..][..FILL_BYTES];
        while at < len {
            let room = match direct_rest(at) {
                0 => FILL_BYTES,
                rest => rest,
            };
            let n = usize::try_from(len - at).map_or(room, |n| n.min(room));
            let whole = room == FILL_BYTES && n.is_multiple_of(DIRECT_BYTES);
            if !(whole && self.write_direct(&mut [IoSlice::new(&zeros[..n])], at)?) {
                self.write_at(&mut [IoSlice::new(&zeros[..n])], at)?;
            }
            at += n as u64;
        }
        Ok(())
    }

    /// The first `len` bytes for reading. Later writes below `len` show through; the file must never shrink.
    ///
    /// # Errors
    /// When the file is shorter, or as the operating system says.
    fn map(&self, len: usize) -> io::Result<Bytes>;
}

/// Where in `buffer` the first byte is that [`DiskFile::write_direct`] can write from. There may be none in a short one.
pub(crate) fn direct_start(buffer: &[u8]) -> usize {
    buffer.as_ptr().align_offset(DIRECT_BYTES).min(DIRECT_BYTES)
}

/// How many bytes are missing from `at` to the end of its page; 0 where a page begins.
pub(crate) fn direct_rest(at: u64) -> usize {
    let missing = at.next_multiple_of(DIRECT_BYTES as u64) - at;
    usize::try_from(missing).unwrap_or(0)
}

/// Writes a small file so that after a crash either the old or the new content is there: temporary file, sync, rename,
/// sync of the folder.
///
/// # Errors
/// As the operating system says.
pub fn replace_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.open(&temporary)?;
    file.write_at(&mut [IoSlice::new(content)], 0)?;
    file.sync_data()?;
    disk.rename(&temporary, path)?;
    disk.sync_dir(path.parent().unwrap_or(path))
}

/// Makes a folder whose name lasts, with those above it.
///
/// # Errors
/// As the operating system says.
pub fn make_dir(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|p| p.file_name().is_some() && !is_listed(disk, p))
        .collect();
    disk.create_dir_all(path)?;
    for path in missing.into_iter().rev() {
        disk.sync_dir(parent(path))?;
    }
    Ok(())
}

fn is_listed(disk: &dyn Disk, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    disk.list(parent(path))
        .is_ok_and(|names| names.iter().any(|n| *n == name))
}

/// The folder a name is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// Reads a whole file.
///
/// # Errors
/// As the operating system says.
pub fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    read_open(disk.open_existing(path)?.as_ref())
}

/// Reads a whole open file.
///
/// # Errors
/// As the operating system says.
pub fn read_open(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut content = vec![0; len];
    let read = file.read_at(&mut content, 0)?;
    content.truncate(read);
    Ok(content)
}

/// The `len` bytes of an open file at `at`; `None` unless all of them can be read.
pub(crate) fn read_exact(file: &dyn DiskFile, at: u64, len: u64) -> Option<Vec<u8>> {
    let mut content = vec![0; usize::try_from(len).ok()?];
    let read = file.read_at(&mut content, at).ok()?;
    (read == content.len()).then_some(content)
}
