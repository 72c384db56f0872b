//! Numbers that must not be mixed up, each its own type.

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
