//! Deliveries, and the attempts made for them.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::Outcome,
    retry::{RetryPlan, Verdict},
    time::Timestamp,
};

/// Identifies a delivery: an endpoint gets a message once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    pub endpoint: EndpointId,
    pub message: MessageId,
}

/// The delivery of one message to one endpoint, as it is before its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub application: ApplicationId,
    /// Number of the next attempt. The first is 1, also after a resend of a delivery that had
    /// ended.
    pub attempt: u16,
    pub trigger: Trigger,
    /// What follows if that attempt fails.
    pub retry_plan: RetryPlan,
    /// The operator was notified that this delivery keeps failing, and is notified of a success.
    pub reported: bool,
}

impl Delivery {
    /// A new delivery of a message that was just accepted.
    pub const fn first(id: DeliveryId, application: ApplicationId) -> Self {
        let (attempt, trigger, retry_plan) = (1, Trigger::Scheduled, RetryPlan::Schedule);
        Self { id, application, attempt, trigger, retry_plan, reported: false }
    }

    /// The delivery after a failed attempt that is retried.
    pub const fn after_failure(self) -> Self {
        let attempt = self.retry_plan.next_attempt(self.attempt);
        Self { attempt, trigger: Trigger::Scheduled, retry_plan: RetryPlan::Schedule, ..self }
    }

    /// The delivery after a request to send it again. `due_at` is when its next attempt was due,
    /// if it had not ended.
    pub const fn resent(self, mode: ResendMode, due_at: Option<Timestamp>) -> Self {
        let trigger = Trigger::Manual;
        match (mode, due_at) {
            (ResendMode::Once, Some(due_at)) => {
                Self { trigger, retry_plan: self.retry_plan.interrupted(due_at), ..self }
            },
            (ResendMode::Once, None) => {
                Self { attempt: 1, trigger, retry_plan: RetryPlan::Once, reported: false, ..self }
            },
            (ResendMode::Retry, _) => Self {
                attempt: 1,
                trigger,
                retry_plan: RetryPlan::Schedule,
                reported: false,
                ..self
            },
        }
    }
}

/// What a request to send a delivery again asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResendMode {
    /// One attempt. If it fails, a delivery with attempts left continues its schedule, and one
    /// that had ended has failed.
    #[default]
    Once,
    /// An attempt, and the whole retry schedule if it fails.
    Retry,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The message was accepted, or a retry is due.
    Scheduled,
    /// A client asked for it: resend, recover.
    Manual,
}

/// How a delivery is ordered among those of its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryOrder {
    /// In parallel with others, by any node.
    #[default]
    Any,
    /// In parallel with others, but all deliveries of the endpoint are made by the same node,
    /// which counts its rate.
    Owned,
    /// By one node, and offered only after every delivery in order that was appended before it
    /// has ended, or comes before it in the same claim. So a claim returns the first deliveries of
    /// the order, up to the first that is held or not due. They are never appended as held. A
    /// resend takes a delivery out of the order.
    InOrder,
}

/// The record of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub delivery: DeliveryId,
    pub number: u16,
    pub trigger: Trigger,
    /// When the call began. It is the time in the id, because lists are sorted and filtered by
    /// id.
    pub at: Timestamp,
    pub duration: Duration,
    pub url: String,
    /// The address that was called, if the name resolved.
    pub address: Option<SocketAddr>,
    pub outcome: Outcome,
    /// The response, or why there is none; `None` after it was expunged.
    pub response: Option<Response>,
}

impl Attempt {
    /// The endpoint's transformation cancelled the delivery, so that nothing was sent.
    pub fn is_cancelled(&self) -> bool {
        self.response.as_ref().is_some_and(Response::is_cancelled)
    }

    /// The application was in shadow mode, so that nothing was sent.
    pub fn is_shadow(&self) -> bool {
        self.response.as_ref().is_some_and(Response::is_shadow)
    }

    /// Its outcome is a success, although the endpoint was not called.
    pub fn is_unsent(&self) -> bool {
        self.is_shadow() || self.is_cancelled()
    }

    /// The attempt says nothing about whether the endpoint works.
    pub fn is_neutral(&self) -> bool {
        self.outcome.is_neutral() || self.is_unsent()
    }
}

/// The part of a response that is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// As received. The note, the transformation and the request of shadow mode are stored among
    /// them, under names that no header can have, because records of earlier versions have no
    /// fields for them.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body, or a sentence about the failure.
    pub body: Bytes,
}

/// The name of the note among the headers.
const NOTE: &str = ":note";

/// The name of the transformation among the headers.
const TRANSFORMATION: &str = ":transformation";

/// The name of the request that was not sent among the headers.
const SHADOW: &str = ":shadow";

/// The request of a delivery that was not sent, because its application was in shadow mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowRequest {
    pub method: String,
    pub url: String,
    /// All headers, with the signatures. Values that may be credentials are masked.
    pub headers: Vec<(String, String)>,
}

/// What a transformation made of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transformed {
    /// The request that was sent in place of the message; `None` if there was none, because the
    /// code cancelled the delivery or failed.
    pub request: Option<TransformedRequest>,
    /// The code cancelled the delivery.
    pub is_cancelled: bool,
    /// What the code wrote to the console.
    pub console: String,
}

/// Most bytes of a transformed body that are stored with an attempt.
pub const MAX_TRANSFORMED_BODY: usize = 64 << 10;

/// A request as a transformation made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformedRequest {
    pub method: String,
    pub url: String,
    /// Those that the code set. Values that may be credentials are masked.
    pub headers: Vec<(String, String)>,
    /// The first [`MAX_TRANSFORMED_BODY`] bytes.
    pub body: String,
    pub is_truncated: bool,
    /// The body is JSON, whatever the message was.
    pub is_json: bool,
}

impl Response {
    /// Adds a sentence about the part of the response that could not be read.
    pub fn noted(mut self, note: Option<String>) -> Self {
        self.headers.extend(note.map(|note| (NOTE.to_owned(), note)));
        self
    }

    /// Separates the note from the headers that were received.
    pub fn take_note(&mut self) -> Option<String> {
        self.take(NOTE)
    }

    /// Adds what a transformation made of the delivery.
    pub fn transformed(mut self, transformed: &Transformed) -> Self {
        if let Ok(json) = serde_json::to_string(transformed) {
            self.headers.push((TRANSFORMATION.to_owned(), json));
        }
        self
    }

    /// Separates the transformation from the headers that were received.
    pub fn take_transformed(&mut self) -> Option<Transformed> {
        serde_json::from_str(&self.take(TRANSFORMATION)?).ok()
    }

    /// Adds the request that was not sent.
    pub fn shadowed(mut self, request: &ShadowRequest) -> Self {
        if let Ok(json) = serde_json::to_string(request) {
            self.headers.push((SHADOW.to_owned(), json));
        }
        self
    }

    /// Separates the request that was not sent from the headers that were received.
    pub fn take_shadow(&mut self) -> Option<ShadowRequest> {
        serde_json::from_str(&self.take(SHADOW)?).ok()
    }

    fn is_shadow(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == SHADOW)
    }

    /// Whether the transformation cancelled the delivery.
    pub fn is_cancelled(&self) -> bool {
        #[derive(Deserialize)]
        struct Cancelled {
            is_cancelled: bool,
        }
        let found = self.headers.iter().find(|(name, _)| name == TRANSFORMATION);
        let parsed = found.and_then(|(_, json)| serde_json::from_str::<Cancelled>(json).ok());
        parsed.is_some_and(|it| it.is_cancelled)
    }

    fn take(&mut self, wanted: &str) -> Option<String> {
        let index = self.headers.iter().position(|(name, _)| name == wanted)?;
        Some(self.headers.remove(index).1)
    }
}

/// The result of an attempt. Storing it records the attempt and updates the delivery in one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub delivery: Delivery,
    pub attempt: Attempt,
    pub verdict: Verdict,
    /// Since when the endpoint has been failing, if this attempt changed that; `Some(None)` if it
    /// works again.
    pub failing_since: Option<Option<Timestamp>>,
}

/// The status of a delivery, as shown to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Delivered,
    /// Not attempted yet; due at this time at the earliest.
    Pending(Timestamp),
    /// Attempted and not ended; the next attempt is due at this time at the earliest.
    Sending(Timestamp),
    Failed,
    /// Ended without success or failure: it was cancelled, or its endpoint, application or body
    /// was removed.
    Cancelled,
}

impl Status {
    /// The status of a delivery that has not ended, after this many attempts.
    pub const fn open(attempts: u16, due_at: Timestamp) -> Self {
        if attempts == 0 { Self::Pending(due_at) } else { Self::Sending(due_at) }
    }
}

/// A [`Status`] without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusKind {
    Delivered,
    Pending,
    Sending,
    Failed,
    Cancelled,
}

impl From<Status> for StatusKind {
    fn from(status: Status) -> Self {
        match status {
            Status::Delivered => Self::Delivered,
            Status::Pending(_) => Self::Pending,
            Status::Sending(_) => Self::Sending,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_apart_from_the_headers() {
        let headers = vec![("x-a".to_owned(), "1".to_owned())];
        let response = Response { headers, body: Bytes::from_static(b"ok") };
        let mut noted = response.clone().noted(Some("the body is incomplete".to_owned()));
        assert_eq!(noted.take_note().as_deref(), Some("the body is incomplete"));
        assert_eq!(noted, response);
        assert_eq!(noted.take_note(), None);
        assert_eq!(response.clone().noted(None), response);
        assert!(NOTE.parse::<http::HeaderName>().is_err(), "a receiver could send it");
    }

    #[test]
    fn a_transformation_is_kept_apart_from_the_headers() {
        let transformed = Transformed { console: "hi\n".to_owned(), ..Transformed::default() };
        let note = Some("the body is incomplete".to_owned());
        let mut response = Response::default().transformed(&transformed).noted(note.clone());
        assert_eq!(response.take_transformed(), Some(transformed));
        assert_eq!(response.take_note(), note);
        assert_eq!(response, Response::default());
        assert_eq!(response.take_transformed(), None);
        assert!(TRANSFORMATION.parse::<http::HeaderName>().is_err(), "a receiver could send it");
    }

    #[test]
    fn the_request_of_shadow_mode_is_kept_apart_from_the_headers() {
        let request = ShadowRequest { method: "POST".to_owned(), ..ShadowRequest::default() };
        let mut response = Response::default().shadowed(&request);
        assert!(response.is_shadow());
        assert_eq!(response.take_shadow(), Some(request));
        assert_eq!(response, Response::default());
        assert!(!response.is_shadow());
        assert!(SHADOW.parse::<http::HeaderName>().is_err(), "a receiver could send it");
    }

    const fn delivery(
        attempt: u16,
        trigger: Trigger,
        retry_plan: RetryPlan,
        reported: bool,
    ) -> Delivery {
        let id =
            DeliveryId { endpoint: EndpointId::from_u128(1), message: MessageId::from_u128(1) };
        let application = ApplicationId::from_u128(1);
        Delivery { id, application, attempt, trigger, retry_plan, reported }
    }

    #[test]
    fn a_resend_costs_no_attempt_of_the_schedule() {
        let due_at = Timestamp::from_millis(9);
        let waiting = delivery(3, Trigger::Scheduled, RetryPlan::Schedule, true);
        let resumed = delivery(3, Trigger::Manual, RetryPlan::Resume(due_at), true);
        let once = delivery(1, Trigger::Manual, RetryPlan::Once, false);
        let again = delivery(1, Trigger::Manual, RetryPlan::Schedule, false);
        let later = Some(Timestamp::from_millis(70));
        let cases = [
            (waiting, ResendMode::Once, Some(due_at), resumed),
            // What is asked for twice still continues where the schedule was.
            (resumed, ResendMode::Once, later, resumed),
            (once, ResendMode::Once, later, once),
            (waiting, ResendMode::Once, None, once),
            (waiting, ResendMode::Retry, Some(due_at), again),
            (once, ResendMode::Retry, None, again),
        ];
        for (before, mode, due_at, expected) in cases {
            assert_eq!(before.resent(mode, due_at), expected, "{before:?} {mode:?} {due_at:?}");
        }
        assert_eq!(resumed.after_failure(), waiting);
        let second = delivery(2, Trigger::Scheduled, RetryPlan::Schedule, false);
        assert_eq!(again.after_failure(), second);
    }
}
