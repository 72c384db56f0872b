//! Several filters at once: a set that is asked "does any match", and a trie that tells whose filters match.

use std::sync::Arc;

use crate::subject::Filter;
use crate::sublist::{MatchSet, Sublist, Subscriber};

/// Filters that are satisfied when any of them is. Empty means no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterSet {
    filters: Vec<Filter>,
}

impl FilterSet {
    /// A set of `filters`; an empty list or one that contains `>` restricts nothing.
    #[must_use]
    pub fn new(mut filters: Vec<Filter>) -> Self {
        if filters.iter().any(Filter::is_all) {
            filters.clear();
        }
        Self { filters }
    }

    /// The set that matches everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether nothing is restricted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.filters.is_empty()
    }

    /// The filters; empty when nothing is restricted.
    #[must_use]
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// Whether the literal `subject` passes.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|f| f.matches(subject))
    }
}

#[derive(Debug, Clone)]
struct Entry<K> {
    filter: Arc<[u8]>,
    key: K,
}

impl<K: Copy + Eq + std::hash::Hash> Subscriber for Entry<K> {
    type Id = K;

    fn id(&self) -> K {
        self.key
    }

    fn subject(&self) -> &[u8] {
        &self.filter
    }

    fn queue(&self) -> Option<&[u8]> {
        None
    }
}

/// Many filters to keys: finds the keys a literal subject concerns without looking at the others.
#[derive(Debug)]
pub struct FilterTrie<K: Copy + Eq + std::hash::Hash> {
    trie: Sublist<Entry<K>>,
    scratch: MatchSet<Entry<K>>,
}

impl<K: Copy + Eq + std::hash::Hash> Default for FilterTrie<K> {
    fn default() -> Self {
        Self {
            trie: Sublist::with_cache(false),
            scratch: MatchSet::default(),
        }
    }
}

impl<K: Copy + Eq + std::hash::Hash> FilterTrie<K> {
    /// Adds `filter` for `key`. A key may have several filters.
    pub fn insert(&mut self, filter: &Filter, key: K) {
        let inserted = self.trie.insert(Entry {
            filter: filter.as_bytes().into(),
            key,
        });
        debug_assert!(inserted.is_ok(), "a Filter is valid");
    }

    /// Takes `filter` of `key` away.
    pub fn remove(&mut self, filter: &Filter, key: K) -> bool {
        self.trie.remove(&Entry {
            filter: filter.as_bytes().into(),
            key,
        })
    }

    /// Calls `each` for every key with a filter that matches the literal `subject`; once per matching filter.
    pub fn for_each_match(&mut self, subject: &[u8], mut each: impl FnMut(K)) {
        if self.trie.is_empty() {
            return;
        }
        self.scratch.clear();
        self.trie.match_into(subject, &mut self.scratch);
        for entry in &self.scratch.plain {
            each(entry.key);
        }
    }

    /// Number of filters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// Whether there is no filter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trie.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Filter {
        Filter::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn sets() {
        let set = FilterSet::new(vec![filter("a.*"), filter("b")]);
        assert!(set.matches(b"a.x") && set.matches(b"b") && !set.matches(b"c"));
        assert!(FilterSet::new(vec![filter(">"), filter("b")]).is_all());
        assert!(FilterSet::all().matches(b"anything"));
    }

    #[test]
    fn trie_finds_keys() {
        let mut trie = FilterTrie::default();
        trie.insert(&filter("a.*"), 1);
        trie.insert(&filter("a.b"), 2);
        trie.insert(&filter("b.>"), 3);
        let mut found = Vec::new();
        trie.for_each_match(b"a.b", |k| found.push(k));
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
        assert!(trie.remove(&filter("a.*"), 1) && !trie.remove(&filter("a.*"), 1));
        found.clear();
        trie.for_each_match(b"a.b", |k| found.push(k));
        assert_eq!(found, [2]);
    }

    #[test]
    fn literal_prefixes() {
        assert_eq!(filter("a.b.*").literal_prefix(), b"a.b.");
        assert_eq!(filter(">").literal_prefix(), b"");
        assert_eq!(filter("a.b").literal_prefix(), b"a.b");
    }
}
