//! What the responses of chat services mean for a delivery.

use std::{borrow::Cow, time::Duration};

use crate::{
    outcome::{Failure, Outcome},
    retry::RETRY_AFTER_CAP,
    template::truncated,
};

/// Most characters of a response that are shown.
const MAX_SHOWN: usize = 500;

/// The response of a chat service.
#[derive(Clone, Copy, Debug)]
pub struct ChatResponse<'a> {
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The beginning of the body.
    pub body: &'a [u8],
}

/// What a response means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub outcome: Outcome,
    /// A sentence about it, for people.
    pub text: String,
    /// The message has to be posted to this chat instead.
    pub moved_to: Option<String>,
}

impl<'a> ChatResponse<'a> {
    pub(super) fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.body)
    }

    /// The outcome, as far as all services agree on what a status means.
    pub(super) const fn outcome(&self) -> Outcome {
        match self.status {
            400 | 413 | 422 => Outcome::Unanswered(Failure::Rejected),
            401 | 403 | 404 | 405 | 410 => Outcome::Unanswered(Failure::Misconfigured),
            status => Outcome::Answered { status, retry_after: self.retry_after },
        }
    }

    /// The outcome with a text; `remedy` is what to do if the endpoint is at fault.
    pub(super) fn judge(&self, service: &str, outcome: Outcome, remedy: &str) -> Judgement {
        let said = shown(&self.text());
        let text = if outcome.delivered() {
            format!("{service} accepted the message: {said}")
        } else {
            let status = self.status;
            format!("{service} responded with {status}: {said}{}", advice(outcome, remedy))
        };
        Judgement { outcome, text, moved_to: None }
    }
}

fn advice(outcome: Outcome, remedy: &str) -> String {
    match outcome {
        Outcome::Unanswered(Failure::Misconfigured) => format!("; {remedy}"),
        Outcome::Answered { retry_after: Some(wait), .. } => {
            format!("; it accepts no message for {} ms", wait.as_millis())
        },
        Outcome::Answered { .. } | Outcome::Unanswered(_) => String::new(),
    }
}

/// One line.
fn shown(text: &str) -> String {
    let line = text.trim().chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    truncated(line, MAX_SHOWN)
}

/// A wait in seconds, which may have a fraction; never shorter than asked.
pub(super) fn seconds(number: f64) -> Option<Duration> {
    let millis = (number * 1_000.0).ceil();
    let capped = (millis / 1_000.0).clamp(0.0, RETRY_AFTER_CAP.as_secs_f64());
    Duration::try_from_secs_f64(capped).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_to_milliseconds_and_capped() {
        for (number, millis) in [
            (0.0, Some(0)),
            (0.0004, Some(1)),
            (64.57, Some(64_570)),
            (1.0, Some(1_000)),
            (-3.0, Some(0)),
            (1e9, Some(86_400_000)),
            (1e300, Some(86_400_000)),
            (f64::NAN, None),
        ] {
            let wait = seconds(number).map(|it| it.as_millis());
            assert_eq!(wait, millis, "{number}");
        }
    }
}
