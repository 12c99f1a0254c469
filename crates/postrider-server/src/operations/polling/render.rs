//! What clients get: messages, and why a request was refused.

use postrider::api::{
    MessageOut,
    polling::{PollerV2MessageOut, PollingEndpointOut},
};
use postrider_core::polling::MAX_POLL_CONSUMERS;
use postrider_engine::{PollError, Polled};
use postrider_store::LogEntry;

use crate::{api::error::ApiError, operations::render};

pub(super) fn page(polled: &Polled) -> PollingEndpointOut {
    PollingEndpointOut {
        data: polled.entries.iter().map(|it| render::message(&it.message, true)).collect(),
        iterator: polled.position.encode(),
        done: polled.is_end,
    }
}

pub(super) fn entry(entry: &LogEntry) -> PollerV2MessageOut {
    let MessageOut { id, event_type, event_id, payload, channels, tags, deliver_at, timestamp } =
        render::message(&entry.message, true);
    let offset = entry.offset;
    PollerV2MessageOut {
        offset,
        id,
        event_type,
        event_id,
        payload,
        channels,
        tags,
        deliver_at,
        timestamp,
    }
}

pub(super) fn error(error: PollError) -> ApiError {
    match error {
        PollError::Leased(until) => ApiError::Conflict {
            code: "leased",
            detail: format!(
                "another client has messages of this consumer until {}; commit them, wait, or use \
                 another consumer",
                until.to_rfc3339()
            ),
        },
        PollError::Outdated => ApiError::Conflict {
            code: "iterator_outdated",
            detail: "the iterator is not the last one of this consumer; poll without an iterator \
                     to go on behind what was acknowledged"
                .to_owned(),
        },
        PollError::NotHandedOut(highest) => ApiError::Bad {
            code: "not_received",
            detail: format!(
                "the consumer has received messages up to the offset {highest} only; commit the \
                 offset of the last message that it received"
            ),
        },
        PollError::TooMany => ApiError::Bad {
            code: "too_many",
            detail: format!(
                "the endpoint has {MAX_POLL_CONSUMERS} consumers already; remove one first"
            ),
        },
        PollError::NoEndpoint => ApiError::NotFound("endpoint"),
        PollError::NoConsumer => ApiError::NotFound("consumer"),
        PollError::Races => ApiError::Outdated("consumer"),
        PollError::Store(error) => error.into(),
    }
}
