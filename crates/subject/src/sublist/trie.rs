//! The trie itself: nodes and levels in two arenas, addressed by 32-bit indices. No caching, no locking.
//!
//! A level is what may follow a node: literal tokens in a table of indices (the token is kept in the node), and at most
//! one `*` and one `>`. A table of indices instead of pointers and strings keeps a subscription near 80 bytes.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::node::{Group, NONE, Node};
use super::{MatchSet, QueueMatch, Subscriber};
use crate::token::{FULL, PARTIAL};

const ROOT: u32 = 0;
/// Free nodes up to which nothing is given back.
const FREE_NODES_MAX: usize = 4_096;
/// Nodes for each one in use beyond which the free ones are given back.
const SPARSE: usize = 8;

#[derive(Debug)]
struct Level {
    literals: HashTable<u32>,
    partial: u32,
    full: u32,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            literals: HashTable::new(),
            partial: NONE,
            full: NONE,
        }
    }
}

impl Level {
    fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.partial == NONE && self.full == NONE
    }
}

#[derive(Debug)]
pub(super) struct Trie<S> {
    nodes: Vec<Node<S>>,
    free_nodes: Vec<u32>,
    levels: Vec<Level>,
    free_levels: Vec<u32>,
    hasher: foldhash::fast::RandomState,
    len: usize,
}

impl<S> Default for Trie<S> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free_nodes: Vec::new(),
            levels: vec![Level::default()],
            free_levels: Vec::new(),
            hasher: foldhash::fast::RandomState::default(),
            len: 0,
        }
    }
}

/// A place in the trie still to be visited: a level, and the offset of the token to look up there.
type Pending = SmallVec<[(u32, usize); 16]>;

fn index(n: u32) -> usize {
    n as usize
}

impl<S: Subscriber> Trie<S> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn find(&self, level: u32, token: &[u8]) -> u32 {
        let level = &self.levels[index(level)];
        match token {
            PARTIAL => level.partial,
            FULL => level.full,
            _ => self.find_literal(level, token),
        }
    }

    fn find_literal(&self, level: &Level, token: &[u8]) -> u32 {
        if level.literals.is_empty() {
            return NONE;
        }
        let hash = self.hasher.hash_one(token);
        let found = level
            .literals
            .find(hash, |n| *self.nodes[index(*n)].token == *token);
        found.copied().unwrap_or(NONE)
    }

    fn add_node(&mut self, level: u32, token: &[u8]) -> u32 {
        let wildcard = token == PARTIAL || token == FULL;
        let node = Node {
            token: if wildcard { Box::default() } else { token.into() },
            plain: SmallVec::new(),
            groups: None,
            next: NONE,
        };
        let at = place(&mut self.nodes, &mut self.free_nodes, node);
        let level = &mut self.levels[index(level)];
        match token {
            PARTIAL => level.partial = at,
            FULL => level.full = at,
            _ => {
                let (nodes, hasher) = (&self.nodes, &self.hasher);
                let hash = hasher.hash_one(token);
                level
                    .literals
                    .insert_unique(hash, at, |n| hasher.hash_one(&*nodes[index(*n)].token));
            }
        }
        at
    }

    pub(super) fn insert(&mut self, subscriber: S) {
        let (mut level, mut node) = (ROOT, NONE);
        for token in crate::token::tokens(subscriber.subject()) {
            if node != NONE {
                level = self.nodes[index(node)].next;
                if level == NONE {
                    level = place(&mut self.levels, &mut self.free_levels, Level::default());
                    self.nodes[index(node)].next = level;
                }
            }
            node = self.find(level, token);
            if node == NONE {
                node = self.add_node(level, token);
            }
        }
        let node = &mut self.nodes[index(node)];
        match subscriber.queue() {
            None => node.plain.push(subscriber),
            Some(queue) => {
                let groups = node.groups.get_or_insert_default();
                match groups.iter_mut().find(|g| *g.name == *queue) {
                    Some(group) => group.members.push(subscriber),
                    None => groups.push(Group {
                        name: queue.into(),
                        members: vec![subscriber],
                    }),
                }
            }
        }
        self.len += 1;
    }

    pub(super) fn remove(&mut self, subscriber: &S) -> bool {
        let mut path: SmallVec<[(u32, u32); 16]> = SmallVec::new();
        let mut level = ROOT;
        for token in crate::token::tokens(subscriber.subject()) {
            if level == NONE {
                return false;
            }
            let node = self.find(level, token);
            if node == NONE {
                return false;
            }
            path.push((level, node));
            level = self.nodes[index(node)].next;
        }
        let Some(&(_, last)) = path.last() else {
            return false;
        };
        if !self.nodes[index(last)].take(subscriber) {
            return false;
        }
        self.len -= 1;
        self.prune(&path);
        if self.is_sparse() {
            self.compact();
        }
        true
    }

    fn is_sparse(&self) -> bool {
        let free = self.free_nodes.len();
        free > FREE_NODES_MAX && free >= self.nodes.len() / SPARSE * (SPARSE - 1)
    }

    /// Builds the trie anew from who is left, which gives the memory of all the others back. So many have gone by then
    /// that each of them paid for a small part of it.
    fn compact(&mut self) {
        let old = std::mem::take(self);
        for node in old.nodes {
            let groups = node.groups.into_iter().flat_map(|groups| *groups);
            let members = groups.flat_map(|group| group.members);
            for subscriber in node.plain.into_iter().chain(members) {
                self.insert(subscriber);
            }
        }
    }

    /// Gives back nodes and levels that the removal left empty, from the end of the path upwards.
    fn prune(&mut self, path: &[(u32, u32)]) {
        for &(level, node) in path.iter().rev() {
            if !self.nodes[index(node)].is_bare() {
                return;
            }
            let token = std::mem::take(&mut self.nodes[index(node)].token);
            let at = &mut self.levels[index(level)];
            if at.partial == node {
                at.partial = NONE;
            } else if at.full == node {
                at.full = NONE;
            } else if let Ok(entry) = at
                .literals
                .find_entry(self.hasher.hash_one(&*token), |n| *n == node)
            {
                entry.remove();
            }
            self.free_nodes.push(node);
            if level == ROOT || !at.is_empty() {
                return;
            }
            *at = Level::default();
            self.free_levels.push(level);
            let parent = path
                .iter()
                .find(|(_, n)| self.nodes[index(*n)].next == level && *n != node);
            if let Some(&(_, parent)) = parent {
                self.nodes[index(parent)].next = NONE;
            }
        }
    }

    /// Calls `found` for every node whose filter matches `subject`, until it returns `true`.
    fn visit(&self, subject: &[u8], mut found: impl FnMut(&Node<S>) -> bool) {
        if self.len == 0 || !publishable(subject) {
            return;
        }
        let mut pending = Pending::new();
        pending.push((ROOT, 0));
        while let Some((level, at)) = pending.pop() {
            let here = &self.levels[index(level)];
            let rest = &subject[at..];
            let end = rest.iter().position(|b| *b == b'.').unwrap_or(rest.len());
            let literal = self.find_literal(here, &rest[..end]);
            if here.full != NONE && found(&self.nodes[index(here.full)]) {
                return;
            }
            let last = end == rest.len();
            for node in [here.partial, literal].into_iter().filter(|n| *n != NONE) {
                let node = &self.nodes[index(node)];
                if last && found(node) {
                    return;
                }
                if !last && node.next != NONE {
                    pending.push((node.next, at + end + 1));
                }
            }
        }
    }

    pub(super) fn match_into(&self, subject: &[u8], out: &mut MatchSet<S>) {
        self.visit(subject, |node| {
            out.plain.extend(node.plain.iter().cloned());
            for group in node.groups.iter().flat_map(|g| g.iter()) {
                match out.queues.iter_mut().find(|q| q.name == group.name) {
                    Some(queue) => queue.members.extend(group.members.iter().cloned()),
                    None => {
                        let (name, members) = (group.name.clone(), group.members.clone());
                        out.queues.push(QueueMatch { name, members });
                    }
                }
            }
            false
        });
    }

    pub(super) fn has_interest(&self, subject: &[u8]) -> bool {
        let mut any = false;
        self.visit(subject, |node| {
            any = !node.plain.is_empty() || node.groups.is_some();
            any
        });
        any
    }

    pub(super) fn all(&self, visit: &mut dyn FnMut(&S)) {
        for node in &self.nodes {
            node.plain.iter().for_each(&mut *visit);
            for group in node.groups.iter().flat_map(|g| g.iter()) {
                group.members.iter().for_each(&mut *visit);
            }
        }
    }
}

/// A subject with an empty token matches nothing, as in the peer.
fn publishable(subject: &[u8]) -> bool {
    let mut before = b'.';
    for &byte in subject {
        if byte == b'.' && before == b'.' {
            return false;
        }
        before = byte;
    }
    before != b'.'
}

fn place<T>(arena: &mut Vec<T>, free: &mut Vec<u32>, value: T) -> u32 {
    if let Some(at) = free.pop() {
        arena[index(at)] = value;
        return at;
    }
    let at = u32::try_from(arena.len()).unwrap_or(NONE);
    assert!(at != NONE, "fewer than 2^32 nodes fit in memory");
    arena.push(value);
    at
}

#[cfg(test)]
mod tests {
    use super::super::tests::sub;
    use super::*;

    #[test]
    fn nodes_of_those_who_left_are_given_back() {
        let many = u32::try_from(FREE_NODES_MAX * SPARSE).unwrap();
        let all: Vec<_> = (0..many)
            .map(|n| sub(n, &format!("s.{n}.*"), (n % 3 == 0).then_some("q")))
            .collect();
        let mut trie = Trie::default();
        for round in 0..3 {
            all.iter().cloned().for_each(|s| trie.insert(s));
            assert!(trie.nodes.len() > all.len() && trie.levels.len() > all.len());
            let (stay, leave) = all.split_at(300);
            assert!(leave.iter().all(|s| trie.remove(s)));
            assert_eq!(trie.len(), stay.len());
            assert!(trie.nodes.capacity() < all.len() / 2, "round {round}");
            assert!(trie.levels.capacity() < all.len() / 2, "round {round}");
            for s in stay {
                let mut found = MatchSet::default();
                trie.match_into(format!("s.{}.x", s.id()).as_bytes(), &mut found);
                assert_eq!(
                    (found.plain.len() + found.queues.len(), found.is_empty()),
                    (1, false)
                );
                assert!(trie.remove(s));
            }
        }
        assert_eq!(trie.len(), 0);
    }
}
