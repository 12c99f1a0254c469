//! Chooses the sender of an endpoint's kind.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use postrider::{EndpointId, api::EndpointKind, provider::KeyRequest};
use postrider_core::{outcome::Failure, target::Target, time::Timestamp};
use tokio::time::Instant;

use super::{
    Call, ExpiringCertificates, FetchError, Grants, HttpSender, LiveHub, Report, Sender, Shaper,
    shape,
};

/// The senders of all kinds that this build has.
#[derive(Debug)]
pub struct Senders {
    http: Arc<HttpSender>,
    by_kind: HashMap<EndpointKind, Arc<dyn Sender>>,
    /// For a whole delivery, unless the kind has a limit of its own.
    time_limit: Duration,
    shaper: Option<Shaper>,
}

impl Senders {
    /// The sender for HTTP alone, with the time limit of a delivery of the other kinds.
    pub fn new(http: Arc<HttpSender>, time_limit: Duration) -> Self {
        Self { http, by_kind: HashMap::new(), time_limit, shaper: None }
    }

    /// Runs transformations. Without this, deliveries to endpoints that have one fail.
    pub fn shaped_by(mut self, shaper: Shaper) -> Self {
        self.shaper = Some(shaper);
        self
    }

    /// Adds the sender of a kind.
    pub fn with(mut self, kind: EndpointKind, sender: Arc<dyn Sender>) -> Self {
        self.by_kind.insert(kind, sender);
        self
    }

    fn of(&self, target: &Target) -> Result<&Arc<dyn Sender>, Box<Report>> {
        let kind = target.destination.kind();
        self.by_kind.get(&kind).ok_or_else(|| {
            let reason = format!(
                "this server was built without endpoints of kind `{kind}`; install a build with \
                 all kinds"
            );
            Box::new(Report::failed(Failure::Misconfigured, reason))
        })
    }

    /// Delivers what the transformation of the endpoint makes of the message.
    async fn send_shaped(&self, call: Call) -> Report {
        let Some(shaper) = &self.shaper else {
            return Report::failed(Failure::Transformation, shape::UNAVAILABLE);
        };
        shaper.deliver(call, |call| self.send_as_it_is(call)).await
    }

    async fn send_as_it_is(&self, call: Call) -> Report {
        if call.target.http().is_some() {
            // Not as a `Sender`, which would put the future into a second box.
            return self.http.deliver(&call).await;
        }
        // In a box, because the futures of other kinds are larger than that of HTTP.
        Box::pin(self.send_by_kind(call)).await
    }

    /// Delivers with a sender other than the one for HTTP.
    async fn send_by_kind(&self, call: Call) -> Report {
        let sender = match self.of(&call.target) {
            Ok(sender) => sender,
            Err(report) => return *report,
        };
        let limit = sender.time_limit(&call.target).unwrap_or(self.time_limit);
        limited(limit, sender.send(call)).await
    }
}

/// The report of a delivery, with its duration, and with a failure after the time limit.
async fn limited(limit: Duration, delivery: impl Future<Output = Report>) -> Report {
    let began = Instant::now();
    let report = tokio::time::timeout(limit, delivery).await;
    let report = report.unwrap_or_else(|_| {
        let reason = format!("no confirmation within {} ms", limit.as_millis());
        Report::failed(Failure::Timeout, reason)
    });
    Report { duration: began.elapsed(), ..report }
}

#[async_trait]
impl Sender for Senders {
    async fn send(&self, call: Call) -> Report {
        if call.target.script.is_some() {
            return Box::pin(self.send_shaped(call)).await;
        }
        self.send_as_it_is(call).await
    }

    fn shaper(&self) -> Option<&Shaper> {
        self.shaper.as_ref()
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        if target.http().is_some() {
            return self.http.check(target).await;
        }
        match self.of(&target) {
            Ok(sender) => limited(self.time_limit, sender.check(Arc::clone(&target))).await,
            Err(report) => *report,
        }
    }

    fn attach(&self, grants: Arc<dyn Grants>) {
        self.http.attach(grants);
    }

    fn expiring_certificates(&self, now: Timestamp) -> ExpiringCertificates {
        self.http.expiring_certificates(now)
    }

    fn certificate_expiries(&self, now: Timestamp) -> Vec<(EndpointId, Timestamp)> {
        self.http.certificate_expiries(now)
    }

    fn idle_connections(&self) -> usize {
        self.http.idle_connections()
    }

    fn live(&self) -> Option<&Arc<LiveHub>> {
        self.by_kind.get(&EndpointKind::Live).and_then(|sender| sender.live())
    }

    fn supports(&self, kind: EndpointKind) -> bool {
        kind.is_http() || self.by_kind.contains_key(&kind)
    }

    async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.http.fetch(request).await
    }
}
