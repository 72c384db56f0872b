//! What batches may take: how many are open at a time in a stream and in the server, how many messages one may have, how
//! long it may stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::{
    BATCH_MESSAGES_MAX, BATCH_TIMEOUT_NS, BATCHES_MAX, BATCHES_TOTAL_MAX, FAST_BATCHES_MAX,
    FAST_BATCHES_TOTAL_MAX,
};

/// Places for open batches that all streams of a server share.
#[derive(Debug)]
pub struct Places {
    taken: AtomicUsize,
    max: AtomicUsize,
}

impl Places {
    /// So many places.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
        }
    }

    /// Takes a place, if there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let max = self.max.load(Ordering::Relaxed);
        let more = |n: usize| (n < max).then_some(n + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Place(Arc::clone(self)))
    }
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many batches of one kind may be open.
#[derive(Debug, Clone)]
pub struct Room {
    /// In a stream.
    pub per_stream: usize,
    /// In the server.
    pub total: Arc<Places>,
}

/// Limits of the batches of a stream.
#[derive(Debug, Clone)]
pub struct BatchLimits {
    /// Atomic batches.
    pub atomic: Room,
    /// Fast batches.
    pub fast: Room,
    /// Messages of an atomic batch.
    pub messages_max: u64,
    /// How long a batch may stand still, nanoseconds.
    pub timeout_ns: u64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        let room = |per_stream, total| Room {
            per_stream,
            total: Arc::new(Places::new(total)),
        };
        Self {
            atomic: room(BATCHES_MAX, BATCHES_TOTAL_MAX),
            fast: room(FAST_BATCHES_MAX, FAST_BATCHES_TOTAL_MAX),
            messages_max: BATCH_MESSAGES_MAX,
            timeout_ns: BATCH_TIMEOUT_NS,
        }
    }
}

impl BatchLimits {
    /// The same places with other numbers for each stream, and so many places altogether; `None` leaves both kinds what
    /// they have.
    #[must_use]
    pub fn with_rooms(mut self, per_stream: Option<usize>, total: Option<usize>) -> Self {
        for room in [&mut self.atomic, &mut self.fast] {
            room.per_stream = per_stream.unwrap_or(room.per_stream);
            if let Some(max) = total {
                room.total = Arc::new(Places::new(max));
            }
        }
        self
    }

    /// These limits where there were others: what is open keeps its place.
    #[must_use]
    pub fn in_place_of(mut self, before: &Self) -> Self {
        for (room, before) in [(&mut self.atomic, &before.atomic), (&mut self.fast, &before.fast)] {
            let max = room.total.max.load(Ordering::Relaxed);
            before.total.max.store(max, Ordering::Relaxed);
            room.total = Arc::clone(&before.total);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let limits = BatchLimits::default().with_rooms(Some(7), Some(1));
        assert_eq!((limits.atomic.per_stream, limits.fast.per_stream), (7, 7));
        let place = limits.atomic.total.take().unwrap();
        assert!(limits.atomic.total.take().is_none());
        // The other kind has places of its own.
        assert!(limits.fast.total.take().is_some());
        drop(place);
        assert!(limits.atomic.total.take().is_some());
    }

    #[test]
    fn what_is_open_counts_under_new_limits() {
        let before = BatchLimits::default().with_rooms(None, Some(3));
        let held = [before.atomic.total.take(), before.atomic.total.take()];
        let limits = BatchLimits::default()
            .with_rooms(None, Some(2))
            .in_place_of(&before);
        assert!(limits.atomic.total.take().is_none());
        drop(held);
        assert!(limits.atomic.total.take().is_some());
    }
}
