//! Bounded cache of match results, keyed by literal subject. Forgets what a change of the table makes wrong, and nothing
//! else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use super::{MatchSet, Stats};
use crate::matches::matches;
use crate::token::is_literal;

/// Results kept at most; the peer keeps as many.
pub(super) const ENTRIES_MAX: usize = 1024;
/// Results left after the cache was full.
const ENTRIES_SWEPT: usize = 256;

const _: () = assert!(ENTRIES_SWEPT < ENTRIES_MAX);

type Map<S> = HashMap<Box<[u8]>, Arc<MatchSet<S>>, foldhash::fast::RandomState>;

#[derive(Debug)]
pub(super) struct Cache<S> {
    map: Mutex<Map<S>>,
    hits: AtomicU64,
}

impl<S> Default for Cache<S> {
    fn default() -> Self {
        Self {
            map: Mutex::new(HashMap::default()),
            hits: AtomicU64::new(0),
        }
    }
}

impl<S> Cache<S> {
    fn lock(&self) -> MutexGuard<'_, Map<S>> {
        // A cache of results has no invariant that a panic elsewhere could break.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, subject: &[u8]) -> Option<Arc<MatchSet<S>>> {
        let hit = self.lock().get(subject).map(Arc::clone);
        if hit.is_some() {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        hit
    }

    pub(super) fn put(&self, subject: &[u8], found: &Arc<MatchSet<S>>) {
        let mut map = self.lock();
        if map.len() >= ENTRIES_MAX {
            let mut left = 0;
            map.retain(|_, _| {
                left += 1;
                left <= ENTRIES_SWEPT
            });
        }
        map.insert(subject.into(), Arc::clone(found));
    }

    /// Forgets the results that a change on `filter` concerns.
    pub(super) fn invalidate(&self, filter: &[u8]) {
        let mut map = self.lock();
        if map.is_empty() {
            return;
        }
        if is_literal(filter) {
            map.remove(filter);
        } else {
            map.retain(|subject, _| !matches(subject, filter));
        }
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    #[expect(clippy::cast_precision_loss, reason = "monitoring figures")]
    pub(super) fn fill_stats(&self, stats: &mut Stats, matches: u64) {
        let map = self.lock();
        stats.num_cache = map.len();
        if matches > 0 {
            stats.cache_hit_rate = self.hits.load(Ordering::Relaxed) as f64 / matches as f64;
        }
        let fanout =
            |m: &Arc<MatchSet<S>>| m.plain.len() + m.queues.iter().map(|q| q.members.len()).sum::<usize>();
        stats.max_fanout = map.values().map(fanout).max().unwrap_or(0);
        if !map.is_empty() {
            stats.avg_fanout = map.values().map(fanout).sum::<usize>() as f64 / map.len() as f64;
        }
    }
}
