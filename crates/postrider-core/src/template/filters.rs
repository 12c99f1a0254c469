//! Filters that templates have in addition to the usual ones.

use std::io;

use jiff::{Timestamp, tz::TimeZone};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, Value, escape_formatter,
    value::Kwargs,
};
use url::form_urlencoded;

use super::output::truncated;

/// The name of the escaping for Slack.
pub(super) const SLACK: &str = "slack";

/// Bytes of output that cost one unit of fuel.
const BYTES_PER_FUEL: usize = 16;

/// Most bytes of the format of a date.
const MAX_FORMAT: usize = 100;

/// Most characters of indented JSON.
const MAX_PRETTY: usize = 100_000;

/// How dates are written by default.
const FORMAT: &str = "%Y-%m-%d %H:%M UTC";

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("map", map);
    environment.add_filter("plus", plus);
    environment.add_filter("times", times);
    environment.add_filter("pretty", pretty);
    environment.add_filter("slack", slack);
    environment.add_filter("datetime", datetime);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("truncate", truncate);
}

/// Writes an inserted value, escaped as the template requires.
pub(super) fn format(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if !is_for_slack(state) || value.is_safe() {
        return escape_formatter(output, state, value);
    }
    Ok(output.write_str(&slack_escaped(&value.to_string()))?)
}

fn is_for_slack(state: &State<'_, '_>) -> bool {
    matches!(state.auto_escape(), AutoEscape::Custom(name) if name == SLACK)
}

fn slack_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The field `attribute` of each item, or the result of a filter without arguments. With others,
/// a template could put the same value into a list twice, see `shape`.
#[expect(clippy::needless_pass_by_value, reason = "the library passes it by value")]
fn map(
    state: &mut State<'_, '_>,
    value: &Value,
    filter: Option<&str>,
    options: Kwargs,
) -> Result<Vec<Value>, Error> {
    let attribute: Option<Value> = options.get("attribute")?;
    options.assert_all_used()?;
    let mut results = Vec::new();
    for item in value.try_iter()? {
        state.consume_fuel(1)?;
        results.push(match (&attribute, filter) {
            (Some(name), None) => item.get_item(name)?,
            (None, Some(filter)) => state.apply_filter(filter, &[item])?,
            (Some(_), Some(_)) | (None, None) => {
                return Err(invalid(
                    &"`map` needs a filter or `attribute`, and takes nothing else",
                ));
            },
        });
    }
    Ok(results)
}

/// The sum of two numbers.
fn plus(left: &Value, right: &Value) -> Result<Value, Error> {
    calculated(left, right, i64::checked_add, |left, right| left + right)
}

/// The product of two numbers.
fn times(left: &Value, right: &Value) -> Result<Value, Error> {
    calculated(left, right, i64::checked_mul, |left, right| left * right)
}

fn calculated(
    left: &Value,
    right: &Value,
    of_integers: fn(i64, i64) -> Option<i64>,
    of_numbers: fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let integers = left
        .as_i64()
        .filter(|_| left.is_integer())
        .zip(right.as_i64().filter(|_| right.is_integer()));
    if let Some(result) = integers.and_then(|(left, right)| of_integers(left, right)) {
        return Ok(Value::from(result));
    }
    let number = |value: &Value| {
        if !value.is_number() {
            return Err(invalid(&"this is not a number"));
        }
        f64::try_from(value.clone())
    };
    Ok(Value::from(of_numbers(number(left)?, number(right)?)))
}

/// Indented JSON, of which at most so many characters are kept; a text stays as it is.
fn pretty(state: &State<'_, '_>, value: &Value, length: Option<usize>) -> Result<Value, Error> {
    let length = length.unwrap_or(MAX_PRETTY).min(MAX_PRETTY);
    if let Some(text) = value.as_str() {
        return paid(state, truncated(text.to_owned(), length));
    }
    // A character has at most four bytes. What does not fit is not written at all.
    let mut output = BoundedText { bytes: Vec::new(), max: 4 * (length + 1) };
    let written = serde_json::to_writer_pretty(&mut output, value);
    if written.is_err() && output.bytes.len() < output.max {
        return Err(invalid(&"the value cannot be written as JSON"));
    }
    let text = String::from_utf8_lossy(&output.bytes).into_owned();
    paid(state, truncated(text, length))
}

/// The first bytes of a text.
struct BoundedText {
    bytes: Vec<u8>,
    max: usize,
}

impl io::Write for BoundedText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.max - self.bytes.len();
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            return Err(io::Error::other("there is no more room"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text in which Slack finds no markup, mentions and links.
fn slack(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if is_for_slack(state) {
        // It is escaped when it is inserted.
        return Ok(value.clone());
    }
    paid(state, slack_escaped(&text(state, value)?))
}

/// A point in time, in RFC 3339 or in seconds since 1970, in another format (of strftime), in UTC.
fn datetime(value: &Value, format: Option<&str>) -> Result<String, Error> {
    let time = if let Some(seconds) = value.as_i64() {
        Timestamp::from_second(seconds).map_err(|error| invalid(&error))?
    } else {
        let text = value.as_str().ok_or_else(|| invalid(&"there is no time to format"))?;
        text.parse().map_err(|error: jiff::Error| invalid(&error))?
    };
    let format = format.unwrap_or(FORMAT);
    if format.len() > MAX_FORMAT {
        return Err(invalid(&format_args!("the format is longer than {MAX_FORMAT} bytes")));
    }
    let time = time.to_zoned(TimeZone::UTC);
    jiff::fmt::strtime::format(format, &time).map_err(|error| invalid(&error))
}

/// A text for the query of a URL.
fn urlencode(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let text = text(state, value)?;
    paid(state, form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

/// The first characters of a text; an ellipsis shows that there were more.
fn truncate(state: &State<'_, '_>, value: &Value, length: usize) -> Result<Value, Error> {
    let text = text(state, value)?;
    paid(state, truncated(text, length))
}

/// The value as a text, for which the template pays.
fn text(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let text = value.to_string();
    state.consume_fuel((text.len() / BYTES_PER_FUEL) as u64)?;
    Ok(text)
}

/// The text, for which the template pays.
fn paid(state: &State<'_, '_>, text: String) -> Result<Value, Error> {
    state.consume_fuel((text.len() / BYTES_PER_FUEL) as u64)?;
    Ok(Value::from(text))
}

fn invalid(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Html, Json, Template, Text};
    use crate::fixtures;
    use bytes::Bytes;

    fn event() -> Event {
        let body = r#"{"a":[1],"t":"<!here> & you","at":1767225600,"no":"never","m":[{"n":"a"},{"n":"b"}]}"#;
        Event::new(&fixtures::message(), &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn filters_format_values() {
        for (source, expected) in [
            ("{{ payload.a | pretty }}", "[\n  1\n]"),
            ("{{ payload.m | map(attribute='n') | join(',') }}", "a,b"),
            ("{{ 2 | plus(3) }} {{ 2 | times(1.5) }} {{ 2 + 3 }} {{ 'a' + 'b' }}", "5 3.0 5 ab"),
            ("{{ ['a', 'b'] | map('upper') | join(',') }}", "A,B"),
            ("{{ payload.a | pretty(3) }}", "[\n…"),
            ("{{ payload.t | pretty }}", "<!here> & you"),
            ("{{ payload.t | slack }}", "&lt;!here&gt; &amp; you"),
            ("{{ payload.at | datetime }}", "2026-01-01 00:00 UTC"),
            ("{{ '2026-01-01T02:00:00+01:00' | datetime('%d.%m.%Y %H:%M') }}", "01.01.2026 01:00"),
            ("{{ payload.t | urlencode }}", "%3C%21here%3E+%26+you"),
            ("{{ 'grüße' | truncate(3) }}", "gr…"),
            ("{{ 'grüße' | truncate(5) }}", "grüße"),
        ] {
            let text = Template::<Text>::new(source).unwrap().render(&event()).unwrap();
            assert_eq!(text, expected, "{source}");
        }
    }

    #[test]
    fn what_filters_return_is_escaped_too() {
        let html = Template::<Html>::new("{{ payload.t | truncate(20) }}").unwrap();
        assert_eq!(html.render(&event()).unwrap(), "&lt;!here&gt; &amp; you");
        let json = Template::<Json>::new("{{ payload.a | pretty }}").unwrap();
        assert_eq!(json.render(&event()).unwrap(), r#""[\n  1\n]""#);
    }

    #[test]
    fn what_is_not_a_time_is_an_error() {
        for source in [
            "{{ payload.no | datetime }}",
            "{{ payload.a | datetime }}",
            "{{ 99999999999999999 | datetime }}",
            "{{ timestamp | datetime('%Q%!') }}",
        ] {
            assert!(Template::<Text>::new(source).unwrap().render(&event()).is_err(), "{source}");
        }
    }
}
