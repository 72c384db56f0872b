//! The journal's next file, made ready by a thread of its own while the one before it is being filled: space set aside and
//! in general written over, and a name that lasts. Going over to it then takes no more than its header. Does not write headers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::files::CreateError;
use super::held::Contents;
use crate::disk::{Disk, DiskFile};

/// The file to be made.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Rounds are large of late. Writing the file over beforehand costs more then than what syncs wait for without that.
    pub(super) large: bool,
}

impl Wanted {
    fn set_aside(&self, file: &dyn DiskFile) -> io::Result<()> {
        if self.large {
            file.reserve(self.bytes)
        } else {
            file.fill(self.bytes)
        }
    }
}

/// What it is made of.
#[derive(Debug)]
pub(super) enum Source {
    /// A file used before, under this name.
    Spare(PathBuf, u64, Contents),
    /// Zeros.
    Fresh,
}

/// A file that has its name.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) id: u64,
    pub(super) file: Arc<dyn DiskFile>,
    /// What an earlier use left in it.
    pub(super) contents: Contents,
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Made {
    Ready(Ready),
    /// Why there is none, and the spare if that is still one.
    Failed(CreateError, Option<(u64, Contents)>),
}

/// The next file, if any is in the making.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    thread: Option<JoinHandle<Made>>,
    /// Tried once a file: on a full disk it would be tried for every entry.
    tried: Option<u64>,
}

impl Ahead {
    /// Whether file `id` was asked for.
    pub(super) fn has(&self, id: u64) -> bool {
        self.tried == Some(id)
    }

    /// Begins to make a file.
    pub(super) fn begin(&mut self, disk: &Arc<dyn Disk>, dir: &Path, wanted: Wanted, source: Source) {
        self.tried = Some(wanted.id);
        let (disk, dir) = (Arc::clone(disk), dir.to_owned());
        let make = move || match source {
            Source::Spare(old, spare, contents) => {
                rename(disk.as_ref(), &dir, &wanted, (&old, spare, contents))
            }
            Source::Fresh => match fresh(disk.as_ref(), &dir, &wanted) {
                Ok(ready) => Made::Ready(ready),
                Err(error) => Made::Failed(error, None),
            },
        };
        // Without a thread the file is made when it is needed.
        let thread = std::thread::Builder::new().name("journal-next".into());
        self.thread = thread.spawn(make).ok();
    }

    /// The file, once it is there.
    pub(super) fn finish(&mut self) -> Option<Made> {
        let made = self.thread.take()?.join();
        // A panic has said what it is; the file is made again when it is needed.
        made.ok()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Nothing touches the disk any more once the journal has ended.
        let _unused = self.finish();
    }
}

fn rename(
    disk: &dyn Disk,
    dir: &Path,
    wanted: &Wanted,
    (old, spare, contents): (&Path, u64, Contents),
) -> Made {
    if let Err(error) = disk.rename(old, &wanted.path) {
        return Made::Failed(CreateError::Write(error), Some((spare, contents)));
    }
    // The new header must not come to be seen under the old name.
    if let Err(error) = disk.sync_dir(dir) {
        return Made::Failed(CreateError::Sync(error), None);
    }
    let id = wanted.id;
    let file = match disk.open_existing(&wanted.path) {
        Ok(file) => file,
        Err(error) => return Made::Failed(CreateError::Write(error), Some((id, contents))),
    };
    // One that is shorter is used as it is when there is no space for more.
    if file.len().is_ok_and(|len| len < wanted.bytes)
        && wanted.set_aside(file.as_ref()).is_ok()
        && let Err(error) = file.sync_data()
    {
        return Made::Failed(CreateError::Sync(error), None);
    }
    Made::Ready(Ready { id, file, contents })
}

fn fresh(disk: &dyn Disk, dir: &Path, wanted: &Wanted) -> Result<Ready, CreateError> {
    let file = disk.open(&wanted.path).map_err(CreateError::Write)?;
    if let Err(error) = wanted.set_aside(file.as_ref()) {
        // The space is wanted for something else; a name left behind stands for nothing.
        let _left = disk.remove(&wanted.path);
        return Err(CreateError::Write(error));
    }
    file.sync_data().map_err(CreateError::Sync)?;
    disk.sync_dir(dir).map_err(CreateError::Sync)?;
    Ok(Ready {
        id: wanted.id,
        file,
        contents: Contents::default(),
    })
}
