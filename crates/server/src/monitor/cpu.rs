//! How busy the processors were with this process. From ticks and times that are handed in.

use parking_lot::Mutex;
use serde_json::Value;

/// A share is of at least this long, nanoseconds: ticks are too coarse for less.
const SPAN_NS: u64 = 1_000_000_000;

/// What was known when the share was last worked out.
#[derive(Debug, Default)]
struct Seen {
    ticks: u64,
    mono_ns: u64,
    tenths: u64,
}

/// The share of one processor, remembered from question to question.
#[derive(Debug, Default)]
pub(crate) struct Cpu(Mutex<Seen>);

impl Cpu {
    /// Percent of one processor, to a tenth, since the question before that was at least a second ago; `ticks` used so
    /// far, of which a second has `per_second`.
    pub(crate) fn percent(&self, ticks: u64, per_second: u64, mono_ns: u64) -> Value {
        let mut seen = self.0.lock();
        let span = mono_ns.saturating_sub(seen.mono_ns);
        if span >= SPAN_NS {
            let used = u128::from(ticks.saturating_sub(seen.ticks)) * 1_000 * u128::from(SPAN_NS);
            let tenths = used / (u128::from(per_second.max(1)) * u128::from(span));
            *seen = Seen {
                ticks,
                mono_ns,
                tenths: u64::try_from(tenths).unwrap_or(u64::MAX),
            };
        }
        let whole = seen.tenths / 10;
        match (seen.tenths % 10, u32::try_from(whole)) {
            (0, _) | (_, Err(_)) => whole.into(),
            (tenth, Ok(whole)) => {
                let tenth = u8::try_from(tenth).unwrap_or_default();
                (f64::from(whole) + f64::from(tenth) / 10.0).into()
            }
        }
    }
}

/// Ticks in the text of `/proc/self/stat`: user's and system's. The name of the program, which stands before them, may
/// hold anything up to its last parenthesis.
pub(crate) fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_share_is_of_the_time_since_the_last_one() {
        let cpu = Cpu::default();
        assert_eq!(cpu.percent(50, 100, SECOND), 50);
        assert_eq!(cpu.percent(90, 100, SECOND + SECOND / 2), 50, "too soon");
        assert_eq!(cpu.percent(350, 100, 3 * SECOND), 150, "of two processors");
        assert_eq!(cpu.percent(351, 100, 11 * SECOND), 0.1);
        assert_eq!(cpu.percent(351, 100, 12 * SECOND), 0);
        assert_eq!(cpu.percent(0, 0, 13 * SECOND), 0);
    }

    #[test]
    fn ticks_stand_behind_the_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 3 0 99 1 2";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
        assert_eq!(ticks(""), None);
    }
}
