//! Values of columns, and how JSON becomes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnType {
    Text,
    /// 64 bits.
    Integer,
    /// Any number, with all its digits.
    Decimal,
    /// A floating-point number of 64 bits.
    Float,
    Boolean,
    Timestamp,
    Date,
    Json,
    Uuid,
    /// Base64 in the JSON.
    Bytes,
}

/// The value of a column in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    /// Also decimal numbers, dates, JSON and UUIDs.
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Timestamp(Timestamp),
    Bytes(Vec<u8>),
}

impl Cell {
    /// About as many bytes as it has in a statement.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => 2 * bytes.len(),
            Self::Null
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Boolean(_)
            | Self::Timestamp(_) => 16,
        }
    }
}

/// Most characters of a decimal number, and of its exponent's value. PostgreSQL would compute a
/// larger one for long.
const MAX_DIGITS: usize = 1_000;

/// Numbers from here on are times in milliseconds, smaller ones in seconds: year 5138, and 1973.
const FIRST_MILLIS: f64 = 1e11;

impl ColumnType {
    /// The value of a column for JSON other than `null`. The error says what the JSON is not.
    pub(super) fn convert(self, json: &RawValue) -> Result<Cell, &'static str> {
        let json = json.get();
        let text = text(json);
        match self {
            Self::Text => Ok(Cell::Text(text.unwrap_or_else(|| json.to_owned()))),
            Self::Json => Ok(Cell::Text(json.to_owned())),
            Self::Integer => integer(scalar(json, text.as_deref())).map(Cell::Integer),
            Self::Decimal => decimal(scalar(json, text.as_deref())),
            Self::Float => float(scalar(json, text.as_deref())),
            Self::Boolean => boolean(scalar(json, text.as_deref())),
            Self::Timestamp => timestamp(json, text.as_deref()).map(Cell::Timestamp),
            Self::Date => date(text.as_deref()),
            Self::Uuid => uuid(text.as_deref()),
            Self::Bytes => {
                let bytes = text.and_then(|text| STANDARD.decode(text).ok());
                bytes.map(Cell::Bytes).ok_or("base64")
            },
        }
    }
}

/// The text of a JSON string.
fn text(json: &str) -> Option<String> {
    json.starts_with('"').then(|| serde_json::from_str(json).ok()).flatten()
}

/// Numbers may be within strings, because JavaScript cannot write large ones otherwise.
fn scalar<'a>(json: &'a str, text: Option<&'a str>) -> &'a str {
    text.unwrap_or(json)
}

fn integer(text: &str) -> Result<i64, &'static str> {
    let wrong = "an integer of 64 bits";
    let whole = match text.split_once('.') {
        Some((whole, fraction))
            if !fraction.is_empty() && fraction.bytes().all(|it| it == b'0') =>
        {
            whole
        },
        Some(_) => return Err(wrong),
        None => text,
    };
    // `parse` would accept a plus.
    if whole.starts_with('+') { Err(wrong) } else { whole.parse().map_err(|_| wrong) }
}

/// The text of a number as JSON writes it, if it is one.
fn number(text: &str) -> Option<&str> {
    let is_number = text.len() <= MAX_DIGITS
        && text.starts_with(|it: char| it == '-' || it.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|json| json.get() == text);
    is_number.then_some(text)
}

fn decimal(text: &str) -> Result<Cell, &'static str> {
    let wrong = "a decimal number of at most 1000 digits";
    let number = number(text).ok_or(wrong)?;
    let exponent = number.split_once(['e', 'E']).map_or("0", |(_, exponent)| exponent);
    let is_short = exponent.parse::<i32>().is_ok_and(|it| it.unsigned_abs() as usize <= MAX_DIGITS);
    if is_short { Ok(Cell::Text(number.to_owned())) } else { Err(wrong) }
}

fn float(text: &str) -> Result<Cell, &'static str> {
    let value: Option<f64> = number(text).and_then(|text| text.parse().ok());
    value.filter(|it| it.is_finite()).map(Cell::Float).ok_or("a number in the range of 64 bits")
}

fn boolean(text: &str) -> Result<Cell, &'static str> {
    match text {
        "true" | "1" => Ok(Cell::Boolean(true)),
        "false" | "0" => Ok(Cell::Boolean(false)),
        _ => Err("true or false"),
    }
}

fn timestamp(json: &str, text: Option<&str>) -> Result<Timestamp, &'static str> {
    let wrong = "a time in RFC 3339 with an offset, or Unix seconds";
    if let Some(text) = text {
        return text.parse().map_err(|_| wrong);
    }
    let number: f64 = number(json).and_then(|it| it.parse().ok()).ok_or(wrong)?;
    if let Ok(whole) = integer(json) {
        let time = if number.abs() < FIRST_MILLIS {
            Timestamp::from_second(whole)
        } else {
            Timestamp::from_millisecond(whole)
        };
        return time.map_err(|_| wrong);
    }
    let seconds = if number.abs() < FIRST_MILLIS { number } else { number / 1e3 };
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong)?;
    Timestamp::from_duration(duration).map_err(|_| wrong)
}

/// A date, or the date of a time in UTC.
fn date(text: Option<&str>) -> Result<Cell, &'static str> {
    let wrong = "a date such as 2030-01-31";
    let text = text.ok_or(wrong)?;
    let date: Result<Date, _> = match text.parse::<Timestamp>() {
        Ok(time) => Ok(time.to_zoned(TimeZone::UTC).date()),
        Err(_) => text.parse(),
    };
    date.map(|date| Cell::Text(date.to_string())).map_err(|_| wrong)
}

fn uuid(text: Option<&str>) -> Result<Cell, &'static str> {
    let is_uuid = |text: &str| {
        let groups: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        lengths == [8, 4, 4, 4, 12]
            && groups.iter().all(|group| group.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    let text = text.filter(|text| is_uuid(text)).ok_or("a UUID")?;
    Ok(Cell::Text(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "tables of cases are easier to read")]
    fn check(column: ColumnType, json: &str, expected: Option<Cell>) {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        assert_eq!(column.convert(raw).ok(), expected, "{column:?} {json}");
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with an option")]
    fn text(text: &str) -> Option<Cell> {
        Some(Cell::Text(text.to_owned()))
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        use ColumnType::{Decimal, Float, Integer, Text};
        check(Integer, "9223372036854775807", Some(Cell::Integer(i64::MAX)));
        check(Integer, "9007199254740993", Some(Cell::Integer(9_007_199_254_740_993)));
        check(Integer, "\"-12\"", Some(Cell::Integer(-12)));
        check(Integer, "12.00", Some(Cell::Integer(12)));
        for wrong in ["9223372036854775808", "1.5", "1e3", "\"\"", "\"+1\"", "true", "[1]", "\"a\""]
        {
            check(Integer, wrong, None);
        }
        check(Decimal, "12345678901234567890.12345678901234567890", {
            text("12345678901234567890.12345678901234567890")
        });
        check(Decimal, "\"0.10\"", text("0.10"));
        check(Decimal, "-1e-7", text("-1e-7"));
        for wrong in ["1e1001", "\"1e99999999999\"", "\"NaN\"", "\" 1\"", "{}", "true"] {
            check(Decimal, wrong, None);
        }
        check(Float, "0.1", Some(Cell::Float(0.1)));
        check(Float, "1e999", None);
        check(Float, "\"inf\"", None);
        check(Text, "12345678901234567890123", text("12345678901234567890123"));
    }

    #[test]
    fn other_types_are_strict() {
        use ColumnType::{Boolean, Bytes, Json, Text, Uuid};
        check(Text, r#""a\u00e4\"""#, text("aä\""));
        check(Text, r#"{"a":1}"#, text(r#"{"a":1}"#));
        check(Json, r#"{"a":1.50}"#, text(r#"{"a":1.50}"#));
        check(Json, r#""a""#, text(r#""a""#));
        check(Boolean, "true", Some(Cell::Boolean(true)));
        check(Boolean, "\"false\"", Some(Cell::Boolean(false)));
        check(Boolean, "\"yes\"", None);
        check(Uuid, "\"6BA7B810-9dad-11d1-80b4-00c04fd430c8\"", {
            text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
        });
        check(Uuid, "\"6ba7b8109dad11d180b400c04fd430c8\"", None);
        check(Bytes, "\"AP8=\"", Some(Cell::Bytes(vec![0, 255])));
        check(Bytes, "\"***\"", None);
    }

    #[test]
    fn times_have_an_offset_and_become_utc() {
        use ColumnType::{Date, Timestamp};
        let time = |text: &str| Some(Cell::Timestamp(text.parse().unwrap()));
        check(
            Timestamp,
            "\"2030-01-31T12:00:00.123456+02:00\"",
            time("2030-01-31T10:00:00.123456Z"),
        );
        check(Timestamp, "1700000000", time("2023-11-14T22:13:20Z"));
        check(Timestamp, "1700000000123", time("2023-11-14T22:13:20.123Z"));
        check(Timestamp, "1700000000.5", time("2023-11-14T22:13:20.5Z"));
        for wrong in ["\"2030-01-31T12:00:00\"", "\"yesterday\"", "1e300", "true", "[]"] {
            check(Timestamp, wrong, None);
        }
        check(Date, "\"2030-01-31\"", text("2030-01-31"));
        check(Date, "\"2030-01-31T23:30:00-02:00\"", text("2030-02-01"));
        check(Date, "\"2030-02-31\"", None);
        check(Date, "20300131", None);
    }
}
