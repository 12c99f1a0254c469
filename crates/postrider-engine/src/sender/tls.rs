//! TLS connections to receivers: which certificates are trusted, and why a handshake failed.

mod algorithms;
mod explain;
mod named;
mod settings;
mod verify;

use std::{sync::Arc, time::Duration};

use postrider_core::{client_identity::ClientIdentity, outcome::Failure};
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::{WantsClientCert, danger::ServerCertVerifier},
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(super) use self::{
    explain::{explain, handshake as explain_handshake},
    settings::TlsSettings,
};
use self::{named::NamedVerifier, verify::Verifier};
use super::{error::CallError, options::SenderOptions};
use crate::certificates::{self, identity};

/// Time limit of a handshake, which takes two or three round trips. It is shorter than the limit of
/// the call, so that a server that waits for plain text can be told from one that is slow to
/// respond.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts TLS on connections.
pub(super) struct Tls {
    /// For endpoints without their own trusted certificates.
    shared: TlsConnector,
    verifier: Arc<Verifier>,
    provider: Arc<CryptoProvider>,
    /// Trusted in addition to the system's authorities.
    others: Vec<CertificateDer<'static>>,
    limit: Duration,
}

impl Tls {
    pub(super) fn new(options: &SenderOptions) -> Self {
        let provider = Arc::new(algorithms::provider());
        let verifier = Verifier::new(&provider, roots(&options.trusted), options.trusted.clone());
        let verifier = Arc::new(verifier.expect("the well-known authorities are trusted at least"));
        let shared = TlsConnector::from(Arc::new(config(&provider, Arc::clone(&verifier) as _)));
        let limit = HANDSHAKE_TIMEOUT.min(options.request_timeout / 2);
        let others = options.trusted.clone();
        Self { shared, verifier, provider, others, limit }
    }

    /// Starts TLS with a host.
    pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        tcp: S,
        settings: TlsSettings<'_>,
    ) -> Result<TlsStream<S>, CallError> {
        let failed = |reason: String| CallError::new(Failure::Tls, reason);
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| {
            failed(format!("the URL's host cannot be in a certificate: {error}"))
        })?;
        let connector = self.connector(settings).map_err(failed)?;
        match tokio::time::timeout(self.limit, connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(failed(explain::handshake(&error))),
            Err(_) => {
                let limit = self.limit.as_millis();
                Err(failed(format!(
                    "the server did not complete a TLS handshake within {limit} ms; does this \
                     port speak plain http?"
                )))
            },
        }
    }

    /// The authorities that the installation trusts, without those that cannot be read.
    pub(super) fn authorities(&self) -> Vec<CertificateDer<'static>> {
        let system = postrider_store::root_certificates();
        let is_readable =
            |it: &CertificateDer<'static>| RootCertStore::empty().add(it.clone()).is_ok();
        system.into_iter().chain(self.others.iter().cloned()).filter(is_readable).collect()
    }

    /// The configuration for protocols other than HTTP.
    pub(super) fn bare_config(
        &self,
        trusted: Option<&str>,
    ) -> Result<Arc<ClientConfig>, CallError> {
        let connector = match trusted {
            Some(pem) => self
                .trusting(pem)
                .map_err(|reason| CallError::new(Failure::Misconfigured, reason))?,
            None => self.shared.clone(),
        };
        let mut config = ClientConfig::clone(connector.config());
        config.alpn_protocols.clear();
        Ok(Arc::new(config))
    }

    /// As [`Self::bare_config`], for a client that knows only the address of the host: the
    /// certificate has to be valid for the host nevertheless.
    pub(super) fn named_config(
        &self,
        host: &str,
        trusted: Option<&str>,
    ) -> Result<Arc<ClientConfig>, CallError> {
        let misconfigured = |reason| CallError::new(Failure::Misconfigured, reason);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| misconfigured("the host cannot be in a certificate".to_owned()))?;
        let verifier = match trusted {
            Some(pem) => self.verifier_trusting(pem).map_err(misconfigured)?,
            None => Arc::clone(&self.verifier),
        };
        let mut config = config(&self.provider, Arc::new(NamedVerifier::new(name, verifier)));
        config.alpn_protocols.clear();
        Ok(Arc::new(config))
    }

    /// An endpoint with a client certificate gets a configuration of its own, so that its sessions
    /// are not resumed by others.
    fn connector(&self, settings: TlsSettings<'_>) -> Result<TlsConnector, String> {
        let verifier = match (settings.trusted, settings.identity) {
            (None, None) => return Ok(self.shared.clone()),
            (Some(pem), _) => self.verifier_trusting(pem)?,
            (None, Some(_)) => Arc::clone(&self.verifier),
        };
        let config = match settings.identity {
            Some(identity) => config_with(&self.provider, verifier, identity)?,
            None => config(&self.provider, verifier),
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn trusting(&self, pem: &str) -> Result<TlsConnector, String> {
        let config = config(&self.provider, self.verifier_trusting(pem)?);
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn verifier_trusting(&self, pem: &str) -> Result<Arc<Verifier>, String> {
        let unusable = |reason: &dyn std::fmt::Display| {
            format!("the endpoint's trustedCertificates cannot be used: {reason}")
        };
        let trusted = certificates::parse(pem.as_bytes()).map_err(|error| unusable(&error))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let verifier = Verifier::new(&self.provider, roots, trusted);
        Ok(Arc::new(verifier.map_err(|error| unusable(&error))?))
    }
}

/// The authorities that the system trusts, or those of Mozilla if there are none, and `others`.
fn roots(others: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(postrider_store::root_certificates());
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(others.iter().cloned());
    roots
}

/// Speaks HTTP with servers whose certificates the verifier accepts.
fn config(provider: &Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> ClientConfig {
    speaking_http(builder(provider, verifier).with_no_client_auth())
}

/// As [`config`], with a client certificate.
fn config_with(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: &ClientIdentity,
) -> Result<ClientConfig, String> {
    let unusable = |reason: &dyn std::fmt::Display| {
        format!("the endpoint's client certificate cannot be used: {reason}")
    };
    let (chain, key) = identity::open(identity).map_err(|error| unusable(&error))?;
    let config = builder(provider, verifier).with_client_auth_cert(chain, key);
    Ok(speaking_http(config.map_err(|error| unusable(&error))?))
}

fn builder(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

fn speaking_http(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
