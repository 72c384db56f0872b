//! Bytes in words, as the log has them.

/// `bytes` in the largest unit of which there is one.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 0;
    while unit + 1 < UNITS.len() && bytes >> (10 * (unit + 1)) > 0 {
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes} B");
    }
    let whole = 1_u128 << (10 * unit);
    let hundredths = (u128::from(bytes) * 100 + whole / 2) / whole;
    format!("{}.{:02} {}", hundredths / 100, hundredths % 100, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_as_the_peer_does() {
        assert_eq!(size(5), "5 B");
        assert_eq!(size(20_000), "19.53 KB");
        assert_eq!(size(3_000_000_000), "2.79 GB");
        assert_eq!(size(18_957_376_512), "17.66 GB");
        assert_eq!(size(1024 * 1024 - 1), "1024.00 KB");
        assert_eq!(size(u64::MAX), "16.00 EB");
    }
}
