//! An attempt's row.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider::AttemptId;
use postrider_core::{
    delivery::{Attempt, DeliveryId, Response, Settlement, Trigger},
    outcome::{Failure, Outcome},
    retry::Verdict,
    statistics::CountedAttempt,
    time::Timestamp,
};
use rusqlite::Row;
use serde::{Deserialize, Serialize, Serializer};

use super::{Content, RowKey, blob_of, content_as};
use crate::embedded::number::{
    AttemptNumber, AttemptSequence, DeliveryKey, EndpointNumber, IdTail, MessageSequence,
    PackedFact,
};

/// An attempt without its id. The tail of the message's id is in the message's row.
#[derive(Serialize, Deserialize)]
pub(in crate::embedded) struct AttemptRecord<'a> {
    pub(in crate::embedded) message: MessageSequence,
    pub(in crate::embedded) endpoint: EndpointNumber,
    number: AttemptNumber,
    manual: bool,
    at: Timestamp,
    duration: Duration,
    url: &'a str,
    address: Option<SocketAddr>,
    outcome: StoredOutcome,
    /// The delivery's state afterwards, so that the index can be rebuilt.
    pub(in crate::embedded) consequence: Consequence,
    #[serde(borrow)]
    pub(in crate::embedded) response: Option<StoredResponse<'a>>,
}

/// What followed from an attempt for its delivery.
// Variants are stored by their position, so new ones come last.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::embedded) enum Consequence {
    Delivered,
    Failed,
    Retried,
    /// Nothing: the delivery had been cancelled, or resent, when the attempt ended.
    Ignored {
        /// The attempt was counted as the last one of a failed delivery.
        is_last: bool,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum StoredOutcome {
    Answered { status: u16, retry_after: Option<Duration> },
    Resolve,
    Connect,
    Tls,
    Timeout,
    Protocol,
    Forbidden,
    // Variants are stored by their position, so new ones come last.
    Rejected,
    Misconfigured,
    Unavailable,
    Busy,
    Transformation,
    Damaged,
}

#[derive(Serialize, Deserialize)]
pub(in crate::embedded) struct StoredResponse<'a> {
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a str)>,
    #[serde(serialize_with = "as_bytes", borrow)]
    body: &'a [u8],
}

/// Serializes a slice in one piece, which serde would write byte by byte.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

impl<'a> AttemptRecord<'a> {
    /// `is_effective` tells whether the settlement changes the delivery.
    pub(in crate::embedded) fn of(
        settlement: &'a Settlement,
        endpoint: EndpointNumber,
        is_effective: bool,
    ) -> Self {
        let attempt = &settlement.attempt;
        let consequence = match settlement.verdict {
            verdict if !is_effective => {
                Consequence::Ignored { is_last: matches!(verdict, Verdict::GiveUp(_)) }
            },
            Verdict::Delivered => Consequence::Delivered,
            Verdict::GiveUp(_) => Consequence::Failed,
            Verdict::RetryAt(_) => Consequence::Retried,
        };
        let message = MessageSequence::of(attempt.delivery.message);
        Self::new(attempt, DeliveryKey { message, endpoint }, consequence)
    }

    pub(in crate::embedded) fn new(
        attempt: &'a Attempt,
        key: DeliveryKey,
        consequence: Consequence,
    ) -> Self {
        Self {
            message: key.message,
            endpoint: key.endpoint,
            number: AttemptNumber(attempt.number),
            manual: attempt.trigger == Trigger::Manual,
            at: attempt.at,
            duration: attempt.duration,
            url: &attempt.url,
            address: attempt.address,
            outcome: StoredOutcome::from(attempt.outcome),
            consequence,
            response: attempt.response.as_ref().map(|response| StoredResponse {
                headers: response.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
                body: &response.body,
            }),
        }
    }

    /// Reads the columns `sequence, tail, record`; an error if the row does not match its checksum.
    pub(in crate::embedded) fn from_row(row: &'a Row<'_>) -> rusqlite::Result<Self> {
        let (Content::Plain(content) | Content::Checked(content)) =
            super::check(key(row.get(0)?, row.get(1)?), blob_of(row, 2)?)?;
        content_as(content)
    }

    /// The same for a caller that can go on without a damaged row, which is logged.
    pub(in crate::embedded) fn intact(row: &'a Row<'_>) -> rusqlite::Result<Option<Self>> {
        super::intact(TABLE, row.get(0)?, Self::from_row(row))
    }

    /// The blob of the row with this id.
    pub(in crate::embedded) fn encode<'b>(
        &self,
        (sequence, tail): (AttemptSequence, IdTail),
        buffer: &'b mut Vec<u8>,
    ) -> &'b [u8] {
        super::encode_checked(key(sequence, tail), &[], self, buffer)
    }

    pub(in crate::embedded) const fn key(&self) -> DeliveryKey {
        DeliveryKey { message: self.message, endpoint: self.endpoint }
    }

    /// The status of the response; 0 if there was none.
    pub(in crate::embedded) const fn status(&self) -> u16 {
        match self.outcome {
            StoredOutcome::Answered { status, .. } => status,
            StoredOutcome::Resolve
            | StoredOutcome::Connect
            | StoredOutcome::Tls
            | StoredOutcome::Timeout
            | StoredOutcome::Protocol
            | StoredOutcome::Forbidden
            | StoredOutcome::Rejected
            | StoredOutcome::Misconfigured
            | StoredOutcome::Unavailable
            | StoredOutcome::Busy
            | StoredOutcome::Transformation
            | StoredOutcome::Damaged => 0,
        }
    }

    /// The attempt as it is counted.
    pub(in crate::embedded) fn fact(&self) -> PackedFact {
        let counted = CountedAttempt {
            at: self.at,
            accepted_at: self.message.time(),
            duration: self.duration,
            trigger: trigger(self.manual),
            outcome: self.outcome.into(),
            is_last: match self.consequence {
                Consequence::Failed => true,
                Consequence::Delivered | Consequence::Retried => false,
                Consequence::Ignored { is_last } => is_last,
            },
        };
        PackedFact(counted.fact().pack())
    }

    pub(in crate::embedded) fn attempt(self, id: AttemptId, delivery: DeliveryId) -> Attempt {
        Attempt {
            id,
            delivery,
            number: self.number.0,
            trigger: trigger(self.manual),
            at: self.at,
            duration: self.duration,
            url: self.url.to_owned(),
            address: self.address,
            outcome: self.outcome.into(),
            response: self.response.map(|response| Response {
                headers: response
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                body: Bytes::copy_from_slice(response.body),
            }),
        }
    }
}

/// Whether the row `sequence, tail, record` has a checksum; an error if it does not match that.
pub(in crate::embedded) fn has_checksum(row: &Row<'_>) -> rusqlite::Result<bool> {
    AttemptRecord::from_row(row)?;
    let content = super::check(key(row.get(0)?, row.get(1)?), blob_of(row, 2)?)?;
    Ok(matches!(content, Content::Checked(_)))
}

const TABLE: &str = "attempts";

const fn key(sequence: AttemptSequence, tail: IdTail) -> RowKey {
    RowKey { table: TABLE, sequence: sequence.0, tail, owner: 0 }
}

const fn trigger(manual: bool) -> Trigger {
    if manual { Trigger::Manual } else { Trigger::Scheduled }
}

impl From<Outcome> for StoredOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered { status, retry_after } => Self::Answered { status, retry_after },
            Outcome::Unanswered(failure) => match failure {
                Failure::Resolve => Self::Resolve,
                Failure::Connect => Self::Connect,
                Failure::Tls => Self::Tls,
                Failure::Timeout => Self::Timeout,
                Failure::Protocol => Self::Protocol,
                Failure::Forbidden => Self::Forbidden,
                Failure::Rejected => Self::Rejected,
                Failure::Misconfigured => Self::Misconfigured,
                Failure::Unavailable => Self::Unavailable,
                Failure::Busy => Self::Busy,
                Failure::Transformation => Self::Transformation,
                Failure::Damaged => Self::Damaged,
            },
        }
    }
}

impl From<StoredOutcome> for Outcome {
    fn from(outcome: StoredOutcome) -> Self {
        Self::Unanswered(match outcome {
            StoredOutcome::Answered { status, retry_after } => {
                return Self::Answered { status, retry_after };
            },
            StoredOutcome::Resolve => Failure::Resolve,
            StoredOutcome::Connect => Failure::Connect,
            StoredOutcome::Tls => Failure::Tls,
            StoredOutcome::Timeout => Failure::Timeout,
            StoredOutcome::Protocol => Failure::Protocol,
            StoredOutcome::Forbidden => Failure::Forbidden,
            StoredOutcome::Rejected => Failure::Rejected,
            StoredOutcome::Misconfigured => Failure::Misconfigured,
            StoredOutcome::Unavailable => Failure::Unavailable,
            StoredOutcome::Busy => Failure::Busy,
            StoredOutcome::Transformation => Failure::Transformation,
            StoredOutcome::Damaged => Failure::Damaged,
        })
    }
}
