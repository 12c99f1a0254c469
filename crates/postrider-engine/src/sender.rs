//! Makes the calls.

mod connect;
pub(crate) mod http;
mod pool;
mod resolve;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use postrider_core::{
    delivery::Response, message::Message, outcome::Outcome, request::Prepared, time::Timestamp,
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

/// Makes calls. It never fails: every ending is an [`Outcome`].
#[async_trait]
pub trait Sender: Send + Sync + std::fmt::Debug + 'static {
    async fn send(&self, call: Call) -> Report;
}
