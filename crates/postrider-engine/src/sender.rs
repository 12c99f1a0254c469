//! Calls receivers: resolves names, checks addresses, connects, sends requests.

mod connect;
mod dns;
mod egress;
mod error;
mod http;
mod meter;
mod options;
mod origin;
mod pool;
mod proxy;
mod receive_budget;
mod resolve;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use postrider::provider::KeyRequest;
use postrider_core::{
    delivery::Response,
    message::Message,
    outcome::{Failure, Outcome},
    request::Prepared,
    time::Timestamp,
};

pub use self::{
    dns::Dns,
    http::HttpSender,
    options::SenderOptions,
    proxy::{Proxy, ProxyProtocol},
    receive_budget::ResponseLimits,
};

/// One call to make.
#[derive(Clone, Debug)]
pub struct Call {
    pub prepared: Arc<Prepared>,
    pub message: Arc<Message>,
    pub body: Bytes,
    /// When it starts; part of the signature.
    pub at: Timestamp,
}

/// The result of a call.
#[derive(Clone, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub response: Response,
    /// The address that was called, if there was one.
    pub address: Option<SocketAddr>,
    pub duration: Duration,
}

impl Report {
    /// The result of a call in which the sender panicked. The attempt counts as failed and is
    /// retried.
    pub(crate) fn panicked(reason: &str) -> Self {
        tracing::error!(reason, "internal error: the sender panicked");
        let body = "internal error: the sender panicked; the server's log says more";
        Self {
            outcome: Outcome::Unanswered(Failure::Protocol),
            response: Response { headers: Vec::new(), body: Bytes::from_static(body.as_bytes()) },
            address: None,
            duration: Duration::ZERO,
        }
    }
}

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

/// Makes calls. A call cannot fail: every result is an [`Outcome`].
#[async_trait]
pub trait Sender: Send + Sync + std::fmt::Debug + 'static {
    async fn send(&self, call: Call) -> Report;

    /// Gets a key, or calls a URL that a provider wants to have called: over https only, with the
    /// same address checks as deliveries, without redirects, limited in size and time.
    async fn fetch(&self, _request: &KeyRequest) -> Result<Bytes, FetchError> {
        Err(FetchError::Refused("this sender does not fetch".to_owned()))
    }
}
