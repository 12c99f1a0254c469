//! Verifies the certificates of receivers.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    server::{ParsedCertificate, VerifierBuilderError},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::{Certificate, der::Decode};

/// Accepts certificates that a trusted authority issued, and those that are trusted themselves.
/// The latter is needed because `openssl req -x509` marks a server's certificate as that of an
/// authority, which a server may not present by the usual rules.
#[derive(Debug)]
pub(super) struct Verifier {
    issued: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

/// Why a certificate is not trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untrusted {
    #[error("the certificate is self-signed (by {0}) and not trusted")]
    SelfSigned(String),
    #[error(
        "the certificate was issued by {0}, which is not trusted, and the server sent no \
         intermediate certificate that leads to a trusted authority"
    )]
    Issuer(String),
}

impl Verifier {
    pub(super) fn new(
        provider: &Arc<CryptoProvider>,
        roots: RootCertStore,
        trusted: Vec<CertificateDer<'static>>,
    ) -> Result<Self, VerifierBuilderError> {
        let provider = Arc::clone(provider);
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Self { issued: issued.build()?, trusted })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.iter().any(|it| it == end_entity) {
            check_time(end_entity, now)?;
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.issued
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| with_issuer(error, end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}

fn check_time(certificate: &CertificateDer<'_>, time: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate.validity;
    let seconds = |it: Duration| UnixTime::since_unix_epoch(Duration::from_secs(it.as_secs()));
    let not_before = seconds(validity.not_before.to_unix_duration());
    let not_after = seconds(validity.not_after.to_unix_duration());
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}

/// Adds the issuer's name, which the library's error does not contain.
fn with_issuer(error: Error, certificate: &CertificateDer<'_>) -> Error {
    // The signature does not match if another key uses the name of a trusted authority.
    let is_about_trust = is_authority(&error)
        || matches!(
            error,
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature
            )
        );
    let Some(parsed) = Certificate::from_der(certificate).ok().filter(|_| is_about_trust) else {
        return error;
    };
    let parsed = parsed.tbs_certificate;
    let issuer = parsed.issuer.to_string();
    let reason = if parsed.issuer == parsed.subject {
        Untrusted::SelfSigned(issuer)
    } else {
        Untrusted::Issuer(issuer)
    };
    CertificateError::Other(OtherError(Arc::new(reason))).into()
}

/// Whether a server presented the certificate of an authority that is not trusted itself.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else {
        return false;
    };
    matches!(cause.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}
