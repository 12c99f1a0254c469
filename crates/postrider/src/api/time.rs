//! Times in the formats that clients use.
//!
//! The API writes RFC 3339 in UTC. It accepts the default formats of common libraries of other
//! languages: a space between date and time, lower-case letters, a space before the offset, an
//! offset without a colon, and `UTC` for `Z`.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

/// The text is not a date and time with an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a date and time with an offset, such as 2026-01-31T12:00:00Z")]
pub struct ParseTimeError;

/// Parses a time.
pub fn parse(text: &str) -> Result<Timestamp, ParseTimeError> {
    let text = text.trim();
    let parsed = text.parse().ok().or_else(|| strict(text)?.parse().ok());
    parsed.ok_or(ParseTimeError)
}

/// The time in the strict form, if it is one.
fn strict(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked("2026-01-31".len())?;
    let time = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let end = time.find(|it: char| !it.is_ascii_digit() && !".:".contains(it))?;
    let (time, zone) = time.split_at(end);
    let zone = zone.trim_start();
    let zone = if zone.eq_ignore_ascii_case("UTC") { "Z" } else { zone };
    Some(format!("{date}T{time}{zone}"))
}

/// For required fields.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    parse(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// For optional fields.
pub fn deserialize_optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<Cow<'_, str>>::deserialize(deserializer)?;
    text.map(|text| parse(&text).map_err(de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_libraries_write() {
        let ten = "2026-01-31T10:00:00Z".parse().unwrap();
        for text in [
            "2026-01-31T10:00:00Z",
            "2026-01-31t10:00:00z",
            "2026-01-31 10:00:00Z",
            "2026-01-31 10:00:00 Z",
            "2026-01-31T10:00:00UTC",
            "2026-01-31 10:00:00 UTC",
            "2026-01-31 10:00:00 utc",
            "2026-01-31 10:00:00.000000 UTC",
            "2026-01-31T10:00:00+00:00",
            "2026-01-31T10:00:00-00:00",
            "2026-01-31T12:00:00+02:00",
            "2026-01-31 12:00:00 +02:00",
            "2026-01-31 12:00:00 +0200",
            "2026-01-31T12:00:00+0200",
            "2026-01-31 04:30:00-05:30",
            " 2026-01-31T10:00:00Z\n",
        ] {
            assert_eq!(parse(text), Ok(ten), "{text}");
        }
    }

    #[test]
    fn fractions_are_kept() {
        let expected = "2026-01-31T10:00:00.123456Z".parse().unwrap();
        assert_eq!(parse("2026-01-31 10:00:00.123456 UTC"), Ok(expected));
    }

    #[test]
    fn texts_that_are_not_times_with_an_offset_are_rejected() {
        for text in [
            "",
            "yesterday",
            "2026-01-31",
            "2026-01-31T10:00:00",
            "2026-01-31 10:00:00",
            "2026-02-30 10:00:00 UTC",
            "2026-01-31 25:00:00 UTC",
            "2026-01-31T10:00:00 CEST",
            "2026-01-31 12:00:00 02:00",
            "1769853600",
            "2026-01-3é 10:00:00Z",
        ] {
            assert_eq!(parse(text), Err(ParseTimeError), "{text}");
        }
    }
}
