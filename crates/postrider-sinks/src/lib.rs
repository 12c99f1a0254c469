//! Endpoints and queue sources that are brokers and object stores, one feature each.

use std::sync::Arc;

use postrider::api::EndpointKind;
use postrider_core::queue::QueueKind;
use postrider_engine::{Guard, QueueConnector, Sender};

/// The senders of the kinds that this build has.
pub fn senders(_guard: &Guard) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    Vec::new()
}

/// The clients of the queues that this build has.
pub fn queues(_guard: &Guard) -> Vec<(QueueKind, Arc<dyn QueueConnector>)> {
    Vec::new()
}
