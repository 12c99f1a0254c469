//! The log of connections that are made, at the level `debug`: for whom, where to, and what
//! became of it. It has no path, no query and no credentials.

use std::net::SocketAddr;

use postrider_core::address::{self, Policy};
use url::Url;

use super::{
    error::CallError,
    origin::{LookupGroup, Origin},
};

/// What is logged of a connection besides its result.
#[derive(Clone, Copy, Debug)]
pub(super) struct EgressLog<'a> {
    pub origin: Origin,
    pub url: &'a Url,
}

impl EgressLog<'_> {
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

    pub(super) fn failed(&self, failed: &CallError) {
        self.log(failed.address, &failed.reason);
    }

    fn log(&self, address: Option<SocketAddr>, result: &dyn std::fmt::Display) {
        let (application, purpose) = match self.origin.group {
            LookupGroup::Application(id) => (Some(id), "delivery"),
            LookupGroup::Keys => (None, "keys"),
            LookupGroup::Proxy => (None, "proxy"),
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
