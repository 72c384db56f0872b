//! The routing table: who listens on what. A trie over tokens with wildcards, queue groups and a bounded cache of results.
//!
//! One owner changes it, many read it. Matching neither recurses nor allocates beyond the caller's result.

mod cache;
mod node;
mod trie;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache::Cache;
use trie::Trie;

use crate::matches::collides;
use crate::subject::SubjectError;
use crate::token::is_valid_subject;

/// Something that listens on a subject.
pub trait Subscriber: Clone {
    /// Tells two subscribers on one subject apart.
    type Id: Eq + Hash + Copy;
    /// Its identity.
    fn id(&self) -> Self::Id;
    /// The subject or filter it listens on.
    fn subject(&self) -> &[u8];
    /// The queue group it belongs to, if any.
    fn queue(&self) -> Option<&[u8]>;
}

/// Members of one queue group that match.
#[derive(Debug, Clone)]
pub struct QueueMatch<S> {
    /// Name of the group.
    pub name: Box<[u8]>,
    /// Its members, one of whom gets the message.
    pub members: Vec<S>,
}

/// Who gets a message: every plain subscriber, and one member of each queue group.
#[derive(Debug, Clone)]
pub struct MatchSet<S> {
    /// Subscribers without queue group.
    pub plain: Vec<S>,
    /// Queue groups.
    pub queues: Vec<QueueMatch<S>>,
}

impl<S> Default for MatchSet<S> {
    fn default() -> Self {
        Self {
            plain: Vec::new(),
            queues: Vec::new(),
        }
    }
}

impl<S> MatchSet<S> {
    /// Whether nobody matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_empty()
    }

    /// Empties it, keeping what is allocated for plain subscribers.
    pub fn clear(&mut self) {
        self.plain.clear();
        self.queues.clear();
    }
}

/// Figures for `/subsz`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Subscriptions.
    pub num_subscriptions: usize,
    /// Cached results.
    pub num_cache: usize,
    /// Insertions so far.
    pub num_inserts: u64,
    /// Removals so far.
    pub num_removes: u64,
    /// Lookups so far.
    pub num_matches: u64,
    /// Share of lookups answered by the cache, 0 to 1.
    pub cache_hit_rate: f64,
    /// Most subscribers in a cached result.
    pub max_fanout: usize,
    /// Mean subscribers of the cached results.
    pub avg_fanout: f64,
}

/// The routing table.
#[derive(Debug)]
pub struct Sublist<S: Subscriber> {
    trie: Trie<S>,
    cache: Option<Cache<S>>,
    generation: Arc<AtomicU64>,
    inserts: u64,
    removes: u64,
    matches: AtomicU64,
}

impl<S: Subscriber> Default for Sublist<S> {
    fn default() -> Self {
        Self::with_cache(true)
    }
}

impl<S: Subscriber> Sublist<S> {
    /// An empty table that caches results.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty table, with or without the cache.
    #[must_use]
    pub fn with_cache(cache: bool) -> Self {
        Self {
            trie: Trie::default(),
            cache: cache.then(Cache::default),
            generation: Arc::new(AtomicU64::new(1)),
            inserts: 0,
            removes: 0,
            matches: AtomicU64::new(0),
        }
    }

    /// Adds a subscriber.
    ///
    /// # Errors
    /// [`SubjectError::Invalid`] when its subject is not valid.
    pub fn insert(&mut self, subscriber: S) -> Result<(), SubjectError> {
        if !is_valid_subject(subscriber.subject()) {
            return Err(SubjectError::Invalid);
        }
        if let Some(cache) = &self.cache {
            cache.invalidate(subscriber.subject());
        }
        self.trie.insert(subscriber);
        self.inserts += 1;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Takes a subscriber away; `false` if it was not there.
    pub fn remove(&mut self, subscriber: &S) -> bool {
        if !self.trie.remove(subscriber) {
            return false;
        }
        if let Some(cache) = &self.cache {
            cache.invalidate(subscriber.subject());
        }
        self.removes += 1;
        self.generation.fetch_add(1, Ordering::Release);
        true
    }

    /// Takes many subscribers away at once, as when a connection closes; returns how many were there.
    pub fn remove_batch(&mut self, subscribers: &[S]) -> usize {
        // Checking the cache for each of very many subjects costs more than filling it again.
        let clear = subscribers.len() > cache::ENTRIES_MAX / 16;
        let mut removed = 0;
        for subscriber in subscribers {
            if self.trie.remove(subscriber) {
                removed += 1;
                if let Some(cache) = self.cache.as_ref().filter(|_| !clear) {
                    cache.invalidate(subscriber.subject());
                }
            }
        }
        if let Some(cache) = self.cache.as_ref().filter(|_| clear) {
            cache.clear();
        }
        self.removes += removed as u64;
        self.generation.fetch_add(1, Ordering::Release);
        removed
    }

    /// Who gets a message on `subject`, remembered for next time.
    pub fn matches(&self, subject: &[u8]) -> Arc<MatchSet<S>> {
        self.matches.fetch_add(1, Ordering::Relaxed);
        let Some(cache) = &self.cache else {
            let mut found = MatchSet::default();
            self.trie.match_into(subject, &mut found);
            return Arc::new(found);
        };
        if let Some(hit) = cache.get(subject) {
            return hit;
        }
        let mut found = MatchSet::default();
        self.trie.match_into(subject, &mut found);
        let found = Arc::new(found);
        cache.put(subject, &found);
        found
    }

    /// Adds who gets a message on `subject` to `out`. For subjects that are used once: nothing is remembered, and nothing
    /// allocated while `out` has room and no queue group matches.
    pub fn match_into(&self, subject: &[u8], out: &mut MatchSet<S>) {
        self.matches.fetch_add(1, Ordering::Relaxed);
        self.trie.match_into(subject, out);
    }

    /// Whether anybody would get a message on `subject`.
    #[must_use]
    pub fn has_interest(&self, subject: &[u8]) -> bool {
        self.trie.has_interest(subject)
    }

    /// Changes whenever the table does.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The generation, to be watched without holding the table.
    #[must_use]
    pub fn generation_handle(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.generation)
    }

    /// Number of subscribers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// Whether nobody listens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trie.len() == 0
    }

    /// Calls `visit` for every subscriber, in no order.
    pub fn all(&self, visit: &mut dyn FnMut(&S)) {
        self.trie.all(visit);
    }

    /// Calls `visit` for every subscriber whose subject overlaps with `filter`.
    pub fn overlapping(&self, filter: &[u8], visit: &mut dyn FnMut(&S)) {
        self.trie.all(&mut |s| {
            if collides(s.subject(), filter) {
                visit(s);
            }
        });
    }

    /// Figures for monitoring.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let matches = self.matches.load(Ordering::Relaxed);
        let mut stats = Stats {
            num_subscriptions: self.len(),
            num_inserts: self.inserts,
            num_removes: self.removes,
            num_matches: matches,
            ..Stats::default()
        };
        if let Some(cache) = &self.cache {
            cache.fill_stats(&mut stats, matches);
        }
        stats
    }
}

#[cfg(test)]
mod tests;
