//! Space kept back for the day the disk is full: given up then, so that what was deleted can be written down and its
//! files removed. Messages are taken again only once it is there again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::Disk;

/// It is taken back when there is so much more, as a part of it: what was given up is for segments and checkpoints, without
/// which nothing comes free.
const HEADROOM_SHARE: u64 = 4;
/// Between tries to get the space back.
const RETRY: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: u64,
    held: bool,
    tried: Option<Instant>,
}

impl Reserve {
    /// Sets the space aside, if there is as much.
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf, bytes: u64) -> Self {
        let mut reserve = Self {
            disk,
            path,
            bytes,
            held: false,
            tried: None,
        };
        reserve.held = reserve.set_aside(bytes);
        reserve
    }

    /// Gives the space up.
    pub(crate) fn give_up(&mut self) {
        self.held = false;
        // If it is not removed there is less room than there could be, and nothing worse.
        let _left = self.disk.remove(&self.path);
    }

    /// Whether it was given up, and is not there again so far.
    pub(crate) const fn is_given_up(&self) -> bool {
        !self.held
    }

    /// Whether the space is set aside; tries to, every now and then.
    pub(crate) fn is_held(&mut self) -> bool {
        if !self.held && self.tried.is_none_or(|at| at.elapsed() >= RETRY) {
            self.tried = Some(Instant::now());
            let is_plenty = self.set_aside(self.bytes + self.bytes / HEADROOM_SHARE);
            self.give_up();
            self.held = is_plenty && self.set_aside(self.bytes);
        }
        self.held
    }

    /// Whether there are so many bytes, which it takes then.
    fn set_aside(&mut self, bytes: u64) -> bool {
        let taken = self.disk.open(&self.path).and_then(|file| file.reserve(bytes));
        if taken.is_err() {
            self.give_up();
        }
        taken.is_ok()
    }
}
