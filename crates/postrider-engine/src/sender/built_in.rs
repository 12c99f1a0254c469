//! The senders that every build has, in addition to the one for HTTP.

use std::sync::Arc;

use postrider::api::EndpointKind;

use super::{Guard, LiveSender, Sender};

/// The senders of the kinds that every build has and that need nothing but connections.
pub fn built_in(_guard: &Guard) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    vec![(EndpointKind::Live, Arc::new(LiveSender::default()))]
}
