//! Logs connections at level `debug`: on whose behalf, to which host and address, and the result.
//! Paths, queries and credentials are not logged.

use std::net::SocketAddr;

use postrider_core::address::{self, Policy};
use url::Url;

use super::{
    error::CallError,
    origin::{LookupGroup, Origin},
};

/// What is logged about a connection in addition to its result.
#[derive(Clone, Copy, Debug)]
pub(super) struct EgressLog<'a> {
    pub origin: Origin,
    pub url: &'a Url,
}

impl EgressLog<'_> {
    pub(super) fn connected(&self, address: SocketAddr) {
        self.log(Some(address), &"connected");
    }

    /// Only the operator sees the address and the reason, because they reveal how names resolve
    /// within the operator's network.
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
            LookupGroup::Consumers => (None, "consumer"),
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
