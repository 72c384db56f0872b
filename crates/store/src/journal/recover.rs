//! Reading the journal back after a stop of any kind: every whole entry in order, and what is damaged.
//!
//! A frame that does not verify is damage when something says it was on disk, and what a crash cut short otherwise. What
//! lies behind a cut was never acknowledged; its heads are overwritten, so that no later recovery takes it for entries.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::Start;
use super::files::{self, Headers, Salt};
use super::frame::{BODY_AT, Frame, Kind};
use super::held::{Contents, Spans};
use super::scan::{Found, How, Scan};
use super::waiting::Waiting;
use crate::batch::{Batch, EntryBody};
use crate::disk::Disk;
use crate::ids::{GroupId, Seq};
use crate::record::{self, NewRecord, RecordView, flags};
use crate::seal::Vault;

/// What the journal holds.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) start: Start,
    /// Entries of each group, in order.
    pub(crate) entries: HashMap<GroupId, Vec<Waiting>>,
    /// Groups of which entries were emptied: those left do not tell the whole story.
    pub(crate) erased: HashSet<GroupId>,
    /// What is damaged, in words.
    pub(crate) damage: Vec<String>,
    /// Whether anything that was on disk is gone.
    pub(crate) lossy: bool,
    /// Frames behind a cut: the file of each and where it begins.
    cut: Vec<(u64, u64)>,
    /// Files without anything that counts. One may be another name of a file in use, if a crash came while it was renamed.
    unused: Vec<u64>,
    /// Frames that count and may not be on disk: they were read from memory that a sync has failed to force out, maybe, and
    /// another sync would not. File, place and bytes.
    unsure: Vec<(u64, u64, Bytes)>,
}

/// Reads all files of `dir` and overwrites what a crash cut off.
pub(crate) fn recover(disk: &Arc<dyn Disk>, dir: &Path, vault: Option<&Vault>) -> io::Result<Recovered> {
    let recovered = read(disk, dir, vault)?;
    recovered.cut_off(disk, dir)?;
    Ok(recovered)
}

/// Reads all files of `dir`, changing nothing.
///
/// # Errors
/// As the disk says, and when a file is encrypted and `vault` does not open it.
pub(crate) fn read(disk: &Arc<dyn Disk>, dir: &Path, vault: Option<&Vault>) -> io::Result<Recovered> {
    let mut ids: Vec<u64> = disk.list(dir)?.iter().filter_map(|n| files::id_of(n)).collect();
    ids.sort_unstable();
    let mut scan = Scan::new(vault);
    for id in &ids {
        scan.file(disk.as_ref(), dir, *id)?;
    }
    let mut found = std::mem::take(&mut scan.found);
    found.sort_by_key(|f| f.frame.lsn);
    let synced = found.iter().map(|f| f.frame.synced).max().unwrap_or(0);
    let highest = found.last().map_or(0, |f| f.frame.lsn);
    let first = scan.first_lsn.unwrap_or(1);
    let cut = found.split_off(whole_until(&found, first, synced));
    let mut recovered = Recovered {
        start: Start {
            // Numbers of frames that were cut are not used again: a later recovery must not take them for these.
            next_lsn: highest + 1,
            last_lsn: found
                .last()
                .map_or_else(|| first.saturating_sub(1), |f| f.frame.lsn),
            next_file: ids.last().map_or(1, |id| id + 1),
            files: Vec::new(),
            released: HashMap::new(),
        },
        entries: HashMap::new(),
        erased: HashSet::new(),
        damage: Vec::new(),
        lossy: false,
        unsure: found
            .iter()
            .filter(|f| f.frame.lsn > synced)
            .map(|f| (f.file, f.offset, f.bytes.clone()))
            .collect(),
        unused: std::mem::take(&mut scan.unused),
        cut: cut.iter().map(|f| (f.file, f.offset)).collect(),
    };
    let mut contents: HashMap<u64, Contents> = ids
        .iter()
        .filter(|id| !recovered.unused.contains(*id))
        .map(|id| (*id, unread()))
        .collect();
    for id in &scan.sealed {
        contents.entry(*id).or_insert_with(unread).sealed = true;
    }
    for mut note in scan.notes {
        // A gap counts as damage when a frame that was on disk is behind it.
        if note.behind < synced {
            contents.entry(note.file).or_default().damaged = true;
            recovered.lossy |= note.lossy;
            recovered.damage.push(std::mem::take(&mut note.text));
        }
    }
    for item in found {
        recovered.take(&item, synced, &mut contents);
    }
    recovered.start.files = contents.into_iter().collect();
    Ok(recovered)
}

/// Fails if a file is encrypted: there is no key.
///
/// # Errors
/// If so, and as the disk says.
pub(crate) fn refuse_sealed(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for id in disk.list(dir)?.iter().filter_map(|n| files::id_of(n)) {
        let mut head = vec![0; files::HEADERS_BYTES];
        let file = disk.open_existing(&dir.join(files::name(id)))?;
        let read = file.read_at(&mut head, 0)?;
        if let Headers::Found(header, _) = files::read_headers(id, &head[..read])
            && matches!(header.salt, Salt::Sealed(_))
        {
            return Err(files::sealed_with_another_key(id));
        }
    }
    Ok(())
}

/// A file of an earlier start.
fn unread() -> Contents {
    Contents {
        stale: Spans::unknown(),
        ..Contents::default()
    }
}

/// How many of `found` count, of which `first` should be the first: whatever lies behind the first gap above the synced mark belongs to a write that was cut
/// short.
fn whole_until(found: &[Found], first: u64, synced: u64) -> usize {
    let mut next = first;
    for (n, item) in found.iter().enumerate() {
        let unsure = matches!(item.how, How::Guessed | How::Broken) && item.frame.lsn > synced;
        let gap = item.frame.lsn != next;
        // Files between may have been let go of; but what is missing of a file that is there was in it.
        let torn = item.frame.lsn > next.max(item.file_first) && item.frame.lsn - 1 > synced;
        if unsure || torn || (gap && next > synced) {
            return n;
        }
        next = item.frame.lsn + 1;
    }
    found.len()
}

impl Recovered {
    fn take(&mut self, item: &Found, synced: u64, contents: &mut HashMap<u64, Contents>) {
        let group = item.frame.group;
        let content = contents.entry(item.file).or_insert_with(unread);
        let place = format!("journal {}: the entry at {}", files::name(item.file), item.offset);
        // A write that was cut short can leave what was there before, and that can differ in a single bit: above the synced
        // mark this is no damage. What is put right there is written again before anything new is.
        let how = match item.how {
            How::Mended if item.frame.lsn > synced => How::Whole,
            how => how,
        };
        if how != How::Whole {
            content.damaged = true;
        }
        let waiting = match (how, &item.source) {
            (How::Whole, Some(source)) => Waiting::written(item, Arc::clone(source)),
            _ => self
                .salvaged(how, item, &place)
                .map(|body| Waiting::held(&item.frame, body)),
        };
        if item.frame.kind != Kind::Mark {
            content.note(&item.frame);
        }
        if item.frame.is_erased {
            self.erased.insert(group);
        }
        self.entries.entry(group).or_default().extend(waiting);
    }

    /// What can be had of an entry that is not as it was written.
    fn salvaged(&mut self, how: How, item: &Found, place: &str) -> Option<EntryBody> {
        let Frame { group, index, .. } = item.frame;
        match how {
            How::Whole => item.frame.entry(item.body.clone()),
            How::Mended | How::Guessed => {
                self.damage
                    .push(format!("{place} had a flipped bit, which was put right"));
                item.frame.entry(item.body.clone())
            }
            How::Broken => {
                self.damage
                    .push(format!("{place} (group {group}, index {index}) does not verify"));
                self.lossy = true;
                (item.frame.kind == Kind::Messages)
                    .then(|| EntryBody::Messages(salvage(&item.body, item.frame.base_seq, item.frame.count)))
            }
        }
    }

    /// Removes names that stand for nothing, and overwrites the heads of what lies behind a cut, and forces that, and what counts, to disk before anything new is written.
    fn cut_off(&self, disk: &Arc<dyn Disk>, dir: &Path) -> io::Result<()> {
        let heads = self.cut.iter().map(|(file, at)| (*file, *at, &[0; BODY_AT][..]));
        let frames = self
            .unsure
            .iter()
            .map(|(file, at, bytes)| (*file, *at, &bytes[..]));
        let mut open = HashMap::new();
        for (file, at, bytes) in heads.chain(frames) {
            let handle = match open.entry(file) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(disk.open_existing(&dir.join(files::name(file)))?),
            };
            handle.write_at(&mut [IoSlice::new(bytes)], at)?;
        }
        open.values().try_for_each(|file| file.sync_data())?;
        for id in &self.unused {
            disk.remove(&dir.join(files::name(*id)))?;
        }
        Ok(())
    }
}

/// The records of a damaged body that verify, with a mark for each that does not.
fn salvage(body: &[u8], base: Seq, count: u32) -> Batch {
    let mut out = Vec::with_capacity(body.len());
    let (mut at, mut next) = (0, base);
    let end = Seq(base.0.saturating_add(u64::from(count)));
    while next < end {
        let found = find_record(body, at, next, end);
        let until = found.map_or(end, |(_, view)| view.seq());
        while next < until {
            let lost = NewRecord {
                seq: next,
                flags: flags::SKIP | flags::LOST,
                ..NewRecord::default()
            };
            let _stride = record::encode(&lost, &mut out);
            next = next.next();
        }
        if let Some((place, view)) = found {
            out.extend_from_slice(&body[place..place + view.stride()]);
            at = place + view.stride();
            next = next.next();
        }
    }
    Batch::read(out.into(), base, count)
}

/// The next record at or behind `at` with a sequence from `next` on and before `end`.
fn find_record(body: &[u8], mut at: usize, next: Seq, end: Seq) -> Option<(usize, RecordView<'_>)> {
    while at < body.len() {
        if let Some(view) = RecordView::check(&body[at..])
            && (next..end).contains(&view.seq())
            && at + view.stride() <= body.len()
        {
            return Some((at, view));
        }
        at += record::ALIGN;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GroupId, LogIndex};

    /// Entries as (file, what the file begins with, their number), and how many of them count.
    fn counted(entries: &[(u64, u64, u64)], synced: u64) -> usize {
        let found = entries.iter().map(|(file, file_first, lsn)| Found {
            frame: Frame {
                lsn: *lsn,
                synced: 0,
                group: GroupId(1),
                kind: Kind::Command,
                is_erased: false,
                count: 0,
                term: 1,
                index: LogIndex(*lsn),
                base_seq: Seq(0),
            },
            bytes: Bytes::new(),
            body: Bytes::new(),
            source: None,
            len: 0,
            file: *file,
            file_first: *file_first,
            offset: 0,
            how: How::Whole,
        });
        whole_until(&found.collect::<Vec<_>>(), 1, synced)
    }

    #[test]
    fn what_lies_behind_a_torn_write_does_not_count() {
        assert_eq!(counted(&[(1, 1, 1), (1, 1, 2), (1, 1, 4)], 1), 2);
        // Also when the files before it were let go of.
        assert_eq!(counted(&[(1, 1, 1), (3, 24, 26)], 23), 1);
        assert_eq!(counted(&[(1, 1, 1), (3, 24, 24), (3, 24, 26)], 23), 2);
    }

    #[test]
    fn what_was_let_go_of_leaves_no_gap() {
        assert_eq!(counted(&[(1, 1, 1), (3, 24, 24), (3, 24, 25)], 23), 3);
        // The last of a file that was let go of may be newer than the mark of what follows.
        assert_eq!(counted(&[(1, 1, 1), (3, 31, 31)], 28), 2);
        // What is missing below the mark was on disk: that is damage, not a write that was cut short.
        assert_eq!(counted(&[(1, 1, 1), (1, 1, 3), (1, 1, 4)], 3), 3);
    }
}
