//! Numbers that must not be mixed up, each its own type.

use std::collections::BTreeMap;
use std::fmt;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident, $inner:ty) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Place of a message in its stream; the first is 1.
    Seq, u64
}
number! {
    /// Place of an entry in its group's log; the first is 1.
    LogIndex, u64
}
number! {
    /// A group: everything that shares one log (a stream with its consumers, or the meta group).
    GroupId, u32
}

impl Seq {
    /// Before the first message.
    pub const ZERO: Self = Self(0);

    /// The one behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The one before it, or zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl LogIndex {
    /// The one behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Groups, as runs of numbers that follow each other: as small as there are gaps between them.
#[derive(Debug, Default)]
pub(crate) struct GroupSet {
    /// The last of each run by its first; runs do not touch.
    runs: BTreeMap<u32, u32>,
}

impl GroupSet {
    /// Adds a group; `false` if it was there.
    pub(crate) fn insert(&mut self, group: GroupId) -> bool {
        let number = group.0;
        let before = self.runs.range(..=number).next_back();
        let before = before.map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let first = match before {
            Some((first, last)) if last + 1 == number => first,
            _ => number,
        };
        let behind = number.checked_add(1).and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, behind.unwrap_or(number));
        true
    }

    /// The highest.
    pub(crate) fn last(&self) -> Option<GroupId> {
        self.runs.last_key_value().map(|(_, last)| GroupId(*last))
    }
}

impl FromIterator<GroupId> for GroupSet {
    fn from_iter<I: IntoIterator<Item = GroupId>>(groups: I) -> Self {
        let mut set = Self::default();
        groups.into_iter().for_each(|group| {
            set.insert(group);
        });
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_groups_is_one(numbers in proptest::collection::vec(prop_oneof![0u32..40, u32::MAX - 9..=u32::MAX], 0..60)) {
            let (mut set, mut model) = (GroupSet::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(set.insert(GroupId(number)), model.insert(number));
                prop_assert_eq!(set.last().map(|group| group.0), model.last().copied());
                let gaps = model.iter().filter(|n| n.checked_sub(1).is_none_or(|before| !model.contains(&before)));
                prop_assert_eq!(set.runs.len(), gaps.count());
            }
        }
    }
}
