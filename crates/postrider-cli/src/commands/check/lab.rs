//! Where a receiver is tried: makes requests, and judges the answers.

use std::time::Duration;

use anyhow::Context;
use http::StatusCode;
use postrider::provider::Signed;

use super::report::Finding;
use crate::{
    commands::{
        now,
        provider::{Reaction, Sender, outgoing, send},
    },
    exchange::{Answer, NoAnswer},
};

/// How long an answer may take if the provider does not say.
const PATIENCE: Duration = Duration::from_secs(5);
/// As much of an answer as a line of the report holds.
const EXCERPT: usize = 80;

/// A receiver, and the sender that tries it.
#[derive(Debug)]
pub(super) struct Lab {
    pub sender: Sender,
    /// Kind of event to send, if one was chosen.
    event: Option<String>,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Lab {
    pub(super) fn new(sender: Sender, event: Option<String>, patience: Option<Duration>) -> Self {
        let patience = patience.or_else(|| sender.deadline()).unwrap_or(PATIENCE);
        Self { sender, event, patience }
    }

    /// Makes sure that what is to be tried can be made.
    pub(super) fn rehearse(&self) -> anyhow::Result<()> {
        let signed = self.fresh()?;
        let verdict = self.sender.verdict(&signed, seconds()?);
        verdict.context("no genuine event can be made: it would be refused").map(|_| ())
    }

    /// A genuine event with an id of its own.
    pub(super) fn fresh(&self) -> anyhow::Result<Signed> {
        self.fresh_at(seconds()?)
    }

    /// The same, signed at another time.
    pub(super) fn fresh_at(&self, time: u64) -> anyhow::Result<Signed> {
        let draft = self.sender.draft(self.event.as_deref(), time)?;
        Ok(self.sender.signed(draft, time)?)
    }

    /// Whether a receiver must refuse it.
    pub(super) fn is_refused(&self, signed: &Signed, time: u64) -> bool {
        self.sender.verdict(signed, time).is_err()
    }

    pub(super) async fn send(&self, signed: &Signed) -> anyhow::Result<Reaction> {
        Ok(send(outgoing(signed)?, self.patience).await)
    }

    /// A genuine event is sent, and must be accepted.
    pub(super) async fn welcomed(&self) -> anyhow::Result<Finding> {
        Ok(accepted(&self.send(&self.fresh()?).await?))
    }
}

pub(super) fn seconds() -> anyhow::Result<u64> {
    Ok(now()?.as_secs())
}

/// 2xx is expected.
pub(super) fn accepted(reaction: &Reaction) -> Finding {
    judged(reaction, "2xx", |it| it.is_success())
}

/// 4xx is expected.
pub(super) fn refused(reaction: &Reaction) -> Finding {
    judged(reaction, "4xx", |it| it.is_client_error())
}

/// 4xx is expected, or that the method is not known.
pub(super) fn unsupported(reaction: &Reaction) -> Finding {
    judged(reaction, "405", |it| it.is_client_error() || it == StatusCode::NOT_IMPLEMENTED)
}

/// Anything is expected but a fault of the server.
pub(super) fn survived(reaction: &Reaction) -> Finding {
    judged(reaction, "2xx or 4xx", |it| it.is_success() || it.is_client_error())
}

fn judged(reaction: &Reaction, expected: &str, is_right: impl Fn(StatusCode) -> bool) -> Finding {
    let time = reaction.time.as_millis();
    match &reaction.result {
        Ok(answer) if is_right(answer.status) => {
            Finding::Passed(format!("answered {} in {time} ms", answer.status.as_u16()))
        },
        Ok(answer) => Finding::Failed(format!(
            "answered {} in {time} ms{}, expected {expected}",
            answer.status.as_u16(),
            excerpt(answer),
        )),
        Err(failure) => Finding::Failed(format!("{}, expected {expected}", silence(failure, time))),
    }
}

/// Why there was no answer.
pub(super) fn silence(failure: &NoAnswer, millis: u128) -> String {
    match failure {
        NoAnswer::TimedOut(_) => format!("did not answer within {millis} ms"),
        NoAnswer::Broken { .. } => "closed the connection without an answer".to_owned(),
        NoAnswer::Unreachable { .. } | NoAnswer::Tls { .. } | NoAnswer::Url(_) => {
            "cannot be reached any more".to_owned()
        },
    }
}

/// What the answer says, in quotation marks; nothing if it says nothing.
pub(super) fn excerpt(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.lines().next().unwrap_or_default().trim();
    let short: String =
        line.chars().map(|it| if it.is_control() { ' ' } else { it }).take(EXCERPT).collect();
    if short.is_empty() { short } else { format!(" with \"{short}\"") }
}
