//! Streams to brokers through the address guard, with or without TLS.

use std::{fmt, net::SocketAddr};

use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::{Guard, Peer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::failed::Failed;

/// A stream to a broker, with or without TLS.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Duplex for T {}

pub(crate) type Stream = Box<dyn Duplex>;

/// Where a broker is and how it is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a> {
    pub host: &'a str,
    pub port: u16,
    /// The ports that brokers of this kind usually have.
    pub own_ports: &'a [u16],
    pub uses_tls: bool,
    /// Certificate authorities that are trusted instead of the installation's, in PEM.
    pub trusted: Option<&'a str>,
}

/// Connects to a broker, after its address was checked.
pub(crate) async fn open(
    guard: &Guard,
    target: Option<&Target>,
    to: Address<'_>,
) -> Result<(Stream, SocketAddr), Failed> {
    let peer = Peer { host: to.host, port: to.port, own_ports: to.own_ports };
    let (tcp, address) = guard.connect(peer, target).await?;
    if !to.uses_tls {
        return Ok((Box::new(tcp), address));
    }
    let connector = TlsConnector::from(guard.tls(to.trusted)?);
    let name = to.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|_| {
        Failed::new(Failure::Misconfigured, "the host is not a name that a certificate can have")
    })?;
    let stream = connector.connect(name, tcp).await.map_err(|error| {
        let reason = format!(
            "TLS with the broker failed: {error}; check the port, the name in the certificate and \
             `trustedCertificates`"
        );
        Failed::new(Failure::Tls, reason).at(address)
    })?;
    Ok((Box::new(stream), address))
}
