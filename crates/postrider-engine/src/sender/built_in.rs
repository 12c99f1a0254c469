//! The senders that every build has, in addition to the one for HTTP.

use std::sync::Arc;

use postrider::api::EndpointKind;

use super::{EmailSender, Guard, LiveSender, Sender};

/// The senders of the kinds that every build has and that need nothing but connections.
pub fn built_in(guard: &Guard) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    vec![
        (EndpointKind::Email, Arc::new(EmailSender::new(guard.clone()))),
        (EndpointKind::Live, Arc::new(LiveSender::default())),
    ]
}
