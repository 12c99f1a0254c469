//! Delivers messages: over HTTP, and by the other kinds of endpoints.
//!
//! [`Sender`] is the trait that each kind implements. [`Senders`] chooses the implementation.

mod batch;
mod built_in;
mod call;
mod chat;
mod clients;
mod command;
mod connect;
mod dns;
mod egress;
mod email;
mod error;
mod expiry;
mod guard;
mod guard_error;
mod http;
mod live;
mod meter;
mod oauth;
mod options;
mod origin;
mod pool;
mod proxy;
mod receive_budget;
mod report;
mod resolve;
mod senders;
mod shadow;
mod shape;
mod sql;
mod tls;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use postrider::{EndpointId, api::EndpointKind, provider::KeyRequest};
use postrider_core::{target::Target, time::Timestamp};

pub use self::{
    batch::Batcher,
    built_in::{BuiltInOptions, built_in},
    call::Call,
    chat::ChatSender,
    clients::Clients,
    command::CommandSender,
    dns::Dns,
    email::EmailSender,
    expiry::ExpiringCertificates,
    guard::{Guard, Peer},
    guard_error::GuardError,
    http::{
        HttpSender,
        request::{HttpClient, ServiceRequest, ServiceResponse},
    },
    live::{LiveDelivery, LiveHub, LiveInbox, LiveSender},
    oauth::{GrantKey, GrantState, Grants, JwtKeyError, check_jwt_key},
    options::SenderOptions,
    proxy::{Proxy, ProxyProtocol},
    receive_budget::ResponseLimits,
    report::Report,
    senders::Senders,
    shape::{Made, ShapeError, Shaper},
};

pub(crate) use self::shadow::record as record_shadow;

/// Why a URL was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// A retry would fail too: the URL, its address or the response is not acceptable.
    #[error("{0}")]
    Refused(String),
    /// A retry may succeed.
    #[error("{0}")]
    Unreachable(String),
}

/// Makes deliveries of one kind. A delivery cannot fail: every result is an [`Outcome`](postrider_core::outcome::Outcome).
///
/// It decides nothing else: retries, breaker, rate and order belong to the dispatcher.
#[async_trait]
pub trait Sender: Send + Sync + std::fmt::Debug + 'static {
    /// Delivers a message, or returns why it was not delivered.
    async fn send(&self, call: Call) -> Report;

    /// Connects and authenticates, and changes nothing: whether the endpoint can be reached.
    async fn check(&self, _target: Arc<Target>) -> Report {
        Report::delivered("there is nothing to check without a delivery")
    }

    /// Whether it can deliver to endpoints of the kind.
    fn supports(&self, kind: EndpointKind) -> bool {
        kind.is_http()
    }

    /// The time limit of a delivery, if it is not that of the installation.
    fn time_limit(&self, _target: &Target) -> Option<Duration> {
        None
    }

    /// Sets what access tokens of OAuth are fetched with.
    fn attach(&self, _grants: Arc<dyn Grants>) {}

    /// The readers of `live` endpoints that are connected to this node, if it can have any.
    fn live(&self) -> Option<&Arc<LiveHub>> {
        None
    }

    /// The client certificates that expire soon, of the endpoints that were called lately.
    fn expiring_certificates(&self, _now: Timestamp) -> ExpiringCertificates {
        ExpiringCertificates::default()
    }

    /// When each of the client certificates expires that expire soon, of the endpoints that were
    /// called lately.
    fn certificate_expiries(&self, _now: Timestamp) -> Vec<(EndpointId, Timestamp)> {
        Vec::new()
    }

    /// Open connections to receivers that no request uses.
    fn idle_connections(&self) -> usize {
        0
    }

    /// What runs transformations, if there is anything that can.
    fn shaper(&self) -> Option<&Shaper> {
        None
    }

    /// Gets a key, or calls a URL that a provider wants to have called: over https only, with the
    /// same address checks as deliveries, without redirects, limited in size and time.
    async fn fetch(&self, _request: &KeyRequest) -> Result<Bytes, FetchError> {
        Err(FetchError::Refused("this sender does not fetch".to_owned()))
    }
}
