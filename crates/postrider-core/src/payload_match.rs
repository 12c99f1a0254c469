//! Conditions on payloads: a text that occurs in the payload, or the value at a JSON path.

use serde_json::value::RawValue;

use crate::path::{self, Path};

/// Most bytes of a text or a value to search for.
const MAX_TEXT: usize = 1_024;

/// A condition on a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadMatch {
    /// The payload, as it was published, contains these bytes.
    Contains(String),
    /// The value at the path is a string with this text, or any other value that is written so.
    Value { path: Path, value: String },
}

/// A condition that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMatch {
    /// The parameter that is not valid: `contains`, `path` or `value`.
    pub parameter: &'static str,
    pub message: String,
}

impl PayloadMatch {
    /// The condition of these parameters; none if all of them are absent.
    pub fn parse(
        contains: Option<&str>,
        path: Option<&str>,
        value: Option<&str>,
    ) -> Result<Option<Self>, InvalidMatch> {
        let invalid =
            |parameter, message: &str| Err(InvalidMatch { parameter, message: message.to_owned() });
        for (parameter, text) in [("contains", contains), ("value", value)] {
            if text.is_some_and(|it| it.len() > MAX_TEXT) {
                return invalid(parameter, &format!("must have at most {MAX_TEXT} bytes"));
            }
        }
        match (contains, path, value) {
            (None, None, None) => Ok(None),
            (Some(text), None, None) => Ok(Some(Self::Contains(text.to_owned()))),
            (None, Some(path), Some(value)) => match Path::parse(path) {
                Ok(path) => Ok(Some(Self::Value { path, value: value.to_owned() })),
                Err(error) => invalid("path", &error.to_string()),
            },
            (None, Some(_), None) => invalid("value", "is required with `path`"),
            (None, None, Some(_)) => invalid("path", "is required with `value`"),
            (Some(_), ..) => invalid("contains", "cannot be combined with `path` and `value`"),
        }
    }

    /// Whether the payload matches.
    pub fn matches(&self, payload: &[u8]) -> bool {
        match self {
            Self::Contains(text) => contains(payload, text.as_bytes()),
            Self::Value { path, value } => has_value(payload, path, value),
        }
    }
}

fn contains(payload: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(payload, text).is_some()
}

fn has_value(payload: &[u8], path: &Path, value: &str) -> bool {
    let Ok(json) = serde_json::from_slice::<&RawValue>(payload) else { return false };
    let Some(found) = path::find(json, path.steps()) else { return false };
    let text = found.get();
    if text.starts_with('"') {
        return serde_json::from_str::<String>(text).is_ok_and(|it| it == value);
    }
    text == value
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"{"user":{"id":7,"name":"Zo\u00eb","tags":["a",null]},"ok":true}"#;

    fn at(path: &str, value: &str) -> PayloadMatch {
        PayloadMatch::parse(None, Some(path), Some(value)).unwrap().unwrap()
    }

    #[test]
    fn a_payload_matches_by_its_text_or_by_a_value() {
        let text = |it| PayloadMatch::Contains(String::from(it));
        let cases = [
            (text("\"id\":7"), true),
            (text("\"id\":8"), false),
            (text("Zo\\u00eb"), true),
            (at("user.id", "7"), true),
            (at("user.id", "7.0"), false),
            (at("$.user.name", "Zoë"), true),
            (at("user.tags[0]", "a"), true),
            (at("user.tags[1]", "null"), true),
            (at("user.tags[2]", "a"), false),
            (at("ok", "true"), true),
            (at("user", "true"), false),
        ];
        for (condition, expected) in cases {
            assert_eq!(condition.matches(PAYLOAD.as_bytes()), expected, "{condition:?}");
        }
        assert!(!at("user.id", "7").matches(b"not JSON"));
        assert!(text("x").matches(b"\xffx"));
    }

    #[test]
    fn parameters_that_do_not_make_a_condition_are_named() {
        let parameter = |contains, path, value| {
            PayloadMatch::parse(contains, path, value).unwrap_err().parameter
        };
        assert_eq!(PayloadMatch::parse(None, None, None), Ok(None));
        assert_eq!(parameter(None, Some("a"), None), "value");
        assert_eq!(parameter(None, None, Some("a")), "path");
        assert_eq!(parameter(None, Some("a..b"), Some("a")), "path");
        assert_eq!(parameter(Some("a"), Some("a"), Some("a")), "contains");
        assert_eq!(parameter(Some(&"a".repeat(2_000)), None, None), "contains");
    }
}
