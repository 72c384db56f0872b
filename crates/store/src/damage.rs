//! What was found damaged or went wrong, for logs, health and metrics. Damage is kept aside, never deleted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::disk::Disk;
use crate::ids::{GroupId, Seq};

/// Reports kept at most.
const REPORTS_MAX: usize = 1000;

/// What stands behind the name of what is set aside.
pub(crate) const ASIDE: &str = ".damaged";

/// The name under which `path` is set aside.
pub(crate) fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ASIDE);
    path.with_file_name(name)
}

/// Keeps `text` unless there is more than anybody reads.
fn keep(list: &Mutex<Vec<String>>, text: String) {
    let mut list = list.lock();
    if list.len() < REPORTS_MAX {
        list.push(text);
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    reports: Mutex<Vec<String>>,
    troubles: Mutex<Vec<String>>,
    remarks: Mutex<Vec<String>>,
    lost: Mutex<BTreeSet<(GroupId, Seq)>>,
}

impl Damage {
    /// Something on disk is not as it was written.
    pub(crate) fn note(&self, text: String) {
        keep(&self.reports, text);
    }

    /// Something failed that will be tried again.
    pub(crate) fn trouble(&self, text: String) {
        keep(&self.troubles, text);
    }

    /// Something is worth telling, and no reason to worry.
    pub(crate) fn remark(&self, text: String) {
        keep(&self.remarks, text);
    }

    /// Takes what was worth telling since the last call.
    pub(crate) fn take_remarks(&self) -> Vec<String> {
        std::mem::take(&mut self.remarks.lock())
    }

    /// A message cannot be read.
    pub(crate) fn lost(&self, group: GroupId, seq: Seq) {
        if self.lost.lock().insert((group, seq)) {
            self.note(format!("group {group}: message {seq} is damaged"));
        }
    }

    /// Renames a damaged file so that it is kept and no longer read.
    pub(crate) fn quarantine(&self, disk: &dyn Disk, path: &Path) {
        let aside = aside(path);
        match disk.rename(path, &aside) {
            Ok(()) => self.note(format!(
                "{}: does not verify, or nothing names it any more; kept as {}",
                path.display(),
                aside.display()
            )),
            Err(error) => self.note(format!(
                "{}: does not verify and cannot be renamed: {error}",
                path.display()
            )),
        }
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.reports.lock().is_empty()
    }

    /// Reports of damage so far.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.reports.lock().clone()
    }

    /// Reports from the one with number `from` on.
    pub(crate) fn reports_from(&self, from: usize) -> Vec<String> {
        self.reports.lock().get(from..).unwrap_or_default().to_vec()
    }

    /// Takes what failed since the last call.
    pub(crate) fn take_troubles(&self) -> Vec<String> {
        std::mem::take(&mut self.troubles.lock())
    }
}
