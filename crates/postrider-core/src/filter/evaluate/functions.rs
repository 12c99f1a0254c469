//! Functions on values.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::filter::{
    names::Function,
    value::{Text, Value},
};

type Computed<'v> = Result<Value<'v>, String>;

/// Most bytes of a string that is read as a number, a time or a duration.
const MAX_LITERAL: usize = 100;

/// Steps that a call takes.
pub(super) fn steps(function: Function, arguments: &[Value<'_>]) -> usize {
    let bytes = arguments.iter().map(|value| match value {
        Value::Text(text) => text.len(),
        _ => 0,
    });
    let bytes: usize = bytes.sum();
    match function {
        Function::Contains => bytes / 8,
        Function::LowerAscii | Function::UpperAscii => bytes / 16,
        Function::Size | Function::StartsWith | Function::EndsWith | Function::Trim => bytes / 64,
        Function::Dyn | Function::Bool => 0,
        Function::Int | Function::UInt | Function::Double => 5,
        Function::Text => 50,
        Function::Timestamp
        | Function::Duration
        | Function::FullYear
        | Function::Month
        | Function::Date
        | Function::DayOfMonth
        | Function::DayOfWeek
        | Function::DayOfYear
        | Function::Hours
        | Function::Minutes
        | Function::Seconds
        | Function::Milliseconds => 20,
    }
}

/// Calls a function. The parser has checked the number of arguments.
pub(super) fn call(function: Function, arguments: Vec<Value<'_>>) -> Computed<'_> {
    let mut arguments = arguments.into_iter();
    let first = arguments.next().unwrap_or(Value::Null);
    match function {
        Function::Size => size(&first),
        Function::Contains => texts(&first, arguments.next(), |text, part| text.contains(part)),
        Function::StartsWith => {
            texts(&first, arguments.next(), |text, part| text.starts_with(part))
        },
        Function::EndsWith => texts(&first, arguments.next(), |text, part| text.ends_with(part)),
        Function::LowerAscii => text(first, |it| it.to_ascii_lowercase().into()),
        Function::UpperAscii => text(first, |it| it.to_ascii_uppercase().into()),
        Function::Trim => text(first, trimmed),
        Function::Int => int(&first),
        Function::UInt => uint(&first),
        Function::Double => double(&first),
        Function::Text => string(first),
        Function::Bool => bool(&first),
        Function::Dyn => Ok(first),
        Function::Timestamp => timestamp(&first),
        Function::Duration => duration(&first),
        Function::FullYear
        | Function::Month
        | Function::Date
        | Function::DayOfMonth
        | Function::DayOfWeek
        | Function::DayOfYear
        | Function::Hours
        | Function::Minutes
        | Function::Seconds
        | Function::Milliseconds => part(function, &first),
    }
}

fn wrong(expected: &str, value: &Value<'_>) -> String {
    format!("expected {expected}, not {}", value.type_name())
}

fn size<'v>(value: &Value<'_>) -> Computed<'v> {
    let size = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        other => return Err(wrong("a string, a list or a map", other)),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn texts<'v>(
    value: &Value<'_>,
    other: Option<Value<'_>>,
    is_so: impl Fn(&str, &str) -> bool,
) -> Computed<'v> {
    let other = other.unwrap_or(Value::Null);
    match (value, &other) {
        (Value::Text(text), Value::Text(part)) => Ok(Value::Bool(is_so(text, part))),
        (Value::Text(_), _) => Err(wrong("a string", &other)),
        _ => Err(wrong("a string", value)),
    }
}

fn text<'v>(value: Value<'v>, change: impl Fn(Text<'v>) -> Text<'v>) -> Computed<'v> {
    match value {
        Value::Text(text) => Ok(Value::Text(change(text))),
        other => Err(wrong("a string", &other)),
    }
}

fn trimmed(text: Text<'_>) -> Text<'_> {
    match text {
        Text::Borrowed(text) => Text::Borrowed(text.trim()),
        Text::Built(text) => text.trim().to_owned().into(),
    }
}

/// A short string that is parsed.
fn parsed<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    let value = if text.len() > MAX_LITERAL { None } else { text.parse().ok() };
    value.ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is not {what}")
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the fraction is dropped, and the range checked"
)]
fn whole(value: f64) -> Result<i128, String> {
    // Beyond this, no double has a fraction, and none fits into 64 bits.
    if value.abs() < 1e20 { Ok(value as i128) } else { Err("the number is too large".to_owned()) }
}

fn int<'v>(value: &Value<'_>) -> Computed<'v> {
    let value = match value {
        Value::Int(value) => i128::from(*value),
        Value::UInt(value) => i128::from(*value),
        Value::Double(value) => whole(*value)?,
        Value::Text(text) => i128::from(parsed::<i64>(text, "an integer")?),
        Value::Time(time) => i128::from(time.as_second()),
        other => return Err(wrong("a number or a string", other)),
    };
    i64::try_from(value).map(Value::Int).map_err(|_| "the number is too large".to_owned())
}

fn uint<'v>(value: &Value<'_>) -> Computed<'v> {
    let value = match value {
        Value::Int(value) => i128::from(*value),
        Value::UInt(value) => i128::from(*value),
        Value::Double(value) => whole(*value)?,
        Value::Text(text) => i128::from(parsed::<u64>(text, "an integer without sign")?),
        other => return Err(wrong("a number or a string", other)),
    };
    let in_range = u64::try_from(value).map(Value::UInt);
    in_range.map_err(|_| "the number is negative or too large".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "as everywhere where integers meet doubles")]
fn double<'v>(value: &Value<'_>) -> Computed<'v> {
    Ok(Value::Double(match value {
        Value::Int(value) => *value as f64,
        Value::UInt(value) => *value as f64,
        Value::Double(value) => *value,
        Value::Text(text) => parsed(text, "a number")?,
        other => return Err(wrong("a number or a string", other)),
    }))
}

fn string(value: Value<'_>) -> Computed<'_> {
    let text = match value {
        Value::Text(text) => text,
        Value::Bool(value) => Text::Borrowed(if value { "true" } else { "false" }),
        Value::Int(value) => value.to_string().into(),
        Value::UInt(value) => value.to_string().into(),
        Value::Double(value) => value.to_string().into(),
        Value::Time(time) => time.to_string().into(),
        Value::Duration(duration) => format!("{}s", duration.as_secs_f64()).into(),
        other => return Err(wrong("a string, a number, true or false", &other)),
    };
    Ok(Value::Text(text))
}

fn bool<'v>(value: &Value<'_>) -> Computed<'v> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::Text(text) => match text.as_ref() {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err("the string is not `true` or `false`".to_owned()),
        },
        other => Err(wrong("a string", other)),
    }
}

fn timestamp<'v>(value: &Value<'_>) -> Computed<'v> {
    let time = match value {
        Value::Time(time) => *time,
        Value::Text(text) => parsed::<Timestamp>(text, "a time like `2026-01-31T12:00:00Z`")?,
        Value::Int(seconds) => {
            Timestamp::from_second(*seconds).map_err(|_| "the time is out of range".to_owned())?
        },
        other => return Err(wrong("a string or seconds since 1970", other)),
    };
    Ok(Value::Time(time))
}

fn duration<'v>(value: &Value<'_>) -> Computed<'v> {
    let duration = match value {
        Value::Duration(duration) => *duration,
        Value::Text(text) => parsed::<SignedDuration>(text, "a duration like `1h30m`")?,
        other => return Err(wrong("a string", other)),
    };
    Ok(Value::Duration(duration))
}

/// A part of a time, in UTC, or a duration in a unit.
fn part<'v>(function: Function, value: &Value<'_>) -> Computed<'v> {
    let time = match value {
        Value::Duration(duration) => return total(function, *duration),
        Value::Time(time) => time.to_zoned(TimeZone::UTC),
        other => return Err(wrong("a timestamp", other)),
    };
    let number = match function {
        Function::FullYear => i64::from(time.year()),
        Function::Month => i64::from(time.month()) - 1,
        Function::Date => i64::from(time.day()),
        Function::DayOfMonth => i64::from(time.day()) - 1,
        Function::DayOfWeek => i64::from(time.weekday().to_sunday_zero_offset()),
        Function::DayOfYear => i64::from(time.day_of_year()) - 1,
        Function::Hours => i64::from(time.hour()),
        Function::Minutes => i64::from(time.minute()),
        Function::Seconds => i64::from(time.second()),
        _ => i64::from(time.millisecond()),
    };
    Ok(Value::Int(number))
}

fn total<'v>(function: Function, duration: SignedDuration) -> Computed<'v> {
    match function {
        Function::Hours => Ok(Value::Int(duration.as_hours())),
        Function::Minutes => Ok(Value::Int(duration.as_mins())),
        Function::Seconds => Ok(Value::Int(duration.as_secs())),
        Function::Milliseconds => Ok(Value::Int(i64::from(duration.subsec_millis()))),
        _ => Err("expected a timestamp, not a duration".to_owned()),
    }
}
