//! When a schedule is next due: a point in time, an interval, or a cron pattern of six fields in a time zone. Time comes in
//! as an argument; time zones come from the database that is built in.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use natterjack_jsapi::{GoTime, Nanos};

const SECOND_NS: i64 = 1_000_000_000;
/// A pattern that is not due within so many years never is.
const YEARS_MAX: i16 = 5;
/// Longest pattern, bytes.
const PATTERN_BYTES_MAX: usize = 1024;

/// Why a schedule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadSchedule {
    Pattern,
    TimeZone,
}

/// When a schedule is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// The time, nanoseconds.
    pub(crate) at_ns: i64,
    /// Whether it comes again.
    pub(crate) repeats: bool,
}

/// Whether there is a time zone of this name. `Local` is one, the server's own, which is UTC.
pub(crate) fn is_time_zone(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| zone_of(name).is_some() && !name.is_empty())
}

fn zone_of(name: &str) -> Option<TimeZone> {
    match name {
        "" | "Local" => Some(TimeZone::UTC),
        // Names are files to the peer, where upper and lower case differ.
        name => TimeZone::get(name)
            .ok()
            .filter(|zone| zone.iana_name() == Some(name)),
    }
}

/// The first time behind `ts_ns` at which `pattern` is due; what was missed before `now_ns` is not made up for.
pub(crate) fn next(pattern: &str, zone: &str, ts_ns: i64, now_ns: i64) -> Result<Due, BadSchedule> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(BadSchedule::Pattern);
    }
    let plain = |at_ns, repeats| {
        if zone.is_empty() {
            Ok(Due { at_ns, repeats })
        } else {
            Err(BadSchedule::Pattern)
        }
    };
    if let Some(time) = pattern.strip_prefix("@at ") {
        let time = GoTime::parse(time).map_err(|_| BadSchedule::Pattern)?;
        return plain(time.0, false);
    }
    if let Some(every) = pattern.strip_prefix("@every ") {
        let every = Nanos::parse(every).map_err(|_| BadSchedule::Pattern)?.0;
        if every < SECOND_NS {
            return Err(BadSchedule::Pattern);
        }
        let behind = |ts: i64| rounded(ts).saturating_add(every);
        let at = behind(ts_ns);
        return plain(if at < now_ns { behind(now_ns) } else { at }, true);
    }
    let cron = Cron::parse(named(pattern)).ok_or(BadSchedule::Pattern)?;
    let zone = zone_of(zone).ok_or(BadSchedule::TimeZone)?;
    let at = cron.next(&zone, ts_ns).ok_or(BadSchedule::Pattern)?;
    let at = if at < now_ns {
        cron.next(&zone, rounded(now_ns)).ok_or(BadSchedule::Pattern)?
    } else {
        at
    };
    Ok(Due {
        at_ns: at,
        repeats: true,
    })
}

/// The nearest whole second.
const fn rounded(ns: i64) -> i64 {
    ns.saturating_add(SECOND_NS / 2).div_euclid(SECOND_NS) * SECOND_NS
}

/// A time as it stands in `Nats-Schedule-Next`.
pub(crate) fn shown(at_ns: i64) -> String {
    GoTime(at_ns.div_euclid(SECOND_NS) * SECOND_NS).to_string()
}

fn named(pattern: &str) -> &str {
    match pattern {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * 0",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        other => other,
    }
}

/// One field: which values fit, and whether all do.
#[derive(Debug, Clone, Copy)]
struct Field {
    bits: u64,
    any: bool,
}

impl Field {
    fn parse(text: &str, least: u32, most: u32, names: &[&str]) -> Option<Self> {
        let mut field = Self { bits: 0, any: false };
        for part in text.split(',') {
            field.add(part, least, most, names)?;
        }
        Some(field)
    }

    fn add(&mut self, part: &str, least: u32, most: u32, names: &[&str]) -> Option<()> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|s| *s > 0)?)),
            None => (part, None),
        };
        let value = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let place = names.iter().position(|name| *name == lower);
            let number = match place {
                Some(place) => u32::try_from(place).ok()? + least,
                None => text.parse().ok()?,
            };
            (least..=most).contains(&number).then_some(number)
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || range == "?" => {
                self.any |= step.is_none();
                (least, most)
            }
            Some((first, last)) => (value(first)?, value(last)?),
            // A single value with a step runs to the end.
            None if step.is_some() => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        if first > last {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        for n in (first..=last).step_by(step) {
            self.bits |= 1 << n;
        }
        Some(())
    }

    fn has(self, n: i8) -> bool {
        u32::try_from(n).is_ok_and(|n| n < 64 && self.bits & (1 << n) != 0)
    }
}

/// A pattern: seconds, minutes, hours, days of the month, months, days of the week.
#[derive(Debug, Clone, Copy)]
struct Cron {
    second: Field,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    fn parse(pattern: &str) -> Option<Self> {
        let fields: Vec<&str> = pattern.split_ascii_whitespace().collect();
        let [second, minute, hour, day, month, weekday] = *fields else {
            return None;
        };
        Some(Self {
            second: Field::parse(second, 0, 59, &[])?,
            minute: Field::parse(minute, 0, 59, &[])?,
            hour: Field::parse(hour, 0, 23, &[])?,
            day: Field::parse(day, 1, 31, &[])?,
            month: Field::parse(month, 1, 12, &MONTHS)?,
            weekday: Field::parse(weekday, 0, 6, &WEEKDAYS)?,
        })
    }

    /// Days of the month and of the week both have to fit, unless both are restricted: then one is enough.
    fn has_day(self, date: Date) -> bool {
        let day = self.day.has(date.day());
        let weekday = self.weekday.has(date.weekday().to_sunday_zero_offset());
        if self.day.any || self.weekday.any {
            day && weekday
        } else {
            day || weekday
        }
    }

    /// The first fitting second behind `ts_ns`.
    fn next(self, zone: &TimeZone, ts_ns: i64) -> Option<i64> {
        let start = Timestamp::from_second(ts_ns.div_euclid(SECOND_NS).checked_add(1)?).ok()?;
        let mut at = zone.to_datetime(start);
        let last = at.year().checked_add(YEARS_MAX)?;
        // Clocks that are put forward or back may send a fitting time to before the start: then on to the next.
        for _ in 0..4 {
            at = self.fit(at, last)?;
            let found = zone.to_timestamp(at).ok()?;
            if found >= start {
                return i64::try_from(found.as_nanosecond()).ok();
            }
            at = at.checked_add(1.second()).ok()?;
        }
        None
    }

    /// The first fitting date and time from `at` on.
    fn fit(self, mut at: DateTime, last_year: i16) -> Option<DateTime> {
        while at.year() <= last_year {
            if !self.month.has(at.month()) {
                let first = at.date().first_of_month();
                at = first.checked_add(1.month()).ok()?.to_datetime(Time::midnight());
            } else if !self.has_day(at.date()) {
                at = at.date().tomorrow().ok()?.to_datetime(Time::midnight());
            } else if !self.hour.has(at.hour()) {
                let hour = at.date().at(at.hour(), 0, 0, 0);
                at = hour.checked_add(1.hour()).ok()?;
            } else if !self.minute.has(at.minute()) {
                let minute = at.date().at(at.hour(), at.minute(), 0, 0);
                at = minute.checked_add(1.minute()).ok()?;
            } else if self.second.has(at.second()) {
                return Some(at);
            } else {
                at = at.checked_add(1.second()).ok()?;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ns(time: &str) -> i64 {
        let time: Timestamp = time.parse().unwrap();
        i64::try_from(time.as_nanosecond()).unwrap()
    }

    fn due(pattern: &str, zone: &str, from: &str) -> Option<String> {
        let from = ns(from);
        next(pattern, zone, from, from).ok().map(|due| shown(due.at_ns))
    }

    #[test]
    fn patterns_are_due() {
        for (pattern, zone, from, wanted) in [
            (
                "0 30 14 * * mon-fri",
                "",
                "2026-11-20T15:00:00Z",
                "2026-11-23T14:30:00Z",
            ),
            (
                "*/15 * * * * *",
                "",
                "2026-11-20T15:00:00Z",
                "2026-11-20T15:00:15Z",
            ),
            ("0 0 0 29 2 *", "", "2026-11-20T15:00:00Z", "2028-02-29T00:00:00Z"),
            (
                "0 0 0 13 * fri",
                "",
                "2026-11-20T15:00:00Z",
                "2026-11-27T00:00:00Z",
            ),
            ("@daily", "", "2026-11-20T15:00:00Z", "2026-11-21T00:00:00Z"),
            ("@hourly", "", "2026-11-20T15:00:00Z", "2026-11-20T16:00:00Z"),
            ("@weekly", "", "2026-11-20T15:00:00Z", "2026-11-22T00:00:00Z"),
            ("@every 90s", "", "2026-11-20T15:00:00.4Z", "2026-11-20T15:01:30Z"),
            (
                "0 0 12 * * *",
                "America/New_York",
                "2026-11-20T15:00:00Z",
                "2026-11-20T17:00:00Z",
            ),
            // There is no half past two on this day in Berlin.
            (
                "0 30 2 * * *",
                "Europe/Berlin",
                "2026-03-29T00:00:00Z",
                "2026-03-29T01:30:00Z",
            ),
            (
                "@at 2030-01-01T00:00:00+01:00",
                "",
                "2026-11-20T15:00:00Z",
                "2029-12-31T23:00:00Z",
            ),
        ] {
            assert_eq!(due(pattern, zone, from).as_deref(), Some(wanted), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for pattern in [
            "",
            "soon",
            "@at tomorrow",
            "@every 999ms",
            "@every x",
            "* * * * *",
            "60 * * * * *",
            "0 0 0 31 2 *",
            "*/0 * * * * *",
            "5-3 * * * * *",
            "* * * * * 7",
            "* * * 0 * *",
            "* * * * foo *",
        ] {
            assert_eq!(next(pattern, "", 0, 0), Err(BadSchedule::Pattern), "{pattern}");
        }
        assert_eq!(next("@daily", "Mars/Olympus", 0, 0), Err(BadSchedule::TimeZone));
        assert_eq!(
            next("@every 1h", "Europe/Berlin", 0, 0),
            Err(BadSchedule::Pattern)
        );
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let (then, now) = (ns("2026-01-01T00:00:00Z"), ns("2026-11-20T15:00:10Z"));
        assert_eq!(
            shown(next("@hourly", "", then, now).unwrap().at_ns),
            "2026-11-20T16:00:00Z"
        );
        assert_eq!(
            shown(next("@every 1m", "", then, now).unwrap().at_ns),
            "2026-11-20T15:01:10Z"
        );
        assert_eq!(
            next("@at 2026-01-01T00:00:00Z", "", then, now).unwrap().at_ns,
            then
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(pattern in "[-*/,?@ a-z0-9]{0,24}", zone in "[A-Za-z/]{0,8}", ts in any::<i64>(), now in any::<i64>()) {
            let _due = next(&pattern, &zone, ts, now);
        }
    }
}
