//! The journal: the changes of each commit that the index has to apply.
//!
//! Entries are stored, and `postcard` encodes a variant as its position in the enum: variants and
//! fields may be renamed, but neither reordered nor removed.

use postrider_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    labels::Labels,
    number::{ApplicationNumber, AttemptSequence, EndpointNumber, MessageSequence, PackedFact},
};

/// The state of a delivery, as lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DeliveryState {
    Delivered,
    /// Due at this time.
    Pending(Timestamp),
    Failed,
    Cancelled,
}

/// A delivery of a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NewDelivery {
    pub(super) endpoint: EndpointNumber,
    pub(super) due_at: Timestamp,
}

/// A change that lists show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Change {
    /// A message was accepted. Written by earlier versions only.
    MessageAccepted {
        message: MessageSequence,
        application: ApplicationNumber,
        deliveries: Vec<NewDelivery>,
    },
    /// An attempt was recorded; `then` is the delivery's new state if the attempt changed it.
    AttemptRecorded {
        attempt: AttemptSequence,
        message: MessageSequence,
        endpoint: EndpointNumber,
        status: u16,
        then: Option<DeliveryState>,
    },
    /// A delivery changed its state without an attempt.
    DeliveryMoved { message: MessageSequence, endpoint: EndpointNumber, to: DeliveryState },
    /// All pending deliveries to the endpoint were cancelled.
    EndpointCancelled { endpoint: EndpointNumber },
    /// The message was removed, with its deliveries to these endpoints.
    MessageRemoved {
        message: MessageSequence,
        application: ApplicationNumber,
        endpoints: Vec<EndpointNumber>,
    },
    /// The attempt was removed.
    AttemptRemoved { attempt: AttemptSequence, message: MessageSequence, endpoint: EndpointNumber },
    /// An attempt was recorded, as [`Self::AttemptRecorded`] says, and is counted as this fact.
    AttemptCounted {
        attempt: AttemptSequence,
        message: MessageSequence,
        endpoint: EndpointNumber,
        status: u16,
        then: Option<DeliveryState>,
        fact: PackedFact,
    },
    /// A source received requests.
    RequestsCounted { application: ApplicationNumber, source: u128, fact: PackedFact, count: u64 },
    /// The application with this id was erased.
    StatisticsErased { application: u128 },
    /// A message was accepted, as [`Self::MessageAccepted`] says, and has these labels.
    MessageLabelled {
        message: MessageSequence,
        application: ApplicationNumber,
        labels: Labels,
        deliveries: Vec<NewDelivery>,
    },
}
