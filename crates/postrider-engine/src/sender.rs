//! Makes the calls.

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
    /// When it begins; the signature carries it.
    pub at: Timestamp,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub response: Response,
    /// The address that was called, if it came to that.
    pub address: Option<SocketAddr>,
    pub duration: Duration,
}

impl Report {
    /// The sender has a bug: the delivery counts as failed and is retried.
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

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Trying again brings the same: the URL, its address or the answer is not acceptable.
    #[error("{0}")]
    Refused(String),
    /// It may work later.
    #[error("{0}")]
    Unreachable(String),
}

/// Makes calls. A delivery never fails: every ending is an [`Outcome`].
#[async_trait]
pub trait Sender: Send + Sync + std::fmt::Debug + 'static {
    async fn send(&self, call: Call) -> Report;

    /// Gets a key, or calls a URL that a provider wants called: over https only, with the same
    /// guard of addresses as deliveries, without redirects, bounded in size and time.
    async fn fetch(&self, _request: &KeyRequest) -> Result<Bytes, FetchError> {
        Err(FetchError::Refused("nothing is fetched here".to_owned()))
    }
}
