//! Everything of a store that can be read, whatever is damaged. Changes nothing.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{aside, find_records, laid_out, list_numbers, pool};
use crate::batch::EntryBody;
use crate::damage;
use crate::disk::{Disk, read_file};
use crate::ids::{GroupId, LogIndex, Seq};
use crate::journal::recover;
use crate::journal::waiting::Waiting;
use crate::log::Checkpoint;
use crate::record::{Message, RecordView, flags};
use crate::seal::Encryption;
use crate::segment::cursor::Cursor;
use crate::segment::data::Data;
use crate::segment::parse_name;
use crate::segment::pool::Pool;
use crate::segment::write;
use crate::store::read_group;

/// A piece of a group.
#[derive(Debug, Clone, Copy)]
pub struct Exported<'a> {
    /// Of which.
    pub group: GroupId,
    /// What it is.
    pub content: Content<'a>,
}

/// What a piece holds.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The owner's state at the last checkpoint; comes first.
    State(&'a [u8]),
    /// A message; they come in order.
    Message(RecordView<'a>),
    /// A command behind the checkpoint, in order among the messages behind it. Messages it deletes were given already.
    Command(&'a [u8]),
}

/// Gives every group's state, messages and commands to `each`: groups without messages first, then streams, in the order of
/// their numbers, then streams that damage had set aside. What does not verify is left out; [`super::check`] says what that is. A message that was deleted after
/// the last checkpoint is given too: only its owner knows what commands mean.
///
/// # Errors
/// When there is no store, the disk cannot be read, the key is missing or another, or as `each` says.
pub fn export(
    disk: &Arc<dyn Disk>,
    root: &Path,
    encryption: Option<&Encryption>,
    each: &mut dyn FnMut(&Exported<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let pool = pool(disk, root, encryption)?;
    let vault = pool.vault.as_deref();
    let mut journal = recover::read(disk, &root.join("journal"), vault)?.entries;
    let streams: BTreeSet<GroupId> = numbers(disk.as_ref(), &root.join("streams"))?;
    let known = numbers(disk.as_ref(), &root.join("groups"))?;
    let groups: BTreeSet<GroupId> = known.into_iter().chain(journal.keys().copied()).collect();
    let asides = aside::streams(disk.as_ref(), root)?;
    let is_aside = |group: &GroupId| asides.iter().any(|(id, _)| id == group);
    for group in groups.difference(&streams).filter(|group| !is_aside(group)) {
        let dir = root.join("groups").join(format!("{:08x}", group.0));
        let (state, _) = read_group(disk.as_ref(), vault, &dir, &mut |_| {});
        let mut giver = Giver::new(*group, each);
        if let Some((applied, state)) = &state {
            giver.applied = *applied;
            giver.give(Content::State(state))?;
        }
        giver.entries(journal.remove(group).unwrap_or_default())?;
    }
    for group in streams {
        let dir = root.join("streams").join(format!("{:08x}", group.0));
        let mut giver = Giver::new(group, each);
        match Checkpoint::read(disk.as_ref(), vault, &dir).newest {
            Some(checkpoint) => giver.segments(disk.as_ref(), &pool, &dir, &checkpoint)?,
            None => giver.loose(disk.as_ref(), &pool, &dir)?,
        }
        giver.entries(journal.remove(&group).unwrap_or_default())?;
    }
    for (group, dir) in asides {
        let checkpoint = Checkpoint::read_as(disk.as_ref(), vault, &dir, &aside::before(&dir)).newest;
        let mut giver = Giver::new(group, each);
        match checkpoint {
            Some(checkpoint) => giver.segments(disk.as_ref(), &pool, &dir, &checkpoint)?,
            None => giver.loose(disk.as_ref(), &pool, &dir)?,
        }
        // Taken already if the number was given again.
        giver.entries(journal.remove(&group).unwrap_or_default())?;
    }
    Ok(())
}

fn numbers(disk: &dyn Disk, dir: &Path) -> io::Result<BTreeSet<GroupId>> {
    let names = list_numbers(disk, dir)?;
    let ids = names.iter().filter_map(|n| u32::from_str_radix(n, 16).ok());
    Ok(ids.map(GroupId).collect())
}

struct Giver<'a> {
    group: GroupId,
    applied: LogIndex,
    /// The last message given.
    last: Seq,
    each: &'a mut dyn FnMut(&Exported<'_>) -> io::Result<()>,
}

impl<'a> Giver<'a> {
    fn new(group: GroupId, each: &'a mut dyn FnMut(&Exported<'_>) -> io::Result<()>) -> Self {
        Self {
            group,
            applied: LogIndex(0),
            last: Seq::ZERO,
            each,
        }
    }

    fn give(&mut self, content: Content<'_>) -> io::Result<()> {
        (self.each)(&Exported {
            group: self.group,
            content,
        })
    }

    fn message(&mut self, record: RecordView<'_>) -> io::Result<()> {
        let holds_nothing = record.flags() & (flags::SKIP | flags::LOST) != 0;
        if holds_nothing || record.seq() <= self.last {
            return Ok(());
        }
        self.last = record.seq();
        self.give(Content::Message(record))
    }

    fn segments(
        &mut self,
        disk: &dyn Disk,
        pool: &Arc<Pool>,
        dir: &Path,
        checkpoint: &Checkpoint,
    ) -> io::Result<()> {
        self.applied = checkpoint.applied;
        self.give(Content::State(&checkpoint.owner))?;
        for entry in &checkpoint.segments {
            let mut segment = laid_out(entry);
            let [path, _] = segment.paths(dir);
            let stored = read_file(disk, &path).or_else(|_| read_file(disk, &damage::aside(&path)));
            let Ok(data) = stored else { continue };
            let [path, _] = segment.paths(&aside::before(dir));
            segment.data = Data::open(pool, &path, (entry.base, entry.generation), data.into())?;
            find_records(&mut segment);
            let mut cursor = Cursor::whole(&segment);
            while let Some((_, found)) = cursor.step() {
                if let Some(passing) = found {
                    self.message(passing.record())?;
                }
            }
        }
        Ok(())
    }

    /// Without a checkpoint nobody knows what is deleted.
    fn loose(&mut self, disk: &dyn Disk, pool: &Arc<Pool>, dir: &Path) -> io::Result<()> {
        let mut names = disk.list(dir)?;
        names.sort_unstable();
        for name in names {
            let Some((base, generation)) = parse_name(&name) else {
                continue;
            };
            let content = read_file(disk, &dir.join(&name))?.into();
            let path = aside::before(dir).join(&name);
            let data = Data::open(pool, &path, (base, generation), content)?;
            let offsets = write::scan(&data, base, data.end());
            for at in offsets.into_iter().filter(|at| *at != crate::segment::HOLE) {
                if let Some(message) = data.from(at as usize).and_then(Message::check) {
                    self.message(message.view())?;
                }
            }
        }
        Ok(())
    }

    fn entries(&mut self, entries: Vec<Waiting>) -> io::Result<()> {
        let applied = self.applied;
        for entry in entries.into_iter().filter(|e| e.index > applied) {
            let Ok(entry) = entry.read() else {
                return Err(io::Error::other("an entry of the journal cannot be read again"));
            };
            match &entry.body {
                EntryBody::Messages(batch) => {
                    for (_, record) in batch.records() {
                        self.message(record)?;
                    }
                }
                EntryBody::Command(bytes) => self.give(Content::Command(bytes))?,
            }
        }
        Ok(())
    }
}
