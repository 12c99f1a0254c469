//! Durations and sizes in text: `1h30m`, `64KiB`.

use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: [(&str, usize); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Parses `15s`, `1h30m` or `500 ms`. A number without a unit is rejected because it is ambiguous.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split(rest, |it| it.is_ascii_digit())?;
        let (unit, after) = split(after.trim_start(), |it| it.is_ascii_alphabetic())?;
        let (_, factor) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = after.trim_start();
    }
    (!text.trim().is_empty()).then_some(Duration::from_millis(millis))
}

/// Formats a duration so that [`parse_duration`] can parse it.
pub(crate) fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in DURATION_UNITS {
        // Up to a week reads better in hours: 24h, 36h, 120h.
        let count = if unit == "d" && millis <= 7 * factor { 0 } else { millis / factor };
        millis -= count * factor;
        if count > 0 {
            text.extend([count.to_string().as_str(), unit]);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Parses `1MiB`, `64 KiB` or `500KB`. A number without a unit is in bytes.
pub(crate) fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = split(text.trim(), |it| it.is_ascii_digit())?;
    let unit = unit.trim();
    let factor = match unit {
        "" => 1,
        _ => SIZE_UNITS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// Formats a size so that [`parse_size`] can parse it.
pub(crate) fn format_size(bytes: usize) -> String {
    SIZE_UNITS
        .into_iter()
        .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
        .map_or_else(|| format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// Splits after the longest prefix of such characters, which must not be empty.
fn split(text: &str, is_part: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|it| !is_part(it)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("5s", Some(5_000)),
            ("1h30m", Some(5_400_000)),
            (" 500 ms ", Some(500)),
            ("90d", Some(7_776_000_000)),
            ("", None),
            ("5", None),
            ("5 parsecs", None),
            ("-5s", None),
            ("1.5h", None),
            ("s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn formatted_durations_can_be_parsed() {
        for (millis, expected) in [
            (0, "0s"),
            (10, "10ms"),
            (5_400_000, "1h30m"),
            (86_400_000, "24h"),
            (432_000_000, "120h"),
            (7_776_000_000, "90d"),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(format_duration(duration), expected);
            assert_eq!(parse_duration(expected), Some(duration));
        }
    }

    #[test]
    fn sizes_without_a_unit_are_in_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("1MiB", Some(1_048_576)),
            ("64 kib", Some(65_536)),
            ("1MB", Some(1_000_000)),
            ("", None),
            ("MiB", None),
            ("1 mile", None),
        ] {
            assert_eq!(parse_size(text), expected, "{text}");
        }
        assert_eq!(format_size(1_048_576), "1MiB");
        assert_eq!(format_size(1_000), "1KB");
        assert_eq!(format_size(0), "0B");
    }
}
