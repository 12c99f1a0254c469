//! The address guard for everything that is not HTTP: resolves names, checks addresses, connects.

use std::{net::SocketAddr, sync::Arc};

use postrider_core::{outcome::Failure, target::Target};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use url::Url;

use super::{
    connect::Connector, guard_error::GuardError, http::request::HttpClient, origin::Origin,
};

/// Opens connections to services. Every address is checked, also if a service advertised it.
#[derive(Clone, Debug)]
pub struct Guard {
    connector: Arc<Connector>,
    http: HttpClient,
}

/// A host and a port to connect to, on behalf of an endpoint or a queue source.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    pub host: &'a str,
    pub port: u16,
    /// Ports that are allowed for this service, in addition to those of the installation.
    pub own_ports: &'a [u16],
}

impl Guard {
    pub(super) const fn new(connector: Arc<Connector>, http: HttpClient) -> Self {
        Self { connector, http }
    }

    /// A client for services that speak HTTP.
    pub const fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Connects to the first reachable address that is allowed, through the proxy if there is one.
    pub async fn connect(
        &self,
        peer: Peer<'_>,
        target: Option<&Target>,
    ) -> Result<(TcpStream, SocketAddr), GuardError> {
        let url = url(peer)?;
        Ok(self.connector.connect_tcp(&url, Origin::of(target), peer.own_ports).await?)
    }

    /// The addresses of a host that are allowed, at least one. For clients that take addresses
    /// only; they do not use the proxy.
    pub async fn resolve(
        &self,
        peer: Peer<'_>,
        target: Option<&Target>,
    ) -> Result<Vec<SocketAddr>, GuardError> {
        let url = url(peer)?;
        Ok(self.connector.addresses(&url, Origin::of(target), peer.own_ports).await?)
    }

    /// TLS that trusts the installation's certificates, or only those in `trusted` (PEM). It
    /// negotiates no protocol.
    pub fn tls(&self, trusted: Option<&str>) -> Result<Arc<ClientConfig>, GuardError> {
        Ok(self.connector.tls_config(trusted)?)
    }

    /// The authorities that the installation trusts, for clients that speak TLS by themselves.
    pub fn authorities(&self) -> Vec<CertificateDer<'static>> {
        self.connector.authorities()
    }

    /// As [`Self::tls`], for a client that is given an address of the host: the certificate has to
    /// be valid for the host nevertheless.
    pub fn tls_for(
        &self,
        host: &str,
        trusted: Option<&str>,
    ) -> Result<Arc<ClientConfig>, GuardError> {
        Ok(self.connector.named_tls_config(host, trusted)?)
    }
}

/// The connector's checks and its log are about URLs. The scheme is one for which addresses are
/// recognized.
fn url(Peer { host, port, .. }: Peer<'_>) -> Result<Url, GuardError> {
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    let text = if is_bare_v6 {
        format!("http://[{host}]:{port}")
    } else {
        format!("http://{host}:{port}")
    };
    Url::parse(&text).map_err(|_| GuardError {
        failure: Failure::Misconfigured,
        reason: "the host is not a valid name or address; correct it".to_owned(),
        address: None,
    })
}
