//! The cause of a failed attempt, as filters name it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::outcome::{Failure, Outcome};

/// The result of an attempt: a status, a class of them, or the reason why there was no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The response had this status.
    Status(u16),
    /// The response had a status of this class: 100 to 500.
    Class(u16),
    /// The response had a status that is not a success.
    Response,
    /// There was no response.
    NoResponse,
    /// There was no response for this reason.
    Failure(Failure),
}

/// The text names no cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a status such as 404, a class such as 5xx, response, none, or one of resolve, connect, tls, \
     timeout, forbidden, protocol, rejected, misconfigured, unavailable, busy, transformation, \
     damaged"
)]
pub struct UnknownCause;

const FAILURES: [(Failure, &str); 12] = [
    (Failure::Resolve, "resolve"),
    (Failure::Connect, "connect"),
    (Failure::Tls, "tls"),
    (Failure::Timeout, "timeout"),
    (Failure::Forbidden, "forbidden"),
    (Failure::Protocol, "protocol"),
    (Failure::Rejected, "rejected"),
    (Failure::Misconfigured, "misconfigured"),
    (Failure::Unavailable, "unavailable"),
    (Failure::Busy, "busy"),
    (Failure::Transformation, "transformation"),
    (Failure::Damaged, "damaged"),
];

const CLASSES: [(u16, &str); 5] =
    [(100, "1xx"), (200, "2xx"), (300, "3xx"), (400, "4xx"), (500, "5xx")];

impl Cause {
    /// Whether an attempt with this outcome matches.
    pub fn matches(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (Self::Status(wanted), Outcome::Answered { status, .. }) => status == wanted,
            (Self::Class(class), Outcome::Answered { status, .. }) => status / 100 * 100 == class,
            (Self::Failure(wanted), Outcome::Unanswered(failure)) => failure == wanted,
            (Self::Response, Outcome::Answered { .. }) => !outcome.delivered(),
            (Self::NoResponse, outcome) => matches!(outcome, Outcome::Unanswered(_)),
            (Self::Status(_) | Self::Class(_) | Self::Response, Outcome::Unanswered(_))
            | (Self::Failure(_), Outcome::Answered { .. }) => false,
        }
    }
}

/// Names the cause of a failed attempt for metrics: the class of the status, or why there was no
/// response. `None` if the message was delivered.
pub fn label(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        _ if outcome.delivered() => None,
        Outcome::Answered { status, .. } => {
            let class = CLASSES.into_iter().find(|(class, _)| *class == status / 100 * 100);
            Some(class.map_or("response", |(_, name)| name))
        },
        Outcome::Unanswered(failure) => {
            let named = FAILURES.into_iter().find(|(it, _)| *it == failure);
            Some(named.map_or("none", |(_, name)| name))
        },
    }
}

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        match text {
            "response" => return Ok(Self::Response),
            "none" => return Ok(Self::NoResponse),
            _ => {},
        }
        if let Some((class, _)) = CLASSES.into_iter().find(|(_, name)| *name == text) {
            return Ok(Self::Class(class));
        }
        if let Some((failure, _)) = FAILURES.into_iter().find(|(_, name)| *name == text) {
            return Ok(Self::Failure(failure));
        }
        match text.parse() {
            Ok(status @ 100..=599) => Ok(Self::Status(status)),
            Ok(_) | Err(_) => Err(UnknownCause),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{}xx", class / 100),
            Self::Response => f.write_str("response"),
            Self::NoResponse => f.write_str("none"),
            Self::Failure(failure) => {
                let found = FAILURES.into_iter().find(|(it, _)| it == failure);
                f.write_str(found.map_or("", |(_, name)| name))
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_read_as_it_is_written() {
        let all = FAILURES.map(|(_, name)| name).into_iter();
        for text in
            all.chain(CLASSES.map(|(_, name)| name)).chain(["404", "599", "none", "response"])
        {
            assert_eq!(text.parse::<Cause>().unwrap().to_string(), text);
        }
        for text in ["", "99", "600", "6xx", "Timeout", "-1", "404 "] {
            assert_eq!(text.parse::<Cause>(), Err(UnknownCause), "{text}");
        }
    }

    #[test]
    fn the_label_of_a_failed_attempt_names_its_cause() {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        for (outcome, expected) in [
            (answered(204), None),
            (answered(302), Some("3xx")),
            (answered(429), Some("4xx")),
            (answered(503), Some("5xx")),
            (answered(999), Some("response")),
        ] {
            assert_eq!(label(outcome), expected, "{outcome:?}");
        }
        for (failure, name) in FAILURES {
            assert_eq!(label(Outcome::Unanswered(failure)), Some(name));
        }
    }

    #[test]
    fn a_cause_matches_what_it_names() {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        let timeout = Outcome::Unanswered(Failure::Timeout);
        for (cause, outcome, expected) in [
            ("404", answered(404), true),
            ("404", answered(405), false),
            ("4xx", answered(405), true),
            ("5xx", answered(405), false),
            ("4xx", timeout, false),
            ("response", answered(404), true),
            ("response", answered(204), false),
            ("response", timeout, false),
            ("none", timeout, true),
            ("none", answered(500), false),
            ("timeout", timeout, true),
            ("timeout", Outcome::Unanswered(Failure::Tls), false),
            ("timeout", answered(504), false),
        ] {
            let matches = cause.parse::<Cause>().unwrap().matches(outcome);
            assert_eq!(matches, expected, "{cause} {outcome:?}");
        }
    }
}
