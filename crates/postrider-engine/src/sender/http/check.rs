//! Connects to an endpoint without sending a request.

use std::sync::Arc;

use postrider_core::{outcome::Failure, target::Target};

use super::{HttpSender, authorized::no_token};
use crate::sender::{Report, origin::Origin, tls::TlsSettings};

impl HttpSender {
    /// Whether the endpoint can be reached: its name resolves, its address is allowed, TLS can be
    /// agreed on, and there is an access token if it needs one.
    pub(super) async fn check_once(&self, target: &Arc<Target>) -> Report {
        let Some(prepared) = target.http() else {
            return Report::failed(
                Failure::Protocol,
                "internal error: this is not called over HTTP",
            );
        };
        let (origin, tls) = (Origin::of(Some(target)), TlsSettings::of(prepared));
        let connecting = self.connector.connect(&prepared.url, origin, tls);
        let address = match Box::pin(connecting).await {
            Ok(opened) => opened.address,
            Err(failed) => {
                return Report::failed(failed.failure, failed.reason).at(failed.address);
            },
        };
        let done = match &prepared.oauth {
            None => format!("connected to {address}; no request was sent"),
            Some(client) => {
                if let Err(error) = self.tokens.get(target, client, None).await {
                    let failed = no_token(&error);
                    return Report::failed(failed.failure, failed.reason).at(Some(address));
                }
                format!("connected to {address}, and got an access token; no request was sent")
            },
        };
        Report::delivered(done).at(Some(address))
    }
}
