//! Reads that wait for messages on their way to disk. Who publishes without asking for an acknowledgement, or is told of
//! a message that was published again into another stream, may read it at once; a read that comes behind such a message
//! is answered when it is there. No other read waits.

use natterjack_store::Seq;

use super::Owner;
use crate::jetstream::inbox::Call;

/// A read, and the message it waits for.
pub(super) struct Read(Seq, Call);

impl Owner {
    /// Does `read`, at once or as soon as what it may ask for is there.
    pub(in crate::jetstream) fn read(&mut self, read: impl FnOnce(&mut Self) + Send + 'static) {
        match self.group.awaited() {
            None => read(self),
            Some(seq) => self.reads.push_back(Read(seq, Box::new(read))),
        }
    }

    /// Does the reads that have what they wait for.
    pub(super) fn read_on(&mut self) {
        while let Some(Read(_, read)) = self.reads.pop_front_if(|Read(seq, _)| self.group.is_there(*seq)) {
            read(self);
        }
    }

    /// Does all that wait, with what is there.
    pub(super) fn read_all(&mut self) {
        for Read(_, read) in std::mem::take(&mut self.reads) {
            read(self);
        }
    }
}
