//! A node of the trie: who listens here, alone or in queue groups. Does not know where it hangs.

use smallvec::SmallVec;

use super::Subscriber;

/// No node, or no level.
pub(super) const NONE: u32 = u32::MAX;

/// A queue group on one subject.
#[derive(Debug)]
pub(super) struct Group<S> {
    pub(super) name: Box<[u8]>,
    pub(super) members: Vec<S>,
}

/// A token of a filter: who listens on what ends with it, and what may follow.
#[derive(Debug)]
pub(super) struct Node<S> {
    /// Its token, unless that is a wildcard.
    pub(super) token: Box<[u8]>,
    pub(super) plain: SmallVec<[S; 1]>,
    #[expect(
        clippy::box_collection,
        reason = "most nodes have no queue group and pay one word for it"
    )]
    pub(super) groups: Option<Box<Vec<Group<S>>>>,
    /// Level below, or `NONE`.
    pub(super) next: u32,
}

impl<S> Node<S> {
    /// Whether nothing needs it.
    pub(super) fn is_bare(&self) -> bool {
        self.plain.is_empty() && self.groups.is_none() && self.next == NONE
    }
}

impl<S: Subscriber> Node<S> {
    /// Takes `subscriber` away; `false` if it is not here.
    pub(super) fn take(&mut self, subscriber: &S) -> bool {
        let id = subscriber.id();
        let Some(queue) = subscriber.queue() else {
            let found = self.plain.iter().position(|s| s.id() == id);
            if let Some(at) = found {
                self.plain.swap_remove(at);
            }
            return found.is_some();
        };
        let Some(groups) = &mut self.groups else {
            return false;
        };
        let Some(g) = groups.iter().position(|g| *g.name == *queue) else {
            return false;
        };
        let Some(at) = groups[g].members.iter().position(|s| s.id() == id) else {
            return false;
        };
        groups[g].members.swap_remove(at);
        if groups[g].members.is_empty() {
            groups.swap_remove(g);
        }
        if groups.is_empty() {
            self.groups = None;
        }
        true
    }
}
