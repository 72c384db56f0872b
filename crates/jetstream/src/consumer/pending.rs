//! Messages delivered and not acknowledged, by stream sequence. Deliveries come ascending and acknowledgements mostly at
//! the front, so this is a deque with holes, not a tree.

use std::collections::VecDeque;

/// One delivery that waits for its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Sequence in the stream.
    pub(crate) sseq: u64,
    /// Sequence of its first delivery.
    pub(crate) cseq: u64,
    /// When it is delivered again, monotonic nanoseconds.
    pub(crate) due_ns: u64,
    acked: bool,
}

impl Pending {
    pub(crate) const fn new(sseq: u64, cseq: u64, due_ns: u64) -> Self {
        Self {
            sseq,
            cseq,
            due_ns,
            acked: false,
        }
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PendingMap {
    items: VecDeque<Pending>,
    live: usize,
}

impl PendingMap {
    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.live == 0
    }

    fn find(&self, sseq: u64) -> Result<usize, usize> {
        // The front is where nearly everything happens.
        match self.items.front() {
            Some(first) if first.sseq == sseq => Ok(0),
            _ => self.items.binary_search_by_key(&sseq, |p| p.sseq),
        }
    }

    pub(crate) fn get(&self, sseq: u64) -> Option<&Pending> {
        self.items.get(self.find(sseq).ok()?).filter(|p| !p.acked)
    }

    pub(crate) fn get_mut(&mut self, sseq: u64) -> Option<&mut Pending> {
        let at = self.find(sseq).ok()?;
        self.items.get_mut(at).filter(|p| !p.acked)
    }

    pub(crate) fn contains(&self, sseq: u64) -> bool {
        self.get(sseq).is_some()
    }

    pub(crate) fn insert(&mut self, pending: Pending) {
        match self.find(pending.sseq) {
            Ok(at) => {
                self.live += usize::from(self.items[at].acked);
                self.items[at] = pending;
            }
            Err(at) => {
                self.items.insert(at, pending);
                self.live += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, sseq: u64) -> Option<Pending> {
        let at = self.find(sseq).ok()?;
        let item = &mut self.items[at];
        if item.acked {
            return None;
        }
        item.acked = true;
        let gone = *item;
        self.live -= 1;
        while self.items.front().is_some_and(|p| p.acked) {
            self.items.pop_front();
        }
        if self.items.len() > 64 && self.live * 4 < self.items.len() {
            self.items.retain(|p| !p.acked);
        }
        Some(gone)
    }

    pub(crate) fn first(&self) -> Option<&Pending> {
        self.iter().next()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.items.iter().filter(|p| !p.acked)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.items.iter_mut().filter(|p| !p.acked)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec((any::<bool>(), 0u64..60), 0..300)) {
            let mut map = PendingMap::default();
            let mut model = BTreeMap::new();
            for (add, sseq) in steps {
                if add {
                    map.insert(Pending::new(sseq, sseq + 100, 0));
                    model.insert(sseq, sseq + 100);
                } else {
                    prop_assert_eq!(map.remove(sseq).map(|p| p.cseq), model.remove(&sseq));
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.contains(sseq), model.contains_key(&sseq));
                prop_assert_eq!(map.iter().map(|p| p.sseq).collect::<Vec<_>>(), model.keys().copied().collect::<Vec<_>>());
            }
        }
    }
}
