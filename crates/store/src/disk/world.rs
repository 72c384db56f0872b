//! Files and folders of a simulated disk, and the list of what was done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::sim::Faults;

/// Disks write and read in blocks of this size.
const BLOCK_BYTES: usize = 512;

/// Number of a file, whatever its name.
pub(super) type Inode = usize;

/// One change, or what makes changes last.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Write {
        inode: Inode,
        at: u64,
        data: Vec<u8>,
    },
    Grow {
        inode: Inode,
        len: u64,
    },
    Sync {
        inode: Inode,
    },
    /// A sync that failed: what was not on disk may be anything from now on, whatever is synced later.
    SyncFailed {
        inode: Inode,
    },
    Folder {
        path: PathBuf,
    },
    Link {
        path: PathBuf,
        inode: Inode,
    },
    Unlink {
        path: PathBuf,
        inode: Inode,
    },
    RemoveFolder {
        path: PathBuf,
    },
    SyncFolder {
        path: PathBuf,
    },
}

#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<Vec<u8>>,
    pub(super) names: BTreeMap<PathBuf, Inode>,
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Tree {
    fn write(&mut self, inode: Inode, at: u64, data: &[u8]) {
        let file = &mut self.files[inode];
        let at = usize::try_from(at).unwrap_or(usize::MAX / 2);
        if file.len() < at + data.len() {
            file.resize(at + data.len(), 0);
        }
        file[at..at + data.len()].copy_from_slice(data);
    }

    pub(super) fn fingerprint(&self) -> u64 {
        use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
        let mut hasher = foldhash::fast::FixedState::with_seed(0).build_hasher();
        self.folders.hash(&mut hasher);
        for (path, inode) in &self.names {
            path.hash(&mut hasher);
            self.files[*inode].hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(super) fn used(&self) -> u64 {
        self.names.values().map(|n| self.files[*n].len() as u64).sum()
    }

    /// Carries out what changes the tree; syncs change nothing.
    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { inode, at, data } => self.write(*inode, *at, data),
            Op::Grow { inode, len } => self.write(*inode, *len, &[]),
            Op::Folder { path } => {
                self.folders.insert(path.clone());
            }
            Op::Link { path, inode } => {
                self.names.insert(path.clone(), *inode);
            }
            Op::Unlink { path, inode } => {
                if self.names.get(path) == Some(inode) {
                    self.names.remove(path);
                }
            }
            Op::RemoveFolder { path } => {
                self.folders.remove(path);
            }
            Op::Sync { .. } | Op::SyncFailed { .. } | Op::SyncFolder { .. } => {}
        }
    }
}

#[derive(Debug, Default, Clone)]
pub(super) struct World {
    pub(super) base: Tree,
    pub(super) now: Tree,
    pub(super) log: Vec<Op>,
    reads: usize,
    pub(super) faults: Faults,
}

impl World {
    pub(super) fn of(tree: Tree) -> Self {
        Self {
            base: tree.clone(),
            now: tree,
            ..Self::default()
        }
    }
}

impl World {
    pub(super) fn run(&mut self, op: Op) {
        self.now.apply(&op);
        self.log.push(op);
    }

    pub(super) fn make_file(&mut self, path: &Path) -> Inode {
        let inode = self.now.files.len();
        self.now.files.push(Vec::new());
        self.run(Op::Link {
            path: path.to_owned(),
            inode,
        });
        inode
    }

    /// Whether the change that is about to happen fails. Once.
    pub(super) fn change_fails(&mut self) -> bool {
        let fails = self.faults.fail_change_from.is_some_and(|n| self.log.len() >= n);
        if fails {
            self.faults.fail_change_from = None;
        }
        fails
    }

    pub(super) fn sync_fails(&mut self) -> bool {
        let fails = self.faults.fail_sync_from.is_some_and(|n| self.log.len() >= n);
        if fails {
            self.faults.fail_sync_from = None;
        }
        fails
    }

    pub(super) fn read(&mut self) -> io::Result<()> {
        self.reads += 1;
        if self.faults.fail_read == Some(self.reads) {
            return Err(broken());
        }
        Ok(())
    }

    /// Puts a block of `content`, read from `at` of a file, back to what it was before it was last written, if that is asked
    /// for. Once.
    pub(super) fn make_stale(&mut self, inode: Inode, at: usize, content: &mut [u8]) {
        let Some(stale) = &mut self.faults.stale else {
            return;
        };
        if content.is_empty() {
            return;
        }
        stale.read = stale.read.saturating_sub(1);
        if stale.read > 0 {
            return;
        }
        let last = (content.len() - 1) / BLOCK_BYTES;
        let from = stale.block.min(last) * BLOCK_BYTES;
        let to = (from + BLOCK_BYTES).min(content.len());
        self.faults.stale = None;
        let before = self.before(inode, at + from, at + to);
        content[from..to].copy_from_slice(&before);
    }

    /// The bytes from `from` to `to` of a file as they were before they were last written.
    fn before(&self, inode: Inode, from: usize, to: usize) -> Vec<u8> {
        let touches = |op: &&Op| match op {
            Op::Write { inode: n, at, data } => {
                let at = usize::try_from(*at).unwrap_or(usize::MAX);
                *n == inode && at < to && at.saturating_add(data.len()) > from
            }
            _ => false,
        };
        let writes = self.log.iter().filter(touches).count();
        let mut tree = Tree::default();
        tree.files.resize(inode + 1, Vec::new());
        if let Some(file) = self.base.files.get(inode) {
            tree.files[inode].clone_from(file);
        }
        let earlier = self.log.iter().filter(touches).take(writes.saturating_sub(1));
        earlier.for_each(|op| tree.apply(op));
        let mut file = std::mem::take(&mut tree.files[inode]);
        file.resize(file.len().max(to), 0);
        file[from..to].to_vec()
    }

    /// How many of `bytes` more fit.
    pub(super) fn room(&self, bytes: u64) -> u64 {
        let left = self.faults.capacity.map(|c| c.saturating_sub(self.now.used()));
        left.map_or(bytes, |l| l.min(bytes))
    }
}

pub(super) fn broken() -> io::Error {
    io::Error::other("input/output error")
}

/// Folders are renamed with everything in them; each name on its own, as far as a crash is concerned.
pub(super) fn rename_folder(world: &mut World, from: &Path, to: &Path) -> io::Result<()> {
    if !world.now.folders.contains(from) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let moved = |p: &Path| p.strip_prefix(from).map(|rest| to.join(rest)).ok();
    let folders: Vec<_> = world
        .now
        .folders
        .iter()
        .filter_map(|p| Some((p.clone(), moved(p)?)))
        .collect();
    let files = world
        .now
        .names
        .iter()
        .filter_map(|(p, n)| Some((p.clone(), moved(p)?, *n)));
    let files: Vec<_> = files.collect();
    for (_, path) in &folders {
        world.run(Op::Folder { path: path.clone() });
    }
    for (old, path, inode) in files {
        world.run(Op::Link { path, inode });
        world.run(Op::Unlink { path: old, inode });
    }
    for (path, _) in folders.into_iter().rev() {
        world.run(Op::RemoveFolder { path });
    }
    Ok(())
}
