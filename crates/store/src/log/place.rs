//! Where the records of the tail go in a segment. Entries of large messages that are in the tail as a whole go there from where
//! they are in memory, without being copied: what is before them is left out up to the same place in a page of the file.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Batch, is_lent};
use crate::disk::{DIRECT_BYTES, ZEROS};
use crate::ids::Seq;
use crate::journal::BODY_AT;
use crate::segment::gathered::are_large;
use crate::segment::{HOLE, Offsets, Segment};

/// The records of an entry, one behind the other.
#[derive(Debug)]
struct Whole {
    base: Seq,
    count: usize,
    bytes: Bytes,
}

/// How many bytes are left out from `at` on for a whole entry to begin where it does in a page of memory.
fn gap(at: u64) -> usize {
    let into = usize::try_from(at % DIRECT_BYTES as u64).unwrap_or(0);
    (DIRECT_BYTES + BODY_AT - into) % DIRECT_BYTES
}

/// Those of a tail, in order.
#[derive(Debug, Default)]
pub(super) struct Wholes(VecDeque<Whole>);

impl Wholes {
    /// Takes in what was put in the tail, if it is worth it.
    pub(super) fn push(&mut self, batch: &Batch) {
        let (bytes, count) = (&batch.body, batch.count as usize);
        if is_lent(bytes) && are_large(count, bytes.len() as u64) {
            self.0.push_back(Whole {
                base: batch.base_seq,
                count,
                bytes: bytes.clone(),
            });
        }
    }

    /// The one that begins with `seq`.
    fn at(&self, seq: Seq) -> Option<&Whole> {
        let n = self.0.partition_point(|whole| whole.base < seq);
        self.0.get(n).filter(|whole| whole.base == seq)
    }

    /// Forgets what is before `seq`.
    pub(super) fn drop_before(&mut self, seq: Seq) {
        while self.0.front().is_some_and(|whole| whole.base < seq) {
            self.0.pop_front();
        }
    }

    /// Forgets what is at or behind `end`, and what reaches over it.
    pub(super) fn truncate(&mut self, end: Seq) {
        while self.0.back().is_some_and(|w| w.base.0 + w.count as u64 > end.0) {
            self.0.pop_back();
        }
    }
}

/// What is written to a segment.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// Records, and zeros between some of them, one behind the other.
    pub(super) parts: Vec<Bytes>,
    /// How many records.
    pub(super) count: usize,
    /// How many sequences.
    pub(super) covers: usize,
}

/// Gives the records of `tail`, the first of which has the sequence `from`, their places at the end of `segment` until that
/// is as long as `limit`.
pub(super) fn lay_out<'a>(
    segment: &mut Segment,
    limit: u64,
    from: Seq,
    tail: impl Iterator<Item = &'a Option<Bytes>> + Clone,
    wholes: Option<&Wholes>,
) -> Laid {
    let mut laid = Laid::default();
    let Offsets::Ram(offsets) = &mut segment.offsets else {
        return laid;
    };
    let offsets = Arc::make_mut(offsets);
    // Up to here records are part of what is written as a whole.
    let mut within = 0;
    for (n, record) in tail.clone().enumerate() {
        if n >= within {
            if segment.len >= limit {
                break;
            }
            let whole = wholes.and_then(|w| w.at(Seq(from.0 + n as u64)));
            let is_there = |whole: &&Whole| tail.clone().skip(n).take(whole.count).all(Option::is_some);
            if let Some(whole) = whole.filter(is_there) {
                let gap = gap(segment.len);
                laid.parts.push(Bytes::from_static(&ZEROS[..gap]));
                laid.parts.push(whole.bytes.clone());
                segment.len += gap as u64;
                within = n + whole.count;
            }
        }
        match record {
            Some(bytes) => {
                offsets.push(u32::try_from(segment.len).unwrap_or(HOLE));
                segment.len += bytes.len() as u64;
                segment.live_bytes += bytes.len() as u64;
                laid.count += 1;
                if n >= within {
                    laid.parts.push(bytes.clone());
                }
            }
            None => {
                offsets.push(HOLE);
                segment.deleted.insert(segment.slots);
            }
        }
        laid.covers += 1;
        segment.slots += 1;
    }
    laid
}
