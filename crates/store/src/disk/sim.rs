//! A disk in memory that fails as real ones do, for tests: a write lasts only once it is forced out, a name only once its
//! folder is; until then a crash keeps any part of it. Every operation is written down, so that a crash can be had behind
//! each of them after a single run.
//!
//! ```
//! use std::path::Path;
//! use natterjack_store::{Disk, disk::sim::{Crash, SimDisk}, disk::replace_file};
//!
//! let disk = SimDisk::default();
//! disk.create_dir_all(Path::new("/s")).unwrap();
//! disk.sync_dir(Path::new("/")).unwrap();
//! replace_file(&disk, Path::new("/s/a"), b"one").unwrap();
//! let after = disk.crash(disk.operations(), Crash::Lose);
//! assert_eq!(after.content(Path::new("/s/a")).unwrap(), b"one");
//! ```

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::crash::Image;
use super::world::{Inode, Op, Tree, World, broken, rename_folder};
use super::{Disk, DiskFile};

/// What a crash leaves of what was not forced out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Everything: the process ended, the machine did not.
    Keep,
    /// Nothing.
    Lose,
    /// Any part, by this seed: writes torn and out of order, names without their files.
    Seed(u64),
}

/// A block that is read as it was before it was last written, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// The n-th read of a file's content from now on.
    pub read: usize,
    /// The block of it, counted from the first that is read; the last one if there are fewer.
    pub block: usize,
}

/// What goes wrong on a running disk. Operations are counted as [`SimDisk::operations`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The first sync from this operation on fails, and what it was to force out is in doubt for ever.
    pub fail_sync_from: Option<usize>,
    /// The first write, link or removal from this operation on fails half way.
    pub fail_change_from: Option<usize>,
    /// The n-th read fails.
    pub fail_read: Option<usize>,
    /// A read of content gives what was there before, in part.
    pub stale: Option<Stale>,
    /// Bytes that fit.
    pub capacity: Option<u64>,
}

/// A disk in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<World>>);

impl SimDisk {
    pub(super) fn of(tree: Tree) -> Self {
        Self(Arc::new(Mutex::new(World::of(tree))))
    }

    /// Changes and syncs so far.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.0.lock().log.len()
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.lock().now.used()
    }

    /// The disk as it could be after a crash behind the first `operations` of this one.
    #[must_use]
    pub fn crash(&self, operations: usize, crash: Crash) -> Self {
        let world = self.0.lock();
        let end = operations.min(world.log.len());
        let files = world.now.files.len();
        Self::of(Image::new(&world.base, files, &world.log[..end]).after(crash))
    }

    /// Names and lengths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let world = self.0.lock();
        let tree = &world.now;
        tree.names
            .iter()
            .map(|(p, n)| (p.clone(), tree.files[*n].len()))
            .collect()
    }

    /// A number that equal disks share.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.0.lock().now.fingerprint()
    }

    /// The same disk once more, with all that was done to it.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// Content of a file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.0.lock();
        Some(world.now.files[*world.now.names.get(path)?].clone())
    }

    /// Flips a bit of a file, behind everybody's back. `false` when it is not there.
    pub fn flip(&self, path: &Path, byte: usize, bit: u8) -> bool {
        let mut world = self.0.lock();
        let Some(inode) = world.now.names.get(path).copied() else {
            return false;
        };
        match world.now.files[inode].get_mut(byte) {
            Some(found) => {
                *found ^= 1 << (bit % 8);
                true
            }
            None => false,
        }
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        let mut missing: Vec<&Path> = path
            .ancestors()
            .take_while(|p| p.parent().is_some() && !world.now.folders.contains(*p))
            .collect();
        while let Some(path) = missing.pop() {
            if world.change_fails() {
                return Err(broken());
            }
            world.run(Op::Folder {
                path: path.to_owned(),
            });
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut world = self.0.lock();
        world.read()?;
        let names = world.now.names.keys().chain(&world.now.folders);
        Ok(names
            .filter(|p| p.parent() == Some(path))
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.0.lock();
        if let Some(inode) = world.now.names.get(path).copied() {
            return Ok(Arc::new(SimFile(self.clone(), inode)));
        }
        let parent = path.parent().unwrap_or(path);
        if parent.parent().is_some() && !world.now.folders.contains(parent) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if world.change_fails() {
            return Err(broken());
        }
        let inode = world.make_file(path);
        Ok(Arc::new(SimFile(self.clone(), inode)))
    }

    fn open_existing(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.0.lock();
        world.read()?;
        let inode = world.now.names.get(path).copied();
        let inode = inode.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Arc::new(SimFile(self.clone(), inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        let inode = world.now.names.get(from).copied();
        let Some(inode) = inode else {
            return rename_folder(&mut world, from, to);
        };
        if world.change_fails() {
            return Err(broken());
        }
        world.run(Op::Link {
            path: to.to_owned(),
            inode,
        });
        world.run(Op::Unlink {
            path: from.to_owned(),
            inode,
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        let inode = world.now.names.get(path).copied();
        let inode = inode.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if world.change_fails() {
            return Err(broken());
        }
        world.run(Op::Unlink {
            path: path.to_owned(),
            inode,
        });
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        let under = |p: &&PathBuf| p.starts_with(path);
        let files = world.now.names.iter().filter(|(p, _)| p.starts_with(path));
        let files: Vec<_> = files.map(|(p, n)| (p.clone(), *n)).collect();
        let folders: Vec<_> = world.now.folders.iter().filter(under).rev().cloned().collect();
        for (path, inode) in files {
            if world.change_fails() {
                return Err(broken());
            }
            world.run(Op::Unlink { path, inode });
        }
        for path in folders {
            world.run(Op::RemoveFolder { path });
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        if world.sync_fails() {
            return Err(broken());
        }
        world.run(Op::SyncFolder {
            path: path.to_owned(),
        });
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile(SimDisk, Inode);

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.0.lock().now.files[self.1].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.0.0.lock();
        world.read()?;
        let file = &world.now.files[self.1];
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
        let n = buffer.len().min(file.len() - start);
        buffer[..n].copy_from_slice(&file[start..start + n]);
        world.make_stale(self.1, start, &mut buffer[..n]);
        Ok(n)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut data = Vec::with_capacity(slices.iter().map(|s| s.len()).sum());
        slices.iter().for_each(|s| data.extend_from_slice(s));
        let mut world = self.0.0.lock();
        let have = world.now.files[self.1].len() as u64;
        let more = (offset + data.len() as u64).saturating_sub(have);
        let mut outcome = Ok(());
        let room = world.room(more);
        if room < more {
            let cut = usize::try_from(more - room).unwrap_or(usize::MAX);
            data.truncate(data.len().saturating_sub(cut));
            outcome = Err(io::ErrorKind::StorageFull.into());
        }
        if world.change_fails() {
            data.truncate(data.len() / 2);
            outcome = Err(broken());
        }
        if !data.is_empty() {
            world.run(Op::Write {
                inode: self.1,
                at: offset,
                data,
            });
        }
        outcome
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.0.0.lock();
        let inode = self.1;
        if world.sync_fails() {
            world.run(Op::SyncFailed { inode });
            return Err(broken());
        }
        world.run(Op::Sync { inode });
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut world = self.0.0.lock();
        let more = len.saturating_sub(world.now.files[self.1].len() as u64);
        if more == 0 {
            return Ok(());
        }
        if world.room(more) < more {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if world.change_fails() {
            return Err(broken());
        }
        world.run(Op::Grow { inode: self.1, len });
        Ok(())
    }

    fn map(&self, len: usize) -> io::Result<Bytes> {
        let mut world = self.0.0.lock();
        world.read()?;
        let file = &world.now.files[self.1];
        let mut content = file
            .get(..len)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?
            .to_vec();
        world.make_stale(self.1, 0, &mut content);
        Ok(content.into())
    }
}
