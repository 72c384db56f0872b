//! An entry that was found in the journal and is still to be applied. It is read when its turn comes: however much the journal
//! holds, little of it is in memory.

use std::sync::Arc;

use super::frame::{Frame, Kind};
use super::scan::Found;
use super::source::Source;
use crate::batch::{Committed, EntryBody};
use crate::ids::{LogIndex, Seq};

/// How often an entry is read that did verify before: a device may fail to read now and then.
const READS: usize = 3;

/// An entry, and where it is.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) index: LogIndex,
    /// Its first message, unless it is a command.
    pub(crate) first: Option<Seq>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// What could be made of it.
    Held(EntryBody),
    /// As it was written.
    Written {
        source: Arc<Source>,
        frame: Box<Frame>,
        at: u64,
        len: usize,
    },
}

/// An entry that was as it was written does not read the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Waiting {
    /// What is in memory.
    pub(crate) fn held(frame: &Frame, body: EntryBody) -> Self {
        Self::new(frame, Place::Held(body))
    }

    /// What `found` was read from; nothing when that is no entry.
    pub(crate) fn written(found: &Found, source: Arc<Source>) -> Option<Self> {
        let place = Place::Written {
            source,
            frame: Box::new(found.frame),
            at: found.offset,
            len: found.len,
        };
        let is_entry = found.frame.kind != Kind::Mark && !found.frame.is_erased;
        is_entry.then(|| Self::new(&found.frame, place))
    }

    fn new(frame: &Frame, place: Place) -> Self {
        Self {
            index: frame.index,
            first: (frame.kind == Kind::Messages).then_some(frame.base_seq),
            place,
        }
    }

    /// What is in memory of it, because damage was found.
    pub(crate) const fn salvaged(&self) -> Option<&EntryBody> {
        match &self.place {
            Place::Held(body) => Some(body),
            Place::Written { .. } => None,
        }
    }

    /// The entry.
    pub(crate) fn read(self) -> Result<Committed, Unreadable> {
        let body = match self.place {
            Place::Held(body) => Some(body),
            Place::Written {
                source,
                frame,
                at,
                len,
            } => {
                let body = (0..READS).find_map(|_| source.body(frame.lsn, at, len));
                body.and_then(|body| frame.entry(body))
            }
        };
        let index = self.index;
        body.map(|body| Committed { index, body }).ok_or(Unreadable)
    }
}
