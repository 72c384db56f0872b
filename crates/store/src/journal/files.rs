//! The journal's files: which exist, which groups each pins, which may be used again.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ahead::{Ahead, Made, Ready, Source, Wanted};
use super::frame::Seed;
pub(crate) use super::header::{FRAMES_AT, HEADERS_BYTES, Header, Headers, Salt, read_headers};
use super::header::{SECOND_AT, salt};
use super::held::{Contents, Spans};
use super::tail::Tail;
use crate::disk::{Disk, DiskFile, ZEROS};
use crate::ids::{GroupId, LogIndex, Seq};
use crate::seal::{SEAL_BYTES, Sealer, Vault};

/// What a file with damage in it is called once it is not needed any more.
const DAMAGED: &str = "damaged";

/// Name of the file with `id`.
pub(crate) fn name(id: u64) -> String {
    format!("J-{id:016x}.jnl")
}

/// The id in a file's name.
pub(crate) fn id_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix("J-")?.strip_suffix(".jnl")?, 16).ok()
}

/// What the frames of file `id` are encrypted as.
pub(crate) fn purpose(id: u64) -> Vec<u8> {
    [b"journal".as_slice(), &id.to_le_bytes()].concat()
}

/// The error for a file that is encrypted with a key nobody has.
pub(crate) fn sealed_with_another_key(id: u64) -> io::Error {
    let text = format!(
        "journal {} is encrypted with a key that KEYS does not hold",
        name(id)
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// All files but the one being written.
#[derive(Debug)]
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    vault: Option<Arc<Vault>>,
    dir: PathBuf,
    full: BTreeMap<u64, Contents>,
    spare: Vec<(u64, Contents)>,
    spares_max: usize,
    ahead: Ahead,
    /// The next file, ready to be used.
    next: Option<Ready>,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, vault: Option<Arc<Vault>>, dir: &Path, spares_max: usize) -> Self {
        Self {
            disk,
            vault,
            dir: dir.to_owned(),
            full: BTreeMap::new(),
            spare: Vec::new(),
            spares_max,
            ahead: Ahead::default(),
            next: None,
        }
    }

    pub(crate) fn path(&self, id: u64) -> PathBuf {
        self.dir.join(name(id))
    }

    /// What the body of a frame is longer on disk, bytes.
    pub(crate) const fn seal_bytes(&self) -> usize {
        if self.vault.is_some() { SEAL_BYTES } else { 0 }
    }

    /// Notes that file `id` is full.
    pub(crate) fn add_full(&mut self, id: u64, contents: Contents) {
        self.full.insert(id, contents);
    }

    /// Number of full files that are still needed.
    pub(crate) fn full_count(&self) -> usize {
        self.full.len()
    }

    /// Whether the store is encrypted and a file is still kept that is not.
    pub(crate) fn has_readable(&self) -> bool {
        self.vault.is_some() && self.full.values().any(|c| !c.sealed)
    }

    /// Groups that keep the oldest file from being used again.
    pub(crate) fn pinning(&self, released: &HashMap<GroupId, LogIndex>) -> Vec<GroupId> {
        let Some(oldest) = self.full.values().next() else {
            return Vec::new();
        };
        let pins = |(group, highest): (&GroupId, &LogIndex)| {
            released.get(group).is_none_or(|r| r < highest).then_some(*group)
        };
        oldest.highest.iter().filter_map(pins).collect()
    }

    /// Lets go of files that no group needs any more: a few are kept to be written again, the rest removed.
    pub(crate) fn release(&mut self, released: &HashMap<GroupId, LogIndex>) -> io::Result<()> {
        let free: Vec<u64> = self
            .full
            .iter()
            .filter(|(_, c)| {
                c.highest
                    .iter()
                    .all(|(g, i)| released.get(g).is_some_and(|r| r >= i))
            })
            .map(|(id, _)| *id)
            .collect();
        for id in free {
            let contents = self.full.remove(&id).unwrap_or_default();
            let path = self.path(id);
            let usable = contents.sealed || self.vault.is_none();
            if contents.damaged {
                self.disk.rename(&path, &path.with_extension(DAMAGED))?;
            } else if usable && self.spare.len() < self.spares_max {
                self.spare.push((id, contents));
            } else {
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Gives back the space of files that are kept to be used again.
    pub(crate) fn drop_spares(&mut self) {
        let (disk, dir) = (&self.disk, &self.dir);
        self.spare
            .retain(|(id, _)| disk.remove(&dir.join(name(*id))).is_err());
    }

    /// Has a file made ready under the name of `id`, which comes next: of one used before if there is any, else of `bytes`
    /// zeros, for rounds that are mostly `large` or not.
    pub(crate) fn prepare(&mut self, id: u64, bytes: u64, large: bool) {
        if self.ahead.has(id) {
            return;
        }
        let source = match self.spare.pop() {
            Some((spare, contents)) => Source::Spare(self.path(spare), spare, contents),
            None => Source::Fresh,
        };
        let wanted = Wanted {
            id,
            path: self.path(id),
            bytes,
            large,
        };
        self.ahead.begin(&self.disk, &self.dir, wanted, source);
    }

    /// Waits for what is being made ready.
    fn settle(&mut self) -> Result<(), CreateError> {
        match self.ahead.finish() {
            None => Ok(()),
            Some(Made::Ready(ready)) => {
                self.next = Some(ready);
                Ok(())
            }
            Some(Made::Failed(error, spare)) => {
                self.spare.extend(spare);
                match error {
                    // It is tried again when the file is needed.
                    CreateError::Write(_) => Ok(()),
                    CreateError::Sync(error) => Err(CreateError::Sync(error)),
                }
            }
        }
    }

    /// A file to be written from the start under the new `id`: the one made ready for it, or else one used before if there
    /// is any. Whatever fails, the file may be there half made: [`CreateError`] says whether that can be tried again.
    pub(crate) fn create(&mut self, id: u64, first_lsn: u64, follows: u64) -> Result<Created, CreateError> {
        self.settle()?;
        let ready = match self.next.take() {
            Some(ready) => ready,
            None => self.make(id)?,
        };
        let (salt, sealer) = match &self.vault {
            None => (Salt::Plain(salt()), None),
            Some(vault) => {
                let (key, sealer) = vault.begin(&purpose(id)).map_err(CreateError::Write)?;
                (Salt::Sealed(key), Some(sealer))
            }
        };
        let header = Header {
            id,
            first_lsn,
            follows,
            salt,
        };
        let bytes = header.encode();
        // Whole pages: of a part of one the system would have to read the rest first.
        let rest = &ZEROS[bytes.len()..];
        for at in [0, SECOND_AT] {
            let mut page = [IoSlice::new(&bytes), IoSlice::new(rest)];
            if let Err(error) = ready.file.write_at(&mut page, at) {
                self.next = Some(ready);
                return Err(CreateError::Write(error));
            }
        }
        ready.file.sync_data().map_err(CreateError::Sync)?;
        Ok(Created {
            file: ready.file,
            seed: header.seed(),
            sealer,
            stale: ready.contents.into_stale(),
            tail: Tail::behind(&bytes),
        })
    }

    /// A file with the name of `id`, made now.
    fn make(&mut self, id: u64) -> Result<Ready, CreateError> {
        let path = self.path(id);
        let mut contents = Contents::default();
        if let Some((old, _)) = self.spare.last() {
            self.disk
                .rename(&self.path(*old), &path)
                .map_err(CreateError::Write)?;
            contents = self.spare.pop().map(|spare| spare.1).unwrap_or_default();
        }
        let file = self.disk.open(&path).map_err(CreateError::Write)?;
        // The name has to last, and the new header must not come to be seen under an old one.
        self.disk.sync_dir(&self.dir).map_err(CreateError::Sync)?;
        Ok(Ready { id, file, contents })
    }

    /// Goes through the files that may hold one of the messages `seqs`: `erase` gets the file, its id, and whether what is
    /// behind its entries is to be overwritten.
    pub(crate) fn erase(
        &mut self,
        group: GroupId,
        seqs: &[Seq],
        erase: &mut dyn FnMut(&dyn DiskFile, u64, bool) -> io::Result<()>,
    ) -> io::Result<()> {
        self.settle().map_err(|error| match error {
            CreateError::Write(error) | CreateError::Sync(error) => error,
        })?;
        let full = self.full.iter_mut().filter(|(_, c)| !c.damaged);
        let spare = self.spare.iter_mut().map(|(id, contents)| (&*id, contents));
        let next = self.next.iter_mut().map(|n| (&n.id, &mut n.contents));
        for (id, contents) in full.chain(spare).chain(next) {
            let stale = contents.stale.may_hold(group, seqs);
            if stale || contents.messages.may_hold(group, seqs) {
                let file = self.disk.open_existing(&self.dir.join(name(*id)))?;
                erase(file.as_ref(), *id, stale)?;
            }
            if stale {
                contents.stale = Spans::default();
            }
        }
        Ok(())
    }
}

/// A file ready to be written.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) seed: Seed,
    pub(crate) sealer: Option<Sealer>,
    /// What an earlier use may have left in it.
    pub(crate) stale: Spans,
    pub(super) tail: Tail,
}

/// Why a file could not be made.
#[derive(Debug)]
pub(crate) enum CreateError {
    /// It can be tried again.
    Write(io::Error),
    /// What was written may be gone without another word: nothing may rely on the file.
    Sync(io::Error),
}
