//! The log of connections that are made, at the level `debug`: for whom, where to, and what
//! became of it. It has no path, no query and no credentials.

use std::net::SocketAddr;

use postrider::EndpointId;
use postrider_core::address::{self, Policy};
use url::Url;

use super::{http::Failed, resolve::Group};

/// On whose behalf a connection is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub group: Group,
    pub endpoint: Option<EndpointId>,
}

/// What is logged of a connection besides its result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Egress<'a> {
    pub origin: Origin,
    pub url: &'a Url,
}

impl Egress<'_> {
    pub(super) fn connected(&self, address: SocketAddr) {
        self.log(Some(address), &"connected");
    }

    /// The address and the reason are for the operator alone: they tell how the server's own
    /// names resolve.
    pub(super) fn refused(&self, address: SocketAddr, policy: &Policy) {
        match address::check(address.ip(), policy) {
            Err(reason) => self.log(Some(address), &format_args!("refused: {reason}")),
            Ok(()) => self.log(Some(address), &"refused"),
        }
    }

    pub(super) fn failed(&self, failed: &Failed) {
        self.log(failed.address, &failed.reason);
    }

    fn log(&self, address: Option<SocketAddr>, result: &dyn std::fmt::Display) {
        let (application, purpose) = match self.origin.group {
            Group::Application(id) => (Some(id), "delivery"),
            Group::Keys => (None, "keys"),
            Group::Proxy => (None, "proxy"),
        };
        tracing::debug!(
            purpose,
            application = application.map(tracing::field::display),
            endpoint = self.origin.endpoint.map(tracing::field::display),
            host = self.url.host_str(),
            port = self.url.port_or_known_default(),
            address = address.map(tracing::field::display),
            %result,
            "connection"
        );
    }
}
