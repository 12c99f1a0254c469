//! Reads across the applications of an organization.
//!
//! A search looks at a bounded number of rows for each call, and at a bounded number of bytes if it
//! reads payloads. Then it returns what it found, and the key to continue from.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId, RejectionId, Uid,
    api::EndpointKind,
};
use postrider_core::{
    catalog::Endpoint,
    delivery::{Attempt, StatusKind},
    message::{Message, Rejection},
    outcome::{Cause, Outcome},
    payload_match::PayloadMatch,
};

use crate::{
    contract::history::{AttemptFilter, MessageFilter},
    error::StoreError,
    page::{Scan, ScanPage},
};

/// Bytes of payloads that one call reads.
pub(crate) const PAYLOAD_BYTES: usize = 16 << 20;

/// Applications, or sources, in which a lookup searches for an identifier that is unique only
/// within each of them.
pub const MAX_LOOKUPS: usize = 10_000;

/// What is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub organization: OrganizationId,
    /// Only this application of the organization, and only this endpoint of it.
    pub application: Option<(ApplicationId, Option<EndpointId>)>,
}

/// Conditions on messages; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSearch {
    pub message: MessageFilter,
    /// A delivery of the message, to the endpoint if there is one, has this status.
    pub status: Option<StatusKind>,
    pub payload: Option<PayloadMatch>,
}

/// Conditions on attempts; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptSearch {
    pub attempt: AttemptFilter,
    /// The response has this status.
    pub status: Option<u16>,
    pub cause: Option<Cause>,
    /// The endpoint exists and is of this kind.
    pub kind: Option<EndpointKind>,
    /// Return the attempts without their responses.
    pub without_response: bool,
}

/// How a lookup names endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointKey {
    Id(EndpointId),
    Uid(Uid),
    /// The URL begins with this.
    UrlPrefix(String),
}

/// Reads across the applications of an organization.
#[async_trait]
pub trait Search: Send + Sync + fmt::Debug + 'static {
    /// Lists messages in the order of their ids.
    async fn search_messages(
        &self,
        reach: Reach,
        search: MessageSearch,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError>;

    /// Lists attempts in the order of their ids, with their messages, which have no body unless the
    /// filter asks for it.
    async fn search_attempts(
        &self,
        reach: Reach,
        search: AttemptSearch,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError>;

    /// Returns at most `limit` messages with this event id, without their bodies, among
    /// [`MAX_LOOKUPS`] applications.
    async fn messages_by_event_id(
        &self,
        organization: OrganizationId,
        event_id: Uid,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError>;

    /// Returns at most `limit` endpoints. An uid is searched for among [`MAX_LOOKUPS`]
    /// applications.
    async fn endpoints_by_key(
        &self,
        organization: OrganizationId,
        key: EndpointKey,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError>;

    /// Returns a rejection of one of the organization's sources, among [`MAX_LOOKUPS`] of them.
    async fn rejection_by_id(
        &self,
        organization: OrganizationId,
        id: RejectionId,
    ) -> Result<Option<Rejection>, StoreError>;
}

impl Reach {
    /// The whole organization.
    pub const fn organization(organization: OrganizationId) -> Self {
        Self { organization, application: None }
    }

    pub(crate) fn endpoint(&self) -> Option<EndpointId> {
        self.application.and_then(|(_, endpoint)| endpoint)
    }

    /// Whether it includes an application of the organization.
    pub(crate) fn includes(&self, application: ApplicationId) -> bool {
        self.application.is_none_or(|(only, _)| only == application)
    }
}

impl MessageSearch {
    /// Whether bodies have to be read.
    pub(crate) const fn reads_bodies(&self) -> bool {
        self.message.with_body || self.payload.is_some()
    }

    /// Whether the payload of the message, which was read with its body, matches.
    pub(crate) fn matches_payload(&self, message: &Message) -> bool {
        let Some(payload) = &self.payload else { return true };
        message.body.as_ref().is_some_and(|body| payload.matches(body))
    }

    /// The message as it is returned.
    pub(crate) fn show(&self, message: Message) -> Message {
        if self.message.with_body { message } else { Message { body: None, ..message } }
    }
}

impl AttemptSearch {
    /// Whether an attempt with this status may match; 0 means that there was no response.
    pub(crate) fn admits(&self, status: u16) -> bool {
        let is_success = matches!(status, 200..=299);
        self.attempt.admits(status)
            && self.status.is_none_or(|it| it == status)
            && match self.cause {
                None => true,
                Some(Cause::Response) => status != 0 && !is_success,
                Some(Cause::Failure(_)) => status == 0,
            }
    }

    /// Whether the attempt matches, apart from the conditions on its message and its endpoint.
    pub(crate) fn passes(&self, attempt: &Attempt) -> bool {
        let status = match attempt.outcome {
            Outcome::Answered { status, .. } => status,
            Outcome::Unanswered(_) => 0,
        };
        self.admits(status)
            && self.attempt.message.spans(attempt.id.millis())
            && self.cause.is_none_or(|it| attempt.outcome.cause() == Some(it))
    }

    /// Whether only failed attempts can match.
    pub(crate) fn is_of_failures(&self) -> bool {
        self.attempt.delivered == Some(false)
            || self.cause.is_some()
            || self.status.is_some_and(|it| !matches!(it, 200..=299))
            || self.attempt.status_class.is_some_and(|it| it != 200)
    }
}

/// The exclusive upper limit of the texts that begin with the prefix; none if there is no limit.
pub(crate) fn prefix_end(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_behind_all_texts_that_begin_with_it() {
        let cases = [
            ("https://a", Some("https://b")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ];
        for (prefix, expected) in cases {
            assert_eq!(prefix_end(prefix).as_deref(), expected, "{prefix}");
        }
    }
}
