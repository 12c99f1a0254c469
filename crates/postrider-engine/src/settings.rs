//! Configuration of the engine.

use std::time::Duration;

use http::HeaderValue;
use postrider::OrganizationId;
use postrider_core::{
    breaker, request::SignatureHeaders, retry::Schedule, statistics::StatisticsRetention,
};
use postrider_store::Retention;

use crate::{alerts::AlertSettings, limits::Limits, tracer::Tracer};

/// Configuration of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    pub schedule: Schedule,
    /// An endpoint whose deliveries are exhausted over this time is disabled.
    pub disable_endpoint_after: Duration,
    pub breaker: breaker::Policy,
    pub signature_headers: SignatureHeaders,
    /// Identifies this server to receivers.
    pub user_agent: HeaderValue,
    /// The organization that receives operational messages. Those about another organization go to
    /// the application whose uid is that organization's id.
    pub operator: Option<OrganizationId>,
    pub retention: Retention,
    pub statistics_retention: StatisticsRetention,
    /// Most endpoints that have metrics of their own.
    pub endpoint_metrics: usize,
    /// Which alerts the operator gets, if any.
    pub alerts: Option<AlertSettings>,
    /// Number of drivers; each handles a part of the applications.
    pub shards: usize,
    /// Records traces, if they are exported.
    pub tracer: Option<Tracer>,
}
