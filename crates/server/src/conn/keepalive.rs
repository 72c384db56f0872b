//! Keeps one connection alive: when to ping, when it is stale. Owns no socket and no clock.

/// The first ping comes this soon, nanoseconds, for the round trip time.
const FIRST_NS: u64 = 2_000_000_000;
/// A round trip time is measured again after this, nanoseconds.
const ROUND_TRIP_AGE_NS: u64 = 3_600_000_000_000;

/// Keepalive of one connection; times are monotonic nanoseconds.
#[derive(Debug)]
pub(crate) struct Keepalive {
    interval: u64,
    limit: u32,
    due: u64,
    heard: u64,
    unanswered: u32,
    sent: u64,
    measured: Option<u64>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// A ping.
    Ping,
    /// The end.
    Stale,
}

impl Keepalive {
    /// Starts at `now`, with up to a fifth of jitter from `random`.
    pub(crate) fn new(now: u64, interval: u64, limit: u32, random: u64) -> Self {
        let first = interval.min(FIRST_NS);
        Self {
            interval,
            limit,
            due: now + first + random % (first / 5).max(1),
            heard: now,
            unanswered: 0,
            sent: 0,
            measured: None,
        }
    }

    /// Goes on with another interval and limit.
    pub(crate) fn adjust(&mut self, now: u64, interval: u64, limit: u32) {
        self.limit = limit;
        if interval != self.interval {
            self.interval = interval;
            self.due = self.due.min(now.saturating_add(interval));
        }
    }

    /// Something was received.
    pub(crate) const fn on_bytes(&mut self, now: u64) {
        self.heard = now;
    }

    /// A pong was received; gives the round trip time if it was waited for.
    pub(crate) fn on_pong(&mut self, now: u64) -> Option<u64> {
        let waited = self.unanswered > 0;
        self.unanswered = 0;
        waited.then(|| {
            self.measured = Some(now);
            now.saturating_sub(self.sent)
        })
    }

    /// When to ask again.
    pub(crate) const fn deadline(&self) -> u64 {
        self.due
    }

    /// What is due at `now`.
    pub(crate) fn on_time(&mut self, now: u64) -> Due {
        if now < self.due {
            return Due::Nothing;
        }
        self.due = now + self.interval;
        let measured = self.measured.is_some_and(|at| now - at < ROUND_TRIP_AGE_NS);
        if measured && self.unanswered == 0 && now - self.heard < self.interval {
            return Due::Nothing;
        }
        if self.unanswered >= self.limit {
            return Due::Stale;
        }
        self.unanswered += 1;
        self.sent = now;
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn silence_is_stale_after_the_last_ping_goes_unanswered() {
        let mut k = Keepalive::new(0, 120 * S, 2, 0);
        assert_eq!(k.on_time(S), Due::Nothing);
        assert_eq!(k.on_time(2 * S), Due::Ping);
        assert_eq!(k.on_time(122 * S), Due::Ping);
        assert_eq!(k.on_time(242 * S), Due::Stale);
    }

    #[test]
    fn a_shorter_interval_counts_at_once() {
        let mut k = Keepalive::new(0, 120 * S, 2, 0);
        assert_eq!(k.on_time(2 * S), Due::Ping);
        k.adjust(3 * S, 10 * S, 1);
        assert_eq!((k.deadline(), k.on_time(13 * S)), (13 * S, Due::Stale));
    }

    #[test]
    fn a_busy_connection_is_not_pinged_again() {
        let mut k = Keepalive::new(0, 120 * S, 2, 0);
        assert_eq!(k.on_time(2 * S), Due::Ping);
        assert_eq!(k.on_pong(3 * S), Some(S));
        k.on_bytes(100 * S);
        assert_eq!(k.on_time(122 * S), Due::Nothing);
        assert_eq!(k.on_time(242 * S), Due::Ping);
        assert_eq!(k.on_pong(243 * S), Some(S));
        assert_eq!(k.on_pong(243 * S), None);
    }
}
