//! Numbers and dates: what a run of digits and suffixes is worth. Reads no text of its own.

use crate::error::Error;

/// Letters that may follow the digits of an integer, smallest power first.
const SUFFIXES: &str = "kmgtpe";

/// Whether `c` may begin the suffix of an integer.
pub(crate) const fn is_suffix(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 'k' | 'm' | 'g' | 't' | 'p' | 'e')
}

/// The value of an integer with its suffix; none for a suffix like `kbb`, which the peer reads and then drops.
///
/// Too large a product wraps around, as it does in the peer.
pub(crate) fn integer(text: &str) -> Result<Option<i64>, Error> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits_end);
    let number: i64 = digits
        .parse()
        .map_err(|_| Error::Value(format!("integer '{text}' is out of the range")))?;
    Ok(scale(&suffix.to_ascii_lowercase()).map(|scale| number.wrapping_mul(scale)))
}

/// What a suffix multiplies by: a letter alone is a power of 1000, with `b`, `i` or `ib` of 1024.
fn scale(suffix: &str) -> Option<i64> {
    let Some(letter) = suffix.chars().next() else {
        return Some(1);
    };
    let power = SUFFIXES.find(letter)?;
    let base: i64 = match &suffix[1..] {
        "" => 1000,
        "b" | "i" | "ib" => 1024,
        _ => return None,
    };
    base.checked_pow(u32::try_from(power).ok()? + 1)
}

/// The value of a float.
pub(crate) fn float(text: &str) -> Result<f64, Error> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Error::Value(format!("float '{text}' is out of the range"))),
    }
}

/// Checks a date of the form `0000-00-00T00:00:00Z` for being one.
pub(crate) fn date(text: &str) -> Result<String, Error> {
    let part = |range| text.get(range).and_then(|t: &str| t.parse::<u32>().ok());
    let parts = (part(0..4), part(5..7), part(8..10));
    let clock = (part(11..13), part(14..16), part(17..19));
    let valid = match (parts, clock) {
        ((Some(year), Some(month), Some(day)), (Some(hour), Some(minute), Some(second))) => {
            (1..=days(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60
        }
        _ => false,
    };
    if valid {
        Ok(text.to_owned())
    } else {
        let text = format!("expected Zulu formatted DateTime, but got '{text}'");
        Err(Error::Value(text))
    }
}

/// Days of a month; 0 for a month there is not.
const fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// A float as Go's JSON writes it: shortest digits, exponent for very small and very large ones.
pub(crate) fn float_json(number: f64) -> String {
    let (digits, exponent) = shortest(number);
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let sign = if exponent < 0 { "" } else { "+" };
        return format!("{digits}e{sign}{exponent}");
    }
    positional(&digits, exponent)
}

/// `d.ddd` and an exponent written out, with zeros where there are no digits.
fn positional(mantissa: &str, exponent: i64) -> String {
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits.replace('.', "")),
        None => ("", mantissa.replace('.', "")),
    };
    let Ok(whole) = usize::try_from(exponent + 1) else {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    };
    if whole == 0 {
        return format!("{sign}0.{digits}");
    }
    if digits.len() <= whole {
        return format!("{sign}{digits:0<whole$}");
    }
    let (before, after) = digits.split_at(whole);
    format!("{sign}{before}.{after}")
}

/// The shortest mantissa that means `number`, and its exponent. Of two equally short ones that are equally near, Go takes
/// the even one; Rust's own shortest form takes the larger.
fn shortest(number: f64) -> (String, i64) {
    let mut text = format!("{number:e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    let decimals = mantissa.split('.').nth(1).map_or(0, str::len);
    let nearest = format!("{number:.decimals$e}");
    if nearest.parse() == Ok(number) {
        text = nearest;
    }
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_powers() {
        for (text, expected) in [
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("1k", Some(1_000)),
            ("1Kb", Some(1 << 10)),
            ("1ki", Some(1 << 10)),
            ("3MiB", Some(3 << 20)),
            ("1e", Some(1_000_000_000_000_000_000)),
            ("1EB", Some(1 << 60)),
            ("1kbb", None),
            ("9223372036854775807k", Some(-1000)),
        ] {
            assert_eq!(integer(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn dates_exist() {
        for text in [
            "2024-02-29T23:59:59Z",
            "2000-02-29T00:00:00Z",
            "2023-12-31T00:00:00Z",
        ] {
            assert_eq!(date(text).unwrap(), text);
        }
        for text in [
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-04-31T00:00:00Z",
            "2023-01-00T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:60:00Z",
            "2023-01-01T00:00:60Z",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floats_look_like_gos() {
        for (number, expected) in [
            (5.5, "5.5"),
            (1.0, "1"),
            (-5.5, "-5.5"),
            (0.0, "0"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (0.25, "0.25"),
            (-0.012_5, "-0.0125"),
            (1200.0, "1200"),
            (25_873_500_165_997_351.0, "25873500165997350"),
            (1e20, "100000000000000000000"),
            (1.234_567_890_123_456_9e23, "1.2345678901234569e+23"),
            (822_834_820_612_488.2, "822834820612488.2"),
        ] {
            assert_eq!(float_json(number), expected);
        }
    }
}
