//! Delivers to `live` endpoints: hands messages to the readers that are connected to this node.
//!
//! There is no receiver to retry for, so a delivery always succeeds. A reader that is connected to
//! another node, or that comes back later, reads the message from the store.

mod hub;

use std::sync::Arc;

use async_trait::async_trait;

use super::{Call, Report, Sender};

pub use self::hub::{LiveDelivery, LiveHub, LiveInbox};

/// Delivers to the readers of `live` endpoints.
#[derive(Debug, Default)]
pub struct LiveSender {
    hub: Arc<LiveHub>,
}

#[async_trait]
impl Sender for LiveSender {
    async fn send(&self, call: Call) -> Report {
        let readers = self.hub.deliver(&call);
        let noun = if readers == 1 { "reader" } else { "readers" };
        Report::delivered(format!("sent to {readers} {noun} on this node"))
    }

    fn live(&self) -> Option<&Arc<LiveHub>> {
        Some(&self.hub)
    }
}
