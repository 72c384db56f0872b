//! The only place of this crate that reads clocks.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use natterjack_jetstream::Now;
use natterjack_jsapi::GoTime;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Monotonic nanoseconds since the process began to ask, plus a second so that 0 is always past.
pub(crate) fn mono() -> u64 {
    u64::try_from(START.elapsed().as_nanos())
        .unwrap_or(u64::MAX)
        .saturating_add(1_000_000_000)
}

/// Wall clock.
pub(crate) fn wall() -> GoTime {
    let ns = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos());
    GoTime(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// Both clocks.
pub(crate) fn now() -> Now {
    Now {
        wall_ns: wall().0,
        mono_ns: mono(),
    }
}
