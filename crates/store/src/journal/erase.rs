//! Overwriting deleted messages in the journal: entries a checkpoint has made superfluous are emptied, and what earlier
//! uses left behind them is overwritten with zeros. Heads stay, so that reading the journal back works at every moment.
//!
//! An entry is emptied in two steps, each forced to disk: first one byte of the head says that the body means nothing,
//! then the body goes. One byte cannot be torn.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::{self, FRAMES_AT, Headers};
use super::frame::{BODY_AT, ERASED, ERASED_AT, Frame, Kind, Read, Seed, stride};
use super::held::Spans;
use super::scan::next_frame;
use super::tail::Tail;
use super::writer::Writer;
use crate::disk::{DiskFile, read_open};
use crate::ids::{GroupId, LogIndex, Seq};

/// Zeros are written in pieces of this many bytes.
const ZERO_BYTES: usize = 256 * 1024;

/// Messages that are to be gone from the journal.
#[derive(Debug)]
pub(crate) struct Erasure {
    pub(crate) group: GroupId,
    /// Entries up to here are not needed any more.
    pub(crate) applied: LogIndex,
    pub(crate) seqs: Vec<Seq>,
    /// Set when it is done; let go of when it failed.
    pub(crate) done: Arc<AtomicBool>,
}

impl Erasure {
    fn wants(&self, frame: &Frame) -> bool {
        let end = frame.base_seq.0.saturating_add(u64::from(frame.count));
        frame.group == self.group
            && frame.kind == Kind::Messages
            && frame.index <= self.applied
            && self.seqs.iter().any(|s| (frame.base_seq.0..end).contains(&s.0))
    }
}

/// How far a file's entries reach, and those to be emptied: where each begins and its length.
#[derive(Debug, Default)]
struct Walk {
    end: u64,
    doomed: Vec<(u64, usize)>,
}

fn walk(seed: &Seed, content: &[u8], erasure: &Erasure) -> Walk {
    let mut at = usize::try_from(FRAMES_AT).unwrap_or(usize::MAX);
    let mut walk = Walk {
        end: FRAMES_AT,
        doomed: Vec::new(),
    };
    while let Some(bytes) = content.get(at..) {
        let (frame, len) = match Frame::read(seed, bytes) {
            Read::Whole(frame, len) | Read::Damaged(frame, len) => (frame, len),
            Read::Nothing => match next_frame(seed, content, at) {
                Some(next) => {
                    at = next;
                    continue;
                }
                None => break,
            },
        };
        if erasure.wants(&frame) {
            walk.doomed.push((at as u64, len));
        }
        at += stride(len);
        walk.end = at as u64;
    }
    walk
}

/// Empties what `erasure` names in an open file, and overwrites what is behind the entries if `stale`.
fn erase_in(file: &dyn DiskFile, id: u64, erasure: &Erasure, stale: bool) -> io::Result<()> {
    let content = read_open(file)?;
    let walk = match files::read_headers(id, &content) {
        Headers::Found(header, _) => walk(&header.seed(), &content, erasure),
        Headers::Unused => Walk {
            end: FRAMES_AT,
            ..Walk::default()
        },
        Headers::Damaged => return Ok(()),
    };
    if !walk.doomed.is_empty() {
        for (at, _) in &walk.doomed {
            file.write_at(&mut [IoSlice::new(&[ERASED])], at + ERASED_AT as u64)?;
        }
        file.sync_data()?;
    }
    for (at, len) in &walk.doomed {
        zero(file, at + BODY_AT as u64, at + *len as u64)?;
    }
    if stale {
        zero(file, walk.end, content.len() as u64)?;
    }
    if stale || !walk.doomed.is_empty() {
        file.sync_data()?;
    }
    Ok(())
}

fn zero(file: &dyn DiskFile, mut from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZERO_BYTES.min(usize::try_from(to.saturating_sub(from)).unwrap_or(ZERO_BYTES))];
    while from < to {
        let n = usize::try_from(to - from).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_at(&mut [IoSlice::new(&zeros[..n])], from)?;
        from += n as u64;
    }
    Ok(())
}

impl Writer {
    /// Carries erasures out. One that fails is let go of; its stream asks again.
    pub(super) fn erase(&mut self, erasures: Vec<Erasure>) {
        for erasure in erasures {
            if self.shared.poison().is_some() {
                return;
            }
            match self.erase_one(&erasure) {
                Ok(()) => erasure.done.store(true, Ordering::Release),
                // What failed may have been a sync, and then nobody can tell what is on disk.
                Err(error) => drop(self.poison(&error)),
            }
        }
    }

    fn erase_one(&mut self, erasure: &Erasure) -> io::Result<()> {
        let (group, seqs) = (erasure.group, &erasure.seqs);
        if let Some(current) = &mut self.current {
            let stale = current.contents.stale.may_hold(group, seqs);
            if stale || current.contents.messages.may_hold(group, seqs) {
                current.tail = Tail::default();
                erase_in(current.file.as_ref(), current.id, erasure, stale)?;
            }
            if stale {
                current.contents.stale = Spans::default();
            }
        }
        self.files.erase(group, seqs, &mut |file, id, stale| {
            erase_in(file, id, erasure, stale)
        })
    }
}
