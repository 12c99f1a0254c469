//! Durations in configurations: texts such as `30s`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::Problem;

/// The longest duration that a configuration may contain.
const MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a duration with units, such as `90s` or `1h30m`.
fn parse(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok().and_then(|it| Duration::try_from(it).ok())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom("must be a duration such as `30s`"))
}

/// A duration that may be absent.
pub(super) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Present(#[serde(deserialize_with = "deserialize")] Duration);
    Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(duration)| duration))
}

/// Refuses a duration below `min` or above a day.
pub(super) fn check_range(
    field: &str,
    duration: Duration,
    min: Duration,
    problems: &mut Vec<Problem>,
) {
    if duration < min || duration > MAX {
        problems.push(Problem::of(field, format!("must be {} s to 24 h", min.as_secs())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let cases = [
            ("30s", Some(30_000)),
            ("5ms", Some(5)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("30", None),
            ("s", None),
            ("", None),
            ("1m30s", Some(90_000)),
            ("-1s", None),
            ("99999999999999999999h", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
