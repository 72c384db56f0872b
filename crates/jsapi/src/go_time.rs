//! Times and durations as Go prints and reads them. Reads no clock.

use crate::json::quoted_time;
use crate::json::write::text;
use crate::json::{Decoding, GoJson, Json};

const DAY_S: i64 = 86_400;
const NS: i64 = 1_000_000_000;

/// A point in time: nanoseconds since the Unix epoch, or Go's zero time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoTime(pub i64);

impl GoTime {
    /// Go's zero time, printed `0001-01-01T00:00:00Z`.
    pub const ZERO: Self = Self(i64::MIN);

    /// Whether it is the zero time.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == i64::MIN
    }

    /// Reads an RFC 3339 text.
    ///
    /// # Errors
    /// The text of Go's `time.Parse`.
    pub fn parse(value: &str) -> Result<Self, String> {
        Parser { value, rest: value }.parse()
    }
}

impl Default for GoTime {
    fn default() -> Self {
        Self::ZERO
    }
}

impl std::fmt::Display for GoTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_zero() {
            return f.write_str("0001-01-01T00:00:00Z");
        }
        let (seconds, nanos) = (self.0.div_euclid(NS), self.0.rem_euclid(NS));
        let (days, of_day) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
        let (year, month, day) = civil(days);
        let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}")?;
        if nanos > 0 {
            let digits = format!("{nanos:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of a day counted from the epoch, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from the epoch to a date: the inverse of [`civil`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + day_of_era - 719_468
}

struct Parser<'a> {
    value: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn cannot(&self, what: &str) -> String {
        let layout = "2006-01-02T15:04:05Z07:00";
        format!(
            "parsing time {} as {layout:?}: cannot parse {} as {what:?}",
            quoted_time(self.value),
            quoted_time(self.rest)
        )
    }

    fn range(&self, what: &str) -> String {
        format!("parsing time {}: {what} out of range", quoted_time(self.value))
    }

    fn number(&mut self, digits: usize, what: &str) -> Result<i64, String> {
        let Some(head) = self
            .rest
            .get(..digits)
            .filter(|h| h.bytes().all(|b| b.is_ascii_digit()))
        else {
            return Err(self.cannot(what));
        };
        let n = head.parse().map_err(|_| self.cannot(what))?;
        self.rest = &self.rest[digits..];
        Ok(n)
    }

    fn literal(&mut self, c: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(c).ok_or_else(|| self.cannot(c))?;
        Ok(())
    }

    fn parse(mut self) -> Result<GoTime, String> {
        let year = self.number(4, "2006")?;
        self.literal("-")?;
        let month = self.number(2, "01")?;
        self.literal("-")?;
        let day = self.number(2, "02")?;
        self.literal("T")?;
        let digits = 2 - usize::from(self.rest.as_bytes().get(1) == Some(&b':'));
        let hour = self.number(digits, "15")?;
        self.literal(":")?;
        let minute = self.number(2, "04")?;
        self.literal(":")?;
        let second = self.number(2, "05")?;
        let nanos = self.fraction();
        let offset = self.zone()?;
        if !self.rest.is_empty() {
            return Err(format!(
                "parsing time {}: extra text: {}",
                quoted_time(self.value),
                quoted_time(self.rest)
            ));
        }
        if !(1..=12).contains(&month) {
            return Err(self.range("month"));
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day < 1 || day > days_in_month {
            return Err(self.range("day"));
        }
        for (value, limit, what) in [(hour, 24, "hour"), (minute, 60, "minute"), (second, 60, "second")] {
            if value >= limit {
                return Err(self.range(what));
            }
        }
        let days = days_from_civil(year, month, day);
        let seconds = days * DAY_S + hour * 3600 + minute * 60 + second - offset;
        if year == 1 && seconds == days_from_civil(1, 1, 1) * DAY_S && nanos == 0 {
            return Ok(GoTime::ZERO);
        }
        let wide = i128::from(seconds) * i128::from(NS) + i128::from(nanos);
        let clamped = wide.clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX));
        Ok(GoTime(i64::try_from(clamped).unwrap_or(i64::MAX)))
    }

    fn fraction(&mut self) -> i64 {
        let Some(rest) = self.rest.strip_prefix(['.', ',']) else {
            return 0;
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return 0;
        }
        let (head, tail) = rest.split_at(digits);
        self.rest = tail;
        let padded: String = head.chars().chain("000000000".chars()).take(9).collect();
        padded.parse().unwrap_or(0)
    }

    /// Seconds east of UTC.
    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let sign = match self.rest.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.cannot("Z07:00")),
        };
        let bytes = self.rest.as_bytes();
        if bytes.len() < 6 || bytes[3] != b':' {
            return Err(self.cannot("Z07:00"));
        }
        let field = |range: std::ops::Range<usize>| self.rest.get(range).and_then(|t| t.parse::<i64>().ok());
        let (Some(hours), Some(minutes)) = (field(1..3), field(4..6)) else {
            return Err(self.cannot("Z07:00"));
        };
        self.rest = &self.rest[6..];
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

impl GoJson for GoTime {
    const GO_TYPE: &'static str = "time.Time";

    fn is_empty(&self) -> bool {
        // Go's omitempty never omits a struct; optional times are `Option<GoTime>`.
        false
    }

    fn encode(&self, out: &mut Vec<u8>) {
        text(out, &self.to_string());
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => {}
            Json::Text { value, .. } => match Self::parse(value) {
                Ok(time) => *self = time,
                Err(text) => cx.custom(text),
            },
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

/// A duration in nanoseconds; an integer in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub i64);

impl Nanos {
    /// `n` seconds.
    #[must_use]
    pub const fn from_secs(n: i64) -> Self {
        Self(n * NS)
    }

    /// `n` milliseconds.
    #[must_use]
    pub const fn from_millis(n: i64) -> Self {
        Self(n * 1_000_000)
    }

    /// Nanoseconds, 0 if negative.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// Reads Go's notation: `1h30m`, `1.5s`, `-2ms`.
    ///
    /// # Errors
    /// The text of Go's `time.ParseDuration`.
    pub fn parse(value: &str) -> Result<Self, String> {
        parse_duration(value).map(Self)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn parse_duration(value: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted_time(value));
    let (negative, mut rest) = match value.as_bytes().first() {
        Some(b'-') => (true, &value[1..]),
        Some(b'+') => (false, &value[1..]),
        _ => (false, value),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (whole, tail) = split_digits(rest);
        let (fraction, tail) = tail.strip_prefix('.').map_or(("", tail), split_digits);
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_len = tail
            .bytes()
            .take_while(|b| !b.is_ascii_digit() && *b != b'.')
            .count();
        let (unit, tail) = tail.split_at(unit_len);
        let shown = quoted_time(value);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(format!("time: missing unit in duration {shown}")),
            _ => {
                return Err(format!(
                    "time: unknown unit {} in duration {shown}",
                    quoted_time(unit)
                ));
            }
        };
        let digits = |text: &str| {
            text.get(..text.len().min(18))
                .and_then(|t| t.parse::<i128>().ok())
                .unwrap_or(0)
        };
        let fraction_scale = 10i128.pow(u32::try_from(fraction.len().min(18)).unwrap_or(0));
        total += digits(whole) * scale + digits(fraction) * scale / fraction_scale;
        if whole.len() > 18 || total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = tail;
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -total } else { total })
}

impl std::fmt::Display for Nanos {
    /// As Go's `Duration.String`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let ns = self.0.unsigned_abs();
        let with_fraction = |f: &mut std::fmt::Formatter<'_>, whole: u64, fraction: u64, width: usize| {
            write!(f, "{whole}")?;
            if fraction > 0 {
                let digits = format!("{fraction:0width$}");
                write!(f, ".{}", digits.trim_end_matches('0'))?;
            }
            Ok(())
        };
        if ns < 1_000 {
            return write!(f, "{ns}ns");
        }
        if ns < 1_000_000 {
            with_fraction(f, ns / 1_000, ns % 1_000, 3)?;
            return f.write_str("µs");
        }
        if ns < 1_000_000_000 {
            with_fraction(f, ns / 1_000_000, ns % 1_000_000, 6)?;
            return f.write_str("ms");
        }
        let seconds = ns / 1_000_000_000;
        if seconds >= 3600 {
            write!(f, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(f, "{}m", seconds / 60 % 60)?;
        }
        with_fraction(f, seconds % 60, ns % 1_000_000_000, 9)?;
        f.write_str("s")
    }
}

impl GoJson for Nanos {
    const GO_TYPE: &'static str = "time.Duration";

    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(&mut self, json: &Json<'_>, cx: &mut Decoding) {
        match json {
            Json::Null => {}
            Json::Number(n) => match n.parse() {
                Ok(value) => self.0 = value,
                Err(_) => cx.out_of_range(n, Self::GO_TYPE),
            },
            other => cx.mismatch(other, Self::GO_TYPE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_and_read_back() {
        for text in [
            "2026-11-21T05:59:39.344886237Z",
            "1970-01-01T00:00:00Z",
            "2020-02-29T23:59:59.5Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(GoTime::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(GoTime::parse("0001-01-01T00:00:00Z").unwrap(), GoTime::ZERO);
        assert_eq!(GoTime::ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(
            GoTime::parse("2020-01-01T01:00:00+01:00").unwrap().to_string(),
            "2020-01-01T00:00:00Z"
        );
    }

    #[test]
    fn bad_times_in_gos_words() {
        assert_eq!(
            GoTime::parse("x").unwrap_err(),
            "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""
        );
        assert_eq!(
            GoTime::parse("2020-13-01T00:00:00Z").unwrap_err(),
            "parsing time \"2020-13-01T00:00:00Z\": month out of range"
        );
        assert!(
            GoTime::parse("2020-02-30T00:00:00Z").is_err() && GoTime::parse("2020-01-01T00:00:00").is_err()
        );
    }

    #[test]
    fn durations() {
        for (ns, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (100_000_000, "100ms"),
            (1_500_000_000, "1.5s"),
            (120_000_000_000, "2m0s"),
            (9_000_000_000_000, "2h30m0s"),
            (-5_000_000_000, "-5s"),
        ] {
            assert_eq!(Nanos(ns).to_string(), text);
            assert_eq!(Nanos::parse(text).unwrap(), Nanos(ns));
        }
        assert_eq!(Nanos::parse("1h30m").unwrap().0, 5_400_000_000_000);
        assert_eq!(
            Nanos::parse("5").unwrap_err(),
            "time: missing unit in duration \"5\""
        );
        assert_eq!(
            Nanos::parse("5x").unwrap_err(),
            "time: unknown unit \"x\" in duration \"5x\""
        );
        assert!(
            Nanos::parse("").is_err()
                && Nanos::parse(".s").is_err()
                && Nanos::parse("99999999999999999999h").is_err()
        );
    }
}
