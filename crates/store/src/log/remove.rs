//! Taking one message away.

use super::checkpoint::Erase;
use super::{Storage, StreamLog};
use crate::ids::Seq;
use crate::record::RecordView;
use crate::traits::Removed;

/// What is known of a message that leaves.
#[derive(Default)]
struct Leaving {
    subject: Vec<u8>,
    accounted: u64,
}

impl StreamLog {
    fn leaving(&self, record: RecordView<'_>) -> Leaving {
        Leaving {
            subject: record.subject().to_vec(),
            accounted: self.accounted(record),
        }
    }

    pub(super) fn apply_remove(&mut self, seq: Seq, erase: bool, removed: &mut dyn Removed) -> bool {
        if seq < self.state.first_seq || seq > self.last() {
            return false;
        }
        let gone = if let Some(slot) = self.tail_slot(seq) {
            self.remove_from_tail(seq, slot, erase)
        } else {
            self.remove_from_segment(seq, erase)
        };
        let Some(gone) = gone else { return false };
        if erase {
            self.pins.erase(seq);
        }
        if erase && self.storage == Storage::File {
            self.jobs.scrub.push(seq);
        }
        self.state.msgs -= 1;
        self.state.bytes = self.state.bytes.saturating_sub(gone.accounted);
        if !gone.subject.is_empty() {
            self.take_from_subject(&gone.subject, seq);
            removed.removed(seq, &gone.subject);
        }
        self.lost.get_mut().remove(&seq);
        if seq == self.state.first_seq {
            self.advance_first(seq.next());
        }
        self.changed();
        true
    }

    fn remove_from_tail(&mut self, seq: Seq, slot: usize, erase: bool) -> Option<Leaving> {
        let bytes = self.tail.get_mut(slot)?.take()?;
        self.tail_bytes = self.tail_bytes.saturating_sub(bytes.len() as u64);
        let gone = RecordView::check(&bytes).map(|record| self.leaving(record));
        if slot < self.tail_placed
            && let Some(n) = self.segment_of(seq)
        {
            let segment = &mut self.segments[n];
            if let Some(slot) = segment.slot(seq) {
                segment.deleted.insert(slot);
                segment.live_bytes = segment.live_bytes.saturating_sub(bytes.len() as u64);
                let at = segment.offset(slot).unwrap_or(0) as u64 + 8;
                let (base, generation) = (segment.base, segment.generation);
                if erase && self.storage == Storage::File {
                    let len = bytes.len().saturating_sub(8) as u64;
                    self.jobs.erase.push(Erase {
                        base,
                        generation,
                        at,
                        len,
                    });
                }
            }
        }
        gone
    }

    fn remove_from_segment(&mut self, seq: Seq, erase: bool) -> Option<Leaving> {
        let n = self.segment_of(seq)?;
        let slot = self.segments[n].slot(seq)?;
        if self.segments[n].deleted.contains(slot) {
            return None;
        }
        let (stride, gone) = self.leaving_segment(n, slot);
        let segment = &mut self.segments[n];
        segment.deleted.insert(slot);
        segment.live_bytes = segment.live_bytes.saturating_sub(stride);
        if erase {
            self.erase(n, slot);
        }
        if self.segments[n].live() == 0 && self.segments[n].sealed {
            self.drop_segment(n);
        }
        Some(gone)
    }

    /// The bytes of a record of a segment and what is known of it, from the index if that says so: it is not read then.
    fn leaving_segment(&self, n: usize, slot: usize) -> (u64, Leaving) {
        let segment = &self.segments[n];
        if let Some((head, subjects)) = segment.head(slot) {
            let gone = Leaving {
                subject: head.subject(&subjects).to_vec(),
                accounted: u64::from(head.accounted),
            };
            return (u64::from(head.stride), gone);
        }
        match segment.view(slot) {
            Some(message) => (message.view().stride() as u64, self.leaving(message.view())),
            // A damaged message leaves as well; what it counted for is not known any more.
            None => (0, Leaving::default()),
        }
    }

    /// Moves the first sequence to the next live message at or behind `from`.
    pub(super) fn advance_first(&mut self, from: Seq) {
        match self.next_live(from) {
            Some(seq) => {
                self.state.first_seq = seq;
                self.state.first_ts_ns = self.timestamp(seq).unwrap_or(self.state.first_ts_ns);
            }
            None => {
                self.state.first_seq = self.last().next();
                self.state.first_ts_ns = 0;
            }
        }
    }

    /// Has the bytes of a deleted record overwritten once a checkpoint says that it is deleted: until then a restart reads
    /// the record to tell what goes.
    fn erase(&mut self, n: usize, slot: usize) {
        let segment = &self.segments[n];
        let (Some(at), Some(message)) = (segment.offset(slot), segment.view(slot)) else {
            return;
        };
        let erase = Erase {
            base: segment.base,
            generation: segment.generation,
            at: at as u64 + 8,
            len: message.view().stride().saturating_sub(8) as u64,
        };
        if self.storage == Storage::File {
            self.jobs.erase.push(erase);
        }
    }
}
