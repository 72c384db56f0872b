//! The log file: written at its end, set aside under a dated name once it is large, of which only so many are kept.
//! Does not know how a line looks.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Zoned;

/// Who may read the file: owner and group, as with the peer.
const MODE: u32 = 0o640;
/// Numbers of a date and a time, as far as the second, in the name of a file set aside.
const STAMP_NUMBERS: usize = 6;

/// When a log file is set aside, and how many are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotation {
    /// Size beyond which it is set aside; 0 never.
    pub(super) size_limit_bytes: u64,
    /// Files kept, the one in use among them; 0 all.
    pub(super) max_files: u64,
}

/// What was done about a log file that had become large, to be said in the fresh one.
#[derive(Debug, PartialEq)]
pub(super) enum Rotated {
    /// The file goes on under this name.
    Saved(PathBuf),
    /// The oldest were removed.
    Purged(String),
    /// One that should be removed could not be.
    Kept(PathBuf, String),
}

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    written: u64,
}

impl LogFile {
    /// Opens the file at `path`, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(MODE).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            file,
            path: path.to_owned(),
            written,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &str) {
        let _nobody_to_tell = self.file.write_all(line.as_bytes());
        self.written += line.len() as u64;
    }

    /// Whether it is time to set it aside.
    pub(super) const fn is_large(&self, rotation: Rotation) -> bool {
        rotation.size_limit_bytes > 0 && self.written > rotation.size_limit_bytes
    }

    /// Sets the file aside under a name that says `now`, goes on with a fresh one and removes the oldest of those set
    /// aside. Where there is no fresh one to be had, nothing changes but the size at which this is tried again.
    pub(super) fn rotate(&mut self, rotation: Rotation, now: &Zoned) -> Vec<Rotated> {
        let mut name = self.path.clone().into_os_string();
        name.push(now.strftime(".%Y.%m.%d.%H.%M.%S.%9f").to_string());
        let saved = PathBuf::from(name);
        let fresh = std::fs::rename(&self.path, &saved).and_then(|()| Self::open(&self.path));
        let Ok(fresh) = fresh else {
            self.written = 0;
            return Vec::new();
        };
        *self = fresh;
        let mut done = vec![Rotated::Saved(saved)];
        if rotation.max_files > 0 {
            self.purge(rotation.max_files - 1, &mut done);
        }
        done
    }

    fn purge(&self, kept: u64, done: &mut Vec<Rotated>) {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let base = self.path.file_name().unwrap_or_default().to_string_lossy();
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = names.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let names: Vec<String> = files
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        for name in surplus(names, &base, usize::try_from(kept).unwrap_or(usize::MAX)) {
            let path = folder.join(&name);
            done.push(match std::fs::remove_file(&path) {
                Ok(()) => Rotated::Purged(name),
                Err(error) => Rotated::Kept(path, error.to_string()),
            });
        }
    }
}

/// Which of `names` are older files of the log `base` than the `kept` youngest, oldest first.
fn surplus(names: Vec<String>, base: &str, kept: usize) -> Vec<String> {
    let mut saved: Vec<String> = names
        .into_iter()
        .filter(|name| {
            let stamp = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('.'));
            stamp.is_some_and(is_stamp)
        })
        .collect();
    saved.sort_unstable();
    saved.truncate(saved.len().saturating_sub(kept));
    saved
}

/// Whether `text` says when a file was set aside: a date that exists and a time, with or without a fraction of a second.
fn is_stamp(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(STAMP_NUMBERS + 1, '.').collect();
    let Some((numbers, fraction)) = parts.split_at_checked(STAMP_NUMBERS) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let widths = numbers.iter().zip([4, 2, 2, 2, 2, 2]);
    widths.fold(true, |so_far, (number, width)| {
        so_far && number.len() == width && digits(number)
    }) && fraction.iter().all(|fraction| digits(fraction))
        && jiff::civil::DateTime::strptime("%Y.%m.%d.%H.%M.%S", numbers.join(".")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLDEST_FIRST: [&str; 3] = [
        "n.log.2020.01.31.00.00.00",
        "n.log.2020.01.31.00.00.00.000000001",
        "n.log.2026.11.21.17.26.39.193923428",
    ];

    #[test]
    fn only_dated_names_of_this_log_count() {
        let others = [
            "n.log",
            "n.log.x",
            "n.logs.2020.01.01.00.00.00.000000001",
            "n.log.2019.13.01.00.00.00.000000001",
            "n.log.2019.02.30.00.00.00",
            "n.log.2019.02.03.00.00",
            "n.log.2019.2.3.00.00.00",
            "n.log.2019.02.03.00.00.00.",
            "n.log.2019.02.03.00.00.00.5.gz",
        ];
        let names = || {
            others
                .iter()
                .chain(OLDEST_FIRST.iter().rev())
                .map(|n| (*n).to_owned())
        };
        assert_eq!(surplus(names().collect(), "n.log", 0), OLDEST_FIRST);
        assert_eq!(surplus(names().collect(), "n.log", 2), OLDEST_FIRST[..1]);
        assert!(surplus(names().collect(), "n.log", 3).is_empty());
        assert!(surplus(names().collect(), "n.log", usize::MAX).is_empty());
    }

    #[test]
    fn a_large_file_is_set_aside_and_the_oldest_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.log");
        let mut log = LogFile::open(&path).unwrap();
        let rotation = Rotation {
            size_limit_bytes: 4,
            max_files: 2,
        };
        let at = |second| {
            let time = format!("2026-11-21T17:26:0{second}.5+00:00[UTC]");
            time.parse::<Zoned>().unwrap()
        };
        log.write("1234");
        assert!(!log.is_large(rotation), "the limit itself is allowed");
        log.write("5");
        assert!(log.is_large(rotation));
        let saved = |second| {
            folder
                .path()
                .join(format!("n.log.2026.11.21.17.26.0{second}.500000000"))
        };
        assert_eq!(log.rotate(rotation, &at(1)), [Rotated::Saved(saved(1))]);
        assert_eq!(std::fs::read(saved(1)).unwrap(), b"12345");
        assert!(!log.is_large(rotation));
        log.write("67890");
        let purged = Rotated::Purged("n.log.2026.11.21.17.26.01.500000000".to_owned());
        assert_eq!(log.rotate(rotation, &at(2)), [Rotated::Saved(saved(2)), purged]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn without_a_number_all_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(&folder.path().join("n.log")).unwrap();
        let rotation = Rotation {
            size_limit_bytes: 1,
            max_files: 0,
        };
        for _ in 0..5 {
            log.write("ab");
            log.rotate(rotation, &Zoned::now());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6);
    }
}
