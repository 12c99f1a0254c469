//! Configuration of `live` endpoints.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use url::{Origin, Url};

use super::{KindConfig, Problem, time};

/// Most origins of an endpoint.
const MAX_ORIGINS: usize = 100;

/// Most readers that an endpoint can ask for. `limits.live_readers` limits them further.
const MAX_READERS: usize = 1_000_000;

const MIN_HEARTBEAT: Duration = Duration::from_secs(1);
const MAX_HEARTBEAT: Duration = Duration::from_secs(300);

/// A stream for web pages and programs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Live {
    /// Origins of the pages that may read the stream.
    #[serde(default)]
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Whether the data of an event is the body with the id, the type, the time and the channels
    /// of its message, or the body alone.
    #[serde(default = "yes")]
    pub envelope: bool,
    #[serde(default)]
    pub event: EventName,
    /// Most readers on each node.
    #[serde(default)]
    pub max_readers: Option<usize>,
    /// How long a stream may be silent.
    #[serde(default = "heartbeat", deserialize_with = "time::deserialize")]
    pub heartbeat: Duration,
}

/// What the name of an event is, for which pages register listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventName {
    /// Always `message`, which `onmessage` receives.
    #[default]
    Message,
    /// The event type.
    Type,
}

/// Pages that may read a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// All pages.
    Any,
    /// Pages of this origin, in the form in which browsers send it.
    Exact(String),
}

const fn yes() -> bool {
    true
}

const fn heartbeat() -> Duration {
    Duration::from_secs(15)
}

impl AllowedOrigin {
    /// An origin without a path, or `*`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let origin = Url::parse(text).map(|url| url.origin());
        let origin = origin.ok().filter(Origin::is_tuple).map(|it| it.ascii_serialization());
        origin.filter(|it| it.eq_ignore_ascii_case(text)).map(Self::Exact)
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(origin) => f.write_str(origin),
        }
    }
}

impl<'de> Deserialize<'de> for AllowedOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(
                "must be an origin without a path, such as `https://app.example.com`, or `*` for \
                 all pages",
            )
        })
    }
}

impl KindConfig for Live {
    fn check(&self, problems: &mut Vec<Problem>) {
        if self.allowed_origins.len() > MAX_ORIGINS {
            let message = format!("must have at most {MAX_ORIGINS} items");
            problems.push(Problem::of("allowedOrigins", message));
        }
        if self.max_readers.is_some_and(|it| !(1..=MAX_READERS).contains(&it)) {
            let message = format!("must be 1 to {MAX_READERS}");
            problems.push(Problem::of("maxReaders", message));
        }
        if !(MIN_HEARTBEAT..=MAX_HEARTBEAT).contains(&self.heartbeat) {
            problems.push(Problem::of("heartbeat", "must be `1s` to `5m`"));
        }
    }

    /// The stream is on this server, whose name the configuration does not contain.
    fn address(&self) -> String {
        "live:/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::parse;

    #[track_caller]
    fn check(config: Value, expected: Result<&[&str], &str>) {
        let shown = config.to_string();
        let Value::Object(fields) = config else { unreachable!() };
        let origin = |it: &AllowedOrigin| match it {
            AllowedOrigin::Any => "*".to_owned(),
            AllowedOrigin::Exact(origin) => origin.clone(),
        };
        let actual = parse::<Live>(&fields)
            .map(|it| it.allowed_origins.iter().map(origin).collect::<Vec<_>>())
            .map_err(|problems| problems[0].path[0].clone());
        let expected = expected
            .map(|it| it.iter().map(|&origin| origin.to_owned()).collect())
            .map_err(ToOwned::to_owned);
        assert_eq!(actual, expected, "{shown}");
    }

    #[test]
    fn a_configuration_may_be_empty() {
        let live = parse::<Live>(&serde_json::Map::new()).unwrap();
        assert!(live.envelope && live.allowed_origins.is_empty() && live.max_readers.is_none());
        assert_eq!((live.event, live.heartbeat), (EventName::Message, Duration::from_secs(15)));
        assert!(Url::parse(&live.address()).is_ok());
    }

    #[test]
    fn origins_are_compared_in_the_form_of_browsers() {
        let origins = |texts: &[&str]| json!({ "allowedOrigins": texts });
        check(origins(&["*"]), Ok(&["*"]));
        check(origins(&["https://A.example"]), Ok(&["https://a.example"]));
        check(origins(&["http://localhost:5173"]), Ok(&["http://localhost:5173"]));
        for text in ["a.example", "https://a.example/", "https://a.example:443", "null", "data:x"] {
            check(origins(&[text]), Err("allowedOrigins"));
        }
        check(origins(&["*"; 101]), Err("allowedOrigins"));
    }

    #[test]
    fn numbers_and_durations_have_limits() {
        for (config, expected) in [
            (json!({ "maxReaders": 1 }), None),
            (json!({ "maxReaders": 0 }), Some("maxReaders")),
            (json!({ "heartbeat": "5m" }), None),
            (json!({ "heartbeat": "999ms" }), Some("heartbeat")),
            (json!({ "heartbeat": "6m" }), Some("heartbeat")),
            (json!({ "heartbeat": "-1s" }), Some("heartbeat")),
            (json!({ "heartbeat": 15 }), Some("heartbeat")),
            (json!({ "event": "type" }), None),
            (json!({ "event": "id" }), Some("event")),
        ] {
            check(config, expected.map_or(Ok(&[]), Err));
        }
    }
}
