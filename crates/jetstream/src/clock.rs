//! Time as a value. Machines are handed a [`Now`]; nothing in this crate reads a clock.

/// One reading of both clocks, taken by the driver once per round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Wall clock, nanoseconds since the Unix epoch. May jump; used for message timestamps and what is stored.
    pub wall_ns: i64,
    /// Monotonic clock, nanoseconds since an arbitrary start. Never goes back; used for every timer.
    pub mono_ns: u64,
}

impl Now {
    /// A reading with both clocks at the given nanosecond, for tests and simulations.
    #[must_use]
    pub const fn at(ns: u64) -> Self {
        Self {
            wall_ns: ns.cast_signed(),
            mono_ns: ns,
        }
    }

    /// This reading moved forward by `ns` on both clocks.
    #[must_use]
    pub const fn plus(self, ns: u64) -> Self {
        Self {
            wall_ns: self.wall_ns.saturating_add_unsigned(ns),
            mono_ns: self.mono_ns.saturating_add(ns),
        }
    }
}
