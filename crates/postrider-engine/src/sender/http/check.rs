//! Connects to an endpoint without sending a request.

use postrider_core::{outcome::Failure, target::Target};

use super::HttpSender;
use crate::sender::{Report, origin::Origin};

impl HttpSender {
    /// Whether the endpoint can be reached: its name resolves, its address is allowed, and TLS can
    /// be agreed on.
    pub(super) async fn check_once(&self, target: &Target) -> Report {
        let Some(prepared) = target.http() else {
            return Report::failed(
                Failure::Protocol,
                "internal error: this is not called over HTTP",
            );
        };
        let (origin, trusted) = (Origin::of(Some(target)), prepared.trusted.as_deref());
        let connecting = self.connector.connect(&prepared.url, origin, trusted);
        match Box::pin(connecting).await {
            Ok(opened) => {
                let done = format!("connected to {}; no request was sent", opened.address);
                Report::delivered(done).at(Some(opened.address))
            },
            Err(failed) => Report::failed(failed.failure, failed.reason).at(failed.address),
        }
    }
}
