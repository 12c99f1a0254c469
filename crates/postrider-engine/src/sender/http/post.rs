//! Posts JSON on behalf of an endpoint that is not called as a webhook.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::HeaderValue;
use postrider_core::{outcome::Failure, request::Prepared, target::Target, time::Timestamp};
use tokio::time::Instant;
use url::Url;

use super::{HttpCall, HttpSender, Progress, ReceivedResponse, wait};
use crate::sender::{
    Report,
    error::CallError,
    origin::{LookupGroup, Origin},
};

const AGENT: HeaderValue = HeaderValue::from_static("Postrider");

/// The response to a request.
#[derive(Debug)]
pub(in crate::sender) struct HttpPost {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// As much of it as is kept.
    pub body: Bytes,
    pub address: Option<SocketAddr>,
}

impl HttpSender {
    /// Posts JSON to a URL: with the same checks, limits, proxies and connections as deliveries,
    /// but without a signature.
    pub(in crate::sender) async fn post(
        &self,
        target: &Target,
        url: &Url,
        body: &Bytes,
        at: Timestamp,
    ) -> Result<HttpPost, CallError> {
        let prepared = self.unsigned(target, url)?;
        let application = target.application;
        let call = HttpCall { prepared: &prepared, application, message: None, body };
        let began = Instant::now();
        let mut progress = Progress::default();
        let ended = self.timed_exchange(&call, &mut progress).await;
        let (address, duration) = (progress.address, began.elapsed());
        let ReceivedResponse { status, headers, body, .. } = progress.end(ended)?;
        Ok(HttpPost { status, retry_after: wait(&headers, at + duration), body, address })
    }

    /// Connects to the host of a URL without sending a request.
    pub(in crate::sender) async fn check_host(&self, target: &Target, url: &Url) -> Report {
        let group = LookupGroup::Application(target.application);
        let origin = Origin { group, endpoint: Some(target.endpoint) };
        let connecting = async {
            self.unsigned(target, url)?;
            self.connector.connect(url, origin, None).await
        };
        match Box::pin(connecting).await {
            Ok(opened) => {
                let done = format!("connected to {}; nothing was posted", opened.address);
                Report::delivered(done).at(Some(opened.address))
            },
            Err(failed) => Report::failed(failed.failure, failed.reason).at(failed.address),
        }
    }

    fn unsigned(&self, target: &Target, url: &Url) -> Result<Prepared, CallError> {
        if self.options.addresses.https_only && url.scheme() != "https" {
            let reason = "the URL is not https, and this server calls no others";
            return Err(CallError::new(Failure::Forbidden, reason));
        }
        Prepared::unsigned(target.endpoint, url, AGENT).map_err(|_| {
            CallError::new(Failure::Misconfigured, "the URL cannot be called; correct it")
        })
    }
}
